"""Correction of the very code that a rule reports, where it follows from that code alone."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_Edits = tuple[tuple[str, str], ...]  # expressions, and what replaces their matches

# Each edit is complete: the code does what its rule requires, once it is made. Other rules have their text alone.
_EDITS: Mapping[str, _Edits] = MappingProxyType(
    {
        "weak-hash": (
            (r"\bhashlib\.(?:md4|md5|sha1)\(", "hashlib.sha256("),
            (r"\bhashlib\.new\((['\"])(?:md4|md5|sha1)\1", r"hashlib.new(\1sha256\1"),
            (r"\bcreateHash\((['\"])(?:md5|sha1)\1", r"createHash(\1sha256\1"),
            (r"\bdigestmod=(['\"])(?:md5|sha1)\1", r"digestmod=\1sha256\1"),
        ),
        "certificate-not-verified": (
            (r"\bverify=False\b", "verify=True"),
            (r"\bssl=False\b", "ssl=True"),
            (r"\brejectUnauthorized: ?false\b", "rejectUnauthorized: true"),
            (r"\bssl\._create_unverified_context\(", "ssl.create_default_context("),
            (r"\bcheck_hostname = False\b", "check_hostname = True"),
            (r"\bssl\.CERT_NONE\b", "ssl.CERT_REQUIRED"),
        ),
        "debug-enabled": ((r"\bdebug=True\b", "debug=False"), (r"\bDEBUG = True\b", "DEBUG = False")),
        "insecure-cookie": (
            (r"\bsecure=False\b", "secure=True"),
            (r"\bsecure: ?false\b", "secure: true"),
            (r"(\b\w+_COOKIE_SECURE = )False\b", r"\1True"),
        ),
        "script-readable-cookie": (
            (r"\bhttponly=False\b", "httponly=True"),
            (r"\bhttpOnly: ?false\b", "httpOnly: true"),
            (r"(\b\w+_COOKIE_HTTPONLY = )False\b", r"\1True"),
        ),
        "file-writable-by-all": ((r"\b0o[0-7]?777\b", "0o700"), (r"\b0o[0-7]?666\b", "0o600")),
        "escaping-off": ((r"\bautoescape=False\b", "autoescape=True"),),
        "weak-random": (
            (r"\brandom\.choice\(", "secrets.choice("),
            (r"\brandom\.getrandbits\(", "secrets.randbits("),
            (r"\brandom\.(random|randint|randrange|sample|choices)\(", r"secrets.SystemRandom().\1("),
        ),
        "unsafe-deserialization": (
            (r"\byaml\.(?:unsafe_load|full_load)\(", "yaml.safe_load("),
            (r"\bLoader=yaml\.(?:Unsafe|Full)?Loader\b", "Loader=yaml.SafeLoader"),
        ),
        "cleartext-protocol": ((r"(['\"])http://", r"\1https://"), (r"\bftplib\.FTP\(", "ftplib.FTP_TLS(")),
        "token-not-verified": ((r"(['\"])verify_signature\1: ?False\b", r"\1verify_signature\1: True"),),
        "xml-external-entities": ((r"\bresolve_entities=True\b", "resolve_entities=False"),),
        "weak-key": ((r"\bkey_size=(?:512|768|1024)\b", "key_size=3072"),),
    }
)
_STATEMENT = re.compile(r"\.(execute|executemany)\(f([\"'])([^\"'{}]*)'?\{(\w+)\}'?([^\"'{}]*)\2\)")


@cache
def _compile_edits(rule: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(expression), text) for expression, text in _EDITS.get(rule, ()))


def correct_snippet(rule: str, snippet: str) -> str:
    """Correct the code that a rule reports. Returns "" if the correction does not follow from this code alone."""
    rule = rule.removeprefix("js-")
    if rule == "sql-injection":
        corrected = _STATEMENT.sub(r'.\1("\3%s\5", (\4,))', snippet)
        return corrected if corrected != snippet else ""
    for expression, text in _compile_edits(rule):
        corrected = expression.sub(text, snippet)
        if corrected != snippet:
            return corrected
    return ""


def split_remedy(remedy: str) -> list[tuple[str, bool]]:
    """Split a remedy into its texts and pieces of code, in order. Indented lines are code."""
    parts: list[tuple[str, bool]] = []
    for line in remedy.strip("\n").splitlines():
        is_code = line.startswith("    ") if line.strip() else bool(parts and parts[-1][1])
        text = line.removeprefix("    ") if is_code else line
        if parts and parts[-1][1] is is_code:
            parts[-1] = (f"{parts[-1][0]}\n{text}", is_code)
        else:
            parts.append((text, is_code))
    return parts

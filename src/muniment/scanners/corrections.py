"""Correction of the very code that a rule reports, where it follows from that code alone."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_Edit = tuple[re.Pattern[str], str]  # an expression, and what replaces its matches

# Each edit is complete: the code does what its rule requires, once it is made. Other rules have their text alone.
_EDITS: Mapping[str, tuple[_Edit, ...]] = MappingProxyType(
    {
        "weak-hash": (
            (re.compile(r"\bhashlib\.(?:md4|md5|sha1)\("), "hashlib.sha256("),
            (re.compile(r"\bhashlib\.new\((['\"])(?:md4|md5|sha1)(['\"])"), r"hashlib.new(\1sha256\2"),
            (re.compile(r"\bcreateHash\((['\"])(?:md5|sha1)(['\"])"), r"createHash(\1sha256\2"),
            (re.compile(r"\bdigestmod=(['\"])(?:md5|sha1)(['\"])"), r"digestmod=\1sha256\2"),
        ),
        "certificate-not-verified": (
            (re.compile(r"\bverify=False\b"), "verify=True"),
            (re.compile(r"\bssl=False\b"), "ssl=True"),
            (re.compile(r"\brejectUnauthorized: ?false\b"), "rejectUnauthorized: true"),
            (re.compile(r"\bssl\._create_unverified_context\("), "ssl.create_default_context("),
            (re.compile(r"\bcheck_hostname = False\b"), "check_hostname = True"),
            (re.compile(r"\bssl\.CERT_NONE\b"), "ssl.CERT_REQUIRED"),
        ),
        "debug-enabled": (
            (re.compile(r"\bdebug=True\b"), "debug=False"),
            (re.compile(r"\bDEBUG = True\b"), "DEBUG = False"),
        ),
        "insecure-cookie": (
            (re.compile(r"\bsecure=False\b"), "secure=True"),
            (re.compile(r"\bsecure: ?false\b"), "secure: true"),
            (re.compile(r"(_COOKIE_SECURE = )False\b"), r"\1True"),
        ),
        "script-readable-cookie": (
            (re.compile(r"\bhttponly=False\b"), "httponly=True"),
            (re.compile(r"\bhttpOnly: ?false\b"), "httpOnly: true"),
            (re.compile(r"(_COOKIE_HTTPONLY = )False\b"), r"\1True"),
        ),
        "file-writable-by-all": (
            (re.compile(r"\b0o[0-7]?777\b"), "0o700"),
            (re.compile(r"\b0o[0-7]?666\b"), "0o600"),
        ),
        "escaping-off": ((re.compile(r"\bautoescape=False\b"), "autoescape=True"),),
        "weak-random": (
            (re.compile(r"\brandom\.choice\("), "secrets.choice("),
            (re.compile(r"\brandom\.getrandbits\("), "secrets.randbits("),
            (re.compile(r"\brandom\.(random|randint|randrange|sample|choices)\("), r"secrets.SystemRandom().\1("),
        ),
        "unsafe-deserialization": (
            (re.compile(r"\byaml\.(?:unsafe_load|full_load)\("), "yaml.safe_load("),
            (re.compile(r"\bLoader=yaml\.(?:Unsafe|Full)?Loader\b"), "Loader=yaml.SafeLoader"),
        ),
        "cleartext-protocol": (
            (re.compile(r"(['\"])http://"), r"\1https://"),
            (re.compile(r"\bftplib\.FTP\("), "ftplib.FTP_TLS("),
        ),
        "token-not-verified": ((re.compile(r"(['\"]verify_signature['\"]: ?)False\b"), r"\1True"),),
        "xml-external-entities": ((re.compile(r"\bresolve_entities=True\b"), "resolve_entities=False"),),
        "weak-key": ((re.compile(r"\bkey_size=(?:512|768|1024)\b"), "key_size=3072"),),
        # A statement with one value: it becomes a parameter.
        "sql-injection": (
            (
                re.compile(r"\.(execute|executemany)\(f\"([^\"'{}]*)'?\{(\w+)\}'?([^\"'{}]*)\"\)"),
                r'.\1("\2%s\4", (\3,))',
            ),
        ),
    }
)


def correct_snippet(rule: str, snippet: str) -> str:
    """Correct the code that a rule reports. Returns "" if the correction does not follow from this code alone."""
    for expression, text in _EDITS.get(rule.removeprefix("js-"), ()):
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

"""Engine for secrets: it reads every file as bytes, so neither a name, an encoding nor a comment hides one.

A value leaves the engine only as a keyed digest inside the fingerprint. Messages name the kind of credential, the
variable and the length.
"""

import codecs
import hashlib
import hmac
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from muniment.facts.paths import encode_path
from muniment.scanners.engine import CANARY_FOLDER, Canary
from muniment.scanners.findings import (
    Confidence,
    CoverageState,
    FileCoverage,
    Finding,
    Location,
    ScanResult,
    SourceFile,
)
from muniment.scanners.fingerprints import compute_fingerprint
from muniment.scanners.rule_texts import FindingPlace, RuleText, load_rule_texts
from muniment.scanners.secrets import formats
from muniment.scanners.secrets.notebooks import list_cell_texts
from muniment.scanners.secrets.signs import ArchiveError, is_archive
from muniment.scanners.secrets.values import (
    is_basic_value,
    is_key_body,
    is_password,
    is_placeholder,
    is_random,
    is_url_password,
)

SECRETS_ENGINE = "muniment-secrets"
MOST_SECRET_BYTES = 50_000_000
MOST_SECRETS = 200  # of one file: more says nothing new
_UNQUOTED_SUFFIXES = (
    *(".ini", ".env", ".cfg", ".cnf", ".conf", ".properties", ".toml", ".yaml", ".yml", ".txt", ".tfvars"),
    *(".sh", ".bash", ".zsh", ".envrc"),
)
_UNQUOTED_NAMES = (".env", "dockerfile", ".npmrc", ".yarnrc", ".pypirc", ".netrc", "credentials", "secrets", "config")
_LONGEST_NAME = 60
_LONGEST_KEY_PART = 400  # of a private key: its beginning tells keys apart
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


_AROUND_CHECKS = {formats.BASIC_VALUE.name: is_basic_value, formats.HEADER_VALUE.name: is_random}


class _Match(Struct, frozen=True):
    format: formats.SecretFormat
    value: bytes
    start: int
    name: str = ""


def load_secret_rules() -> dict[str, RuleText]:
    """Load the rules of the engine by id."""
    return load_rule_texts(Path(__file__).with_name("rules.toml"))


class CredentialEngine:
    """Engine that finds credentials. `key` is the key of the digests that stand in fingerprints."""

    name = SECRETS_ENGINE

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._rules = load_secret_rules()

    def list_canaries(self) -> tuple[Canary, ...]:
        """List a canary for a token with a prefix, a private key, and a generic credential."""
        token = "ghp" + "_" + "".join(chr(ord("A") + number * 7 % 26) + str(number % 10) for number in range(18))
        pem = "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEF" * 4
        generic = "pass" + 'word = "kT7#' + 'vQ9x!mZ2"'
        return tuple(
            Canary("secrets", rule, SourceFile(f"{CANARY_FOLDER}/{rule}", text.encode()))
            for rule, text in (("token-in-code", token), ("private-key-in-code", pem), ("credential-in-code", generic))
        )

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan the files among the targets; each gets one line of coverage."""
        findings: list[Finding] = []
        coverage = []
        for file in files:
            if file.path not in targets:
                continue
            if len(file.content) > MOST_SECRET_BYTES:
                because = f"it is larger than {MOST_SECRET_BYTES} bytes"
                coverage.append(FileCoverage(file.path, CoverageState.FAILED, because))
                continue
            found, line = self._scan_file(file)
            findings += found
            coverage.append(line)
        return ScanResult(self.name, tuple(findings), tuple(coverage))

    def _scan_file(self, file: SourceFile) -> tuple[list[Finding], FileCoverage]:
        """Scan a file's name, its bytes, and what is packed in them."""
        own_name = encode_path(file.path)
        path = _mask_path(file.path, own_name)
        found = {one.fingerprint: one for one in self._scan_content(path, "", " in the file's name", own_name)}
        found |= {one.fingerprint: one for one in self._scan_content(path, "", "", file.content)}
        try:
            for name, where, content in _list_parts(file):
                for part in (name.encode("utf-8", "surrogateescape"), content):
                    for one in self._scan_content(path, name, where, part):
                        # A line of a notebook says more than the cell; a file of an archive says more than the line.
                        found[one.fingerprint] = found.get(one.fingerprint, one) if _is_notebook(file.path) else one
        except ArchiveError as error:
            return list(found.values()), FileCoverage(file.path, CoverageState.FAILED, str(error))
        return list(found.values()), FileCoverage(file.path, CoverageState.SCANNED)

    def _scan_content(self, path: str, inside: str, where: str, content: bytes) -> list[Finding]:
        text = _decode_wide_text(content)
        counts: dict[str, int] = {}
        found = []
        for match in sorted(_find_matches(inside or path, text), key=lambda one: one.start)[:MOST_SECRETS]:
            digest = hmac.new(self._key, match.value, hashlib.sha256).hexdigest()
            counts[digest] = counts.get(digest, -1) + 1
            found.append(self._build_finding(match, path, where, text, digest, counts[digest]))
        return found

    def _build_finding(
        self, match: _Match, path: str, where: str, text: bytes, digest: str, occurrence: int
    ) -> Finding:
        kind = _choose_rule(match.format)
        line = text.count(b"\n", 0, match.start) + 1
        column = match.start - (text.rfind(b"\n", 0, match.start) + 1) + 1
        what = f"{match.format.title} `{match.name}`" if match.name else match.format.title
        end = column + len(match.value.split(b"\n")[0])
        place = FindingPlace(
            location=Location(path, line, column, line, end),
            confidence=Confidence.MEDIUM if kind == "credential-in-code" else Confidence.HIGH,
            symbol=match.name,
            snippet=f"{match.format.name} {match.name}".strip(),
            fingerprint=compute_fingerprint(kind, digest, "", occurrence),
        )
        message = f"The {what} of {len(match.value)} characters is here{where}."
        return self._rules[kind].make_finding(kind, message, place)


def _is_notebook(path: str) -> bool:
    return path.lower().endswith(".ipynb")


def _list_parts(file: SourceFile) -> Iterator[tuple[str, str, bytes]]:
    """List what is packed in a file: name, where that is, and content. Raises ArchiveError."""
    if _is_notebook(file.path):
        for name, content in list_cell_texts(file.content):
            yield name, f" in {name} of this notebook", content
    if not is_archive(file.content):
        return
    from muniment.scanners.secrets.archives import list_contents  # a hook that sees none waits for no module

    for name, content in list_contents(file.content):
        yield name, f" in `{name}` of this archive" if name else "", content


def _mask_path(path: str, name: bytes) -> str:
    """Path for findings, without the credentials that stand in it."""
    for match in _find_matches("", name):
        path = path.replace(match.value.decode("utf-8", "replace"), "[secret]")
    return path


def _choose_rule(found: formats.SecretFormat) -> str:
    if found is formats.PRIVATE_KEY:
        return "private-key-in-code"
    if found in (*formats.AROUND, *formats.NAMED, formats.URL_PASSWORD):
        return "credential-in-code"
    return "token-in-code"


def _decode_wide_text(content: bytes) -> bytes:
    """Decode text of 16 bits a character, which has a null byte between its letters."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, "replace").encode("utf-8", "replace")
    return content


def _find_matches(path: str, text: bytes) -> list[_Match]:
    """Find the credentials of a text; where two overlap, the first kind counts."""
    found: list[_Match] = []
    taken: list[tuple[int, int]] = []
    for match in _list_candidates(path, text):
        end = match.start + len(match.value)
        if not any(start < end and match.start < stop for start, stop in taken):
            found.append(match)
            taken.append((match.start, end))
            if len(found) > MOST_SECRETS:
                break
    return found


def _list_candidates(path: str, text: bytes) -> Iterator[_Match]:
    if any(word in text for word in formats.PRIVATE_KEY.keywords):
        for one in formats.PRIVATE_KEY.compiled_pattern.finditer(text):
            body = text[one.end() : one.end() + _LONGEST_KEY_PART].partition(b"-----")[0]
            if is_key_body(body):
                yield _Match(formats.PRIVATE_KEY, body, one.start())
    for kind in (*formats.FORMATS, formats.SLACK_WEBHOOK):
        if any(word in text for word in kind.keywords):
            for one in kind.compiled_pattern.finditer(text):
                if not is_placeholder(one[1]) and not _is_inside_word(text, one.start()):
                    yield _Match(kind, one[1], one.start(1))
    if b"\0" not in text:  # words for credentials are everywhere in programs and images
        yield from _list_generic_candidates(path, text)


def _list_generic_candidates(path: str, text: bytes) -> Iterator[_Match]:
    for around in formats.AROUND:
        if any(word in text for word in around.keywords):
            is_value = _AROUND_CHECKS.get(around.name, is_password)
            for one in around.compiled_pattern.finditer(text):
                if is_value(one[1]):
                    yield _Match(around, one[1], one.start(1))
    if b"://" in text:
        for one in formats.URL_PASSWORD.compiled_pattern.finditer(text):
            if is_url_password(one[1], one[2]):
                yield _Match(formats.URL_PASSWORD, one[1], one.start(1))
    kinds = [formats.QUOTED, formats.TAGGED]
    kinds += [kind for kind in (formats.ATTRIBUTE, formats.ARGUMENT) if any(word in text for word in kind.keywords)]
    name = path.rpartition("/")[2].lower()
    if name.endswith(_UNQUOTED_SUFFIXES) or name.startswith(_UNQUOTED_NAMES):
        kinds.append(formats.UNQUOTED)
    for kind in kinds:
        for one in kind.compiled_pattern.finditer(text):
            if is_random(one[2]):
                yield _Match(kind, one[2], one.start(2), _read_name(text, one.start(1), one.end(1)))


def _is_inside_word(text: bytes, start: int) -> bool:
    """Whether a match begins inside a longer word, and so is no value of its own."""
    before = text[start - 1 : start] if start else b""
    return before.isalnum() or before == b"_"


def _read_name(text: bytes, start: int, end: int) -> str:
    """Read the whole name of a variable, of which the match has the last part."""
    begin = start
    while begin > max(start - _LONGEST_NAME, 0) and (text[begin - 1 : begin].isalnum() or text[begin - 1] in b"_.-"):
        begin -= 1
    return text[begin:end].decode("ascii", "replace")

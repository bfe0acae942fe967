"""The parts of a secret that programs print alone, and that are masked as values of their own.

They are the string leaves of JSON and YAML, the values of files of assignments (`NAME=value`), the password of an
address or of a connection string, and what is written in base64. A part counts if its key says that it is secret, or if
it could be: 12 characters or more, no address, no e-mail address, and at least 60 bits (`entropy`).
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from muniment.vault.entropy import estimate_bits

SHORTEST_PART = 12  # characters
LEAST_BITS = 60
_DEEPEST = 4  # JSON in base64 in YAML in JSON

_SECRET_KEY = re.compile(r"key|token|secret|passw|passphrase|pwd|credential|(?:^|[_.-])pass(?:$|[_.-])", re.IGNORECASE)
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*://|mailto:|urn:|arn:)\S+", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z0-9-]{2,}\.?(?::\d+)?(?:/\S*)?", re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9.]+(?:[:/]\d+)?|(?=[^:]*:)\[?[0-9a-f:.]+(?:\]:\d+|\]?/\d+|\])?", re.IGNORECASE)
_E_MAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_PASSWORD = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^/?#@:\s]*:([^/?#\s]*)@", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)")
_PAIR = re.compile(r"""(?<![\w.-])([A-Za-z_][\w.-]*)\s*=\s*("[^"]*"|'[^']*'|[^;&\s]+)""")
_YAML = re.compile(r"""^[ \t]*(?:-\s|\{|\[|["']?[\w./$-]+["']?[ \t]*:(?:\s|$))""", re.MULTILINE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_MOST_LISTED = 100  # parts of a value
_SHOWN_KEY = 60  # characters of a key


class SecretPart(NamedTuple):
    """Part that is masked on its own; `path` names its place, such as `users[0].password`."""

    path: str
    text: str


class _Scalar(NamedTuple):
    """Part, with the key nearest to it, and whether a key on the way says that it is secret."""

    path: str
    text: str
    secret: bool


def find_parts(value: str) -> tuple[SecretPart, ...]:
    """Find the parts of a value that are masked on their own, each text once. Never the value itself."""
    found = {leaf.text: leaf for leaf in reversed(list(_find_parts(value, "", 0)))}
    return tuple(leaf for leaf in reversed(found.values()) if leaf.text != value)


class ValueSummary(NamedTuple):
    """Summary of a value that was set: its size, and which parts of it are masked, by their keys."""

    bytes: int
    lines: int
    ends_with_line_break: bool
    masked: tuple[str, ...]


def summarize_value(value: str) -> ValueSummary:
    """Count a value's bytes (UTF-8) and lines, and list its masked parts, _MOST_LISTED at most."""
    ends = value.endswith("\n")
    lines = value.count("\n") + (not ends)
    paths = list_part_paths(find_parts(value))[:_MOST_LISTED]
    return ValueSummary(len(value.encode("utf-8", "surrogatepass")), lines, ends, paths)


def is_secret_key(key: str) -> bool:
    """Whether a key says that its value is secret."""
    return _SECRET_KEY.search(key) is not None


def is_guessable(text: str) -> bool:
    """Whether a text may be shown: it is short, an address, an e-mail address, or made of few words."""
    return len(text) < SHORTEST_PART or _is_address(text) or estimate_bits(text) < LEAST_BITS


def _is_address(text: str) -> bool:
    """Whether a text is an address without a password."""
    if _PASSWORD.search(text):
        return False
    if _SCHEME.fullmatch(text) or _HOST.fullmatch(text):
        return True
    return bool(_NUMBERS.fullmatch(text) or _E_MAIL.fullmatch(text))


def _find_parts(value: str, path: str, depth: int) -> Iterator[SecretPart]:
    """Parts of one text, which is the value, or a part of it."""
    for scalar in _read_scalars(value):
        where = _join_paths(path, scalar.path)
        if scalar.secret or not is_guessable(scalar.text):
            yield SecretPart(where, scalar.text)
        if depth < _DEEPEST and scalar.text != value:
            yield from _find_parts(scalar.text, where, depth + 1)


def _read_scalars(value: str) -> Iterator[_Scalar]:
    stripped = value.strip()
    structured = list(_read_json(stripped)) or list(_read_yaml(stripped)) or list(_read_assignments(stripped))
    yield from structured
    if structured:
        return
    for found in _PASSWORD.finditer(value):
        for text in {found[1], unquote(found[1])}:
            yield _Scalar("(password)", text, secret=True)
    for found in _PAIR.finditer(value):
        if is_secret_key(found[1]):
            yield _Scalar(_show_key(found[1]), found[2].strip("\"'"), secret=True)
    if decoded := _decode_base64(stripped):
        yield _Scalar("(decoded)", decoded, secret=True)


def _read_json(text: str) -> Iterator[_Scalar]:
    if not text.startswith(("{", "[", '"')):
        return iter(())
    try:
        return _walk_json(json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str), "", secret=False)
    except (ValueError, RecursionError):
        return iter(())


class _Pairs(tuple[tuple[str, object], ...]):
    """An object of JSON with all of its keys, those that stand there twice too."""

    __slots__ = ()


def _walk_json(found: object, path: str, *, secret: bool) -> Iterator[_Scalar]:
    """Every string and number below; an explicit stack, since the author of the value chooses the depth."""
    waiting = [(found, path, secret)]
    while waiting:
        found, path, secret = waiting.pop()
        if isinstance(found, _Pairs):
            below = [(one, f"{path}.{_show_key(key)}".strip("."), secret or is_secret_key(key)) for key, one in found]
            waiting += reversed(below)
        elif isinstance(found, list):
            waiting += reversed([(one, f"{path}[{number}]", secret) for number, one in enumerate(found)])
        elif isinstance(found, str):
            yield _Scalar(path, found, secret)


def _read_yaml(text: str) -> Iterator[_Scalar]:
    """The scalars of YAML, up to where it is none."""
    if not _YAML.search(text):
        return
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    places = _YamlPlaces()
    texts: dict[str, str] = {}
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                places.begin_collection(keyed=isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.CollectionEndEvent):
                places.end_collection()
            elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                if isinstance(event, yaml.ScalarEvent):
                    written = str(event.value)
                    texts |= {event.anchor: written} if event.anchor else {}
                else:
                    written = texts.get(event.anchor or "", "")
                if (scalar := places.take_scalar(written)) is not None:
                    yield scalar
    except (yaml.YAMLError, RecursionError, ValueError):
        return


class _Level:
    """A mapping or sequence that is being read."""

    def __init__(self, path: str, *, keyed: bool, secret: bool) -> None:
        self.path, self.keyed, self.secret = path, keyed, secret
        self.key: str | None = None
        self.count = 0


class _YamlPlaces:
    """Place of the next scalar among mappings and sequences."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []

    def begin_collection(self, *, keyed: bool) -> None:
        """Begin a mapping (`keyed`) or a sequence."""
        path, secret = self._next_place() if self._levels else ("", False)
        self._levels.append(_Level(path, keyed=keyed, secret=secret))

    def end_collection(self) -> None:
        """End the innermost mapping or sequence."""
        self._levels.pop()

    def take_scalar(self, text: str) -> _Scalar | None:
        """Take a scalar with its place; None for a key, and for one that stands in no mapping or sequence."""
        if not self._levels:
            return None
        level = self._levels[-1]
        if level.keyed and level.key is None:
            level.key = text
            return None
        path, secret = self._next_place()
        return _Scalar(path, text, secret)

    def _next_place(self) -> tuple[str, bool]:
        level = self._levels[-1]
        if not level.keyed:
            level.count += 1
            return f"{level.path}[{level.count - 1}]", level.secret
        if level.key is None:  # a key that is itself a mapping or sequence
            level.key = ""
            return level.path, level.secret
        key, level.key = level.key, None
        return _join_paths(level.path, _show_key(key)), level.secret or is_secret_key(key)


def _read_assignments(text: str) -> Iterator[_Scalar]:
    """The values of a file of assignments, such as `.env`: every line is one, a comment or a heading."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", ";", "["))]
    found = [_ASSIGNMENT.fullmatch(line) for line in lines]
    if not found or not all(found) or (len(found) == 1 and ";" in text):
        return
    for one in filter(None, found):
        written = one[2].strip()
        if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
            written = written[1:-1]
        yield _Scalar(_show_key(one[1]), written, is_secret_key(one[1]))


def _decode_base64(text: str) -> str | None:
    """The text that is written in base64, folded or not; None if it is none."""
    joined = "".join(text.split())
    if not _BASE64.fullmatch(joined):
        return None
    padded = joined.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(padded + "=" * (-len(padded) % 4)).decode()
    except ValueError:
        return None
    return decoded if all(sign.isprintable() or sign.isspace() for sign in decoded) else None


def _join_paths(path: str, below: str) -> str:
    if not path or not below:
        return path or below
    return f"{path}{below}" if below.startswith("[") else f"{path}.{below}"


def _show_key(key: str) -> str:
    """A key as it may be shown: one that could be a secret itself is not."""
    if not key.isprintable() or not is_guessable(key):
        return "(hidden)"
    return key if len(key) <= _SHOWN_KEY else key[:_SHOWN_KEY] + "…"


def list_part_paths(leaves: Iterable[SecretPart]) -> tuple[str, ...]:
    """Places of the parts, each once, in order."""
    return tuple(dict.fromkeys(leaf.path for leaf in leaves))

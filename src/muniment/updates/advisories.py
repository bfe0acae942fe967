"""Advisories in the form of OSV, and whether one affects a version.

Source: https://ossf.github.io/osv-schema/ (1.6). What cannot be decided is a state of its own, never a no.
"""

import datetime
import re
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import msgspec
from msgspec import Struct

from muniment.errors import ParseError
from muniment.facts import moments
from muniment.updates.dependencies import Ecosystem
from muniment.updates.lock_values import normalise_python_name
from muniment.updates.versions import VersionKey, parse_version, public_version

_MALWARE = "MAL-"
_FROM_THE_BEGINNING = "0"
_MORE_DECIMALS = re.compile(r"(\.\d{6})\d+")


class Affected(StrEnum):
    """Whether an advisory affects a version."""

    YES = "affected"
    NO = "not affected"
    UNDETERMINED = "undetermined"  # the advisory names no versions, or one of the versions has no order


class VersionEventKind(StrEnum):
    """Kind of a version in a range. Sorted by name where versions are equal: a fix before an introduction."""

    FIXED = "fixed"
    INTRODUCED = "introduced"
    LAST_AFFECTED = "last_affected"
    LIMIT = "limit"


class VersionEvent(Struct, frozen=True):
    """Version at which a range begins or ends."""

    kind: VersionEventKind
    version: str


class AffectedPackage(Struct, frozen=True, dict=True):
    """Versions of one package that an advisory names.

    Ranges of git commits are left out: with no others and no list, versions are not known.
    """

    ecosystem: Ecosystem
    name: str
    ranges: tuple[tuple[VersionEvent, ...], ...] = ()
    versions: frozenset[str] = frozenset()
    vectors: tuple[str, ...] = ()
    severity: str = ""

    def check_version(self, version: str) -> Affected:
        """Whether a version is affected."""
        if version in self.versions:
            return Affected.YES
        if not self.ranges and not self.versions:
            return Affected.UNDETERMINED
        key = parse_version(self.ecosystem, version)
        if key is None:
            return Affected.UNDETERMINED
        public = public_version(self.ecosystem, version)
        results = {_check_range(each, key, public) for each in self._ordered_ranges}
        if Affected.YES in results or (public in self._version_keys):
            return Affected.YES
        return Affected.UNDETERMINED if Affected.UNDETERMINED in results else Affected.NO

    @cached_property
    def _ordered_ranges(self) -> tuple["_OrderedRange", ...]:
        return tuple(_order_range(self.ecosystem, each) for each in self.ranges)

    @cached_property
    def _version_keys(self) -> frozenset[VersionKey]:
        """The listed versions as they compare: `1.0` is `1.0.0`."""
        keys = (parse_version(self.ecosystem, each) for each in self.versions)
        return frozenset(key for key in keys if key is not None)

    @cached_property
    def fixed_versions(self) -> tuple[str, ...]:
        """Versions at which a range ends."""
        found = (event.version for each in self.ranges for event in each if event.kind is VersionEventKind.FIXED)
        return tuple(dict.fromkeys(found))


class _OrderedRange(NamedTuple):
    """Range with its versions parsed and in order; `known` is false if one of them has no order."""

    known: bool
    from_beginning: bool = False
    limits: tuple[VersionKey, ...] = ()
    events: tuple[tuple[VersionKey, VersionEventKind, bool], ...] = ()  # the last: it has a local version


def _order_range(ecosystem: Ecosystem, events: tuple[VersionEvent, ...]) -> _OrderedRange:
    """Parse a range once: it is asked about many versions."""
    from_beginning = False
    ordered: list[tuple[VersionKey, VersionEventKind]] = []
    for event in events:
        if event.kind is VersionEventKind.INTRODUCED and event.version == _FROM_THE_BEGINNING:
            from_beginning = True
            continue
        parsed = parse_version(ecosystem, event.version)
        if parsed is None:
            return _OrderedRange(False)
        ordered.append((parsed, event.kind))
    if not from_beginning and not any(kind is VersionEventKind.INTRODUCED for _, kind in ordered):
        return _OrderedRange(False)
    ordered.sort(key=lambda each: (each[0], each[1].value))
    return _OrderedRange(
        True,
        from_beginning,
        tuple(at for at, kind in ordered if kind is VersionEventKind.LIMIT),
        tuple(
            (at, kind, bool(getattr(at, "local", None))) for at, kind in ordered if kind is not VersionEventKind.LIMIT
        ),
    )


def _check_range(ordered: _OrderedRange, key: VersionKey, public: VersionKey) -> Affected:
    """Evaluate a range as the specification's pseudocode does, over its events in their order.

    A local version counts only against events that have one: `2.5.0+cpu` is not after the last affected `2.5.0`.
    """
    if not ordered.known:
        return Affected.UNDETERMINED
    if ordered.limits and not any(public < limit for limit in ordered.limits):
        return Affected.NO
    result = Affected.YES if ordered.from_beginning else Affected.NO
    for at, kind, is_local in ordered.events:
        version = key if is_local else public
        if version < at:
            break
        if kind is VersionEventKind.INTRODUCED:
            result = Affected.YES
        elif kind is VersionEventKind.FIXED or version > at:
            result = Affected.NO
    return result


class Advisory(Struct, frozen=True):
    """Published vulnerability, or malicious package. Moments as `facts.moments`, "" where it has none."""

    id: str
    aliases: tuple[str, ...]
    published: str
    modified: str
    withdrawn: str
    summary: str
    severity: str
    vectors: tuple[str, ...]
    affected: tuple[AffectedPackage, ...]

    @property
    def is_malware(self) -> bool:
        """Whether the package itself is the attack."""
        return any(each.startswith(_MALWARE) for each in (self.id, *self.aliases))


class _Severity(Struct):
    type: str
    score: str


class _Range(Struct):
    type: str
    events: list[dict[str, str]]


class _Package(Struct):
    ecosystem: str
    name: str


class _Affected(Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    database_specific: dict[str, object] | None = None
    ecosystem_specific: dict[str, object] | None = None


class _Document(Struct):
    id: str
    modified: str
    published: str = ""
    withdrawn: str = ""
    aliases: list[str] | None = None
    summary: str = ""
    details: str = ""
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    database_specific: dict[str, object] | None = None


_decoder = msgspec.json.Decoder(_Document)


def parse_advisory(content: bytes) -> Advisory:
    """Advisory of one JSON document. Raises ParseError for one that is not of OSV's form."""
    try:
        document = _decoder.decode(content)
        affected = tuple(filter(None, map(_parse_affected, document.affected or ())))
        return Advisory(
            document.id,
            tuple(document.aliases or ()),
            _parse_moment(document.published),
            _parse_moment(document.modified),
            _parse_moment(document.withdrawn),
            document.summary or document.details[:200],
            _read_severity(document.database_specific),
            _list_vectors(document.severity),
            affected,
        )
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, ParseError):
            raise
        raise _unreadable_advisory() from None


def _unreadable_advisory() -> ParseError:
    return ParseError("advisory", "an advisory is not of the form of OSV", "Fetch the export of OSV again.")


def _parse_affected(each: _Affected) -> AffectedPackage | None:
    """Parse the affected versions; None for an ecosystem that is not matched here, such as a distribution's."""
    if each.package is None:
        return None
    try:
        ecosystem = Ecosystem(each.package.ecosystem.partition(":")[0])
    except ValueError:
        return None
    ranges = tuple(
        tuple(
            VersionEvent(VersionEventKind(kind), version)
            for event in each_range.events
            for kind, version in event.items()
        )
        for each_range in each.ranges or ()
        if each_range.type != "GIT"
    )
    severity = _read_severity(each.database_specific) or _read_severity(each.ecosystem_specific)
    return AffectedPackage(
        ecosystem,
        normalise_name(ecosystem, each.package.name),
        ranges,
        frozenset(each.versions or ()),
        _list_vectors(each.severity),
        severity,
    )


def normalise_name(ecosystem: Ecosystem, name: str) -> str:
    """Name of a package as its ecosystem compares it."""
    if ecosystem is Ecosystem.PYPI:
        return normalise_python_name(name)
    return name.lower() if ecosystem is Ecosystem.GITHUB_ACTIONS else name


def _read_severity(specific: dict[str, object] | None) -> str:
    severity = (specific or {}).get("severity")
    return severity if isinstance(severity, str) else ""


def _list_vectors(severities: list[_Severity] | None) -> tuple[str, ...]:
    return tuple(each.score for each in severities or () if each.type.startswith("CVSS"))


def _parse_moment(text: str) -> str:
    """Moment in our form; OSV writes RFC 3339 with any number of decimals. Raises ValueError."""
    if not text:
        return ""
    if not text.endswith("Z"):
        raise ValueError(text)
    return moments.format_moment(datetime.datetime.fromisoformat(_MORE_DECIMALS.sub(r"\1", text)))

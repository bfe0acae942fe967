"""Order of versions, by ecosystem: keys that compare as the ecosystem's own tools do.

PyPI: `packaging`, which pip itself uses. npm, crates.io, Go, GitHub Actions: Semantic Versioning 2.0.0, section 11.
Maven: https://maven.apache.org/pom.html#Version_Order_Specification, that is `ComparableVersion`.

`univers` was tried (32.0.1) and is not used: it completes `1.2` to `1.2.0`, calls `1.0.0+a` neither less than, equal to
nor greater than `1.0.0+b`, and puts Maven's `2.0.1.RELEASE` after `2.0.1`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from packaging.version import InvalidVersion, Version

from muniment.updates.dependencies import Ecosystem
from muniment.updates.maven_versions import MavenVersion, parse_maven_version

VersionKey = Any  # compares with keys of its own ecosystem only

_SEMANTIC = re.compile(
    r"(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_SEMANTIC_ECOSYSTEMS = frozenset({Ecosystem.NPM, Ecosystem.CARGO, Ecosystem.GO, Ecosystem.GITHUB_ACTIONS})
_LONGEST = 200  # letters of a version; a longer one is none


@lru_cache(maxsize=200_000)
def parse_version(ecosystem: Ecosystem, text: str) -> VersionKey | None:
    """Key that orders a version; None for a text that is no version of the ecosystem, or an ecosystem without order."""
    if len(text) > _LONGEST:
        return None
    if ecosystem is Ecosystem.PYPI:
        try:
            return Version(text)
        except InvalidVersion:
            return None
    if ecosystem in _SEMANTIC_ECOSYSTEMS:
        has_letter = ecosystem in (Ecosystem.GO, Ecosystem.GITHUB_ACTIONS)
        return parse_semantic_version(text.removeprefix("v") if has_letter else text)
    if ecosystem is Ecosystem.MAVEN:
        return parse_maven_version(text)
    return None


def public_version(ecosystem: Ecosystem, text: str) -> VersionKey | None:
    """Key without what a rebuild adds: PyPI's local version (`2.5.0+cpu` is `2.5.0`). None as `parse_version`."""
    key = parse_version(ecosystem, text)
    if isinstance(key, Version) and key.local is not None:
        return parse_version(ecosystem, key.public)
    return key


def is_prerelease(key: VersionKey) -> bool:
    """Whether a version comes before its release."""
    if isinstance(key, Version):
        return key.is_prerelease
    if isinstance(key, MavenVersion):
        return key.is_prerelease
    return bool(key[3][0] == 0)


def find_highest(ecosystem: Ecosystem, versions: Iterable[str]) -> str:
    """Highest of some versions; those without an order are below all others. Raises ValueError for none."""
    keys: list[tuple[bool, VersionKey, str]] = []
    for each in versions:
        key = parse_version(ecosystem, each)
        keys.append((key is not None, key if key is not None else each, each))
    return max(keys)[2]


def parse_semantic_version(text: str) -> VersionKey | None:
    """Key of a version of Semantic Versioning; build metadata does not count. None if it is none."""
    match = _SEMANTIC.fullmatch(text)
    if match is None:
        return None
    before: tuple[Any, ...] = (1,)  # after every pre-release
    if match[4] is not None:
        parts = match[4].split(".")
        if not all(parts) or any(part.isdigit() and part[0] == "0" and len(part) > 1 for part in parts):
            return None
        before = (0, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts))
    return int(match[1]), int(match[2]), int(match[3]), before

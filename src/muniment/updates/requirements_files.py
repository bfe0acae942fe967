"""Requirements files whose every line is pinned, such as those that pip-compile and `uv pip compile` write.

A file with a line that is not pinned locks nothing: it is a manifest. Sources: pip's documentation, "Requirements File
Format"; the comments `# via` are those of pip-tools and uv.
"""

import re
import shlex
from collections.abc import Iterator, Mapping

import msgspec

from muniment.updates.dependencies import (
    Dependency,
    Ecosystem,
    Lock,
    LockFormat,
    LockFormatError,
    LockSource,
    SourceKind,
)
from muniment.updates.dependency_graph import NOT_REACHED, DependencyPath, Root, find_reaches
from muniment.updates.lock_values import (
    classify_registry,
    decode_text,
    find_registry_host,
    normalise_python_name,
    sort_unique,
    write_header,
)

_PYPI = LockSource(SourceKind.PUBLIC_REGISTRY, "pypi.org")
_PINNED = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?===?\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:;(.*))?"
)
_AT_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?@\s*([^\s;]+)\s*(?:;(.*))?")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url")
_FILE_OPTIONS = ("-r", "--requirement", "-c", "--constraint")
_IGNORED_OPTIONS = frozenset(
    {"--require-hashes", "--no-binary", "--only-binary", "--prefer-binary", "--pre", "--trusted-host", "--no-index"}
)
_FULL_COMMIT = re.compile(r"@[0-9a-f]{40,64}(?:#|$)")


def parse_requirements(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Lock of a requirements file. Raises LockFormatError if a line is not pinned."""
    lines = list(_join_lines(decode_text(content)))
    source, options = _PYPI, []
    found: dict[str, tuple[Dependency, tuple[str, ...]]] = {}
    for line, comments in lines:
        if line.startswith("-"):
            name, value = _split_option(line)
            if name in _INDEX_OPTIONS:
                source = classify_registry(value) if source == _PYPI else LockSource(SourceKind.UNKNOWN)
                options.append(f"{name} {find_registry_host(value)}")  # an index's address may hold a password
            else:
                _check_option(path, name, value, files)
                options.append(f"{name} {value}")
            continue
        dependency = _parse_line(line)
        known = found.get(dependency.key)
        if known is not None:  # one version under two markers
            markers = (*known[0].markers, *dependency.markers) if known[0].markers and dependency.markers else ()
            dependency = msgspec.structs.replace(dependency, markers=markers)
        found[dependency.key] = (dependency, _read_via(comments))
    if not found and not options:
        return Lock(path, LockFormat.REQUIREMENTS, ())
    return _build_lock(path, found, source, options)


def _join_lines(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Logical lines, each with the comments in and below it."""
    pending, comments, ready = "", [], ""
    for physical in text.splitlines():
        comment = _COMMENT.search(physical)
        code = _COMMENT.sub("", physical).strip() if comment else physical.strip()
        if comment is not None and not code:
            comments.append(comment[0].strip().lstrip("#").strip())
            continue
        if not pending and code:
            if ready:
                yield ready, tuple(comments)
            ready, comments = "", []
        if comment is not None:
            comments.append(comment[0].strip().lstrip("#").strip())
        if code.endswith("\\"):
            pending += code[:-1] + " "
        elif code or pending:
            ready, pending = (pending + code).strip(), ""
    if pending.strip():
        ready = pending.strip()
    if ready:
        yield ready, tuple(comments)


def _split_option(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=") if re.match(r"--[a-z-]+=", line) else line.partition(" ")
    if re.match(r"-[rcie][^-\s]", line):
        name, value = line[:2], line[2:]
    return name, value.strip()


def _check_option(path: str, name: str, value: str, files: Mapping[str, bytes]) -> None:
    if name in _FILE_OPTIONS:
        if _join_path(path, value) not in files:
            included = "an address" if "://" in value else repr(value)  # an address may hold a password
            raise LockFormatError(f"it includes {included}, which is not a requirements file of this repository")
    elif name not in _IGNORED_OPTIONS:
        raise LockFormatError(f"its option {name!r} is not one that pins a package")


def _join_path(path: str, included: str) -> str:
    """Path of an included file; it stays in the repository, or is one that no file has."""
    parts = path.split("/")[:-1]
    for part in included.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _parse_line(line: str) -> Dependency:
    requirement, digests = _split_digests(line)
    pinned = _PINNED.fullmatch(requirement)
    if pinned is not None:
        name, version, marker = pinned[1], pinned[2], (pinned[3] or "").strip()
        source = LockSource(SourceKind.UNKNOWN)
    else:
        at_address = _AT_ADDRESS.fullmatch(requirement)
        if at_address is None:
            raise LockFormatError(f"the requirement {_read_name(requirement)} is not pinned to one version")
        name, version, marker = at_address[1], "", (at_address[3] or "").strip()
        is_git = at_address[2].startswith("git+")
        if (is_git and not _FULL_COMMIT.search(at_address[2])) or (not is_git and not digests):
            raise LockFormatError(f"the requirement {_read_name(requirement)} is not pinned to one content")
        source = LockSource(SourceKind.GIT if is_git else SourceKind.ARCHIVE, find_registry_host(at_address[2]))
    return Dependency(
        Ecosystem.PYPI,
        normalise_python_name(name),
        version,
        source=source,
        markers=(marker,) if marker else (),
        integrity=sort_unique(digests),
    )


def _read_name(requirement: str) -> str:
    """Name in front of a requirement: the rest may be an address with a password."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*(?![A-Za-z0-9._:-])", requirement)
    return repr(match[0]) if match else "without a name"


def _split_digests(line: str) -> tuple[str, list[str]]:
    requirement, *options = re.split(r"(?<!\s)\s+(?=--)", line)
    digests = []
    for option in options:
        name, value = _split_option(option)
        if name != "--hash":
            raise LockFormatError(f"the option {name!r} of a requirement is not known")
        digests += shlex.split(value)
    return requirement.strip(), digests


def _read_via(comments: tuple[str, ...]) -> tuple[str, ...]:
    """Requirers that pip-tools and uv name in comments."""
    named: list[str] = []
    for number, comment in enumerate(comments):
        if comment == "via" or comment.startswith("via "):
            rest = comment.removeprefix("via").strip()
            named = [rest] if rest else list(comments[number + 1 :])
    return tuple(each.strip() for each in named if each.strip())


def _build_lock(
    path: str, found: dict[str, tuple[Dependency, tuple[str, ...]]], source: LockSource, options: list[str]
) -> Lock:
    reaches = _find_reaches(path, found)
    requires: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    for key, (dependency, _) in found.items():
        by_name.setdefault(dependency.name, []).append(key)
    for key, (_, via) in found.items():
        for parent in (each for name in via for each in by_name.get(normalise_python_name(name), ())):
            requires.setdefault(parent, []).append(key)
    dependencies = []
    for key, (each, _) in found.items():
        reach = reaches.get(key, NOT_REACHED)
        dependencies.append(
            Dependency(
                each.ecosystem,
                each.name,
                each.version,
                reach.relation,
                reach.path,
                False,
                each.source if each.source.kind is not SourceKind.UNKNOWN else source,
                each.markers,
                each.integrity,
                tuple(requires.get(key, ())),
            )
        )
    unversioned = any(not each.version for each in dependencies)
    gaps = ("it does not record the version of packages at an address",) if unversioned else ()
    return Lock(path, LockFormat.REQUIREMENTS, tuple(dependencies), "", (), write_header({"options": options}), gaps)


def _find_reaches(path: str, found: dict[str, tuple[Dependency, tuple[str, ...]]]) -> dict[str, DependencyPath]:
    """Reaches by the comments; a requirer that is no package of the file is a manifest."""
    names = {key: dependency.name for key, (dependency, _) in found.items()}
    known = set(names.values())
    direct: list[str] = []
    edges: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for key, name in names.items():
        keys.setdefault(name, []).append(key)
    for key, (_, via) in found.items():
        parents = [normalise_python_name(name) for name in via]
        if any(parent not in known for parent in parents):
            direct.append(key)
        for parent in parents:
            for each in keys.get(parent, ()):
                edges.setdefault(each, []).append(key)
    return find_reaches([Root(path, tuple(direct))], edges, names)

"""Programs of resolvers on this machine, and the Python that one of them needs."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from muniment.programs.catalogue import Program
from muniment.updates.resolver_child import ResolverTool

_PYTHON = re.compile(r"python3\.(\d{1,2})")
_EXECUTABLE = b"\x7fELF"  # a script of that name may start another version, or need files that are not there
_SYSTEM = ("/usr", "/bin")
_MOST_TOOLS = 8


def list_tools(program: Program, folders: Sequence[str]) -> tuple[ResolverTool, ...]:
    """Tools of a name: those in `folders`, such as `uv` or `uv-0.8.4/bin/uv`, then the one on PATH."""
    found: dict[Path, ResolverTool] = {}
    for path in (*_list_named(program, folders), *(Path(each, program) for each in _list_search_path())):
        with_links = path.absolute()
        if not with_links.is_file() or not os.access(with_links, os.X_OK):
            continue
        location = with_links.resolve()
        if location not in found:
            found[location] = ResolverTool(program, location, _list_needs(program, location))
    return tuple(found.values())[:_MOST_TOOLS]


def _list_named(program: Program, folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for pattern in (program.value, f"{program}-*", f"{program}-*/bin/{program}", f"bin/{program}"):
            yield from sorted(Path(folder).glob(pattern), reverse=True)


def _list_needs(program: Program, location: Path) -> tuple[str, ...]:
    """Files that a tool reads besides the system's: uv is one file, npm the folder of its package."""
    if program is Program.UV:
        return (str(location),)
    return (str(location.parent.parent),)


def _list_search_path() -> list[str]:
    return [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(each)]


def find_python(requirement: str) -> ResolverTool | None:
    """Python that a project allows: uv refuses others although it builds nothing. None if there is none."""
    try:
        allowed = SpecifierSet(requirement)
    except InvalidSpecifier:
        return None
    for path, minor in _list_pythons():
        if allowed.contains(f"3.{minor}.{_PATCH}"):
            prefix = str(path.parent.parent)
            return ResolverTool(Program.UV, path, () if prefix in _SYSTEM else (prefix,))
    return None


_PATCH = 99  # a requirement that names the patch release fits only an exact one, which is not known by the name


def _list_pythons() -> Iterator[tuple[Path, int]]:
    """Interpreters by path and minor version: our own first, its siblings, and those on PATH."""
    own = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve()
    if own.is_file():
        yield own, sys.version_info.minor
    siblings = Path(sys.base_prefix).resolve().parent.glob("*/bin/python3.*")
    on_path = (path for folder in _list_search_path() for path in Path(folder).glob("python3.*"))
    for path in (*sorted(siblings, reverse=True), *on_path):
        version = _PYTHON.fullmatch(path.name)
        if version is not None and _is_program(path):
            yield path.resolve(), int(version[1])


def _is_program(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == _EXECUTABLE
    except OSError:
        return False

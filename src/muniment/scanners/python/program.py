"""Program under analysis: its modules by path and name, parsed when they are needed."""

import ast
import posixpath
import warnings
from collections.abc import Mapping

from muniment.scanners.python.values import HeapObject


class UnreadableError(Exception):
    """A file cannot be parsed; the text says why."""


def parse_source(content: bytes) -> ast.Module:
    """Parse a file. Raises UnreadableError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except SyntaxError as error:
        raise UnreadableError(f"the syntax is not known at line {error.lineno or 1}") from None
    except (ValueError, UnicodeError):
        raise UnreadableError("the text cannot be decoded") from None
    except (RecursionError, MemoryError):
        raise UnreadableError("the code is nested too deeply") from None


class AnalysedProgram:
    """Python files of one repository. Modules are found by import as Python would, from each folder upward."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.trees: dict[str, ast.Module] = {}
        self.unreadable: dict[str, str] = {}
        self.static: dict[int, HeapObject] = {}
        self.frames: dict[str, int] = {}  # location of the frame of each module that is loaded or loading
        self._folders = {
            "/".join(parts[:length]) for path in files for parts in [path.split("/")] for length in range(1, len(parts))
        }
        self._suffixes: dict[str, str] = {}
        self._suffix_counts: dict[str, int] = {}
        for path in sorted(files):
            parts = _module_parts(path)
            for start in range(len(parts)):
                name = ".".join(parts[start:])
                self._suffix_counts[name] = self._suffix_counts.get(name, 0) + 1
                self._suffixes.setdefault(name, path)
        self._location = 0

    def next_location(self) -> int:
        """Return a new address."""
        self._location += 1
        return self._location

    def read_tree(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a file, None if it cannot be parsed (`unreadable` has the reason)."""
        if path not in self.trees and path not in self.unreadable:
            try:
                self.trees[path] = parse_source(self.files[path])
            except UnreadableError as error:
                self.unreadable[path] = str(error)
        return self.trees.get(path)

    def find_module(self, name: str, importer: str, level: int = 0) -> str | None:
        """Find the file of an imported module, None if it is outside of the repository."""
        folder = posixpath.dirname(importer)
        tail = name.replace(".", "/")
        if level:
            for _ in range(level - 1):
                folder = posixpath.dirname(folder)
            return self._find_below(posixpath.join(folder, tail) if tail else folder)
        while True:
            found = self._find_below(posixpath.join(folder, tail))
            if found is not None and found != importer:
                return found
            parent = posixpath.dirname(folder)
            if parent == folder:
                break
            folder = parent
        if "." in name and self._suffix_counts.get(name) == 1:
            return self._suffixes[name]
        return None

    def find_folder(self, name: str, importer: str) -> str | None:
        """Find the folder of a package without `__init__.py`, with `/` at its end; None if there is none."""
        folder = posixpath.dirname(importer)
        while True:
            candidate = posixpath.join(folder, name)
            if candidate in self._folders:
                return f"{candidate}/"
            parent = posixpath.dirname(folder)
            if parent == folder:
                return None
            folder = parent

    def find_submodule(self, package: str, name: str) -> str | None:
        """Find the file of a module inside a package."""
        if package.endswith("/"):
            stem = package + name
            return self._find_below(stem) or (f"{stem}/" if stem in self._folders else None)
        if posixpath.basename(package) != "__init__.py":
            return None
        return self._find_below(posixpath.join(posixpath.dirname(package), name))

    def _find_below(self, stem: str) -> str | None:
        for candidate in (f"{stem}.py", posixpath.join(stem, "__init__.py")):
            if candidate in self.files:
                return candidate
        return None


def _module_parts(path: str) -> list[str]:
    parts = path.removesuffix(".py").split("/")
    return parts[:-1] if parts[-1] == "__init__" else parts

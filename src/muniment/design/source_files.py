"""Reads the files that a design is about: from a folder, or from a commit without a checkout."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from muniment.design.routes.registry import is_route_source
from muniment.errors import DesignError, UsageError
from muniment.git.repository import Repository

DESIGN_FILE = "design.toml"
LARGEST_BLOB = 4_000_000  # bytes
_LARGEST_DESIGN = 4_194_305  # bytes: one more than the longest design can have
_MOST_FILES = 50_000
_SKIPPED = frozenset({"node_modules", "venv", "site-packages", "__pycache__"})
_TREE_MODE = "040000"
_FILE_MODES = ("100644", "100755")


def read_design_text(folder: str) -> str:
    """Text of the design file in a folder. Raises DesignError if it is missing or cannot be read."""
    path = Path(folder) / DESIGN_FILE
    try:
        with path.open("rb") as opened:
            return opened.read(_LARGEST_DESIGN).decode("utf-8")
    except FileNotFoundError:
        remedy = "Draft one: muniment design init --owner security@example.org"
        raise DesignError(str(path), "", "the file is missing", remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DesignError(
            str(path), "", f"the file cannot be read ({why})", "Correct its rights or encoding."
        ) from None


def read_folder_sources(folder: str) -> dict[str, str]:
    """Files below a folder that routes may stand in, by their path in it. Links and hidden folders are left out."""
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{folder} is not a folder", "Name the folder of the code in [[application]] root.")
    return dict(_walk_folder(root))


def _walk_folder(root: Path) -> Iterator[tuple[str, str]]:
    count = 0
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if not is_route_source(name) or path.is_symlink():
                continue
            count += 1
            if count > _MOST_FILES:
                raise UsageError(
                    f"{root} has more than {_MOST_FILES} files of code",
                    "Name a smaller folder in [[application]] root.",
                )
            with path.open("rb") as opened:
                data = opened.read(LARGEST_BLOB)
            yield path.relative_to(root).as_posix(), data.decode("utf-8", "replace")


def read_commit_files(repository: Repository, commit: str) -> dict[str, str]:
    """The design file of a commit, and all files that routes may stand in, by path."""
    objects = repository.objects
    found: dict[str, str] = {}
    waiting = [("", f"{commit}^{{tree}}")]
    while waiting:
        folder, spec = waiting.pop()
        for raw, entry in (objects.read_tree(spec) or {}).items():
            name = raw.decode("utf-8", "surrogateescape")
            if entry.mode == _TREE_MODE and name not in _SKIPPED and not name.startswith("."):
                waiting.append((f"{folder}{name}/", entry.id))
            elif entry.mode in _FILE_MODES and (is_route_source(name) or f"{folder}{name}" == DESIGN_FILE):
                found[f"{folder}{name}"] = entry.id
    paths = sorted(found)
    if len(paths) > _MOST_FILES:
        raise UsageError(f"the commit has more than {_MOST_FILES} files of code", "Compare a smaller repository.")
    contents = objects.read_git_objects([found[path] for path in paths], LARGEST_BLOB)
    return {
        path: each.data.decode("utf-8", "replace")
        for path, each in zip(paths, contents, strict=True)
        if each is not None
    }


def select_below(files: Mapping[str, str], root: str) -> dict[str, str]:
    """Files below the folder `root` of an application, with their whole paths."""
    prefix = "" if root in ("", ".") else f"{root.strip('/')}/"
    return {path: text for path, text in files.items() if path.startswith(prefix) and is_route_source(path)}

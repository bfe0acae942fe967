"""Writes commits of the demonstration into a bare repository, as loose objects, without a process for each."""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

_CONFIGURATION = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n"


class CommitDetails(NamedTuple):
    """Author (`name <address>`), moment and message of a commit."""

    author: str
    at: datetime
    message: str


class DemonstrationRepository:
    """Bare repository in `folder`, to which commits are added. Folders of a tree are written as they are needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("objects", "refs/heads"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _write_if_missing(folder / "HEAD", "ref: refs/heads/main\n")
        _write_if_missing(folder / "config", _CONFIGURATION)

    def write_commit(self, files: Mapping[str, str], parents: tuple[str, ...], details: CommitDetails) -> str:
        """Write a commit that holds exactly these files, by path; its id."""
        stamp = f"{details.author} {int(details.at.timestamp())} +0000"
        lines = [f"tree {self._write_tree(files)}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {stamp}", f"committer {stamp}", "", details.message, ""]
        return self._write_object("commit", "\n".join(lines).encode())

    def write_ref(self, ref: str, commit: str) -> None:
        """Let a ref name a commit."""
        file = self._folder / ref
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{commit}\n", encoding="ascii")

    def _write_tree(self, files: Mapping[str, str]) -> str:
        entries: dict[str, tuple[str, str]] = {}
        folders: dict[str, dict[str, str]] = {}
        for path, text in files.items():
            name, _, rest = path.partition("/")
            if rest:
                folders.setdefault(name, {})[rest] = text
            else:
                entries[name] = "100644", self._write_object("blob", text.encode())
        for name, inner in folders.items():
            entries[name] = "40000", self._write_tree(inner)
        ordered = sorted(entries, key=lambda name: name + ("/" if entries[name][0] == "40000" else ""))
        parts = [f"{entries[name][0]} {name}\0".encode() + bytes.fromhex(entries[name][1]) for name in ordered]
        return self._write_object("tree", b"".join(parts))

    def _write_object(self, kind: str, content: bytes) -> str:
        data = f"{kind} {len(content)}\0".encode() + content
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()  # git's own name for it
        file = self._folder / "objects" / name[:2] / name[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(data, 1))
        return name


def _write_if_missing(file: Path, text: str) -> None:
    if not file.exists():
        file.write_text(text, encoding="utf-8")

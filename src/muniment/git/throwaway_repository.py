"""A bare repository of our own that borrows the objects of another, and nothing else of it.

No configuration, attributes, grafts, replace refs, shallow file, hooks, mailmap or commit-graph of the evaluated
repository can then have an effect, because git never sees them.
"""

import hashlib
import os
import zlib
from collections.abc import Sequence

from muniment.programs.environment import git_environment
from muniment.programs.temporary_files import TemporaryFolder

# Files next to the objects (grafts, replacements, commit graphs) can misrepresent them, so only objects are read.
# Renames are found as by git's defaults, which are written out here because settings of the machine could differ. A
# file of more than 16 MiB counts as binary.
_CONFIGURATION = """[core]
\trepositoryFormatVersion = 1
\tbare = true
\tcommitGraph = false
\tmultiPackIndex = {index}
\tfsync = none
\tlooseCompression = 1
\tbigFileThreshold = 16m
[extensions]
\tobjectFormat = {object_format}
[gc]
\tauto = 0
[diff]
\trenames = true
\trenameLimit = 1000
\talgorithm = myers
[merge]
\trenames = true
\trenameLimit = 7000
\tdirectoryRenames = conflict
\tconflictStyle = merge
"""


class ThrowawayRepository:
    """The folder, readable by us alone, and the environment in which git works there."""

    def __init__(self, object_directories: Sequence[str], object_format: str, *, indexed: bool = False) -> None:
        """Borrow from `object_directories` (absolute). `object_format` is `sha1` or `sha256`.

        `indexed`: an index over their packs is trusted, because only we can have written it.
        """
        self._folder = TemporaryFolder()
        self.path = self._folder.path
        self._hash = object_format
        for folder in ("objects", "refs"):
            os.mkdir(os.path.join(self.path, folder))
        self._write_file("HEAD", "ref: refs/heads/none\n")
        index = "true" if indexed else "false"
        self._write_file("config", _CONFIGURATION.format(object_format=object_format, index=index))
        self.environment = git_environment(
            {
                "GIT_DIR": self.path,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(map(_quote_path, object_directories)),
            }
        )

    def write_object(self, kind: str, data: bytes) -> str:
        """Write an object that only this repository has; its id."""
        raw = b"%s %d\0" % (kind.encode(), len(data)) + data
        object_id = hashlib.new(self._hash, raw, usedforsecurity=False).hexdigest()
        folder = os.path.join(self.path, "objects", object_id[:2])
        os.makedirs(folder, exist_ok=True)
        # Not synced: nothing here outlives the process.
        with open(os.path.join(folder, object_id[2:]), "wb") as file:
            file.write(zlib.compress(raw, 1))
        return object_id

    def remove_folder(self) -> None:
        """Remove the folder. A second time does nothing."""
        self._folder.remove_folder()

    def _write_file(self, name: str, text: str) -> None:
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(text)


def _quote_path(path: str) -> str:
    """A path as git wants it in that list: quoted like in C, so that it may contain colons and line ends."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

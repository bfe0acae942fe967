"""Real git repositories for tests, built object by object so that history can be as odd as a test wants.

    repo = Repo(tmp_path / "shop")
    base = repo.commit({"app.py": "x = 1\\n"})                       # on main, by Ada
    head = repo.commit({"app.py": "x = 2\\n"}, on="topic", parents=[base], author="Bob <bob@example.test>")
    repo.merge("topic", on="main")
    repo.git("log", "--oneline")                                     # anything else: plain git

Objects are written as loose files by ourselves: thousands a second, and hostile ones that git would not make.
"""

import hashlib
import os
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ADA = "Ada <ada@example.test>"
FILE, EXECUTABLE, SYMLINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"


class Entry(NamedTuple):
    """A tree's entry: `mode` and either `data` or, for a submodule, the `id` it points to."""

    mode: str
    data: str | bytes = b""
    id: str = ""


Content = str | bytes | Entry | None
Snapshot = dict[bytes, tuple[str, str]]


class Repo:
    """One repository. `main` is HEAD; nothing is checked out."""

    def __init__(self, path: Path, *, bare: bool = False, object_format: str = "sha1") -> None:
        self.path = path
        self.object_format = object_format
        self.clock = 1_700_000_000
        self._snapshots: dict[str, Snapshot] = {}
        path.mkdir(parents=True, exist_ok=True)
        options = ["--bare"] if bare else []
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", *options)
        self.git_dir = path if bare else path / ".git"

    def git(
        self, *args: str, input: str | bytes = b"", check: bool = True, env: Mapping[str, str] | None = None
    ) -> str:
        """Output of plain git, without the last line end. Raises AssertionError if it fails and `check`."""
        data = input.encode() if isinstance(input, str) else input
        command = ["git", "-C", str(self.path), *args]
        done = subprocess.run(
            command, input=data, env=_environment() | dict(env or {}), capture_output=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    # objects

    def write(self, kind: str, data: bytes) -> str:
        """Any object, as it is; its id."""
        raw = b"%s %d\0" % (kind.encode(), len(data)) + data
        object_id = hashlib.new(self.object_format, raw, usedforsecurity=False).hexdigest()
        file = self.git_dir / "objects" / object_id[:2] / object_id[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(raw, 1))
        return object_id

    def blob(self, data: str | bytes) -> str:
        """Write a blob, and return its id."""
        return self.write("blob", data.encode() if isinstance(data, str) else data)

    def tree(self, files: Mapping[Any, Content]) -> str:
        """The id of a tree holding exactly `files`, by path."""
        return self._tree(self._changed({}, files))

    def raw_commit(
        self,
        tree: str,
        parents: Sequence[str] = (),
        *,
        author: str = ADA,
        committer: str = "",
        message: str | bytes = "change\n",
        time: int = 0,
        headers: bytes = b"",
    ) -> str:
        """A commit of a tree; `headers` are further raw header lines. No branch moves."""
        self.clock += 60
        when = f"{time or self.clock} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author} {when}", f"committer {committer or author} {when}"]
        text = message.encode() if isinstance(message, str) else message
        return self.write("commit", "\n".join(lines).encode() + b"\n" + headers + b"\n" + text)

    # history

    def commit(
        self,
        files: Mapping[Any, Content] | None = None,
        *,
        on: str = "main",
        parents: Sequence[str] | None = None,
        tree: str = "",
        author: str = ADA,
        committer: str = "",
        message: str | bytes = "change\n",
        time: int = 0,
        headers: bytes = b"",
    ) -> str:
        """A commit that changes `files` (None deletes) of its first parent; branch `on` follows.

        With `on` "" no branch does. `parents` are revisions, by default the tip of `on`, or none if there is no
        such branch yet.
        """
        tip = self.tip(on) if on and parents is None else ""
        ids = [self.id(parent) for parent in parents] if parents is not None else [tip] if tip else []
        if not tree:
            tree = self._tree(self._changed(self._snapshot(ids[0]) if ids else {}, files or {}))
        made = self.raw_commit(
            tree, ids, author=author, committer=committer, message=message, time=time, headers=headers
        )
        if on:
            self.branch(on, made)
        return made

    def merge(
        self,
        *others: str,
        on: str = "main",
        files: Mapping[Any, Content] | None = None,
        author: str = ADA,
        committer: str = "",
        message: str = "Merge\n",
    ) -> str:
        """Merge `others` as `git merge --no-ff` does; `files` are added or resolve conflicts."""
        tree = self.merged_tree(self.tip(on), others[0]) if len(others) == 1 else self.tree_of(self.tip(on))
        changed = self._changed(self._listed(tree), files or {})
        parents = [self.tip(on), *others]
        return self.commit(
            on=on,
            parents=parents,
            tree=self._tree(changed),
            author=author,
            committer=committer,
            message=message,
        )

    def merged_tree(self, ours: str, theirs: str) -> str:
        """The tree of plain git's own merge, with its conflict marks if there are any."""
        return self.git("merge-tree", "--write-tree", "--name-only", ours, theirs, check=False).split("\n")[0]

    def branch(self, name: str, to: str) -> None:
        """Creates or moves a branch, or any full ref."""
        ref = name if name.startswith("refs/") else f"refs/heads/{name}"
        file = self.git_dir / ref
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.id(to) + "\n")

    def tip(self, name: str) -> str:
        """The commit a branch is at, "" if there is no such branch."""
        ref = name if name.startswith("refs/") else f"refs/heads/{name}"
        file = self.git_dir / ref
        if file.exists():
            return file.read_text().strip()
        return self.git("rev-parse", "-q", "--verify", ref, check=False)

    def id(self, revision: str) -> str:
        """The full id of any revision."""
        if len(revision) in (40, 64) and not set(revision) - set("0123456789abcdef"):
            return revision
        return self.tip(revision) or self.git("rev-parse", "--verify", revision)

    def tree_of(self, revision: str) -> str:
        """The tree of a revision."""
        return self.git("rev-parse", "--verify", f"{revision}^{{tree}}")

    def forget(self, object_id: str) -> None:
        """Loses a loose object, as a broken disk or a partial clone does."""
        (self.git_dir / "objects" / object_id[:2] / object_id[2:]).unlink()

    # trees

    def _snapshot(self, commit: str) -> Snapshot:
        tree = self.git("rev-parse", "--verify", f"{commit}^{{tree}}") if commit else ""
        return self._listed(tree) if tree else {}

    def _listed(self, tree: str) -> Snapshot:
        if tree not in self._snapshots:
            lines = self.git("ls-tree", "-r", "-z", tree).split("\0")[:-1]
            rows = ((line.split("\t", 1)[0].split(), line.split("\t", 1)[1]) for line in lines)
            listed = {os.fsencode(path): (meta[0], meta[2]) for meta, path in rows}
            self._snapshots[tree] = listed
        return self._snapshots[tree]

    def _changed(self, old: Snapshot, files: Mapping[Any, Content]) -> Snapshot:
        new = dict(old)
        for name, content in files.items():
            path = name.encode() if isinstance(name, str) else name
            if content is None:
                del new[path]
            elif isinstance(content, Entry):
                new[path] = (content.mode, content.id or self.blob(content.data))
            else:
                new[path] = (FILE, self.blob(content))
        return new

    def _tree(self, snapshot: Snapshot) -> str:
        made = self._tree_below(snapshot)
        self._snapshots[made] = snapshot
        return made

    def _tree_below(self, snapshot: Snapshot) -> str:
        entries: dict[bytes, tuple[str, str]] = {}
        folders: dict[bytes, Snapshot] = {}
        for path, entry in snapshot.items():
            first, slash, rest = path.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = entry
            else:
                entries[first] = entry
        for name, below in folders.items():
            entries[name] = (FOLDER, self._tree_below(below))
        ordered = sorted(entries.items(), key=lambda row: row[0] + (b"/" if row[1][0] == FOLDER else b""))
        raw = (b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(made)) for name, (mode, made) in ordered)
        return self.write("tree", b"".join(raw))


def _environment() -> dict[str, str]:
    own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    content = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.test",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.test",
    }
    return content | own | who

"""What was changed since an earlier commit: functions whose text is that of no function there, wherever it stands."""

import ast
import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.mutation.mutants import digest_of, outermost_functions

_MAIN = ("origin/main", "origin/HEAD", "main")  # where a branch is landed, by the names that a clone may have for it
_SECONDS = 60


def find_base(root: Path) -> str:
    """The commit where HEAD left the main branch, or on that branch the commit before; "" if neither is here.

    A clone that has one commit only has neither. The first name of the main branch that is there decides.
    """
    head = _answer(root, "rev-parse", "--verify", "--quiet", "HEAD")
    found = next(filter(None, (_answer(root, "merge-base", "HEAD", name) for name in _MAIN)), "")
    return found if found not in ("", head) else _answer(root, "rev-parse", "--verify", "--quiet", "HEAD~1")


def load_digests(root: Path, commit: str, folders: Sequence[str]) -> frozenset[str]:
    """The digests of all functions in `folders` at `commit`. Raises CalledProcessError if there is no such commit."""
    command = ["git", "-C", str(root), "archive", "--format=tar", commit]
    packed = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS).stdout
    return frozenset(
        digest_of(function)
        for text in _modules(packed, folders)
        for _, function in outermost_functions(_parse(text), "")
    )


def _parse(text: bytes) -> ast.Module:
    """The module; one of nothing if this Python cannot read it."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _modules(packed: bytes, folders: Sequence[str]) -> Iterator[bytes]:
    """The Python files in `folders`, from an archive."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.name.endswith(".py") and any(member.name.startswith(f"{folder}/") for folder in folders):
                stream = archive.extractfile(member)
                if stream is not None:
                    yield stream.read()


def _answer(root: Path, *question: str) -> str:
    """Output of a git command, "" if it fails: there is no such commit or branch, or no repository."""
    done = subprocess.run(
        ["git", "-C", str(root), *question], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    return done.stdout.strip() if done.returncode == 0 else ""

"""Makes a home: what is missing is made, what is there stays as it is."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from muniment.errors import ParseError, StoreError
from muniment.ledger.keys import generate, public_of
from muniment.store import durable
from muniment.store.files import FOLDERS, PRIVATE, PUBLIC, FilesStore

_OWN = ("keys/", "objects/", "ledger/", "cache/", "repositories.json")
_IGNORED = "\n".join(("# What lies here is this installation's own, and not for git.", *_OWN, ""))
_CANNOT_NAME = re.compile(r"[\s+]")  # a key, in the text form of signed notes


def start(directory: str, texts: Mapping[str, str], key_name: str) -> tuple[str, ...]:
    """The names of the files made. `texts` are documents by name (`policy.toml`). Raises StoreError.

    The ledger's key is made with them, its private half readable by its owner alone.
    """
    root = Path(directory)
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(mode=0o700 if folder == "keys" else 0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory} cannot be made ({error.strerror})", "Name another directory.") from error
    made = [name for name, text in {**texts, ".gitignore": _IGNORED}.items() if _made(root / name, text, 0o644)]
    return (*made, *_keys(root, key_name))


def _keys(root: Path, name: str) -> tuple[str, ...]:
    """The private key comes first, so that stopping half-way leaves nothing that the next start cannot complete."""
    private = FilesStore(str(root)).signing_key()
    made: list[str] = []
    if private is None:
        private, _ = generate(_CANNOT_NAME.sub("-", name))
        durable.write(root / PRIVATE, private.encode() + b"\n", 0o600)
        made.append(PRIVATE)
    if _made(root / PUBLIC, _public(root, private) + "\n", 0o644):
        made.append(PUBLIC)
    return tuple(made)


def _public(root: Path, private: str) -> str:
    try:
        return public_of(private)
    except ParseError as error:
        raise StoreError(f"{root / PRIVATE} is no key ({error})", "Restore it from a backup.") from error


def _made(file: Path, text: str, mode: int) -> bool:
    """Whether the file had to be made. A link that leads nowhere is there too."""
    if os.path.lexists(file):
        return False
    durable.write(file, text.encode(), mode)
    return True

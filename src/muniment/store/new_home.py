"""Makes a home: missing files are made, present ones stay unchanged."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from muniment.errors import ParseError, StoreError
from muniment.ledger.ledger_keys import derive_public_key, generate_key
from muniment.store import durable_files
from muniment.store.files_store import PRIVATE, PUBLIC, STORE_FOLDERS, FilesStore

_OWN = ("keys/", "objects/", "ledger/", "cache/", "repositories.json")
_IGNORED = "\n".join(("# What lies here is this installation's own, and not for git.", *_OWN, ""))
_CANNOT_NAME = re.compile(r"[\s+]")  # a key, in the text form of signed notes


def make_home(directory: str, texts: Mapping[str, str], key_name: str) -> tuple[str, ...]:
    """Names of the files made. `texts` are documents by name (`policy.toml`). Raises StoreError.

    The ledger's key is made with them; only its owner can read its private half.
    """
    root = Path(directory)
    try:
        for folder in STORE_FOLDERS:
            (root / folder).mkdir(mode=0o700 if folder == "keys" else 0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory} cannot be made ({error.strerror})", "Name another directory.") from error
    made = [name for name, text in {**texts, ".gitignore": _IGNORED}.items() if _make_file(root / name, text, 0o644)]
    return (*made, *_make_keys(root, key_name))


def _make_keys(root: Path, name: str) -> tuple[str, ...]:
    """The private key comes first, so that the next start can complete an interrupted one."""
    private = FilesStore(str(root)).signing_key()
    made: list[str] = []
    if private is None:
        private, _ = generate_key(_CANNOT_NAME.sub("-", name))
        durable_files.write_file(root / PRIVATE, private.encode() + b"\n", 0o600)
        made.append(PRIVATE)
    if _make_file(root / PUBLIC, _derive_public(root, private) + "\n", 0o644):
        made.append(PUBLIC)
    return tuple(made)


def _derive_public(root: Path, private: str) -> str:
    try:
        return derive_public_key(private)
    except ParseError as error:
        raise StoreError(f"{root / PRIVATE} is no key ({error})", "Restore it from a backup.") from error


def _make_file(file: Path, text: str, mode: int) -> bool:
    """Whether the file had to be made. A link without a target exists too."""
    if os.path.lexists(file):
        return False
    durable_files.write_file(file, text.encode(), mode)
    return True

"""Makes a home: what is missing is made, what is there stays as it is."""

from collections.abc import Mapping
from pathlib import Path

from muniment.errors import HomeError
from muniment.home.files import FOLDERS, PRIVATE, PUBLIC, write_durably
from muniment.ledger.keys import generate

_IGNORED = "# What lies here is this installation's own, and not for git.\nkeys/\nobjects/\nledger/\n"


def start(directory: str, texts: Mapping[str, str], key_name: str) -> tuple[str, ...]:
    """The names of the files made. `texts` are documents by name (`policy.toml`). Raises HomeError.

    The ledger's key is made with them, its private half readable by its owner alone.
    """
    root = Path(directory)
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(mode=0o700 if folder == "keys" else 0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"{directory} cannot be made ({error.strerror})", "Name another directory.") from error
    made: list[str] = []
    for name, text in {**texts, ".gitignore": _IGNORED}.items():
        if not (root / name).exists():
            write_durably(root / name, text.encode(), 0o644)
            made.append(name)
    if not (root / PRIVATE).exists():
        private, public = generate(key_name)
        write_durably(root / PRIVATE, private.encode() + b"\n", 0o600)
        write_durably(root / PUBLIC, public.encode() + b"\n", 0o644)
        made += [PRIVATE, PUBLIC]
    return tuple(made)

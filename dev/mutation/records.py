"""What the repository keeps of mutation tests: mutants that survive, with reasons, and which functions were tried.

Both are beside this module: `survivors.toml`, written by people, and `tried.txt`, the digest of the text of each
function all of whose mutants were tried. A function that was moved or whose file was renamed keeps its digest.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dev.mutation.mutants import Mutant

SURVIVORS = Path(__file__).parent / "survivors.toml"
TRIED = Path(__file__).parent / "tried.txt"
_KEYS = {"file", "function", "condition", "as", "serial", "reason"}


class Survivor(NamedTuple):
    """A mutant that no test can or need notice."""

    file: str
    function: str
    condition: str
    replaced_by: str
    serial: int


def key_of(mutant: Mutant) -> Survivor:
    """How a mutant is found in the list."""
    return Survivor(mutant.path.as_posix(), mutant.function, mutant.before, mutant.after, mutant.serial)


def load_survivors(path: Path = SURVIVORS) -> dict[Survivor, str]:
    """The accepted survivors with their reasons. Raises ValueError for an entry of another form or without a reason."""
    found: dict[Survivor, str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", []):
        if set(entry) | {"serial"} != _KEYS or not str(entry["reason"]).strip():
            raise ValueError(f"{path.name}: an entry has file, function, condition, as and reason: {entry}")
        where = Survivor(entry["file"], entry["function"], entry["condition"], entry["as"], entry.get("serial", 0))
        found[where] = entry["reason"]
    return found


def describe(mutant: Mutant) -> str:
    """The entry of a survivor, with the reason left to write."""
    serial = f"serial = {mutant.serial}\n" if mutant.serial else ""
    return (
        f'[[survivor]]\nfile = "{mutant.path.as_posix()}"\nfunction = "{mutant.function}"\n'
        f"condition = '''{mutant.before}'''\nas = '''{mutant.after}'''\n{serial}reason = \"\"\n"
    )


def load_tried(path: Path = TRIED) -> frozenset[str]:
    """Digests of functions that were tried."""
    return frozenset(path.read_text(encoding="ascii").split())


def save_tried(digests: Iterable[str], path: Path = TRIED) -> None:
    """Replace the stored digests of the mutants that were tried."""
    path.write_text("".join(f"{one}\n" for one in sorted(digests)), encoding="ascii")

"""Mark of a home that holds the demonstration company and no real data: a file next to its keys."""

import json
from pathlib import Path

from muniment.errors import StoreError, UsageError
from muniment.store import durable_files

MARK_FILE = "demonstration.json"


def is_demonstration(folder: Path) -> bool:
    """Whether the home is marked as a demonstration. An unreadable mark counts as none."""
    return bool(_read_mark(folder))


def write_mark(folder: Path, *, filled: bool) -> None:
    """Mark a home as a demonstration. Raises StoreError."""
    try:
        durable_files.write_file(
            folder / MARK_FILE, json.dumps({"company": "demonstration", "filled": filled}).encode(), 0o644
        )
    except OSError as error:
        raise StoreError(f"{folder} cannot be written ({error.strerror})", "Name another with --home DIR.") from error


def require_demonstration(folder: Path) -> None:
    """Raise UsageError for a home that is no demonstration: its data may be real."""
    if not is_demonstration(folder):
        raise UsageError(
            f"{folder} holds no demonstration; nothing was removed", "Name the home of the demonstration: --home DIR"
        )


def require_new_home(folder: Path) -> None:
    """Raise UsageError for a folder that holds anything: a demonstration is never mixed with other data."""
    if is_demonstration(folder):
        raise UsageError(
            f"{folder} holds the demonstration already", "Start it: muniment up. Or remove it: muniment demo --remove"
        )
    if folder.exists() and any(one.name != "service.lock" for one in folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty; nothing was changed", "Name a new home for the demonstration: --home DIR"
        )


def _read_mark(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / MARK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("company") == "demonstration" else {}

"""File of an HTML report: an earlier report is replaced, no other file is."""

import os
from pathlib import Path

from muniment.cli import replay_html
from muniment.cli.replay_report import ReplayReport
from muniment.errors import UsageError

_REMEDY = "Name a new file, such as report.html."
_HEAD = 200  # bytes of a file in which a report has its mark


def require_writable(name: str) -> None:
    """Raise UsageError if a file of that name is no report, or cannot be written."""
    file = Path(name)
    try:
        if os.path.lexists(file):
            if not file.is_file() or replay_html.LOGO.encode() not in _read_head(file):
                raise UsageError(f"{name} is there already, and is no report", _REMEDY)
        elif "\0" in name or not file.parent.is_dir():
            raise UsageError(f"there is no folder {file.parent}", _REMEDY)
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} cannot be written ({error})", _REMEDY) from error


def write_report(name: str, report: ReplayReport) -> None:
    """Write a report, whole or not at all. Raises UsageError."""
    file = Path(name)
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(replay_html.format_page(report), encoding="utf-8")
        part.replace(file)
    except (OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"{name} cannot be written ({error})", _REMEDY) from error


def _read_head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_HEAD)

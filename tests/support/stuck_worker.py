"""`muniment` with the tasks of stuck_tasks: python -m tests.support.stuck_worker worker --home DIR."""

import importlib
import sys
from pathlib import Path

from muniment.cli import serving
from muniment.cli.running import run

_begin = serving.begin


def begin(folder: Path, role: str, url: str, settings: str = "muniment.server.settings") -> None:
    """As the command does, and then the tasks."""
    _begin(folder, role, url, settings)
    importlib.import_module("tests.support.stuck_tasks")


if __name__ == "__main__":
    serving.begin = begin
    sys.exit(run(sys.argv[1:]))

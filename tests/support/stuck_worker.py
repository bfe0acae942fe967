"""`muniment` with the tasks of stuck_tasks: python -m tests.support.stuck_worker worker --home DIR."""

import importlib
import sys
from pathlib import Path

from muniment.cli import service_setup
from muniment.cli.command_line import run_command_line

_begin = service_setup.set_up_process


def begin(folder: Path, role: str, url: str, settings: str = "muniment.server.settings") -> None:
    """As the command does, and then the tasks."""
    _begin(folder, role, url, settings)
    importlib.import_module("tests.support.stuck_tasks")


if __name__ == "__main__":
    service_setup.set_up_process = begin
    sys.exit(run_command_line(sys.argv[1:]))

"""Becoming another program: this process goes on as that one, and nothing of ours is left in it."""

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn


def replace_process_with(command: Sequence[str], environment: Mapping[str, str | bytes]) -> NoReturn:
    """Become `command`, which is started as it stands: no shell reads it, and it is found on PATH.

    Only for a command that the person at the shell gave us whole (`muniment run -- COMMAND`), or that `command` built.
    Raises OSError if it cannot be executed, ValueError for a null byte.
    """
    os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 -- no shell: that is the point

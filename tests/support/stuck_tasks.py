"""Tasks that misbehave."""

import subprocess

from django.db import connection

from muniment.errors import ProgramError
from muniment.programs.catalogue import Program
from muniment.programs.command import Command
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ChildProcess
from muniment.server.job_queue import register_task

SECONDS = 3


@register_task("spin", SECONDS)
def spin(number: int) -> None:
    """Never gives up its turn, and has started a program that has a session of its own."""
    sleeping = Command(Program.GIT, "sleep", ("sleep", f"{100_000 + number}"))
    with ChildProcess(sleeping, minimal_environment(), ProgramError):
        while True:
            pass


@register_task("wait", 60)
def wait(number: int) -> None:
    """Takes long, within its limit."""
    subprocess.run(["sleep", "30"], check=True)


@register_task("quick")
def quick(number: int) -> None:
    """Task that ends at once."""


@register_task("ask-long", 60)
def ask_long(number: int) -> None:
    """Waits for a statement of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(600), %s", [number])

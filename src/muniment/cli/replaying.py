"""What replays of every source share: by which rules, among whom, and how far it has come."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from muniment.cli import rulebook
from muniment.decision.binding import BoundPolicy
from muniment.errors import PeopleError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.git import signatures
from muniment.workflows import sources


def policy_of(file: str | None, home: sources.RuleSource | None, branch: sources.RuleSource) -> BoundPolicy:
    """The policy of a file, else the effective one of the home and the branch, else the built-in one."""
    if file is not None:
        return rulebook.from_file(file)
    if branch.policy() is None and (home is None or home.policy() is None):
        click.echo("there is no policy here: using the built-in one", err=True)
        return rulebook.built_in()
    return sources.policy_of(home, branch)[0]


def people_of(
    home: sources.RuleSource | None, branch: sources.RuleSource
) -> tuple[Maybe[People], Maybe[tuple[PolicyException, ...]]]:
    """Who is who, Unknown where nobody wrote it down, and the exceptions that hold."""
    try:
        people = sources.people_of(home, branch)
    except PeopleError:
        if branch.people() is not None or (home is not None and home.people() is not None):
            raise
        return Unknown("there is no people.toml, so addresses and keys are not linked to people"), Known(())
    return Known(people), Known(sources.exceptions_of((home, branch), people, signatures.by_person)[0])


@contextlib.contextmanager
def progress(total: int, output: str) -> Iterator[Any]:
    """A bar on a terminal; what it yields is called once for each of `total`."""
    if output != "text" or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        "judging", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("judging", total=total)
        yield lambda: bar.advance(task)

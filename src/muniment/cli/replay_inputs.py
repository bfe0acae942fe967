"""Shared inputs of replays: policy, people, exceptions and the progress bar."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from muniment.cli import policy_files
from muniment.decision.binding import BoundPolicy
from muniment.errors import PeopleError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.git import signatures
from muniment.workflows import rule_sources


def load_replay_policy(
    file: str | None, home: rule_sources.RuleSource | None, branch: rule_sources.RuleSource
) -> tuple[BoundPolicy, str]:
    """Load the policy of a file, else the effective one of the home and the branch, else the built-in one; and its
    name in sentences.
    """
    if file is not None:
        named = "the built-in policy" if file == policy_files.BUILT_IN else f"the policy {file}"
        return policy_files.load_policy_file(file), named
    if branch.load_policy() is None and (home is None or home.load_policy() is None):
        click.echo("There is no policy here: using the built-in one.", err=True)
        return policy_files.load_built_in_policy(), "the built-in policy"
    return rule_sources.load_effective_policy(home, branch)[0], "your policy"


def load_replay_people(
    home: rule_sources.RuleSource | None, branch: rule_sources.RuleSource
) -> tuple[Maybe[People], Maybe[tuple[PolicyException, ...]]]:
    """Load the people, Unknown where no file lists them, and the exceptions in force."""
    try:
        people = rule_sources.load_effective_people(home, branch)
    except PeopleError:
        if branch.load_people() is not None or (home is not None and home.load_people() is not None):
            raise
        return Unknown("there is no people.toml, so addresses and keys are not linked to people"), Known(())
    return Known(people), Known(
        rule_sources.load_effective_exceptions((home, branch), people, signatures.verify_by_person)[0]
    )


@contextlib.contextmanager
def show_progress(total: int, output: str) -> Iterator[Any]:
    """Show a progress bar on a terminal; the yielded function advances it by one of `total`."""
    if output != "text" or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        "evaluating", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("evaluating", total=total)
        yield lambda: bar.advance(task)

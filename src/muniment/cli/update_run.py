"""Run of `muniment update`: plan, write, and what programs read of it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from muniment.cli import keys
from muniment.errors import UsageError
from muniment.git.repository import Repository
from muniment.updates.registry_offers import CoolDown
from muniment.updates.update_reports import UpdateReport
from muniment.workflows import report_updates, write_updates


class UpdateOutcome(Struct, frozen=True):
    """Plan, and where its updates were written: "" for nowhere, else the working tree or a branch."""

    plan: report_updates.UpdatePlan
    written: str

    @property
    def is_clear(self) -> bool:
        """Whether nothing vulnerable and nothing unknown is left."""
        report = self.plan.after if self.written else self.plan.report
        return report.result == "no-known-vulnerability"


def report_only(repository: Repository, commit: str, locations: Sequence[str], now: str) -> UpdateReport:
    """Report vulnerable dependencies without a plan of updates."""
    return report_updates.report_updates(repository, commit, locations, now)


def make_request(
    locations: Sequence[str], tools: Sequence[str], packages: Sequence[str], cool_down: int, exploited: str = ""
) -> report_updates.UpdateRequest:
    """Request of the options. Raises UsageError for a folder that is not there."""
    for folder in tools:
        if not Path(folder).is_dir():
            raise UsageError(f"{folder} is not a folder", "Name the folder of a package manager with --tools.")
    absolute = [str(Path(each).absolute()) for each in tools]
    return report_updates.UpdateRequest(locations, absolute, packages, CoolDown(cool_down), exploited)


def plan_and_write(
    repository: Repository, commit: str, request: report_updates.UpdateRequest, now: str, *, applied: bool, branch: str
) -> UpdateOutcome:
    """Plan, and with `applied` write: into the working tree, or on `branch`."""
    plan = report_updates.plan_updates(repository, commit, request, now)
    if not applied or not plan.updates:
        return UpdateOutcome(plan, "")
    if branch:
        made = write_updates.commit_updates(repository, commit, branch, plan.updates, _find_author(repository.path))
        return UpdateOutcome(plan, f"branch {branch}, commit {made}")
    write_updates.write_working_tree(repository, commit, plan.updates)
    return UpdateOutcome(plan, "working tree")


def _find_author(repo: str) -> dict[str, str]:
    """Author by git's own settings. Raises UsageError if they are not set."""
    name, email = keys.read_git_setting("user.name", repo), keys.read_git_setting("user.email", repo)
    if not name or not email:
        raise UsageError("git does not know who you are", "Set git's user.name and user.email.")
    return {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", name), ("EMAIL", email))
    }


def describe_outcome(outcome: UpdateOutcome) -> dict[str, object]:
    """Report and plan for programs. The content of a lock is left out."""
    updates = [
        {name: value for name, value in msgspec.to_builtins(update).items() if name != "content"}
        for update in outcome.plan.updates
    ]
    return {
        **msgspec.to_builtins(outcome.plan.report),
        "updates": updates,
        "refusals": msgspec.to_builtins(outcome.plan.refusals),
        "written": outcome.written,
    }

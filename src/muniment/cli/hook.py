"""muniment hook: the gate on a plain git server, and the same answer before a push leaves a laptop."""

import os
import sys
from collections.abc import Mapping

import click

from muniment.cli import options, printing, push_text, scene, server_hooks
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.kept_history import ADD_CLAUSE, NOT_KEPT, keeps_history
from muniment.errors import UsageError
from muniment.facts.counting import count_text
from muniment.git import hooks, published_rules, receiving
from muniment.git.repository import Repository
from muniment.store.files import FilesStore
from muniment.workflows.approval_commands import (
    PERSON,
    REMOTE,
    STATEMENTS,
    fetch_command,
    statement_command,
)
from muniment.workflows.preview_push import preview
from muniment.workflows.publish_rules import find_open_heads, publish_rules, standing_in
from muniment.workflows.receive_push import Gate
from muniment.workflows.standing import Standing

_NAMED = 5  # branches that a message names

_home = click.option("--home", required=True, metavar="DIR", help="The home that holds the policy and the ledger.")


@click.group()
def command() -> None:
    """Install the server hook in a git repository."""


@command.command()
@_home
@options.repo
@click.option("--hooks", "folder", metavar="DIR", help="Folder of the hooks. Default: where git looks for them.")
@click.option(
    "--report-only", is_flag=True, help="Monitoring: accept everything, and report what would have been denied."
)
@options.output
def install(home: str, repo: str, folder: str | None, report_only: bool, output: str) -> int:
    """Put the gate into a repository on a server, and record what it holds.

    From then on each push to a protected branch or tag needs the gate's yes. With gitolite, name the folder of its
    common hooks, run: gitolite setup --hooks-only, and run this once for each repository.
    """
    place = FilesStore(home)
    where = os.path.abspath(home)
    told = ("--home", where, *(("--report-only",) if report_only else ()))
    with Repository.open(repo) as repository, Gate(repository, place) as gate:
        gate.ready()
        standing = standing_in(repository, place)
        _require_protection(repository, standing)
        hooks.harden(repository)
        scripts = {
            "pre-receive": hooks.script("pre-receive", *told),
            "post-receive": hooks.afterwards("post-receive", *told[:2]),
        }
        made = hooks.install(folder or hooks.folder(repository), scripts)
        size = gate.install(scene.now())
        publish_rules(repository, place, standing)
        place.add_repository(repository.git_dir)
        unattested = find_open_heads(repository, standing)
        kept = keeps_history(standing.policy)
    if output == "json":
        printing.json({"made": made, "entries": size, "keeps_history": kept})
        return 0
    for file in made:
        click.echo(f"made {file}")
    click.echo(f"recorded the refs of this repository; the ledger has {size} entries now")
    if not kept:
        click.echo(f"Attention: {NOT_KEPT}. {ADD_CLAUSE}")
    variable = place.settings().pusher_variable
    click.echo(
        f"Next: make sure that the server, and nobody else, says in {variable} who pushes: docs/guides/server-hook.md"
    )
    for line in _attest_open(unattested, standing):
        click.echo(line)
    return 0


def _require_protection(repository: Repository, standing: Standing) -> None:
    """Raises UsageError if the branch that clones get first would be open."""
    head = receiving.named(repository.head_branch())
    if standing.protects(head):
        return
    name = head.removeprefix("refs/heads/")
    shown = ", ".join(standing.policy.policy.protected_branches)
    raise UsageError(
        f"the policy does not protect {name}, the default branch of this repository: anybody could push to it",
        f'Add "{name}" to [branches] protected in policy.toml ({shown}); or make a protected branch the default one: '
        "git symbolic-ref HEAD refs/heads/BRANCH",
    )


def _attest_open(heads: Mapping[str, str], standing: Standing) -> list[str]:
    """What to do about changes that were pushed before the hook: nobody recorded who pushed them."""
    if not heads:
        return []
    names = ", ".join(list(heads.values())[:_NAMED]) + (" and others" if len(heads) > _NAMED else "")
    policy = standing.policy.policy
    command = statement_command(
        *(policy.repository, standing.default_branch, " ".join(heads), f"--attest {ALL_PUSHERS}={PERSON}")
    )
    return [
        f"{count_text(len(heads), 'branch was', 'branches were')} pushed before the hook was installed, "
        f"so their pushers are unknown: {names}.",
        "Before one of them is merged, somebody with the security role, who then does not approve it, attests who did.",
        "In a clone, for one pusher of all (leave out the commits of others):",
        f"    {fetch_command('+refs/heads/*:refs/remotes/origin/*')}",
        f"    {command}",
    ]


@command.command("pre-receive")
@_home
@click.option(
    "--report-only", is_flag=True, help="Monitoring: accept everything, and report what would have been denied."
)
def pre_receive(home: str, report_only: bool) -> int:
    """Judge the push that git is receiving. git runs this; its answer is the exit code."""
    return server_hooks.pre_receive(home, report_only=report_only)


@command.command("post-receive")
@_home
def post_receive(home: str) -> int:
    """Record what became of the refs. git runs this; a push that it misses is recorded with the next one."""
    return server_hooks.post_receive(home)


@command.command("pre-push")
@click.argument("remote", default="origin")
@click.argument("url", required=False)
@options.home
def pre_push(remote: str, url: str | None, home: str | None) -> int:  # noqa: ARG001 -- git gives it
    """Say what the server would say of what you are about to push, as far as it can be known here.

    git runs this; put it there with: muniment hook install-pre-push. It holds a push back that would be denied;
    git push --no-verify goes on without it.
    """
    updates = receiving.read_outgoing(sys.stdin.buffer.read())
    with Repository.open(".") as repository:
        answers = preview(repository, remote, updates, FilesStore(home) if home else None, scene.now())
    lines = push_text.of_preview(answers)
    for line in lines:
        click.echo(printing.plain(line), err=True)
    return 0 if all(answer.allowed for answer in answers) else 1


@command.command("install-pre-push")
@options.repo
@options.home
def install_pre_push(repo: str, home: str | None) -> int:
    """Put the preview into your clone: git push then says first what the server would say."""
    told = ("--home", os.path.abspath(home)) if home else ()
    with Repository.open(repo) as repository:
        made = hooks.install(hooks.folder(repository), {"pre-push": hooks.script("pre-push", *told)})
        hooks.fetch_always(repository, REMOTE, f"+{published_rules.REF}:{published_rules.REF}")
    for file in made:
        click.echo(f"made {file}")
    click.echo("From now on git push shows the server's decision first, and git fetch also fetches the server's rules.")
    click.echo("Next: fetch them, with the approvals of others:")
    click.echo(f"    git fetch {REMOTE} '{STATEMENTS}'")
    return 0

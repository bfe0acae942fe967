"""muniment hook: the server hook of a plain git server, and a preview before a push leaves a clone."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from muniment.cli import context, options, printing, push_text, server_hooks
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.history_protection import ADD_CLAUSE, HISTORY_UNPROTECTED, is_history_protected
from muniment.errors import UsageError
from muniment.facts.counting import count_entries, count_text
from muniment.git import hooks, published_rules, received_push
from muniment.git.repository import Repository
from muniment.store.files_store import FilesStore
from muniment.workflows.approval_commands import (
    PERSON,
    REMOTE,
    STATEMENT_REFS,
    format_fetch_command,
    format_statement_command,
)
from muniment.workflows.publish_rules import find_open_heads, publish_rules, read_repository_rules
from muniment.workflows.push_preview import preview_updates
from muniment.workflows.push_receiver import PushReceiver
from muniment.workflows.repository_rules import RepositoryRules

_MOST_NAMED = 5  # branches that a message names

_home = click.option("--home", required=True, metavar="DIR", help="The home that holds the policy and the ledger.")


@click.group()
def command() -> None:
    """Install the server hook in a git repository."""


@command.command("install")
@_home
@options.repo
@click.option("--hooks", "folder", metavar="DIR", help="Folder of the hooks. Default: where git looks for them.")
@click.option(
    "--report-only", is_flag=True, help="Monitoring: accept everything, and report what would have been denied."
)
@options.output
def install_hook(home: str, repo: str, folder: str | None, report_only: bool, output: str) -> int:
    """Install the server hook in a repository on a server, and record the repository's refs.

    From then on the hook decides on each push to a protected branch or tag. With gitolite, name the folder of its
    common hooks, run: gitolite setup --hooks-only, and run this once for each repository.
    """
    from muniment.cli.home_access import open_files_home  # a push imports this module, and nothing of a service

    place = open_files_home(home)
    where = os.path.abspath(home)
    arguments = ("--home", where, *(("--report-only",) if report_only else ()))
    with Repository.open(repo) as repository, PushReceiver(repository, place) as receiver:
        receiver.require_writable()
        standing = read_repository_rules(repository, place)
        _require_protection(repository, standing)
        hooks.harden_repository(repository)
        scripts = {
            "pre-receive": hooks.make_hook_script("pre-receive", *arguments),
            "post-receive": hooks.make_background_script("post-receive", *arguments[:2]),
        }
        made = hooks.install_hooks(folder or hooks.find_hooks_folder(repository), scripts)
        size = receiver.record_refs(context.current_moment())
        publish_rules(repository, place, standing)
        place.add_repository(repository.git_dir)
        unattested = find_open_heads(repository, standing)
        is_protected = is_history_protected(standing.policy)
    if output == "json":
        printing.print_json({"made": made, "entries": size, "keeps_history": is_protected})
        return 0
    for file in made:
        click.echo(printing.make_printable(f"made {file}"))
    click.echo(f"recorded the refs of this repository; the ledger has {count_entries(size)} now")
    for clause, problem in standing.policy.clause_problems.items():
        click.echo(f"Attention: the clause {clause} denies every change until it is corrected: {problem}")
    if not is_protected:
        click.echo(f"Attention: {HISTORY_UNPROTECTED}. {ADD_CLAUSE}")
    if not standing.people.persons:
        people = os.path.join(where, "people.toml")
        click.echo(printing.make_printable(f"Attention: every change is denied until you name your people in {people}"))
    variable = place.load_settings().pusher_variable
    click.echo(
        f"Next: make sure that the server, and nobody else, says in {variable} who pushes: docs/guides/server-hook.md"
    )
    for line in _describe_unattested(unattested, standing):
        click.echo(line)
    for line in _describe_import(where):
        click.echo(printing.make_printable(line))
    return 0


def _describe_import(home: str) -> Iterator[str]:
    """Lines that say what the service needs to permit deployments of what the hook allowed."""
    key = Path(home, "keys", "ledger.pub").read_text(encoding="ascii").strip()
    yield "To deploy what it allows (docs/guides/deployments.md): on the product's page Settings in the service, press"
    yield "Read server hook's log. MUNIMENT_REPOSITORY_FOLDERS of the service names a folder above the home."
    yield f"    home  {home}"
    yield f"    key   {key}"


def _require_protection(repository: Repository, standing: RepositoryRules) -> None:
    """Raise UsageError if the branch that clones get first is not protected."""
    head = received_push.encode_ref(repository.find_head_branch())
    if standing.is_protected(head):
        return
    name = head.removeprefix("refs/heads/")
    patterns = ", ".join(standing.policy.policy.protected_branches)
    raise UsageError(
        f"the policy does not protect {name}, the default branch of this repository: anybody could push to it",
        f'Add "{name}" to [branches] protected in policy.toml ({patterns}); or make a protected branch the default: '
        "git symbolic-ref HEAD refs/heads/BRANCH",
    )


def _describe_unattested(heads: Mapping[str, str], standing: RepositoryRules) -> list[str]:
    """Lines about changes that were pushed before the hook was installed: their pushers were not recorded."""
    if not heads:
        return []
    names = ", ".join(list(heads.values())[:_MOST_NAMED]) + (" and others" if len(heads) > _MOST_NAMED else "")
    policy = standing.policy.policy
    command = format_statement_command(
        *(policy.repository, standing.default_branch, " ".join(heads), f"--attest {ALL_PUSHERS}={PERSON}")
    )
    return [
        f"{count_text(len(heads), 'branch was', 'branches were')} pushed before the hook was installed, "
        f"so their pushers are unknown: {names}.",
        "Before one of them is merged, somebody with the security role, who then does not approve it, attests who did.",
        "In a clone, for one pusher of all (leave out the commits of others):",
        f"    {format_fetch_command('+refs/heads/*:refs/remotes/origin/*')}",
        f"    {command}",
    ]


@command.command("pre-receive")
@_home
@click.option(
    "--report-only", is_flag=True, help="Monitoring: accept everything, and report what would have been denied."
)
def run_pre_receive(home: str, report_only: bool) -> int:
    """Evaluate the push that git is receiving. git runs this; the exit code is the decision."""
    return server_hooks.pre_receive(home, report_only=report_only)


@command.command("post-receive")
@_home
def run_post_receive(home: str) -> int:
    """Record the updates that git made to the refs. git runs this; a push that it misses is recorded with the
    next one.
    """
    return server_hooks.post_receive(home)


@command.command("pre-push")
@click.argument("remote", default="origin")
@click.argument("url", required=False)
@options.home
def pre_push(remote: str, url: str | None, home: str | None) -> int:  # noqa: ARG001 -- git gives it
    """Show the server's decision on the push that you are about to make, as far as it can be known here.

    git runs this; install it with: muniment hook install-pre-push. It stops a push that would be denied; git push
    --no-verify pushes without it.
    """
    updates = received_push.parse_outgoing_refs(sys.stdin.buffer.read())
    with Repository.open(".") as repository:
        answers = preview_updates(
            repository, remote, updates, FilesStore(home) if home else None, context.current_moment()
        )
    lines = push_text.format_preview(answers)
    for line in lines:
        click.echo(printing.make_printable(line), err=True)
    return 0 if all(answer.is_allowed for answer in answers) else 1


@command.command("install-pre-push")
@options.repo
@options.home
def install_pre_push(repo: str, home: str | None) -> int:
    """Install the preview in your clone: git push then shows the server's decision first."""
    arguments = ("--home", os.path.abspath(home)) if home else ()
    with Repository.open(repo) as repository:
        made = hooks.install_hooks(
            hooks.find_hooks_folder(repository), {"pre-push": hooks.make_hook_script("pre-push", *arguments)}
        )
        hooks.add_fetch_refspec(repository, REMOTE, f"+{published_rules.RULES_REF}:{published_rules.RULES_REF}")
    for file in made:
        click.echo(printing.make_printable(f"made {file}"))
    click.echo("From now on git push shows the server's decision first, and git fetch also fetches the server's rules.")
    click.echo("Next: fetch them, with the approvals of others:")
    click.echo(f"    git fetch {REMOTE} '{STATEMENT_REFS}'")
    return 0


@command.command("pre-commit")
def pre_commit() -> int:
    """Stop a commit that brings a secret, or a file that cannot be scanned for secrets.

    git runs this; install it with: muniment hook install-pre-commit. It reads the staged files in your own account,
    without the confined process that scans of others' code have; git commit --no-verify commits without it.
    """
    from muniment.cli.pre_commit import run_pre_commit

    return run_pre_commit(".")


@command.command("install-pre-commit")
@options.repo
def install_pre_commit(repo: str) -> int:
    """Install the scan for secrets in your clone: git commit then stops before a secret is in the history."""
    with Repository.open(repo) as repository:
        made = hooks.install_hooks(
            hooks.find_hooks_folder(repository), {"pre-commit": hooks.make_hook_script("pre-commit")}
        )
    for file in made:
        click.echo(printing.make_printable(f"made {file}"))
    click.echo("From now on git commit looks for secrets in the files of the commit first.")
    return 0

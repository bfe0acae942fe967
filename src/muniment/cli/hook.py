"""muniment hook: the gate on a plain git server, and the same answer before a push leaves a laptop."""

import os
import sys

import click

from muniment.cli import guard, options, printing, push_text, scene
from muniment.errors import UsageError
from muniment.git import hooks, receiving
from muniment.git.repository import Repository
from muniment.home.files import FilesHome
from muniment.workflows.preview_push import preview
from muniment.workflows.pusher import identify
from muniment.workflows.receive_push import Gate

_home = click.option("--home", required=True, metavar="DIR", help="The home that holds the policy and the ledger.")


@click.group()
def command() -> None:
    """Put the gate into a repository, and run it."""


@command.command()
@_home
@options.repo
@click.option("--hooks", "folder", metavar="DIR", help="Where hooks lie. Default: where git looks for them.")
@click.option("--report-only", is_flag=True, help="Let everything pass, and say what would have been denied.")
@options.output
def install(home: str, repo: str, folder: str | None, report_only: bool, output: str) -> int:
    """Put the gate into a repository on a server, and record what it holds.

    From then on each push to a protected branch or tag needs the gate's yes. With gitolite, name the folder of its
    common hooks, run: gitolite setup --hooks-only, and run this once for each repository.
    """
    place = FilesHome(home)
    where = os.path.abspath(home)
    told = ("--home", where, *(("--report-only",) if report_only else ()))
    with Repository.open(repo) as repository, Gate(repository, place) as gate:
        gate.ready()
        hooks.harden(repository)
        scripts = {
            "pre-receive": hooks.script("pre-receive", *told),
            "post-receive": hooks.afterwards("post-receive", *told[:2]),
        }
        made = hooks.install(folder or hooks.folder(repository), scripts)
        size = gate.install(scene.now())
    if output == "json":
        printing.json({"made": made, "entries": size})
        return 0
    for file in made:
        click.echo(f"made {file}")
    click.echo(f"recorded what this repository holds; the ledger has {size} entries now")
    variable = place.settings().pusher
    click.echo(f"Next: make sure that the server, and nobody else, says in {variable} who pushes: docs/gate.md")
    return 0


@command.command("pre-receive")
@_home
@click.option("--report-only", is_flag=True, help="Let everything pass, and say what would have been denied.")
def pre_receive(home: str, report_only: bool) -> int:
    """Judge the push that git is receiving. git runs this; its answer is the exit code."""
    given = sys.stdin.buffer.read()
    surroundings = dict(os.environ)
    if surroundings.get("GIT_NAMESPACE"):
        raise UsageError("the server uses git namespaces, which the gate cannot judge", "Serve each as a repository.")
    place = FilesHome(home)

    def work() -> tuple[bool, list[str]]:
        with Repository.open(".", receiving.quarantine(surroundings)) as repository, Gate(repository, place) as gate:
            updates = receiving.read_updates(given)
            who = identify(place.settings().pusher, surroundings)
            received = gate.receive(updates, who, scene.now(), enforced=not report_only)
            return received.let_through, push_text.of_push(received)

    allowed, lines = guard.guarded(work, place.settings().timeout_seconds)
    for line in lines:
        click.echo(printing.plain(line), err=True)
    return 0 if allowed else 1


@command.command("post-receive")
@_home
def post_receive(home: str) -> int:
    """Record what became of the refs. git runs this; a push that it misses is recorded with the next one."""
    place = FilesHome(home)

    def work() -> tuple[bool, list[str]]:
        with Repository.open(".") as repository, Gate(repository, place) as gate:
            gate.settle(scene.now())
        return True, []

    guard.guarded(work, place.settings().timeout_seconds)
    return 0


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
        answers = preview(repository, remote, updates, FilesHome(home) if home else None, scene.now())
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
    for file in made:
        click.echo(f"made {file}")
    click.echo("Next: nothing; git push tells you more from now on")
    return 0

"""muniment apply: bring the service to what a company's file says, after a plan that is shown first."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from muniment.cli import options, printing, service_requests, service_setup
from muniment.errors import MunimentError, UsageError

_PLAN, _APPLY = "/api/company/plan", "/api/company/apply"
_LARGEST = 900_000  # bytes


@click.command()
@click.option(
    "-f",
    "--file",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The company's file, such as company.toml.",
)
@click.option("--url", metavar="URL", help="Address of the service. Default: MUNIMENT_URL, else the service of --home.")
@click.option("--home", metavar="DIR", help="Home of the service on this machine, where its address is read.")
@click.option("--yes", is_flag=True, help="Carry the plan out without asking.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show the plan. Exit code 1 if something would change.")
@options.output
def command(path: Path, url: str | None, home: str | None, yes: bool, only_plan: bool, output: str) -> int:
    """Bring the service to what a company's file says: connections, products, rules for repositories, people, roles.

    The plan is shown first. What is so already is not done again, and nothing is removed. The token comes from
    MUNIMENT_TOKEN, and confirms nothing for its person: an act of two people waits as a request, which its requester
    confirms in the browser and a second person approves.
    """
    text = _read_text(path)
    service = url or _read_home_url(home)
    try:
        plan = service_requests.ask_service(service, "POST", _PLAN, {"file": text})
    except UsageError as error:
        raise UsageError(
            re.sub(r"^company\.toml", lambda _: str(path), error.message, flags=re.I), error.remedy
        ) from None
    changes = _read_changes(plan)
    if output == "text":
        _print_plan(path, changes)
    if not changes or only_plan:
        if output == "json":
            printing.print_json(plan)
        return 1 if changes else 0
    if not yes and not _ask_confirmation(output):
        return 1
    body = {"file": text, "digest": str(plan.get("digest", ""))}
    done = service_requests.ask_service(service, "POST", _APPLY, body)
    if output == "json":
        printing.print_json({"plan": plan, **done})
    else:
        _print_outcome(done)
    return 0


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > _LARGEST:
            raise UsageError(f"{path} is larger than 900 kB", "Divide it into several files.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Name a file that you may read.") from None


def _read_home_url(home: str | None) -> str | None:
    if home is None:
        return None
    found = service_setup.read_service_url(Path(home))
    if not found:
        raise UsageError(f"{home} is not the home of a service that was started", "Start it: muniment up --home DIR")
    return found


def _read_changes(plan: Mapping[str, object]) -> list[tuple[str, bool]]:
    found = plan.get("changes")
    if not isinstance(found, list) or not all(isinstance(one, dict) and "change" in one for one in found):
        raise MunimentError("the service answers in another form", "Use the version of the service.")
    return [(str(one["change"]), bool(one.get("waits"))) for one in found]


def _print_plan(path: Path, changes: list[tuple[str, bool]]) -> None:
    if not changes:
        click.echo(f"nothing has to change: everything is as {path} says")
        return
    for line, waits in changes:
        mark = "  (needs a second person)" if waits else ""
        click.echo(f"  + {printing.make_printable(line)}{mark}")
    click.echo(f"{len(changes)} changes")


def _ask_confirmation(output: str) -> bool:
    if output == "json" or not sys.stdin.isatty():
        raise UsageError("there is no terminal to confirm the plan", "Read it with --plan, then add --yes.")
    return click.confirm("Carry this out?", default=False)


def _print_outcome(done: Mapping[str, object]) -> None:
    click.echo(f"{done.get('changes', 0)} changes are carried out or requested")
    requests = done.get("requests")
    if isinstance(requests, list) and requests:
        numbers = ", ".join(str(one) for one in requests)
        click.echo(f"Requests that wait: {numbers}. Your token confirmed none of them.")
        click.echo("Next: confirm them together on the page Company file; then a second person approves them.")

"""muniment design: the six principles of secure design, evaluated on design.toml and on the routes of the code."""

import datetime
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from muniment.cli import options, printing
from muniment.cli.design_probe import changing_option, host_option, probe_instance, url_option
from muniment.cli.design_tests import evaluate_test_report
from muniment.cli.input_files import name_input, read_input
from muniment.design.code_elements import find_code_elements
from muniment.design.comparison import DesignDifference, DesignState, compare_designs, evaluate_state
from muniment.design.drafting import draft_design
from muniment.design.drawing import draw_design
from muniment.design.findings import DesignFinding, DesignStatus, PrincipleResult
from muniment.design.missing_lines import list_missing_lines
from muniment.design.model import DesignModel, build_design_schema
from muniment.design.model_file import read_design
from muniment.design.model_union import join_designs
from muniment.design.open_threat_model import LARGEST_THREAT_MODEL, draft_from_threat_model, export_threat_model
from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import RouteList
from muniment.design.source_files import (
    DESIGN_FILE,
    read_commit_files,
    read_design_text,
    read_folder_sources,
    select_below,
)
from muniment.design.threats import list_threats
from muniment.errors import DesignError, UsageError
from muniment.git.repository import Repository

_SHOWN = 25  # findings of one principle that are printed; --format json has all
_also = click.option(
    "--also",
    multiple=True,
    metavar="DIR",
    help="Folder of another repository of the product. Its design is joined by named interfaces. Repeatable.",
)


@click.group()
def command() -> None:
    """Evaluate the six principles of secure design."""


@command.command()
@options.repo
@click.option("--owner", required=True, metavar="NAME", help="Who answers for the design, such as an e-mail address.")
@click.option("--product", metavar="NAME", help="Name of the product. Default: the name of the folder.")
def init(repo: str, owner: str, product: str | None) -> int:
    """Draft design.toml from the code: guards, routes and resources that parsing finds. Nothing is imported."""
    path = Path(repo) / DESIGN_FILE
    if path.exists():
        raise UsageError(f"{path} exists", "Evaluate it: muniment design check")
    name = product or os.path.basename(os.path.abspath(repo))
    text, lists = draft_design(read_folder_sources(repo), name, owner)
    path.write_text(text, encoding="utf-8")
    routes = [route for found in lists for route in found.routes]
    bare = sum(route.is_open for route in routes)
    click.echo(f"Wrote {path}. Parsed only: {len(routes)} routes, {bare} of them without a guard.")
    for found in lists:
        for unread in found.unread:
            click.echo(f"  unknown: {printing.make_printable(unread.where)}: {printing.make_printable(unread.why)}")
    click.echo("State why each public route is public, then run: muniment design check")
    return 0


@command.command("sync")
@options.repo
def add_missing_lines(repo: str) -> int:
    """Add the lines to design.toml that it lacks for the code: guards, tables, applications. None permits anything."""
    text = read_design_text(repo)
    path = Path(repo) / DESIGN_FILE
    found = list_missing_lines(read_design(text, str(path)), read_folder_sources(repo), text)
    if not found.lines:
        click.echo(f"{path} lacks nothing that parsing finds.")
        return 0
    joined = text.rstrip("\n") + "\n" + "\n".join(found.lines) + "\n"
    read_design(joined, str(path))  # a file that the next command would refuse is not written
    path.write_text(joined, encoding="utf-8")
    for name in found.names:
        click.echo(f"  + {printing.make_printable(name)}")
    click.echo(f"Wrote {path}. Review the lines, then run: muniment design check")
    return 0


@command.command()
@options.repo
@_also
@click.option("--tested", metavar="REPORT", help="Report of pytest-muniment on this commit, to be evaluated too.")
@options.output
def check(repo: str, also: tuple[str, ...], tested: str | None, output: str) -> int:
    """Evaluate the design and the routes of the code. Exit code 1 unless all principles are met."""
    state = _read_state(repo, also)
    results = evaluate_state(state, _today())
    if tested is not None:
        results += evaluate_test_report(tested, repo, state)
    if output == "json":
        printing.print_json([_to_data(result) for result in results])
    else:
        for line in _format_results(results):
            click.echo(line)
    return 0 if all(result.status is DesignStatus.MET for result in results) else 1


@command.command()
@options.repo
@_also
@click.option("--out", metavar="FILE", default="design.svg", show_default=True, help="File to write.")
def draw(repo: str, also: tuple[str, ...], out: str) -> int:
    """Draw the data-flow diagram with trust boundaries and findings, as SVG."""
    state = _read_state(repo, also)
    findings = [finding for result in evaluate_state(state, _today()) for finding in result.findings]
    _write_file(out, draw_design(state.model, findings))
    click.echo(f"Wrote {out}.")
    return 0


@command.command()
@click.argument("base")
@options.repo
@click.option("--head", metavar="REV", help="Commit after the change. Default: the files in the folder.")
@options.output
def diff(base: str, repo: str, head: str | None, output: str) -> int:
    """Show the effect of the change since commit BASE on the design. Exit code 1 if it weakens the design."""
    with Repository.open(repo) as repository:
        before = _read_commit_state(repository, base)
        after = _read_commit_state(repository, head) if head else _read_state(repo, ())
    difference = compare_designs(before, after, _today())
    if output == "json":
        printing.print_json(
            {
                "added": difference.added,
                "removed": difference.removed,
                "altered": difference.altered,
                "findings": [_finding_data(finding) for finding in difference.findings],
            }
        )
    else:
        for line in _format_difference(difference):
            click.echo(line)
    return 1 if difference.findings else 0


@command.command()
@options.repo
@_also
@options.output
def threats(repo: str, also: tuple[str, ...], output: str) -> int:
    """List the threats of the design by STRIDE, the highest score first."""
    found = list_threats(_read_model(repo, also))
    if output == "json":
        printing.print_json(found)
        return 0
    for threat in found:
        against = f"  against it: {', '.join(threat.mitigations)}" if threat.mitigations else ""
        click.echo(f"{threat.score:3}  {threat.kind.value:22}  {threat.sentence}{printing.dim_text(against)}")
    return 0


@command.command("export")
@options.repo
@_also
@click.option("--out", metavar="FILE", default="design.otm.json", show_default=True, help="File to write.")
def export_model(repo: str, also: tuple[str, ...], out: str) -> int:
    """Write the design as an Open Threat Model (JSON), with its threats."""
    data = json.dumps(export_threat_model(_read_model(repo, also)), indent=2, ensure_ascii=False)
    _write_file(out, data + "\n")
    click.echo(f"Wrote {out}.")
    return 0


@command.command("import")
@click.argument("file")
@options.repo
@click.option("--owner", required=True, metavar="NAME", help="Who answers for the design, such as an e-mail address.")
def import_model(file: str, repo: str, owner: str) -> int:
    """Draft design.toml from an Open Threat Model (JSON)."""
    path = Path(repo) / DESIGN_FILE
    if path.exists():
        raise UsageError(f"{path} exists", "Evaluate it: muniment design check")
    data = read_input(file, "Name a file of Open Threat Model.", LARGEST_THREAT_MODEL + 1)
    text = draft_from_threat_model(data, name_input(file), owner)
    read_design(text, str(path))
    _write_file(str(path), text)
    click.echo(f"Wrote {path}. Complete it, then run: muniment design check")
    return 0


def _write_file(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", "Name another file.") from error


@command.command()
@options.repo
@url_option
@host_option
@changing_option
@options.output
def probe(repo: str, url: str, hosts: tuple[str, ...], output: str, *, changing: bool) -> int:
    """Call each route of a running test instance without rights. Exit code 1 unless each one refuses."""
    state = _read_state(repo, ())
    return probe_instance(state.model, state.routes, url, hosts, output, changing=changing)


@command.command()
def schema() -> int:
    """Print the JSON Schema of design.toml, for editors."""
    click.echo(build_design_schema().decode())
    return 0


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _read_model(repo: str, also: Sequence[str]) -> DesignModel:
    designs = {}
    for folder in (repo, *also):
        name = os.path.basename(os.path.abspath(folder))
        if name in designs:
            raise UsageError(f"two folders are called {name}", "Rename one: the name stands for its repository.")
        designs[name] = read_design(read_design_text(folder), os.path.join(folder, DESIGN_FILE))
    return join_designs(designs)


def _read_state(repo: str, also: Sequence[str]) -> DesignState:
    """Design and routes of working copies. Each folder's routes are those of the applications of its own design."""
    lists: list[RouteList] = []
    for folder in (repo, *also):
        model = _read_model(folder, ())
        files = read_folder_sources(folder) if model.applications else {}
        lists += _read_applications(model, files)
    return DesignState(_read_model(repo, also), tuple(lists), find_code_elements(read_folder_sources(repo)))


def _read_applications(model: DesignModel, files: dict[str, str]) -> Iterator[RouteList]:
    for application in model.applications:
        yield read_routes(application.framework, select_below(files, application.root))


def _read_commit_state(repository: Repository, revision: str) -> DesignState:
    commit = repository.resolve_commit(revision)
    files = read_commit_files(repository, commit)
    where = f"{revision}:{DESIGN_FILE}"
    if DESIGN_FILE not in files:
        raise DesignError(where, "", "the file is missing in this commit", "Name a commit that has the file.")
    model = read_design(files[DESIGN_FILE], where)
    return DesignState(model, tuple(_read_applications(model, files)), find_code_elements(files))


def _finding_data(finding: DesignFinding) -> dict[str, object]:
    return {
        "code": finding.code.name.lower(),
        "status": finding.status.value,
        "identity": finding.identity,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "path": finding.path,
        "where": finding.where,
        "suggestion": finding.suggested_lines,
    }


def _to_data(result: PrincipleResult) -> dict[str, object]:
    return {
        "principle": result.principle.value,
        "status": result.status.value,
        "evidence": [kind.value for kind in result.evidence],
        "examined": result.examined,
        "findings": [_finding_data(finding) for finding in result.findings],
        "notes": [{"subject": note.subject, "text": note.text} for note in result.notes],
    }


def _format_results(results: Sequence[PrincipleResult]) -> Iterator[str]:
    for result in results:
        evidence = ", ".join(kind.value for kind in result.evidence)
        head = printing.style_text(result.principle.label, bold=True)
        sign = printing.status_sign(result.status.value)
        yield f"{sign} {head}: {result.status.value}  {printing.dim_text(f'({evidence})')}"
        for finding in result.findings[:_SHOWN]:
            yield from _format_finding(finding)
        if len(result.findings) > _SHOWN:
            yield f"    and {len(result.findings) - _SHOWN} more: muniment design check --format json"
        for note in result.notes if not result.findings else ():
            yield printing.dim_text(printing.make_printable(f"    {note.subject}: {note.text}"))


def _format_finding(finding: DesignFinding) -> Iterator[str]:
    where = f"  {printing.make_printable(finding.where)}" if finding.where else ""
    sign = printing.status_sign(finding.status.value)
    yield f"  {sign} {printing.make_printable(finding.message)}{printing.dim_text(where)}"
    if finding.path:
        yield f"      path: {printing.make_printable(' -> '.join(finding.path))}"
    yield printing.dim_text(f"      {printing.make_printable(finding.remedy)}")
    for line in finding.suggested_lines.splitlines():
        yield printing.dim_text(f"        {printing.make_printable(line)}")


def _format_difference(difference: DesignDifference) -> Iterator[str]:
    if difference.is_empty:
        yield "The change does not alter the design."
    yield from (f"  + {printing.make_printable(name)}" for name in difference.added)
    yield from (f"  - {printing.make_printable(name)}" for name in difference.removed)
    yield from (f"  ~ {printing.make_printable(name)}" for name in difference.altered)
    for finding in difference.findings:
        yield from _format_finding(finding)

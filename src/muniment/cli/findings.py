"""muniment findings: findings of other tools."""

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from muniment.cli import options, printing
from muniment.cli.input_files import read_input
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.scanners.imports.import_coverage import ImportCanary, ImportCoverage
    from muniment.scanners.imports.sarif_import import ImportedFinding, ImportedRun

_READ = "Name a SARIF file of the tool."
_PAUSE, _MOST_SECONDS = 2, 120  # between two looks at a report, and in all
_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": None}


@click.group()
def command() -> None:
    """Read findings of other tools."""


@command.command("import")
@click.argument("file", metavar="FILE")
@click.option("--files", "listed", metavar="LIST", help="The tool's own list of the files that it scanned, one a line.")
@click.option("--canary", metavar="RULE@PATH", help="The finding that proves a run without list.")
@click.option(
    "--covers", multiple=True, metavar="PATTERN", help="Files that a run without list scans, such as 'src/*'."
)
@click.option(
    "--language", "languages", multiple=True, metavar="NAME", help="Of these files, only those of a language."
)
@click.option("--product", metavar="NAME", help="Send the file to the service, for this product.")
@click.option("--repository", metavar="NAME", help="Repository of the product. Default: the product's name.")
@click.option("--url", metavar="URL", help="The service. Default: MUNIMENT_URL, or the one of this machine.")
@options.output
def import_findings(
    file: str,
    listed: str | None,
    canary: str | None,
    covers: tuple[str, ...],
    languages: tuple[str, ...],
    product: str | None,
    repository: str | None,
    url: str | None,
    output: str,
) -> int:
    """Read a SARIF 2.1.0 file of another tool, and print what it counts for, or send it to the service.

    With --product the service stores the findings, for the protected branch. It takes a token of your own from
    MUNIMENT_TOKEN: make it on your page, with the scope handle-finding. The list of files is the one in the file, and
    what a tool without list scans is declared on the page Findings of the product.

    Without --product nothing is stored. A run counts for the files that it lists, or that --files lists. Without a list
    it counts if the tool says that it ended well, and found the canary; then it counts for what --covers declares. Exit
    code 1 if there is a finding, a run that counts for no file, or a file that the service did not import.
    """
    from muniment.scanners.imports.document import MOST_DOCUMENT_BYTES
    from muniment.scanners.imports.import_coverage import CoverageDeclaration, find_coverage, is_canary
    from muniment.scanners.imports.sarif_import import parse_import

    if product is not None:
        if listed or canary or covers or languages:
            raise UsageError(
                "--files, --canary, --covers and --language are for a file that is not sent",
                "Declare what the tool scans on the page Findings of the product.",
            )
        content = read_input(file, _READ, MOST_DOCUMENT_BYTES + 1)
        return _send_report(content, product, repository or product, url, output)
    document = parse_import(read_input(file, _READ, MOST_DOCUMENT_BYTES + 1), b"printed, not stored")
    planted = _parse_canary(canary)
    declaration = CoverageDeclaration(covers, languages) if covers else None
    own = _read_list(listed)
    found = []
    for run in document.runs:
        coverage = find_coverage(run, tool_list=own, canary=planted, declaration=declaration)
        left = [one for one in run.findings if planted is None or not is_canary(one, planted)]
        found.append((run, coverage, left))
    if output == "json":
        runs = [_describe_run(run, coverage, findings) for run, coverage, findings in found]
        printing.print_json({"digest": document.digest, "runs": runs})
    else:
        for run, coverage, findings in found:
            _print_run(run, coverage, findings)
    return 1 if any(findings or coverage.kind == "none" for _, coverage, findings in found) else 0


def _send_report(content: bytes, product: str, repository: str, url: str | None, output: str) -> int:
    """Send a report, and wait until it is imported. Returns 1 for one that was not."""
    from muniment.cli.service_requests import ask_service, upload_file

    path = f"/api/products/{quote(product, safe='')}/findings/import?repository={quote(repository, safe='')}"
    number = upload_file(url, path, content).get("report")
    end = time.monotonic() + _MOST_SECONDS
    state = ask_service(url, "GET", f"/api/reports/{number}")
    while not state.get("imported_at") and time.monotonic() < end:
        time.sleep(_PAUSE)
        state = ask_service(url, "GET", f"/api/reports/{number}")
    if output == "json":
        printing.print_json(state)
    elif not state.get("imported_at"):
        click.echo(f"{printing.status_sign('unknown')} The report {number} waits. The page Findings shows its result.")
    elif state.get("problem"):
        click.echo(f"{printing.status_sign('violated')} {printing.make_printable(str(state['problem']))}")
    else:
        click.echo(f"{printing.status_sign('met')} The report {number} is imported.")
    return 0 if state.get("imported_at") and not state.get("problem") else 1


def _parse_canary(text: str | None) -> "ImportCanary | None":
    from muniment.scanners.imports.import_coverage import ImportCanary

    if text is None:
        return None
    rule, _, place = text.rpartition("@")
    if not rule or not place:
        raise UsageError("--canary has no rule and path", "Write RULE@PATH, such as sql-injection@canaries/a.py.")
    return ImportCanary(rule, place)


def _read_list(file: str | None) -> tuple[str, ...] | None:
    """Read the paths of a list, None if no list was given."""
    if file is None:
        return None
    from muniment.facts.paths import decode_path

    lines = read_input(file, "Name a file with one path a line.").splitlines()
    return tuple(decode_path(line.removeprefix(b"./")) for line in lines if line.strip())


def _describe_run(
    run: "ImportedRun", coverage: "ImportCoverage", findings: "list[ImportedFinding]"
) -> dict[str, object]:
    """Describe a run for programs."""
    return {
        "tool": run.tool,
        "version": run.version,
        "category": run.category,
        "end": run.end,
        "coverage": {"kind": coverage.kind, "because": coverage.because, "files": len(coverage.listed)},
        "failed": run.failed,
        "findings": findings,
    }


def _print_run(run: "ImportedRun", coverage: "ImportCoverage", findings: "list[ImportedFinding]") -> None:
    name = " ".join(filter(None, (run.tool, run.version, run.category)))
    if coverage.kind == "none":
        sign, text = "unknown", f"counts for no file: {coverage.because}."
    elif coverage.kind == "declared":
        patterns = ", ".join(coverage.declaration.paths) if coverage.declaration else ""
        sign, text = "met", f"counts for {patterns}: coverage declared."
    else:
        sign, text = "met", f"counts for {len(coverage.listed)} files that it lists."
    click.echo(f"{printing.status_sign(sign)} {printing.make_printable(f'{name} {text}')}")
    for one in sorted(findings, key=lambda one: (one.place, one.line, one.rule)):
        _print_finding(one)
    for place in run.failed:
        click.echo(f"  {printing.status_sign('unknown')} {printing.make_printable(place)} was not scanned.")
    click.echo(f"  Findings: {len(findings)}.")


def _print_finding(one: "ImportedFinding") -> None:
    label = printing.style_text(one.severity.value.upper(), colour=_COLOURS[one.severity.value], bold=True)
    place = f"{one.place or 'no place'}:{one.line}" if one.line else one.place or "no place"
    notes = [f"CWE-{number}" for number in one.cwe[:3]]
    notes += ["severity not given, treated as high"] if one.is_severity_assumed else []
    notes += ["suppressed in the tool, counts all the same"] if one.is_suppressed else []
    click.echo(f"  {label}  {printing.make_printable(f'{one.rule}  {place}')}  {printing.dim_text(', '.join(notes))}")
    click.echo(f"    {printing.make_printable(one.message.partition(chr(10))[0])}")

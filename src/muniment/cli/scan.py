"""muniment scan: weaknesses and secrets in the files of one's own working copy."""

import hashlib
import os
import textwrap
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
from msgspec import structs

from muniment.cli import printing
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.git.repository import Repository
    from muniment.scanners.child import ScanRequest
    from muniment.scanners.findings import FileCoverage, Finding, ScanResult

_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": None}
_NOTE = "This is your own working copy: the scan counts as no evidence."


@click.command()
@click.argument("path", default=".", metavar="[PATH]")
@click.option(
    "--diff", "base", metavar="BASE", help="Report only findings that are new since the merge base with BASE."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="text for people, json and sarif for programs.",
)
def command(path: str, base: str | None, output: str) -> int:
    """Find weaknesses and secrets in the files of a working copy.

    In Python, input of users is followed through functions and files to the places where it is dangerous. Secrets are
    looked for in every file. Dockerfiles, Compose files, Kubernetes manifests, Terraform and workflows have rules of
    their own. Nothing is imported or executed. Exit code 1 if there is a finding, or a file whose state is unknown.
    """
    from muniment.scanners.child import ScanRequest
    from muniment.scanners.findings import ScanResult
    from muniment.scanners.isolation import scan_isolated
    from muniment.scanners.sarif import build_sarif
    from muniment.scanners.tree import read_working_copy
    from muniment.workflows.change_scan import scan_new_workflows

    if not os.path.exists(path):
        raise UsageError(f"{printing.make_printable(path)} does not exist", "Name a folder or a file.")
    copy = read_working_copy(path)
    request = ScanRequest(copy.files, tuple(file.path for file in copy.files), key=os.urandom(32))
    if base is not None:
        request = _compare_with_base(request, path, base)
    targets = set(request.targets)
    results = scan_isolated(request) if targets else ()
    chosen = [file for file in copy.files if file.path in targets]
    results = (*results, scan_new_workflows(chosen, request.before), ScanResult("files", (), copy.unread))
    if output == "sarif":
        printing.print_json(build_sarif(results, version("muniment")))
    elif output == "json":
        printing.print_json({"note": _NOTE, "results": results})
    else:
        _print_results(results, {file.path: len(file.content) for file in chosen})
    return 1 if _list_unknown(results) or any(result.findings for result in results) else 0


def _compare_with_base(request: "ScanRequest", path: str, base: str) -> "ScanRequest":
    """Limit a request to the files that differ from the merge base, and add those as they were there."""
    from muniment.git.repository import Repository
    from muniment.workflows.code_files import list_code_files, read_code_files

    with Repository.open(path) as repository:
        head, other = repository.resolve_commit("HEAD"), repository.resolve_commit(base)
        merge_base = repository.run_git("merge-base", values=(head, other)).decode().strip()
        prefix = _find_prefix(path)
        listed = list_code_files(repository, merge_base)
        old = {name.removeprefix(prefix): blob for name, blob in listed.items() if name.startswith(prefix)}
        current = {file.path: _hash_blob(file.content, repository) for file in request.files}
        vanished = {name: blob for name, blob in old.items() if current.get(name) != blob}
        return structs.replace(
            request,
            targets=tuple(name for name, blob in current.items() if old.get(name) != blob),
            before=read_code_files(repository, vanished).files,
            added=tuple(name for name in current if name not in old),
        )


def _find_prefix(path: str) -> str:
    """Find the path of the scanned folder inside the work tree, with `/` at its end."""
    folder = os.path.realpath(path)
    top = folder
    while not os.path.exists(os.path.join(top, ".git")):
        parent = os.path.dirname(top)
        if parent == top:
            raise UsageError(f"{printing.make_printable(path)} has no work tree", "Name a folder of a checkout.")
        top = parent
    inside = os.path.relpath(folder, top).replace(os.sep, "/")
    return "" if inside == "." else f"{inside}/"


def _hash_blob(content: bytes, repository: "Repository") -> str:
    """Compute the name that git gives to a file's content."""
    framed = b"blob %d\0" % len(content) + content
    if repository.object_format == "sha256":
        return hashlib.sha256(framed).hexdigest()
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest()


def _list_unknown(results: Iterable["ScanResult"]) -> list["FileCoverage"]:
    """List the files whose state is unknown to an engine, each once."""
    from muniment.scanners.findings import CoverageState

    found: dict[str, FileCoverage] = {}
    for line in (line for result in results for line in result.coverage):
        if line.state in (CoverageState.FAILED, CoverageState.PARTIAL):
            found.setdefault(line.path, line)
    return [found[path] for path in sorted(found)]


def _print_results(results: Sequence["ScanResult"], sizes: dict[str, int]) -> None:
    from muniment.scanners.languages import measure_languages

    count = 0
    for finding in sorted((one for result in results for one in result.findings), key=lambda one: one.location):
        _print_finding(finding)
        count += 1
    unknown = _list_unknown(results)
    for line in unknown:
        click.echo(
            f"{printing.style_text('UNKNOWN', colour='yellow', bold=True)}  {printing.make_printable(line.path)}: "
            f"{line.state.value}, because {printing.make_printable(line.because)}."
        )
    languages = measure_languages(sizes)
    total = sum(languages.values())
    for (name, is_read), size in sorted(languages.items(), key=lambda one: -one[1]):
        if not is_read:
            click.echo(f"{name}, {size * 100 // total} % of the code: only secrets were looked for.")
    click.echo(f"Findings: {count}. Files scanned: {len(sizes) - len(unknown)} of {len(sizes)}.")
    click.echo(printing.dim_text(_NOTE))


def _print_finding(finding: "Finding") -> None:
    from muniment.scanners.rule_titles import find_title

    place = f"{printing.make_printable(finding.location.path)}:{finding.location.line}"
    label = printing.style_text(finding.severity.value.upper(), colour=_COLOURS[finding.severity.value], bold=True)
    weakness = f"CWE-{finding.cwe}" if finding.cwe else ""
    categories = " ".join(filter(None, (weakness, finding.owasp_2021, finding.owasp_2025)))
    title = printing.make_printable(find_title(finding.rule))
    click.echo(f"{label}  {title}  {place}  {printing.dim_text(f'{categories} {finding.rule}'.strip())}")
    for line in textwrap.wrap(printing.make_printable(finding.message), 100):
        click.echo(f"  {line}")
    for step in finding.steps:
        where = f"{printing.make_printable(step.location.path)}:{step.location.line}"
        click.echo(f"    {where}  {printing.make_printable(step.text)}")
    click.echo(textwrap.indent(finding.remedy.rstrip(), "  ") + "\n")

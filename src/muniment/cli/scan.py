"""muniment scan: weaknesses in the source code of one's own working copy."""

import hashlib
import os
import textwrap
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from muniment.cli import printing
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.git.repository import Repository
    from muniment.scanners.findings import Finding, ScanResult, SourceFile

_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": None}
_NOTE = "Scanned without the isolated child process: this is your own working copy, and counts as no evidence."


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
    """Find weaknesses in the Python code of a working copy.

    Input of users is followed through functions and files to the places where it is dangerous. The code is neither
    imported nor executed. Each finding has the requirement, the path of the data and a remedy. Exit code 1 if there is
    a finding, or a file whose state is unknown.
    """
    from muniment.scanners.engine import run_engine
    from muniment.scanners.findings import CoverageState, ScanResult
    from muniment.scanners.python.engine import PythonEngine
    from muniment.scanners.sarif import build_sarif
    from muniment.scanners.tree import read_working_copy

    if not os.path.exists(path):
        raise UsageError(f"{printing.make_printable(path)} does not exist", "Name a folder or a file.")
    copy = read_working_copy(path)
    engine = PythonEngine()
    if base is None:
        found = run_engine(engine, copy.files)
        result = ScanResult(found.engine, found.findings, (*found.coverage, *copy.unread))
    else:
        before, changed = _read_base(path, base, copy.files)
        found = run_engine(engine, copy.files, changed)
        known = run_engine(engine, before, changed & {file.path for file in before})
        moved = {finding.fingerprint for finding in known.findings}
        findings = tuple(finding for finding in found.findings if finding.fingerprint not in moved)
        result = ScanResult(found.engine, findings, (*found.coverage, *copy.unread))
    if output == "sarif":
        printing.print_json(build_sarif([result], version("muniment")))
    elif output == "json":
        printing.print_json({"note": _NOTE, "result": result})
    else:
        _print_result(result)
    unknown = [line for line in result.coverage if line.state in (CoverageState.FAILED, CoverageState.PARTIAL)]
    return 1 if result.findings or unknown else 0


def _read_base(path: str, base: str, files: Sequence["SourceFile"]) -> tuple[list["SourceFile"], set[str]]:
    """Read the Python files at the merge base, and the paths of those that differ from the working copy."""
    from muniment.git.repository import Repository
    from muniment.scanners.findings import SourceFile

    with Repository.open(path) as repository:
        head, other = repository.resolve_commit("HEAD"), repository.resolve_commit(base)
        merge_base = repository.run_git("merge-base", values=(head, other)).decode().strip()
        prefix = _find_prefix(path)
        old: dict[str, str] = {}
        for entry in repository.run_git("ls-tree", "-r", "-z", "--full-tree", values=(merge_base,)).split(b"\0"):
            description, _, name = entry.partition(b"\t")
            text = os.fsdecode(name)
            if text.startswith(prefix) and text.endswith(".py") and description.startswith(b"100"):
                old[text.removeprefix(prefix)] = description.split()[2].decode()
        current = {file.path: file for file in files}
        changed = {file.path for file in files if old.get(file.path) != _hash_blob(file.content, repository)}
        names = [name for name in old if name in changed or name not in current]
        contents = repository.objects.read_git_objects([old[name] for name in names])
        before = [current[name] for name in old if name in current and name not in changed]
        before += [SourceFile(n, found.data) for n, found in zip(names, contents, strict=True) if found is not None]
    return before, changed | {name for name in old if name not in current and name in changed}


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


def _print_result(result: "ScanResult") -> None:
    from muniment.scanners.findings import CoverageState

    for finding in result.findings:
        _print_finding(finding)
    unknown = [line for line in result.coverage if line.state in (CoverageState.FAILED, CoverageState.PARTIAL)]
    for line in unknown:
        click.echo(
            f"{printing.style_text('UNKNOWN', colour='yellow', bold=True)}  {printing.make_printable(line.path)}: "
            f"{line.state.value}, because {printing.make_printable(line.because)}."
        )
    scanned = sum(line.state is CoverageState.SCANNED for line in result.coverage)
    click.echo(f"{len(result.findings)} findings. {scanned} of {len(result.coverage)} Python files scanned whole.")
    click.echo(printing.dim_text(_NOTE))


def _print_finding(finding: "Finding") -> None:
    place = f"{printing.make_printable(finding.location.path)}:{finding.location.line}"
    label = printing.style_text(finding.severity.value.upper(), colour=_COLOURS[finding.severity.value], bold=True)
    categories = " ".join(filter(None, (f"CWE-{finding.cwe}", finding.owasp_2021, finding.owasp_2025)))
    click.echo(f"{label}  {finding.rule}  {place}  {printing.dim_text(categories)}")
    for line in textwrap.wrap(printing.make_printable(finding.message), 100):
        click.echo(f"  {line}")
    for step in finding.steps:
        where = f"{printing.make_printable(step.location.path)}:{step.location.line}"
        click.echo(f"    {where}  {printing.make_printable(step.text)}")
    click.echo(textwrap.indent(finding.remedy.rstrip(), "  ") + "\n")

"""Findings of zizmor in pipeline files of GitHub's kind: all of them, or Unknown; a file that it cannot read is so.

It runs as a child without network (`confined`), on copies of the files alone: without the repository's own
configuration, and without the comments by which a file excuses itself.
"""

import sysconfig
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from muniment.errors import ProgramError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import Hardening, PipelineFinding
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command, confine_command
from muniment.programs.confinement import NO_CHILD
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, run_program
from muniment.programs.temporary_files import TemporaryFolder

HARDENING_ENGINE = Program.ZIZMOR.value
SECONDS = 20
_PROBE = b"on: push\njobs: {probe: {runs-on: here, steps: [{run: 'true'}]}}\n"
_LARGEST = 16 << 20  # bytes of its answer
_ARGUMENTS = (
    *("--offline", "--no-config", "--no-ignores", "--strict-collection", "--collect=all"),
    *("--format=json-v1", "--no-progress", "--no-exit-codes", "--quiet", "."),
)


class _Severity(Struct, frozen=True):
    severity: str
    confidence: str


class _Local(Struct, frozen=True):
    verbatim_path: str


class _Key(Struct, frozen=True):
    Local: _Local


class _Symbolic(Struct, frozen=True):
    key: _Key
    kind: str


class _Point(Struct, frozen=True):
    row: int


class _Span(Struct, frozen=True):
    start_point: _Point


class _Concrete(Struct, frozen=True):
    location: _Span


class _Location(Struct, frozen=True):
    symbolic: _Symbolic
    concrete: _Concrete


class _Finding(Struct, frozen=True):
    """Finding of the engine, with the fields that are read."""

    ident: str
    determinations: _Severity
    locations: tuple[_Location, ...]


def examine_files(files: Mapping[str, bytes]) -> Hardening:
    """Examine `files` (content by path): workflows, and actions by their name `action.yml`."""
    names = tuple(sorted(files))
    return Hardening(HARDENING_ENGINE, names, _find_weaknesses(names, files) if names else Known(()))


def find_engine_problem() -> str:
    """Reason why the engine cannot run here, "" if it can."""
    found = examine_files({"probe.yml": _PROBE}).findings
    return found.reason if isinstance(found, Unknown) else ""


def _find_weaknesses(names: tuple[str, ...], files: Mapping[str, bytes]) -> Maybe[tuple[PipelineFinding, ...]]:
    with TemporaryFolder() as folder:
        places = {_choose_path(number, name): name for number, name in enumerate(names)}
        for place, name in places.items():
            Path(folder, place).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, place).write_bytes(files[name])
        answer = _run_engine(folder)
    if isinstance(answer, Unknown):
        return answer
    try:
        found = msgspec.json.decode(answer.value, type=tuple[_Finding, ...])
        return Known(
            tuple(sorted((_convert_finding(one, places) for one in found), key=lambda one: (one.path, one.line)))
        )
    except (msgspec.MsgspecError, KeyError, IndexError):
        return Unknown(f"the answer of {HARDENING_ENGINE} cannot be understood")


def _choose_path(number: int, name: str) -> str:
    """Path of a file for the engine, which goes by names; never one that the repository chose."""
    if name.rpartition("/")[2] in ("action.yml", "action.yaml"):
        return f".github/actions/a{number}/action.yml"
    return f".github/workflows/w{number}.yml"


def _run_engine(folder: str) -> Maybe[bytes]:
    program = Path(sysconfig.get_path("scripts"), HARDENING_ENGINE)
    if not program.exists():
        return Unknown(f"{HARDENING_ENGINE} is not installed")
    command = confine_command(build_command(Program.ZIZMOR, _ARGUMENTS, ProgramError, program))
    environment = minimal_environment(PATH="/nonexistent", NO_COLOR="1")
    try:
        done = run_program(
            command, environment, ProgramError, cwd=folder, limits=ProcessLimits(SECONDS, output=_LARGEST)
        )
    except ProgramError as error:
        return Unknown(error.message)
    if done.code == NO_CHILD:
        return Unknown(f"this machine has no way to run {HARDENING_ENGINE} without network")
    if done.code:
        return Unknown(f"{HARDENING_ENGINE} could not read all of the files")
    return Known(done.out)


def _convert_finding(finding: _Finding, places: Mapping[str, str]) -> PipelineFinding:
    """Convert a finding by its primary place. Raises KeyError or IndexError for one without a place."""
    primary = [one for one in finding.locations if one.symbolic.kind == "Primary"] or finding.locations
    first = primary[0]
    return PipelineFinding(
        rule=finding.ident,
        path=places[first.symbolic.key.Local.verbatim_path.removeprefix("./")],
        line=first.concrete.location.start_point.row + 1,
        severity=finding.determinations.severity.lower(),
        confidence=finding.determinations.confidence.lower(),
    )

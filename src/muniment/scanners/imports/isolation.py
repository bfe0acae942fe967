"""Reads reports of other tools in a confined child. One that crashes, hangs or answers nonsense has read nothing."""

import msgspec

from muniment.errors import ProgramError, UsageError
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command, confine_command
from muniment.programs.confinement import NO_CHILD
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, run_program
from muniment.scanners.imports.child import ReportAnswer, ReportRequest
from muniment.scanners.imports.sarif_import import ImportedRun

_SECONDS = 60
_LARGEST_ANSWER = 128 << 20


def read_report_runs(content: bytes, key: bytes) -> tuple[ImportedRun, ...]:
    """Read the runs of a SARIF file, as `parse_import` does. Raises UsageError, and ProgramError without an answer."""
    done = run_program(
        confine_command(build_command(Program.REPORT_READER, (), ProgramError)),
        minimal_environment(),
        ProgramError,
        input=msgspec.msgpack.encode(ReportRequest(content, key)),
        limits=ProcessLimits(_SECONDS, output=_LARGEST_ANSWER),
    )
    if done.code == NO_CHILD:
        raise ProgramError(
            "this machine has no way to read a report without network and files",
            "Run the worker on Linux 5.13 or newer: muniment doctor says what is missing.",
        )
    try:
        answer = msgspec.msgpack.decode(done.out, type=ReportAnswer) if not done.code else None
    except msgspec.MsgspecError:
        answer = None
    if answer is None:
        raise ProgramError(
            f"the reader of reports ended with {done.code}, and gave no answer",
            "Import the parts of the code apart: the report may be too large for the reader.",
        )
    if answer.problem:
        raise UsageError(answer.problem, answer.remedy)
    return answer.runs

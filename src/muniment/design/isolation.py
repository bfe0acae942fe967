"""Evaluates designs in a confined child: what it is given may be an attacker's. It gives values or says why not."""

import msgspec

from muniment.design.product_design import DesignAnswer, DesignRequest
from muniment.design.stored_results import EvaluatedDesign, StoredDesignFinding, load_finding
from muniment.errors import ProgramError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command, confine_command
from muniment.programs.confinement import NO_CHILD
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, run_program

READ_SECONDS = 60
_LARGEST_ANSWER = 64 << 20


def evaluate_isolated(request: DesignRequest) -> Maybe[DesignAnswer]:
    """Evaluate a request in a confined child. It never raises; Unknown if the child gives no answer."""
    command = confine_command(build_command(Program.DESIGN_READER, (), ProgramError))
    try:
        done = run_program(
            command,
            minimal_environment(),
            ProgramError,
            input=msgspec.msgpack.encode(request),
            limits=ProcessLimits(READ_SECONDS, output=_LARGEST_ANSWER),
        )
    except ProgramError as error:
        return Unknown(f"the reader of the design gave no answer ({error.message})")
    if done.code == NO_CHILD:
        return Unknown("this machine has no way to read a design without network and files")
    if done.code:
        return Unknown(f"the reader of the design ended with {done.code}: the code may be too large")
    try:
        answer = msgspec.msgpack.decode(done.out, type=DesignAnswer)
        for finding in _list_findings(answer):
            load_finding(finding)
    except (msgspec.MsgspecError, KeyError):
        return Unknown("the answer of the reader of the design cannot be understood")
    return Known(answer)


def _list_findings(answer: DesignAnswer) -> list[StoredDesignFinding]:
    designs: list[EvaluatedDesign] = [answer.after, *([answer.before] if answer.before is not None else [])]
    found = [finding for design in designs for result in design.results for finding in result.findings]
    if answer.difference is not None:
        found += [*answer.difference.findings, *answer.difference.weaker]
    return found

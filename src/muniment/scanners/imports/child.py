"""Child that parses a report of another tool: it reads the report from its input, and writes its runs.

Started confined (`programs.confinement`), and without files once the first report, its own, is parsed: a report is
anybody's text.
"""

import os
import sys

import msgspec

from muniment.errors import UsageError
from muniment.programs.confinement import NO_CHILD, refuse_files
from muniment.scanners.imports.sarif_import import ImportedRun, parse_import

_WARM = b"""{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "warm"}}, "results": [{"ruleId": "a",
"message": {"text": "b"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"}}}]}]}]}"""


class ReportRequest(msgspec.Struct, frozen=True):
    """Report to parse. `key` is the key of the digests of code that stand in fingerprints."""

    content: bytes
    key: bytes


class ReportAnswer(msgspec.Struct, frozen=True):
    """Runs of a report, or the problem of one that cannot be read, with the remedy."""

    runs: tuple[ImportedRun, ...] = ()
    problem: str = ""
    remedy: str = ""


def parse_report(request: ReportRequest) -> ReportAnswer:
    """Parse a report, or say what is wrong with it."""
    try:
        return ReportAnswer(parse_import(request.content, request.key).runs)
    except UsageError as error:
        return ReportAnswer((), error.message, error.remedy)


def answer_report_request() -> int:
    """Answer the request at standard input; `NO_CHILD` if files could not be refused before it is read."""
    for content in (_WARM, b"{"):  # loads all that a report needs, and all that an error needs
        msgspec.msgpack.encode(parse_report(ReportRequest(content, b"warm")))
    try:
        refuse_files()
    except (OSError, KeyError, AttributeError):
        return NO_CHILD
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=ReportRequest)
    sys.stdout.buffer.write(msgspec.msgpack.encode(parse_report(request)))
    sys.stdout.buffer.flush()
    # Interpreters of some versions open files as they end, which is refused by now.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(answer_report_request())

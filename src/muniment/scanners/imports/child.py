"""Child that parses a report of another tool: it reads the report from its input, and writes its runs.

Started confined (`programs.confinement`), and without files once the first report, its own, is parsed: a report is
anybody's text.
"""

import msgspec

from muniment.errors import UsageError
from muniment.programs.child_request import answer_one_request
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


def load_parser() -> None:
    """Load all that a report needs, and all that an error needs."""
    for content in (_WARM, b"{"):
        msgspec.msgpack.encode(parse_report(ReportRequest(content, b"warm")))


def answer_report_request() -> int:
    """Answer the request at standard input; `NO_CHILD` if files could not be refused before it is read."""
    return answer_one_request(ReportRequest, load_parser, parse_report)


if __name__ == "__main__":
    raise SystemExit(answer_report_request())

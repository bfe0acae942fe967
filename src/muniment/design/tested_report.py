"""Report of the tests of a design, as `pytest-muniment` writes it. Read strictly: another form is an error."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from muniment.design.findings import DesignStatus
from muniment.errors import DesignError

LARGEST_TEST_REPORT = 50_000_000  # bytes; a thousand routes with ten roles have two million

Count = Annotated[int, Meta(ge=0)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Common form of all parts: an unknown or missing key is an error."""


class ReportedFinding(_Part, frozen=True):
    """Weakness that a test showed. `where`: file and line, "" if they are not known."""

    problem: str
    subject: str
    detail: str
    where: str
    sentence: str


class ReportedGuard(_Part, frozen=True):
    """Guard whose failure was tested: faults that reached it, out of those injected."""

    guard: str
    asks: tuple[str, ...]
    status: DesignStatus
    faults: Count
    reached: Count
    findings: tuple[ReportedFinding, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


class ReportedRoute(_Part, frozen=True):
    """Route and method that were called. `outcomes`: by identity, "nobody" for a request without rights."""

    route: str
    method: str
    handler: str
    public: bool
    status: DesignStatus
    outcomes: dict[str, str]
    findings: tuple[ReportedFinding, ...]
    unknown: tuple[str, ...]


class ReportedRoutes(_Part, frozen=True):
    """Routes of the whole running application. `unlisted`: places whose routes are unknown."""

    tested: Count
    total: Count
    unlisted: tuple[str, ...]
    results: tuple[ReportedRoute, ...]


class ReportedSettings(_Part, frozen=True):
    """Start with empty settings. `reason`: why the application did not start, which is a refusal."""

    status: DesignStatus
    started: bool
    routes: Count
    reason: str
    findings: tuple[ReportedFinding, ...]
    unknown: tuple[str, ...]


class DesignTestReport(_Part, frozen=True):
    """Results of all tests of one application. A group that did not run is null."""

    schema: Annotated[int, Meta(ge=1, le=1)]
    tool: str
    product: str
    framework: str
    design_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the tested design.toml.")]
    commit: Annotated[str, Meta(pattern="^([0-9a-f]{40,64})?$", description='Tested commit, "" without git.')]
    clean: Annotated[bool, Meta(description="Whether the tested files were those of the commit.")]
    finished_at: str
    guards: tuple[ReportedGuard, ...]
    routes: ReportedRoutes | None
    settings: ReportedSettings | None


def read_test_report(data: bytes, where: str) -> DesignTestReport:
    """Read the report in `data`, from the file `where`. Raises DesignError."""
    remedy = "Write it again: pytest --muniment-report FILE, with the plugin of this version."
    if len(data) > LARGEST_TEST_REPORT:
        raise DesignError(where, "", f"the report has more than {LARGEST_TEST_REPORT} bytes", remedy)
    try:
        return msgspec.json.decode(data, type=DesignTestReport)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DesignError(where, "", f"the report has another form: {error}", remedy) from None


def build_test_report_schema() -> bytes:
    """JSON Schema of the report."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(DesignTestReport), order="sorted"))

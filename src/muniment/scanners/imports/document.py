"""SARIF 2.1.0 documents of other tools, as far as an import reads them. Unknown members are left out.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0. A member of a wrong type, a document that is too large
or too deep, or results that are kept elsewhere raise SarifError: a file that cannot be read whole says nothing.
"""

import msgspec

from muniment.errors import UsageError

MOST_DOCUMENT_BYTES = 64_000_000
MOST_RESULTS = 50_000  # of one file
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SarifError(UsageError):
    """A file is no SARIF document that can be imported whole."""


class _Member(msgspec.Struct, frozen=True, rename="camel"):
    """Object of a SARIF document."""


class SarifText(_Member, frozen=True):
    """Message. `id` names a text of the rule, whose placeholders `{0}` stand for `arguments`."""

    text: str | None = None
    id: str | None = None
    arguments: tuple[str, ...] = ()


class ArtifactLocation(_Member, frozen=True):
    """Place of a file: a URI, relative to the base that `uri_base_id` names."""

    uri: str | None = None
    uri_base_id: str | None = None
    index: int = -1


class Snippet(_Member, frozen=True):
    """SarifText of a region."""

    text: str | None = None


class SarifRegion(_Member, frozen=True):
    """Lines of a file; they count from 1."""

    start_line: int | None = None
    snippet: Snippet | None = None


class PhysicalLocation(_Member, frozen=True):
    """File and region of a result."""

    artifact_location: ArtifactLocation | None = None
    region: SarifRegion | None = None


class SarifLocation(_Member, frozen=True):
    """Location of a result."""

    physical_location: PhysicalLocation | None = None


class Artifact(_Member, frozen=True):
    """File that a run lists."""

    location: ArtifactLocation | None = None
    roles: tuple[str, ...] = ()
    properties: dict[str, object] = {}


class ToolReference(_Member, frozen=True):
    """Reference to a part of the tool; -1: the driver, unless it has a name."""

    name: str | None = None
    index: int = -1


class RuleReference(_Member, frozen=True):
    """Reference to a rule, or to an entry of a taxonomy."""

    id: str | None = None
    index: int = -1
    tool_component: ToolReference | None = None


class Relationship(_Member, frozen=True):
    """Relation of a rule to an entry of a taxonomy, such as a CWE."""

    target: RuleReference


class Configuration(_Member, frozen=True):
    """Level of a rule."""

    level: str | None = None


class Rule(_Member, frozen=True):
    """Rule of a tool."""

    id: str
    default_configuration: Configuration | None = None
    message_strings: dict[str, SarifText] = {}
    short_description: SarifText | None = None
    full_description: SarifText | None = None
    properties: dict[str, object] = {}
    relationships: tuple[Relationship, ...] = ()


class ToolComponent(_Member, frozen=True):
    """Driver or extension of a tool, with its rules."""

    name: str
    version: str | None = None
    semantic_version: str | None = None
    rules: tuple[Rule, ...] = ()


class Tool(_Member, frozen=True):
    """Tool of a run."""

    driver: ToolComponent
    extensions: tuple[ToolComponent, ...] = ()


class Notification(_Member, frozen=True):
    """Message of a tool about its own run."""

    level: str | None = None
    locations: tuple[SarifLocation, ...] = ()


class Invocation(_Member, frozen=True):
    """Start of a tool."""

    execution_successful: bool
    tool_execution_notifications: tuple[Notification, ...] = ()


class Suppression(_Member, frozen=True):
    """Suppression of a result by the tool, as by a comment in the code."""

    status: str | None = None


class SarifResult(_Member, frozen=True):
    """SarifResult of a rule at a place."""

    rule_id: str | None = None
    rule_index: int = -1
    rule: RuleReference | None = None
    kind: str = "fail"
    level: str | None = None
    message: SarifText | None = None
    locations: tuple[SarifLocation, ...] = ()
    fingerprints: dict[str, str] = {}
    partial_fingerprints: dict[str, str] = {}
    suppressions: tuple[Suppression, ...] | None = None
    baseline_state: str | None = None
    properties: dict[str, object] = {}


class AutomationDetails(_Member, frozen=True):
    """Identity of a run among the runs of one tool."""

    id: str | None = None


class Run(_Member, frozen=True):
    """Run of a tool."""

    tool: Tool
    results: tuple[SarifResult, ...] | None = None
    artifacts: tuple[Artifact, ...] = ()
    invocations: tuple[Invocation, ...] = ()
    original_uri_base_ids: dict[str, ArtifactLocation] = {}
    automation_details: AutomationDetails | None = None
    external_property_file_references: dict[str, object] = {}


class ImportedDocument(_Member, frozen=True):
    """SARIF document of another tool."""

    version: str
    runs: tuple[Run, ...]


def parse_document(content: bytes) -> ImportedDocument:
    """Parse a SARIF 2.1.0 file. Raises SarifError where it is not one, or not whole."""
    if len(content) > MOST_DOCUMENT_BYTES:
        raise SarifError(f"the file has more than {MOST_DOCUMENT_BYTES} bytes", "Import the parts of the code apart.")
    try:
        document = msgspec.json.decode(content.removeprefix(_BYTE_ORDER_MARK), type=ImportedDocument)
    except msgspec.ValidationError as error:
        raise SarifError(f"the file is no SARIF 2.1.0 ({error})", "Let the tool write SARIF 2.1.0.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SarifError(f"the file is no JSON ({error})", "Import the file as the tool wrote it.") from None
    except RecursionError:
        raise SarifError("the file is nested too deeply", "Import the file as the tool wrote it.") from None
    _require_whole(document)
    return document


def _require_whole(document: ImportedDocument) -> None:
    """Raise SarifError unless every run has its results in the document itself."""
    remedy = "Let the tool write all results into one file of SARIF 2.1.0."
    if document.version != "2.1.0":
        raise SarifError("the version of the file is not 2.1.0", remedy)
    if not document.runs:
        raise SarifError("the file has no run of a tool", remedy)
    for number, run in enumerate(document.runs):
        if run.external_property_file_references:
            raise SarifError(f"run {number} keeps parts in other files", remedy)
        if run.results is None:
            raise SarifError(f"run {number} has no list of results: the tool did not scan", remedy)
    if sum(len(run.results) for run in document.runs if run.results) > MOST_RESULTS:
        raise SarifError(f"the file has more than {MOST_RESULTS} results", "Import the parts of the code apart.")

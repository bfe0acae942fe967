"""Results of the six principles: each with its findings, its evidence, and a path that a person can read."""

from enum import Enum, StrEnum
from typing import NamedTuple

from msgspec import Struct


class Principle(StrEnum):
    """The six principles of secure design."""

    LEAST_PRIVILEGE = "least-privilege"
    PRIVILEGE_SEPARATION = "privilege-separation"
    COMPLETE_MEDIATION = "complete-mediation"
    SECURITY_LAYERS = "multiple-security-layers"
    SECURE_FAILURE = "secure-failure"
    USER_FRIENDLY = "user-friendly-security"

    @property
    def label(self) -> str:
        """Name of a result for people."""
        return self.value.replace("-", " ").capitalize().replace("User friendly", "User-friendly")


class DesignStatus(StrEnum):
    """Result of a principle, in the words of the policy."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Evidence(StrEnum):
    """Kind of a result's evidence."""

    MODEL = "shown on the model"
    PARSED = "parsed from the code"
    TESTED = "tested"
    MEASURED = "measured"
    STATED = "stated by a person"


class _Answer(NamedTuple):
    """Sentence and next step of one finding, with blanks, and the status that it gives."""

    status: DesignStatus
    message: str
    remedy: str


_VIOLATED = DesignStatus.VIOLATED
_UNKNOWN = DesignStatus.UNKNOWN


class FindingCode(Enum):
    """Closed list of findings. Each has its status, its sentence and its next step."""

    OPEN_PATH = _Answer(
        _VIOLATED,
        "{subject} can be reached from outside without passing a guard.",
        "Put a guard on one of these flows, or state in the resource why it is public.",
    )
    MISSING_INTERFACE = _Answer(
        _UNKNOWN,
        "{subject} calls the interface {detail}, which no repository offers.",
        "Add [[interface]] to the design of the repository that offers it, and evaluate both together.",
    )
    MISSING_DESIGN = _Answer(
        _UNKNOWN,
        "The repository {subject} has no design.toml, so its part of the product is unknown.",
        "Draft one there: muniment design init --owner security@example.org",
    )
    NO_ENTRY = _Answer(
        _UNKNOWN,
        "The design has no actor from outside, so no path can be examined.",
        "Add [[actor]] for each kind of person and system that calls the product.",
    )
    NO_RESOURCE = _Answer(
        _UNKNOWN,
        "The design names no resource to protect.",
        "Add [[resource]] for each asset of the product.",
    )
    NO_GUARD = _Answer(
        _UNKNOWN,
        "The design names no guard, so no failure of one can be examined.",
        "Add [[guard]] for each check that lets requests pass.",
    )
    UNGUARDED_ROUTE = _Answer(
        _VIOLATED,
        "The route {subject} has no guard and is not listed as public.",
        "Guard its {detail}, or add [[public]] with route, method, reason and by.",
    )
    UNKNOWN_ROUTE_GUARD = _Answer(
        _UNKNOWN,
        "Parsing cannot tell whether {detail} always guards the route {subject}.",
        "Use a guard without conditions, or list the route as [[public]] with its reason.",
    )
    UNKNOWN_STORE = _Answer(
        _UNKNOWN,
        "The change adds the table {subject}, which the design does not know.",
        "Add it to design.toml as a [[resource]] of the component {detail}, or run: muniment design sync",
    )
    UNKNOWN_OUTSIDE_CALL = _Answer(
        _UNKNOWN,
        "The change calls {subject}, which the design does not know.",
        "Add it to design.toml as a [[component]] of the kind external, with a [[flow]] from {detail}.",
    )
    UNREAD_SOURCE = _Answer(
        _UNKNOWN,
        "Routes in {subject} are unknown: {detail}.",
        "Correct the file, or write the route in a form that can be parsed.",
    )
    UNUSED_PUBLIC = _Answer(
        _VIOLATED,
        "The public route {subject} is listed, and the code does not have it.",
        "Remove this [[public]] entry, or correct its route and method.",
    )
    DIFFERENT_GUARDS = _Answer(
        _VIOLATED,
        "The handler {subject} can be reached by two routes with different guards: {detail}.",
        "Put the same guards on both routes, or remove one.",
    )
    TEST_VIOLATED = _Answer(
        _VIOLATED,
        "A test shows a weakness: {detail}.",
        "Correct the code that the test names, then run the tests again.",
    )
    TEST_UNKNOWN = _Answer(
        _UNKNOWN,
        "The test of {subject} has no result: {detail}.",
        "Give the fixture muniment_project what is missing, then run the tests again.",
    )
    NOT_TESTED = _Answer(
        _UNKNOWN,
        "The test report has no result for {subject}.",
        "Run all tests of pytest_muniment.design_tests, without -k.",
    )
    STALE_TESTS = _Answer(
        _UNKNOWN,
        "The test report is not of this {subject}. {detail}",
        "Run the tests again on a clean checkout of this commit.",
    )
    UNTESTED_ROUTE = _Answer(
        _UNKNOWN,
        "The route {subject} is in the code and was not tested: {detail}.",
        "Test with the switch on, or remove the route.",
    )
    UNPARSED_ROUTE = _Answer(
        _UNKNOWN,
        "The running application has the route {subject} (handler {detail}), and parsing did not find it.",
        "Write the route in a form that can be parsed, or switch it off.",
    )
    LOST_ROUTE_GUARD = _Answer(
        _VIOLATED,
        "The route {subject} loses the guard {detail}: it lets people through whom it refused.",
        "Put the guard back, or have the security role approve the change.",
    )
    CHANGED_GUARD = _Answer(
        _UNKNOWN,
        "The guard {subject} changed, so the people whom it lets through may have changed.",
        "Have the security role review the change of the guard.",
    )
    ADDED_RIGHT = _Answer(
        _VIOLATED,
        "{subject} gets the right to {detail}, which it did not have.",
        "Remove the right, or have the security role approve the change.",
    )
    LOST_FLOW_GUARD = _Answer(
        _VIOLATED,
        "The flow {subject} loses the guard {detail}.",
        "Put the guard back, or have the security role approve the change.",
    )
    FEWER_LAYERS = _Answer(
        _VIOLATED,
        "Fewer mechanisms protect {subject}: {detail}.",
        "Put the mechanism back, or have the security role approve the change.",
    )
    WEAKER_ENTRY = _Answer(
        _VIOLATED,
        "{subject} protects less than before: {detail}.",
        "Take the change back, or have the security role approve it.",
    )
    SINGLE_LAYER = _Answer(
        _VIOLATED,
        "One mechanism alone protects {subject}: {detail}. It is a single point of failure.",
        "Add a guard with another mechanism to this path.",
    )
    NO_LAYER = _Answer(
        _VIOLATED,
        "No mechanism protects {subject}.",
        "Put a guard on one of these flows, or state in the resource why it is public.",
    )
    LAYERS_UNKNOWN = _Answer(
        _UNKNOWN,
        "The number of mechanisms before {subject} is unknown; it is at least {detail}.",
        "Name at most 16 different mechanisms in the design.",
    )
    WILDCARD = _Answer(
        _VIOLATED,
        "The grant {detail} to {subject} is a wildcard: it grows with each new action.",
        "List the actions that {subject} needs.",
    )
    UNUSED_GRANT = _Answer(
        _VIOLATED,
        "{subject} holds {detail} and did not use it in the window.",
        "Remove the action from the grant.",
    )
    NO_TASK = _Answer(
        _VIOLATED,
        "{subject} holds {detail}, which none of its tasks needs.",
        "Remove the action from the grant, or add the task that needs it.",
    )
    MISSING_GRANT = _Answer(
        _UNKNOWN,
        "The task {detail} of {subject} needs actions that no grant gives.",
        "Add the grant, or remove the actions from the task.",
    )
    OLD_GRANT = _Answer(
        _UNKNOWN,
        "The grants of {subject} were read {detail}: they may have changed.",
        "Read the grants again, and set read_on.",
    )
    UNKNOWN_USE = _Answer(
        _UNKNOWN,
        "The use of the grants of {subject} is unknown: {detail}.",
        "Import the use from the access logs: add [[use]] with actions and read_on.",
    )
    NO_GRANTS = _Answer(
        _UNKNOWN,
        "The design names no grants, so nobody knows who holds which right.",
        "Add [[grant]] for each role and service account.",
    )
    TOO_MANY_HOLDERS = _Answer(
        _VIOLATED,
        "{detail} can change {subject}, more than the limit allows.",
        "Take the right from some of them, or have the limit raised.",
    )
    SIGN_UP_HOLDER = _Answer(
        _VIOLATED,
        "{detail} can change {subject}, and a person gets this role by signing up.",
        "Take the right from the role, or remove sign_up.",
    )
    NO_LIMIT = _Answer(
        _UNKNOWN,
        "No limit says how many roles and accounts can change {subject}.",
        "Add [[limit]] with resource, property and most.",
    )
    CONFLICT = _Answer(
        _VIOLATED,
        "{subject} can do {detail}, which the design keeps apart.",
        "Take one of the rights from {subject}, or from the roles by which it has them.",
    )
    SELF_APPROVAL = _Answer(
        _VIOLATED,
        "{subject} can ask for {detail} and approve it as another role.",
        "Forbid to act as a role that approves, or take the right to ask.",
    )
    FAILS_OPEN = _Answer(
        _VIOLATED,
        "When the guard {detail} fails, {subject} can be reached without passing a guard.",
        "Let the guard deny on failure, or add a second guard to this path.",
    )
    FAILURE_UNKNOWN = _Answer(
        _UNKNOWN,
        "The failure of the guard {detail} is unknown. If it lets requests pass, {subject} is open.",
        'Test it, and set on_failure = "deny" in its [[guard]].',
    )
    NO_UNDO = _Answer(
        _VIOLATED,
        "{subject} leaves a partial change when it stops half-way.",
        "Carry it out in one transaction, or write the step that undoes it.",
    )
    UNDO_UNKNOWN = _Answer(
        _UNKNOWN,
        "The state that {subject} leaves when it stops half-way is unknown.",
        'Test it, and set undo = "transaction" in its [[action]].',
    )
    NO_ASKS = _Answer(
        _UNKNOWN,
        "The guard {subject} does not name what it asks, so no fault can be injected there.",
        'Add asks = ["module:function"] to its [[guard]].',
    )
    OVER_BUDGET = _Answer(
        _VIOLATED,
        "{subject} is over its budget: {detail}.",
        "Change the control that causes it, or have the budget raised.",
    )
    NOT_MEASURED = _Answer(
        _UNKNOWN,
        "{subject} is not measured: {detail}.",
        "Send the measurement, or add [[measurement]] with value and read_on.",
    )
    NO_BUDGET = _Answer(
        _UNKNOWN,
        "The design sets no budget for {subject}.",
        "Add [[budget]] with measure and most.",
    )


_SUGGESTIONS = {
    FindingCode.UNGUARDED_ROUTE: '[[public]]\nroute = "{route}"\nmethod = "{method}"\nreason = ""\nby = ""\n',
    FindingCode.NO_LIMIT: '[[limit]]\nresource = "{resource}"\nmost = 1\n',
    FindingCode.UNKNOWN_USE: '[[use]]\nby = "{subject}"\nactions = []\nread_on = 2026-01-31\n',
    FindingCode.UNKNOWN_STORE: '[[resource]]\nid = "{subject}"\ncomponent = "{detail}"\n',
    FindingCode.UNKNOWN_OUTSIDE_CALL: (
        '[[component]]\nid = "{subject}"\nkind = "external"\n\n[[flow]]\nfrom = "{detail}"\nto = "{subject}"\n'
    ),
    FindingCode.NO_BUDGET: '[[budget]]\nmeasure = "{subject}"\nmost = 0\n',
}


def _escape_toml(text: str) -> str:
    """Text within a basic string of TOML, without characters that end it."""
    return "".join(sign if sign.isprintable() and sign not in '"\\' else " " for sign in text)


class DesignFinding(Struct, frozen=True):
    """Result about a subject of a design. `subject` and `detail` fill the blanks of its code.

    `path` is the counter-example, may be empty.
    `where` is the file and line in the code, "" for a finding on the model.
    """

    code: FindingCode
    subject: str
    detail: str = ""
    path: tuple[str, ...] = ()
    where: str = ""

    @property
    def status(self) -> DesignStatus:
        """Status that the finding gives to its principle."""
        return self.code.value.status

    @property
    def message(self) -> str:
        """Sentence that says the state and what is missing."""
        return self.code.value.message.format(subject=self.subject, detail=self.detail)

    @property
    def remedy(self) -> str:
        """Next step, as one sentence."""
        return self.code.value.remedy.format(subject=self.subject, detail=self.detail)

    @property
    def suggested_lines(self) -> str:
        """Lines for design.toml that settle the finding once a person has filled them in; "" for none."""
        lines = _SUGGESTIONS.get(self.code)
        method, _, route = self.subject.partition(" ")
        resource, _, protected = self.subject.partition(".")
        blanks = {"subject": self.subject, "method": method, "route": route, "resource": resource}
        blanks["detail"] = self.detail
        if lines is None:
            return ""
        if self.code is FindingCode.NO_LIMIT and protected:
            lines += 'property = "{protected}"\n'
        return lines.format(protected=protected, **{name: _escape_toml(text) for name, text in blanks.items()})

    @property
    def identity(self) -> str:
        """Name of the finding that stays the same while other parts of the design change."""
        return f"{self.code.name.lower().replace('_', '-')}:{self.subject}:{self.detail}"


class DesignNote(NamedTuple):
    """Fact that the evaluation found and that is no finding, such as a choke point."""

    subject: str
    text: str


class PrincipleResult(Struct, frozen=True):
    """Result of one principle. `examined` says how many parts of the design it rests on."""

    principle: Principle
    status: DesignStatus
    evidence: tuple[Evidence, ...]
    findings: tuple[DesignFinding, ...]
    notes: tuple[DesignNote, ...] = ()
    examined: int = 0


def combine_findings(
    principle: Principle,
    evidence: tuple[Evidence, ...],
    findings: tuple[DesignFinding, ...],
    notes: tuple[DesignNote, ...] = (),
    examined: int = 0,
) -> PrincipleResult:
    """Result of a principle: violated by any violation, unknown if nothing was examined or anything is unknown."""
    if any(finding.status is DesignStatus.VIOLATED for finding in findings):
        status = DesignStatus.VIOLATED
    elif findings or not examined:
        status = DesignStatus.UNKNOWN
    else:
        status = DesignStatus.MET
    return PrincipleResult(principle, status, evidence, findings, notes, examined)

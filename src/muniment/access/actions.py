"""Table of all actions, and of the roles that may perform each. Nobody may perform an action that is not listed."""

from enum import Enum, StrEnum, unique
from typing import NamedTuple

from muniment.access.roles import Role


class Reach(StrEnum):
    """Reach of an action, and so which grants count for it."""

    PRODUCT = "product"  # one product: a role for it, or for the whole organisation
    ORGANISATION = "organisation"  # all of it: a role for the whole organisation alone
    ANYWHERE = "anywhere"  # what everybody with any role may see
    OWN = "own"  # what is one's own: whoever it belongs to, and nobody else
    PIPELINE = "pipeline"  # one environment: a pipeline that proved an identity which is trusted there, and no person


class AccessRule(NamedTuple):
    """Row of the access table. `changes`: the action alters something, so it needs a second factor. `second`: the roles
    of the other person that it waits for; none if one is enough.
    """

    text: str
    reach: Reach
    roles: frozenset[Role]
    changes: bool
    second: frozenset[Role]


_EVERYBODY = frozenset(Role)
_SECURITY, _ADMIN = frozenset({Role.SECURITY}), frozenset({Role.ADMIN})


def _define_reading(text: str, reach: Reach = Reach.PRODUCT, roles: frozenset[Role] = _EVERYBODY) -> AccessRule:
    return AccessRule(text, reach, roles, changes=False, second=frozenset())


def _define_change(text: str, reach: Reach, *roles: Role, second: frozenset[Role] = frozenset()) -> AccessRule:
    return AccessRule(text, reach, frozenset(roles), changes=True, second=second)


@unique
class Action(Enum):
    """Every action by name; its value is its row."""

    SEE_POLICY = _define_reading("read the policy and its versions", Reach.ANYWHERE)
    SEE_PRODUCT = _define_reading("see the result of each clause for a product")
    SEE_CHANGE = _define_reading("see a change, its decision and the reasons")
    SEE_EXCEPTIONS = _define_reading("see exceptions")
    SEE_DEPLOYMENTS = _define_reading("see environments, which pipelines may deploy there, and deployments")
    SEE_SECRETS = _define_reading(
        "see names and ages of secrets, and which pipelines read them; never a value",
        Reach.PRODUCT,
        frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER, Role.AUDITOR}),
    )
    SEE_INCIDENTS = _define_reading("see incidents")
    SEE_FINDINGS = _define_reading(
        "see findings: weaknesses in the code of a product",
        Reach.PRODUCT,
        frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER, Role.DPO, Role.AUDITOR}),
    )
    SEE_REQUIREMENTS = _define_reading(
        "see the security requirements of a product, and who verified each",
        Reach.PRODUCT,
        frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER, Role.DPO, Role.AUDITOR}),
    )
    SEE_DESIGN = _define_reading(
        "see the design of a product, its results and its threats",
        Reach.PRODUCT,
        frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER, Role.DPO, Role.AUDITOR}),
    )
    SEE_MEETINGS = _define_reading("see security reviews, retros and who takes part")
    SEE_PEOPLE = _define_reading("see people and their roles", Reach.ANYWHERE)
    SEE_PERSONAL_DATA = _define_reading(
        "see the e-mail addresses and accounts of people", Reach.ORGANISATION, frozenset({Role.ADMIN, Role.DPO})
    )
    SEE_ACTIVITY = _define_reading(
        "see the activity log: who did what",
        Reach.ORGANISATION,
        frozenset({Role.SECURITY, Role.DPO, Role.AUDITOR, Role.ADMIN}),
    )
    SEE_LEDGER = _define_reading("read the ledger and its proofs", Reach.ORGANISATION)
    SEE_CONNECTIONS = _define_reading(
        "see connections to forges and their problems",
        Reach.ORGANISATION,
        frozenset({Role.SECURITY, Role.AUDITOR, Role.ADMIN}),
    )
    SEE_JOBS = _define_reading("see background jobs", Reach.ORGANISATION, frozenset({Role.SECURITY, Role.ADMIN}))

    MANAGE_OWN_ACCOUNT = AccessRule(
        "use one's own account: sign-in, tokens, inbox", Reach.OWN, _EVERYBODY, False, frozenset()
    )
    LINK_ACCOUNT = AccessRule(
        "link a login or key to one's own account, and verify it", Reach.OWN, _EVERYBODY, True, frozenset()
    )
    ENROL_AUTHENTICATOR = AccessRule(
        "enrol a passkey or key that signs dangerous acts",
        *(Reach.OWN, _EVERYBODY, True, frozenset({Role.ADMIN, Role.SECURITY})),
    )

    DRAFT_POLICY = _define_change("draft a policy", Reach.ORGANISATION, Role.SECURITY)
    APPLY_POLICY = _define_change("put a policy in force that weakens no clause", Reach.ORGANISATION, Role.SECURITY)
    WEAKEN_POLICY = _define_change(
        "put a policy in force that weakens a clause", Reach.ORGANISATION, Role.SECURITY, second=_SECURITY
    )
    REQUEST_EXCEPTION = _define_change(
        "request an exception", Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY, second=_SECURITY
    )
    START_MONITORING = _define_change(
        "set a clause of a product to monitoring, until a date",
        Reach.PRODUCT,
        Role.OWNER,
        Role.SECURITY,
        second=_SECURITY,
    )
    END_EXCEPTION = _define_change(
        "end an exception or a monitoring period early", Reach.PRODUCT, Role.OWNER, Role.SECURITY
    )
    HANDLE_INCIDENT = _define_change(
        "take over an incident, or close it with its cause", Reach.PRODUCT, Role.OWNER, Role.SECURITY
    )
    SCAN_CODE = _define_change(
        "scan the code of a product now", Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY
    )
    EVALUATE_DESIGN = _define_change(
        "evaluate the design of a product now", Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY
    )
    ANSWER_DESIGN_THREAT = _define_change(
        "state what mitigates a threat of the design, or end such an answer",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    HANDLE_FINDING = _define_change(
        "enter or import findings, assign a finding, end a decision about one",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    DECIDE_FINDING = _define_change(
        "decide that a finding is a false positive, is accepted until a day, or was corrected",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
        second=_SECURITY,
    )
    DECLARE_COVERAGE = _define_change(
        "declare which files another tool scans",
        *(Reach.PRODUCT, Role.OWNER, Role.SECURITY),
        second=_SECURITY,
    )
    CONFIRM_REVOCATION = _define_change(
        "state that a secret that was in the code is revoked",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
        second=_SECURITY,
    )
    STATE_REQUIREMENT = _define_change(
        "attest a security requirement, name its test, or state that it does not apply",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY, Role.DPO),
        second=_SECURITY,
    )
    END_REQUIREMENT_STATEMENT = _define_change(
        "end a statement about a security requirement",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY, Role.DPO),
    )
    IMPORT_REQUIREMENTS = _define_change(
        "import an official list of security requirements",
        *(Reach.ORGANISATION, Role.SECURITY),
        second=_SECURITY,
    )
    END_REQUIREMENT_LIST = _define_change(
        "end an official list of security requirements", Reach.ORGANISATION, Role.SECURITY
    )
    REVIEW_CHANGE = _define_change(
        "review a change: approve it or request changes",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    ATTEST_CONTRIBUTOR = _define_change("state who an unknown contributor is", Reach.PRODUCT, Role.SECURITY)
    REQUEST_REVIEW = _define_change(
        "request a review, merge an allowed change, prepare a revert",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    REVIEW_BYPASS = _define_change(
        "review a bypass afterwards",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    FREEZE = _define_change("freeze merges and deployments", Reach.ORGANISATION, Role.SECURITY)
    LIFT_FREEZE = _define_change("lift a freeze", Reach.ORGANISATION, Role.SECURITY, second=_SECURITY)

    CHANGE_ENVIRONMENT = _define_change(
        "change an environment: its order, its pipelines, whether it is production",
        *(Reach.PRODUCT, Role.OWNER, Role.ADMIN),
        second=_SECURITY,
    )
    REVOKE_PIPELINE = _define_change(
        "revoke a pipeline's permission to deploy", Reach.PRODUCT, Role.OWNER, Role.ADMIN, Role.SECURITY
    )
    TRUST_BUILDER = _define_change(
        "trust the provenance of another builder",
        *(Reach.ORGANISATION, Role.SECURITY),
        second=_SECURITY,
    )
    REVOKE_BUILDER = _define_change("stop trusting a builder", Reach.ORGANISATION, Role.SECURITY)
    TRUST_TEST_RUNNER = _define_change(
        "trust another test runner's signed reports",
        *(Reach.ORGANISATION, Role.SECURITY),
        second=_SECURITY,
    )
    REVOKE_TEST_RUNNER = _define_change("stop trusting a test runner", Reach.ORGANISATION, Role.SECURITY)
    DECLARE_MACHINE = _define_change(
        "declare that an address or login belongs to a machine",
        *(Reach.ORGANISATION, Role.ADMIN, Role.SECURITY),
        second=_SECURITY,
    )
    BREAK_GLASS_DEPLOYMENT = _define_change(
        "permit one denied deployment (break-glass)",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
        second=_SECURITY | {Role.OWNER},
    )
    APPROVE_DEPLOYMENT = _define_change(
        "approve an artifact for an environment",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),  # roles that change things anyway
    )
    DEPLOY = AccessRule(
        "request a deployment and report its outcome", Reach.PIPELINE, frozenset(), changes=False, second=frozenset()
    )

    CHANGE_PRODUCT = _define_change(
        "change a product: repositories, sensitive paths, facts", Reach.PRODUCT, Role.OWNER, Role.ADMIN
    )
    REMOVE_SENSITIVE_PATHS = _define_change(
        "remove sensitive paths from a product", Reach.PRODUCT, Role.OWNER, Role.ADMIN, second=_SECURITY
    )
    ADD_PRODUCT = _define_change("add a product", Reach.ORGANISATION, Role.ADMIN)
    RETIRE_PRODUCT = _define_change(
        "retire or delete a product", Reach.PRODUCT, Role.OWNER, Role.ADMIN, second=_SECURITY | {Role.OWNER}
    )
    SET_SECRET = _define_change(
        "set or replace a secret (it cannot be read back)", Reach.PRODUCT, Role.OWNER, Role.SECURITY
    )
    REMOVE_SECRET = _define_change(
        "remove a secret", Reach.PRODUCT, Role.OWNER, Role.SECURITY, second=_SECURITY | {Role.OWNER}
    )
    PLAN_MEETING = _define_change(
        "name who takes part in reviews and retros of a product, and move them",
        *(Reach.PRODUCT, Role.OWNER, Role.SECURITY, Role.ADMIN),
    )
    TAKE_PART_IN_MEETING = AccessRule(
        "answer the invitation to a meeting, and send a deputy", Reach.OWN, _EVERYBODY, False, frozenset()
    )
    CHAIR_MEETING = AccessRule(
        "open a meeting that one leads, record decisions and end it", Reach.OWN, _EVERYBODY, True, frozenset()
    )
    SIGN_MINUTES = AccessRule(
        "confirm the minutes of a meeting in which one took part", Reach.OWN, _EVERYBODY, True, frozenset()
    )
    ANSWER_ADVICE = _define_change(
        "answer advice of the Data Protection Officer, with a reason if it is not followed", Reach.PRODUCT, Role.OWNER
    )
    KEEP_REQUIREMENTS = _define_change(
        "write down what the market requires of a product", Reach.PRODUCT, Role.ANALYST, Role.OWNER
    )
    ANSWER_REQUIREMENT = _define_change("answer a requirement of the market", Reach.PRODUCT, Role.ANALYST, Role.OWNER)
    WRITE_DPO_FEEDBACK = _define_change(
        "write feedback and advice as the Data Protection Officer, and read answers given in confidence",
        *(Reach.PRODUCT, Role.DPO),
    )
    ACCEPT_THREAT = _define_change("accept a threat to a product, until a day of review", Reach.PRODUCT, Role.OWNER)
    REVIEW_ACCESS = _define_change(
        "decide in a review who keeps access to a product", Reach.PRODUCT, Role.OWNER, Role.SECURITY
    )
    DESCRIBE_PERSONAL_DATA = _define_change("describe the personal data of a product", Reach.PRODUCT, Role.OWNER)
    CHANGE_PERSON = _define_change("add people, change their entries, deactivate them", Reach.ORGANISATION, Role.ADMIN)
    RECOVER_ACCOUNT = _define_change(
        "create a new sign-in link for a person whose account can change or approve something",
        *(Reach.ORGANISATION, Role.ADMIN),
        second=_ADMIN | _SECURITY,
    )
    CONFIRM_ACCOUNT = _define_change(
        "confirm that a linked account belongs to its person",
        *(Reach.ORGANISATION, Role.ADMIN),
        second=_ADMIN | _SECURITY,
    )
    GRANT_ROLE = _define_change("grant a read-only role, or revoke any role", Reach.ORGANISATION, Role.ADMIN)
    GRANT_CHANGING_ROLE = _define_change(
        "grant a role with permission to change something", Reach.ORGANISATION, Role.ADMIN, second=_ADMIN | _SECURITY
    )
    CHANGE_CONNECTION = _define_change(
        "connect a forge, renew its credential, disconnect it", Reach.ORGANISATION, Role.ADMIN
    )
    CHANGE_SETTINGS = _define_change("change settings of the installation", Reach.ORGANISATION, Role.ADMIN)
    RETRY_JOB = _define_change("retry a failed background job", Reach.ORGANISATION, Role.ADMIN)

    CORRECT_RECORD = _define_change("correct a record by an addendum", Reach.ORGANISATION, Role.SECURITY, Role.DPO)
    EXPORT_PERSONAL_DATA = _define_change("export the personal data of a person", Reach.ORGANISATION, Role.DPO)
    ERASE_PERSONAL_DATA = _define_change(
        "erase the personal data of a person", Reach.ORGANISATION, Role.DPO, second=_ADMIN
    )
    PLACE_LEGAL_HOLD = _define_change(
        "place a legal hold on the personal data of a person", Reach.ORGANISATION, Role.DPO
    )

    @property
    def rule(self) -> AccessRule:
        """Row of the action in the access table."""
        found: AccessRule = self.value
        return found


COUNTED_AS_SECOND_PERSON = (
    frozenset(  # what counts as the word of another person, or lets an account or key count as one
        {Action.REVIEW_CHANGE, Action.REVIEW_BYPASS, Action.ATTEST_CONTRIBUTOR, Action.LINK_ACCOUNT}
    )
)

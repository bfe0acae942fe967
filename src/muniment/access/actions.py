"""The table: every action there is, and who may do it. Whatever stands nowhere here, nobody may do."""

from enum import Enum, StrEnum, unique
from typing import NamedTuple

from muniment.access.roles import Role


class Reach(StrEnum):
    """How far an action reaches, and so which grants count for it."""

    PRODUCT = "product"  # one product: a role for it, or for the whole organisation
    ORGANISATION = "organisation"  # all of it: a role for the whole organisation alone
    ANYWHERE = "anywhere"  # what everybody with any role may see
    OWN = "own"  # what is one's own: whoever it belongs to, and nobody else
    PIPELINE = "pipeline"  # one environment: a pipeline that proved an identity which is trusted there, and no person


class Rule(NamedTuple):
    """One row. `changes`: it alters something, so it takes a second factor. `second`: the roles of the other person
    that it waits for; none if one is enough.
    """

    text: str
    reach: Reach
    roles: frozenset[Role]
    changes: bool
    second: frozenset[Role]


_EVERYBODY = frozenset(Role)
_SECURITY, _ADMIN = frozenset({Role.SECURITY}), frozenset({Role.ADMIN})


def _see(text: str, reach: Reach = Reach.PRODUCT, roles: frozenset[Role] = _EVERYBODY) -> Rule:
    return Rule(text, reach, roles, changes=False, second=frozenset())


def _do(text: str, reach: Reach, *roles: Role, second: frozenset[Role] = frozenset()) -> Rule:
    return Rule(text, reach, frozenset(roles), changes=True, second=second)


@unique
class Action(Enum):
    """Every action by name; its value is its row."""

    SEE_POLICY = _see("read the policy and its versions", Reach.ANYWHERE)
    SEE_STATE = _see("see how a product stands against each clause")
    SEE_CHANGE = _see("see a change, its verdict and why")
    SEE_EXCEPTIONS = _see("see exceptions")
    SEE_DEPLOYMENTS = _see("see environments, who may deploy there, and what was deployed")
    SEE_SECRETS = _see(
        "see names and ages of secrets, and which pipelines read them; never a value",
        Reach.PRODUCT,
        frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER, Role.AUDITOR}),
    )
    SEE_INCIDENTS = _see("see incidents")
    SEE_PEOPLE = _see("see who is who, and their roles", Reach.ANYWHERE)
    SEE_PERSONAL = _see("see people's addresses and accounts", Reach.ORGANISATION, frozenset({Role.ADMIN, Role.DPO}))
    SEE_ACTIVITY = _see(
        "see what was done, by whom",
        Reach.ORGANISATION,
        frozenset({Role.SECURITY, Role.DPO, Role.AUDITOR, Role.ADMIN}),
    )
    SEE_LEDGER = _see("read the ledger and its proofs", Reach.ORGANISATION)
    SEE_CONNECTIONS = _see(
        "see the forges that are connected, and what is missing there",
        Reach.ORGANISATION,
        frozenset({Role.SECURITY, Role.AUDITOR, Role.ADMIN}),
    )
    SEE_WORK = _see(
        "see what waits, runs and failed in the background", Reach.ORGANISATION, frozenset({Role.SECURITY, Role.ADMIN})
    )

    OWN_ACCOUNT = Rule("look after one's own account, tokens and inbox", Reach.OWN, _EVERYBODY, False, frozenset())
    CLAIM_ACCOUNT = Rule("say that a login or key is one's own, and prove it", Reach.OWN, _EVERYBODY, True, frozenset())

    PROPOSE_POLICY = _do("propose a policy", Reach.ORGANISATION, Role.SECURITY)
    APPLY_POLICY = _do("make a stricter policy hold", Reach.ORGANISATION, Role.SECURITY)
    WEAKEN_POLICY = _do(
        "make a policy hold that is weaker anywhere", Reach.ORGANISATION, Role.SECURITY, second=_SECURITY
    )
    ASK_EXCEPTION = _do(
        "ask for an exception", Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY, second=_SECURITY
    )
    REPORT_ONLY = _do(
        "have a clause only report for a product until a day",
        Reach.PRODUCT,
        Role.OWNER,
        Role.SECURITY,
        second=_SECURITY,
    )
    END_EXCEPTION = _do(
        "end an exception, or a time of only reporting, early", Reach.PRODUCT, Role.OWNER, Role.SECURITY
    )
    HANDLE_INCIDENT = _do("take on an incident, or close it with its cause", Reach.PRODUCT, Role.OWNER, Role.SECURITY)
    REVIEW_CHANGE = _do(
        "approve a change, with the review guide's questions answered",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    ATTEST = _do("say whose hand it was that nobody can tell", Reach.PRODUCT, Role.SECURITY)
    ASK_REVIEW = _do(
        "ask people to review a change, have one merged that is allowed, have a revert prepared",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    REVIEW_AFTERWARDS = _do(
        "review afterwards what came onto a branch that nothing had allowed",
        Reach.PRODUCT,
        *(Role.DEVELOPER, Role.OWNER, Role.SECURITY),
    )
    FREEZE = _do("stop all merges and deployments", Reach.ORGANISATION, Role.SECURITY)
    UNFREEZE = _do("let merges and deployments go on", Reach.ORGANISATION, Role.SECURITY, second=_SECURITY)

    CHANGE_ENVIRONMENT = _do(
        "change an environment: its place, whether it is production, which pipelines may deploy there",
        *(Reach.PRODUCT, Role.OWNER, Role.ADMIN),
        second=_SECURITY,
    )
    CLOSE_PIPELINE = _do("take a pipeline's leave to deploy away", Reach.PRODUCT, Role.OWNER, Role.ADMIN, Role.SECURITY)
    TRUST_BUILDER = _do(
        "have the word of one more builder on what artifacts are made of checked",
        *(Reach.ORGANISATION, Role.SECURITY),
        second=_SECURITY,
    )
    CLOSE_BUILDER = _do("no longer take a builder's word", Reach.ORGANISATION, Role.SECURITY)
    TRUST_MACHINE = _do(
        "have what one more machine says of tests checked, by its key",
        *(Reach.ORGANISATION, Role.SECURITY),
        second=_SECURITY,
    )
    CLOSE_MACHINE = _do("no longer take a machine's word", Reach.ORGANISATION, Role.SECURITY)
    BREAK_GLASS = _do(
        "let one deployment through although it is denied",
        *(Reach.PRODUCT, Role.DEVELOPER, Role.OWNER, Role.SECURITY),
        second=_SECURITY | {Role.OWNER},
    )
    DEPLOY = Rule(
        "ask to deploy, and report what came of it", Reach.PIPELINE, frozenset(), changes=False, second=frozenset()
    )

    CHANGE_PRODUCT = _do("describe a product: repositories, paths, signals", Reach.PRODUCT, Role.OWNER, Role.ADMIN)
    ADD_PRODUCT = _do("add a product", Reach.ORGANISATION, Role.ADMIN)
    RETIRE_PRODUCT = _do(
        "retire or delete a product", Reach.PRODUCT, Role.OWNER, Role.ADMIN, second=_SECURITY | {Role.OWNER}
    )
    SET_SECRET = _do("set or replace a secret, unseen ever after", Reach.PRODUCT, Role.OWNER, Role.SECURITY)
    REMOVE_SECRET = _do("remove a secret", Reach.PRODUCT, Role.OWNER, Role.SECURITY, second=_SECURITY | {Role.OWNER})
    CHANGE_PERSON = _do("add people, change their entries, let them leave", Reach.ORGANISATION, Role.ADMIN)
    GRANT_ROLE = _do("give a role that only reads, or take any role away", Reach.ORGANISATION, Role.ADMIN)
    GRANT_CHANGING_ROLE = _do(
        "give a role that changes things", Reach.ORGANISATION, Role.ADMIN, second=_ADMIN | _SECURITY
    )
    CHANGE_CONNECTION = _do("connect a forge, renew its credential, end it", Reach.ORGANISATION, Role.ADMIN)
    CHANGE_SETTINGS = _do("change settings of the installation", Reach.ORGANISATION, Role.ADMIN)
    RETRY_WORK = _do("try failed background work again", Reach.ORGANISATION, Role.ADMIN)

    CORRECT_RECORD = _do(
        "say what is wrong in an entry, and what is right, by an addendum", Reach.ORGANISATION, Role.SECURITY, Role.DPO
    )
    EXPORT_PERSONAL = _do("export what is kept of a person", Reach.ORGANISATION, Role.DPO)
    ERASE_PERSONAL = _do("erase what is kept of a person", Reach.ORGANISATION, Role.DPO, second=_ADMIN)
    HOLD_PERSONAL = _do("keep what is kept of a person for a legal claim", Reach.ORGANISATION, Role.DPO)

    @property
    def rule(self) -> Rule:
        """Its row."""
        found: Rule = self.value
        return found

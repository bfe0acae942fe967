"""What each act does, by its action: the one list of everything that people can have done in the service."""

from collections.abc import Callable
from typing import Any, NamedTuple

from muniment.access.actions import Action
from muniment.server.connections import acts as connections
from muniment.server.deployments import builders, environments, glass
from muniment.server.incidents import acts as incidents
from muniment.server.people import acts as people
from muniment.server.people import machines, privacy
from muniment.server.policies import acts as policies
from muniment.server.products import acts as products
from muniment.server.secrets import acts as secrets

What = dict[str, Any]


class Doing(NamedTuple):
    """`kind` of the resource; `check` raises ValueError, with a sentence, for what cannot be done; `do` does it, for
    the asker, with the second person (None if one was enough, "" if there was nobody yet).
    """

    kind: str
    check: Callable[[What], None]
    do: Callable[[What, str, str | None], None]


KEPT = frozenset(  # the particulars of an act that stand in the record, beside what was told
    {
        *("id", "role", "product", "terms", "digest", "clause", "repository", "branch", "head", "expires", "rehearsal"),
        *("last", "environment", "pipeline", "kind", "issuer", "subject", "refs", "at", "artifact"),
    }
)

ACTS: dict[Action, Doing] = {
    Action.CHANGE_PERSON: Doing("person", people.check_person, people.change_person),
    Action.GRANT_ROLE: Doing("person", people.check_grant, people.change_grant),
    Action.GRANT_CHANGING_ROLE: Doing("person", people.check_grant, people.change_grant),
    Action.ERASE_PERSONAL: Doing("person", privacy.check_erase, privacy.erase),
    Action.HOLD_PERSONAL: Doing("person", privacy.check_hold, privacy.hold),
    Action.ADD_PRODUCT: Doing("product", products.check_new, products.add),
    Action.CHANGE_PRODUCT: Doing("product", products.check_change, products.change),
    Action.CHANGE_ENVIRONMENT: Doing("environment", environments.check_change, environments.change),
    Action.CLOSE_PIPELINE: Doing("environment", environments.check_close, environments.close),
    Action.TRUST_BUILDER: Doing("builder", builders.check_trust, builders.trust),
    Action.CLOSE_BUILDER: Doing("builder", builders.check_close, builders.close),
    Action.TRUST_MACHINE: Doing("machine", machines.check_trust, machines.trust),
    Action.CLOSE_MACHINE: Doing("machine", machines.check_close, machines.close),
    Action.BREAK_GLASS: Doing("environment", glass.check, glass.do),
    Action.REMOVE_SECRET: Doing("secret", secrets.check_remove, secrets.remove),
    Action.RETIRE_PRODUCT: Doing("product", products.check_retire, products.retire),
    Action.PROPOSE_POLICY: Doing("policy", policies.check_source, policies.set_source),
    Action.APPLY_POLICY: Doing("policy", policies.check_policy, policies.apply),
    Action.WEAKEN_POLICY: Doing("policy", policies.check_policy, policies.apply),
    Action.ASK_EXCEPTION: Doing("exception", policies.check_exception, policies.grant_exception),
    Action.REPORT_ONLY: Doing("policy", policies.check_gently, policies.begin_gently),
    Action.END_EXCEPTION: Doing("exception", policies.check_end, policies.end_exception),
    Action.HANDLE_INCIDENT: Doing("incident", incidents.check_handling, incidents.handle),
    Action.CHANGE_CONNECTION: Doing("connection", connections.check_connection, connections.change_connection),
    Action.REVIEW_CHANGE: Doing("change", connections.check_review, connections.review),
    Action.ATTEST: Doing("change", connections.check_attest, connections.attest),
    Action.ASK_REVIEW: Doing("change", connections.check_asking, connections.ask),
    Action.REVIEW_AFTERWARDS: Doing("arrival", connections.check_afterwards, connections.afterwards),
    Action.FREEZE: Doing("freeze", policies.check_freeze, policies.freeze),
    Action.UNFREEZE: Doing("freeze", policies.check_lift, policies.lift),
}

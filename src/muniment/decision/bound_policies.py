"""Policies ready for evaluation: parsed and bound to the catalogue's controls once for each text in a process."""

import datetime
from functools import lru_cache

from msgspec import Struct, structs

from muniment.decision.binding import BoundPolicy, bind_clauses, bind_known_clauses
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.decision.comparison import PolicyDifference
from muniment.decision.cool_down_limits import check_cool_down
from muniment.errors import PolicyError
from muniment.policy.document import parse_policy
from muniment.policy.model import Clause, EnforcementPoint, Policy, Section

SENSITIVE_PATHS_CLAUSE = "review.sensitive-of-product"
PRODUCT_SECTION = "of-product"

_POLICIES = 256  # of an installation's products, and of the branches that carry their own


class Monitoring(Struct, frozen=True):
    """Clause that is evaluated and blocks nothing through the end of the day `until` (UTC)."""

    clause: str
    until: datetime.date


def read_bound_policy(text: str, where: str) -> BoundPolicy:
    """Parse the policy in `text`, which stands in the file `where`, and bind it to its controls.

    Raises PolicyError naming `where`.
    """
    try:
        return _read_cached(text)
    except PolicyError:
        return _bind_text(text, where)  # raises the same, naming this file


@lru_cache(maxsize=_POLICIES)
def _read_cached(text: str) -> BoundPolicy:
    return _bind_text(text, "")


def _bind_text(text: str, where: str) -> BoundPolicy:
    bound = bind_clauses(parse_policy(text, where), CONTROLS, PLANNED, where, text)
    check_cool_down(bound, where, text)
    return bound


def read_policy_in_force(text: str, where: str) -> BoundPolicy:
    """Read a policy that is in force already, as `read_bound_policy`.

    A clause that this version cannot evaluate is kept, and unknown: the policy can still be corrected. Raises
    PolicyError for a text that is no policy.
    """
    try:
        return _read_cached(text)
    except PolicyError:
        return bind_policy_in_force(parse_policy(text, where))


@lru_cache(maxsize=_POLICIES)
def bind_policy_in_force(policy: Policy) -> BoundPolicy:
    """Bind a policy that is in force; clauses that this version cannot evaluate are kept, and unknown."""
    return bind_known_clauses(policy, CONTROLS, PLANNED)


def bind_policy(policy: Policy) -> BoundPolicy:
    """Bind an effective policy that was stored. Raises PolicyError if this program has other controls."""
    return bind_clauses(policy, CONTROLS, PLANNED)


@lru_cache(maxsize=_POLICIES)
def complete_policy(
    policy: BoundPolicy, sensitive_paths: tuple[str, ...], monitoring: tuple[Monitoring, ...]
) -> BoundPolicy:
    """Add the parts of one product: a clause for its sensitive paths, and clauses in monitoring.

    Of two days for one clause the later counts; monitoring of a clause that the policy does not have is ignored. Raises
    PolicyError for patterns that cannot be matched, or where the policy has a clause of that id already.
    """
    days: dict[str, datetime.date] = {}
    for one in monitoring:
        days[one.clause] = max(one.until, days.get(one.clause, one.until))
    clauses = tuple(_monitor_clause(clause, days.get(clause.id)) for clause in policy.policy.clauses)
    completed = structs.replace(policy.policy, clauses=clauses)
    if sensitive_paths:
        bind_policy(structs.replace(completed, clauses=(_create_sensitive_clause(sensitive_paths),)))
        completed = _add_sensitive_paths(completed, sensitive_paths)
    return policy if completed == policy.policy else bind_policy_in_force(completed)


@lru_cache(maxsize=_POLICIES)
def tighten_policy(floor: BoundPolicy, own: BoundPolicy) -> tuple[BoundPolicy, tuple[PolicyDifference, ...]]:
    """Lay a branch's own policy over the organisation's (`decision.tightening`), once for each two."""
    if floor == own:  # as where a home has a copy of a branch's policy
        return floor, ()
    from muniment.decision.tightening import tighten_clauses  # few have two policies, and pushers wait for imports

    return tighten_clauses(floor, own, CONTROLS, PLANNED)


def _monitor_clause(clause: Clause, until: datetime.date | None) -> Clause:
    if until is None:
        return clause
    return structs.replace(clause, monitoring_until=max(until, clause.monitoring_until or until))


def _add_sensitive_paths(policy: Policy, paths: tuple[str, ...]) -> Policy:
    for kind, name, entries in (
        ("section", PRODUCT_SECTION, policy.sections),
        ("clause", SENSITIVE_PATHS_CLAUSE, policy.clauses),
    ):
        if any(entry.id == name for entry in entries):
            raise PolicyError(
                "policy.toml",
                f'{kind} "{name}" id',
                f"expected another id: a product with sensitive paths gets a {kind} of this one",
                f"Give the {kind} another id.",
            )
    section = Section(PRODUCT_SECTION, "This product", policy.owner)
    sections, clauses = (*policy.sections, section), (*policy.clauses, _create_sensitive_clause(paths))
    return structs.replace(policy, sections=sections, clauses=clauses)


def _create_sensitive_clause(paths: tuple[str, ...]) -> Clause:
    return Clause(
        id=SENSITIVE_PATHS_CLAUSE,
        name="Sensitive paths of the product",
        section=PRODUCT_SECTION,
        text="Changes of the product's sensitive paths are approved by somebody with the security role.",
        control="security-attention",
        enforce=(EnforcementPoint.MERGE,),
        parameters={"sensitive": list(paths)},
    )

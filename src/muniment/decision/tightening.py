"""Tightening of the organisation's policy by a repository's own: it may be stricter, and is never weaker."""

import datetime
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import structs

from muniment.controls.control import Control
from muniment.decision.binding import BoundClause, BoundPolicy, bind_known_clauses
from muniment.decision.comparison import Direction, PolicyDifference, compare_policies
from muniment.policy.model import Clause, Retention
from muniment.policy.parameters import choose_strictest, list_declarations

_FLOOR_ONLY = frozenset(  # a branch has no say in them
    {
        *("repository", "confirmation.proof", "confirmation.delay_hours"),
        *(f"retention.{name}" for name in Retention.__struct_fields__),
    }
)


def tighten_clauses(
    floor: BoundPolicy, own: BoundPolicy, controls: Mapping[str, Control], planned: Collection[str]
) -> tuple[BoundPolicy, tuple[PolicyDifference, ...]]:
    """Build the effective policy, at least as strict as `floor` in everything; and list where `own` is weaker, in vain.

    Identity and words are the floor's. A clause of `own` with another control than the floor's adds nothing; one that
    this version cannot evaluate makes the effective clause one that it cannot evaluate.
    """
    ours = {bound.clause.id: bound for bound in own.clauses}
    theirs = {clause.id for clause in floor.policy.clauses}
    clauses = [_tighten_clause(bound, ours.get(bound.clause.id), controls) for bound in floor.clauses]
    clauses += [clause for clause in own.policy.clauses if clause.id not in theirs]
    headed = {section.id for section in floor.policy.sections}
    effective = structs.replace(
        floor.policy,
        sections=(*floor.policy.sections, *(one for one in own.policy.sections if one.id not in headed)),
        protected_branches=_join_entries(floor.policy.protected_branches, own.policy.protected_branches),
        clauses=tuple(clauses),
        protected_tags=_join_entries(floor.policy.protected_tags, own.policy.protected_tags),
    )
    weaker = (d for d in compare_policies(floor, own) if d.direction is Direction.WEAKER and d.what not in _FLOOR_ONLY)
    return bind_known_clauses(effective, controls, planned), tuple(weaker)


def _tighten_clause(bound: BoundClause, other: BoundClause | None, controls: Mapping[str, Control]) -> Clause:
    floor = bound.clause
    if other is None or bound.problem:
        return floor
    own = other.clause
    if other.problem:
        points = _join_entries(floor.enforce, own.enforce)
        return structs.replace(own, enforce=points, branches=(), paths=(), monitoring_until=None)
    if own.control != floor.control:
        return floor
    return structs.replace(
        floor,
        enforce=_join_entries(floor.enforce, own.enforce),
        branches=_join_entries(floor.branches, own.branches) if floor.branches and own.branches else (),
        paths=_join_entries(floor.paths, own.paths) if floor.paths and own.paths else (),
        monitoring_until=_choose_earlier(floor.monitoring_until, own.monitoring_until),
        parameters=_tighten_parameters(floor, own, controls.get(floor.control)),
    )


def _tighten_parameters(floor: Clause, own: Clause, control: Control | None) -> dict[str, object]:
    """Parameters of the floor as they are written, except those that `own` really tightens."""
    if control is None:
        return floor.parameters
    tightened: dict[str, object] = {}
    one = msgspec.convert(floor.parameters, control.parameters)
    other = msgspec.convert(own.parameters, control.parameters)
    for parameter in list_declarations(control.parameters):
        old, new = getattr(one, parameter.name), getattr(other, parameter.name)
        best = choose_strictest(parameter.stricter, old, new)
        if best != old:
            tightened[parameter.name] = list(best) if isinstance(best, tuple) else best
    return {**floor.parameters, **tightened}


def _join_entries(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*one, *(entry for entry in other if entry not in one))


def _choose_earlier(one: datetime.date | None, other: datetime.date | None) -> datetime.date | None:
    return None if one is None or other is None else min(one, other)

"""Compares two policies: differences that are stricter, weaker or neutral. Incomparable ones count as weaker."""

import datetime
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.policy.model import Policy, Retention
from muniment.policy.parameters import Stricter, list_declarations
from muniment.policy.parameters import compare_values as compare_values


class Direction(StrEnum):
    """Direction of a difference."""

    STRICTER = "stricter"
    WEAKER = "weaker"
    NEUTRAL = "neutral"


class PolicyDifference(Struct, frozen=True):
    """Difference between two policies. `clause` is "" for a part of the whole policy; `incomparable` ones count as
    weaker.
    """

    clause: str
    what: str
    direction: Direction
    old: str
    new: str
    incomparable: bool = False


def compare_policies(old: BoundPolicy, new: BoundPolicy) -> tuple[PolicyDifference, ...]:
    """List every difference from `old` to `new`, the whole policy's first, then clause by clause."""
    before = {bound.clause.id: bound for bound in old.clauses}
    after = {bound.clause.id: bound for bound in new.clauses}
    return (
        *_compare_policy(old, new),
        *(
            difference
            for name in {**before, **after}
            for difference in _compare_clause(name, before.get(name), after.get(name))
        ),
    )


def _compare_policy(old: BoundPolicy, new: BoundPolicy) -> Iterator[PolicyDifference]:
    one, other = old.policy, new.policy
    if one.owner != other.owner:
        yield PolicyDifference("", "owner", Direction.NEUTRAL, one.owner, other.owner)
    if one.source != other.source:
        yield PolicyDifference("", "source", Direction.NEUTRAL, one.source, other.source)
    if one.repository != other.repository:
        yield PolicyDifference("", "repository", Direction.WEAKER, one.repository, other.repository, incomparable=True)
    yield from _compare_sections(one, other)
    yield from _compare_value("", "protected branches", Stricter.MORE, one.protected_branches, other.protected_branches)
    yield from _compare_value("", "protected tags", Stricter.MORE, one.protected_tags, other.protected_tags)
    before, after = one.confirmation, other.confirmation
    yield from _compare_value("", "confirmation.proof", Stricter.MORE, before.proof, after.proof)
    yield from _compare_value("", "confirmation.delay_hours", Stricter.HIGHER, before.delay_hours, after.delay_hours)
    yield from _retention(one.retention, other.retention)
    yield from _compare_value("", "unenforced", Stricter.FEWER, tuple(one.unenforced), tuple(other.unenforced))
    for point, why in one.unenforced.items():
        if other.unenforced.get(point, why) != why:
            yield PolicyDifference("", f"unenforced.{point}", Direction.NEUTRAL, why, other.unenforced[point])


def _retention(one: Retention, other: Retention) -> Iterator[PolicyDifference]:
    """A shorter period loses evidence sooner, a longer one stores data on people for longer: neither is stricter."""
    for name in Retention.__struct_fields__:
        before, after = getattr(one, name), getattr(other, name)
        if before != after:
            values = _format_value(before), _format_value(after)
            yield PolicyDifference("", f"retention.{name}", Direction.WEAKER, *values, incomparable=True)


def _compare_sections(one: Policy, other: Policy) -> Iterator[PolicyDifference]:
    """Headings and owners make nothing weaker: the clauses and their requirements are compared apart."""
    old, new = ({section.id: section for section in policy.sections} for policy in (one, other))
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            before, after = (
                f"{found.name} ({found.owner})" if found else "" for found in (old.get(name), new.get(name))
            )
            yield PolicyDifference("", f"section {name}", Direction.NEUTRAL, before, after)


def _compare_clause(name: str, old: BoundClause | None, new: BoundClause | None) -> Iterator[PolicyDifference]:
    if old is None or new is None:
        if new is not None:
            yield PolicyDifference(name, "added", Direction.STRICTER, "", new.clause.text)
        if old is not None:
            yield PolicyDifference(name, "removed", Direction.WEAKER, old.clause.text, "")
        return
    one, other = old.clause, new.clause
    for what in ("name", "section", "text", "owner"):
        before, after = getattr(one, what), getattr(other, what)
        if before != after:
            yield PolicyDifference(name, what, Direction.NEUTRAL, before, after)
    yield from _compare_scope(name, "branches", one.branches, other.branches)
    yield from _compare_scope(name, "paths", one.paths, other.paths)
    yield from _compare_value(name, "enforce", Stricter.MORE, one.enforce, other.enforce)
    yield from _compare_monitoring(name, one.monitoring_until, other.monitoring_until)
    if one.control != other.control:
        yield _compare_control(name, one.control, other.control)
    else:
        yield from _compare_parameters(name, old, new)


def _compare_control(name: str, old: str, new: str) -> PolicyDifference:
    """Compare controls: a new one is stricter, a removed one weaker; two controls cannot be compared."""
    direction = Direction.WEAKER if old else Direction.STRICTER
    return PolicyDifference(name, "control", direction, old, new, incomparable=bool(old and new))


def _compare_parameters(name: str, old: BoundClause, new: BoundClause) -> Iterator[PolicyDifference]:
    if old.control is not None and new.control is not None:
        for parameter in list_declarations(old.control.parameters):
            values = (getattr(bound.parameters, parameter.name) for bound in (old, new))
            yield from _compare_value(name, f"with.{parameter.name}", parameter.stricter, *values)
        return
    one, other = old.clause.parameters, new.clause.parameters  # of a clause that this version cannot evaluate
    for key in {**one, **other}:
        if one.get(key) != other.get(key):
            before, after = (_format_value(values.get(key, "")) for values in (one, other))
            yield PolicyDifference(name, f"with.{key}", Direction.WEAKER, before, after, incomparable=True)


def _compare_scope(name: str, what: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[PolicyDifference]:
    """Compare branches or paths. None means everywhere, which is strictest."""
    if old and new:
        yield from _compare_value(name, what, Stricter.MORE, old, new)
    elif old or new:
        direction = Direction.STRICTER if old else Direction.WEAKER
        yield PolicyDifference(name, what, direction, _format_value(old), _format_value(new))


def _compare_monitoring(name: str, old: datetime.date | None, new: datetime.date | None) -> Iterator[PolicyDifference]:
    """Compare the ends of monitoring. No day at all is strictest: the clause is enforced at once."""
    if old != new:
        weaker = new is not None and (old is None or new > old)
        direction = Direction.WEAKER if weaker else Direction.STRICTER
        yield PolicyDifference(name, "monitoring_until", direction, _format_value(old or ""), _format_value(new or ""))


def _compare_value(name: str, what: str, stricter: Stricter, old: Any, new: Any) -> Iterator[PolicyDifference]:
    compared = compare_values(stricter, old, new)
    if compared != 0:
        direction = Direction.STRICTER if compared == 1 else Direction.WEAKER
        yield PolicyDifference(
            name, what, direction, _format_value(old), _format_value(new), incomparable=compared is None
        )


def _format_value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

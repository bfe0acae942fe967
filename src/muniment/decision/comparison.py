"""Compares two policies: what got stricter, what got weaker. What cannot be compared counts as weaker."""

import datetime
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.policy.model import Policy, Retention
from muniment.policy.parameters import Stricter, declared
from muniment.policy.parameters import compare as compare_values


class Direction(StrEnum):
    """Where a difference leads."""

    STRICTER = "stricter"
    WEAKER = "weaker"
    NEUTRAL = "neutral"


class Difference(Struct, frozen=True):
    """Difference between two policies. `clause` is "" for what concerns the whole policy; `incomparable` ones count as
    weaker.
    """

    clause: str
    what: str
    direction: Direction
    old: str
    new: str
    incomparable: bool = False


def compare(old: BoundPolicy, new: BoundPolicy) -> tuple[Difference, ...]:
    """Every difference from `old` to `new`, the whole policy's first, then clause by clause."""
    before = {bound.clause.id: bound for bound in old.clauses}
    after = {bound.clause.id: bound for bound in new.clauses}
    return (
        *_policies(old, new),
        *(
            difference
            for name in {**before, **after}
            for difference in _clauses(name, before.get(name), after.get(name))
        ),
    )


def _policies(old: BoundPolicy, new: BoundPolicy) -> Iterator[Difference]:
    one, other = old.policy, new.policy
    if one.owner != other.owner:
        yield Difference("", "owner", Direction.NEUTRAL, one.owner, other.owner)
    if one.source != other.source:
        yield Difference("", "source", Direction.NEUTRAL, one.source, other.source)
    if one.repository != other.repository:
        yield Difference("", "repository", Direction.WEAKER, one.repository, other.repository, incomparable=True)
    yield from _sections(one, other)
    yield from _value("", "protected branches", Stricter.MORE, one.protected_branches, other.protected_branches)
    yield from _value("", "protected tags", Stricter.MORE, one.protected_tags, other.protected_tags)
    before, after = one.confirmation, other.confirmation
    yield from _value("", "confirmation.proof", Stricter.MORE, before.proof, after.proof)
    yield from _value("", "confirmation.delay_hours", Stricter.HIGHER, before.delay_hours, after.delay_hours)
    yield from _retention(one.retention, other.retention)
    yield from _value("", "unenforced", Stricter.FEWER, tuple(one.unenforced), tuple(other.unenforced))
    for point, why in one.unenforced.items():
        if other.unenforced.get(point, why) != why:
            yield Difference("", f"unenforced.{point}", Direction.NEUTRAL, why, other.unenforced[point])


def _retention(one: Retention, other: Retention) -> Iterator[Difference]:
    """A shorter period loses evidence sooner, a longer one stores data on people for longer: neither is stricter."""
    for name in Retention.__struct_fields__:
        before, after = getattr(one, name), getattr(other, name)
        if before != after:
            shown = _shown(before), _shown(after)
            yield Difference("", f"retention.{name}", Direction.WEAKER, *shown, incomparable=True)


def _sections(one: Policy, other: Policy) -> Iterator[Difference]:
    """Headings and owners make nothing weaker: which clauses there are, and what they ask, is compared apart."""
    old, new = ({section.id: section for section in policy.sections} for policy in (one, other))
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            before, after = (
                f"{found.name} ({found.owner})" if found else "" for found in (old.get(name), new.get(name))
            )
            yield Difference("", f"section {name}", Direction.NEUTRAL, before, after)


def _clauses(name: str, old: BoundClause | None, new: BoundClause | None) -> Iterator[Difference]:
    if old is None or new is None:
        if new is not None:
            yield Difference(name, "added", Direction.STRICTER, "", new.clause.text)
        if old is not None:
            yield Difference(name, "removed", Direction.WEAKER, old.clause.text, "")
        return
    one, other = old.clause, new.clause
    for what in ("name", "section", "text", "owner"):
        before, after = getattr(one, what), getattr(other, what)
        if before != after:
            yield Difference(name, what, Direction.NEUTRAL, before, after)
    yield from _places(name, "branches", one.branches, other.branches)
    yield from _places(name, "paths", one.paths, other.paths)
    yield from _value(name, "enforce", Stricter.MORE, one.enforce, other.enforce)
    yield from _delays(name, one.monitoring_until, other.monitoring_until)
    if one.control != other.control:
        yield _controls(name, one.control, other.control)
    else:
        yield from _parameters(name, old, new)


def _controls(name: str, old: str, new: str) -> Difference:
    """To cover a clause is stricter, to uncover it weaker; two controls cannot be compared."""
    direction = Direction.WEAKER if old else Direction.STRICTER
    return Difference(name, "control", direction, old, new, incomparable=bool(old and new))


def _parameters(name: str, old: BoundClause, new: BoundClause) -> Iterator[Difference]:
    if old.control is not None:  # and so new.control is the same
        for parameter in declared(old.control.parameters):
            values = (getattr(bound.parameters, parameter.name) for bound in (old, new))
            yield from _value(name, f"with.{parameter.name}", parameter.stricter, *values)
        return
    one, other = old.clause.parameters, new.clause.parameters  # of a control that is still to come
    for key in {**one, **other}:
        if one.get(key) != other.get(key):
            before, after = (_shown(values.get(key, "")) for values in (one, other))
            yield Difference(name, f"with.{key}", Direction.WEAKER, before, after, incomparable=True)


def _places(name: str, what: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Difference]:
    """Empty means everywhere, which is strictest."""
    if old and new:
        yield from _value(name, what, Stricter.MORE, old, new)
    elif old or new:
        direction = Direction.STRICTER if old else Direction.WEAKER
        yield Difference(name, what, direction, _shown(old), _shown(new))


def _delays(name: str, old: datetime.date | None, new: datetime.date | None) -> Iterator[Difference]:
    """No day at all is strictest: the clause is enforced at once."""
    if old != new:
        weaker = new is not None and (old is None or new > old)
        direction = Direction.WEAKER if weaker else Direction.STRICTER
        yield Difference(name, "monitoring_until", direction, _shown(old or ""), _shown(new or ""))


def _value(name: str, what: str, stricter: Stricter, old: Any, new: Any) -> Iterator[Difference]:
    compared = compare_values(stricter, old, new)
    if compared != 0:
        direction = Direction.STRICTER if compared == 1 else Direction.WEAKER
        yield Difference(name, what, direction, _shown(old), _shown(new), incomparable=compared is None)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

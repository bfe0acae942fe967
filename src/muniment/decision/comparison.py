"""Compares two policies: what got stricter, what got weaker. What cannot be compared counts as weaker."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.policy.model import Point
from muniment.policy.parameters import Stricter, declared
from muniment.policy.parameters import compare as compare_values


class Direction(StrEnum):
    """Where a difference leads."""

    STRICTER = "stricter"
    WEAKER = "weaker"
    NEUTRAL = "neutral"


class Difference(Struct, frozen=True):
    """One difference. `clause` is "" for what concerns the whole policy; `incomparable` ones count as weaker."""

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
    yield from _value("", "protected", Stricter.MORE, one.protected, other.protected)
    yield from _value("", "unjudged", Stricter.FEWER, _words(one.unjudged), _words(other.unjudged))


def _words(unjudged: dict[Point, str]) -> tuple[str, ...]:
    return tuple(sorted(point.value for point in unjudged))


def _clauses(name: str, old: BoundClause | None, new: BoundClause | None) -> Iterator[Difference]:
    if old is None or new is None:
        if old is None and new is not None:
            yield Difference(name, "added", Direction.STRICTER, "", new.clause.control)
        if new is None and old is not None:
            yield Difference(name, "removed", Direction.WEAKER, old.clause.control, "")
        return
    one, other = old.clause, new.clause
    if one.text != other.text:
        yield Difference(name, "text", Direction.NEUTRAL, one.text, other.text)
    yield from _places(name, "branches", one.branches, other.branches)
    yield from _places(name, "paths", one.paths, other.paths)
    yield from _value(name, "bites", Stricter.MORE, _points(old), _points(new))
    yield from _delays(name, old, new)
    if one.control != other.control:
        direction = Direction.STRICTER if not one.control else Direction.WEAKER
        yield Difference(name, "control", direction, one.control, other.control, incomparable=bool(one.control))
    elif old.control is not None and new.control is not None:
        for parameter in declared(old.control.parameters):
            values = (getattr(bound.parameters, parameter.name) for bound in (old, new))
            yield from _value(name, f"with.{parameter.name}", parameter.stricter, *values)
    elif one.parameters != other.parameters:
        yield Difference(name, "with", Direction.WEAKER, str(one.parameters), str(other.parameters), incomparable=True)


def _points(bound: BoundClause) -> tuple[Point, ...]:
    return bound.clause.bites


def _places(name: str, what: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Difference]:
    """Empty means everywhere, which is strictest."""
    if old and new:
        yield from _value(name, what, Stricter.MORE, old, new)
    elif old or new:
        direction = Direction.STRICTER if old else Direction.WEAKER
        yield Difference(name, what, direction, _shown(old), _shown(new))


def _delays(name: str, old: BoundClause, new: BoundClause) -> Iterator[Difference]:
    one, other = old.clause.report_until, new.clause.report_until
    if one != other:
        weaker = other is not None and (one is None or other > one)
        direction = Direction.WEAKER if weaker else Direction.STRICTER
        yield Difference(name, "report_until", direction, str(one or ""), str(other or ""))


def _value(name: str, what: str, stricter: Stricter, old: Any, new: Any) -> Iterator[Difference]:
    compared = compare_values(stricter, old, new)
    if compared != 0:
        direction = Direction.STRICTER if compared == 1 else Direction.WEAKER
        yield Difference(name, what, direction, _shown(old), _shown(new), incomparable=compared is None)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

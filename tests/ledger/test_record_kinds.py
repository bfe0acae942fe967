"""Every kind of record follows docs/guides/add-a-record-kind.md, and a kind that lacks a step is found out."""

import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dev.rules import ROOT
from muniment.ledger import entries, told
from muniment.ledger.writers import WRITERS, Writer, kinds_of

SAMPLES: dict[Any, Any] = {str: "x", int: 1, bool: True, tuple[str, ...]: ("x",)}
KINDS: tuple[type[entries.Entry], ...] = typing.get_args(entries.AnyEntry)
DOCUMENTED = (ROOT / "docs" / "reference" / "record-kinds.md").read_text()


def find_forgotten_steps(
    kind: type[entries.Entry],
    union: Collection[type[entries.Entry]] = KINDS,
    describe: Callable[[Any], object] = told.said,
    documented: str = DOCUMENTED,
    writers: Collection[str] = frozenset(WRITERS),
) -> list[str]:
    """One sentence for each step of the recipe that a kind lacks."""
    tag = kind.__struct_config__.tag
    found = [] if kind in union else [f"{kind.__name__} is not in AnyEntry"]
    if not kind.__doc__:
        found.append(f"{kind.__name__} does not say what its fields are")
    shapes = {field.name: field.type for field in structs.fields(kind)}
    wrong = [name for name, shape in shapes.items() if shape not in SAMPLES]
    found += [f"{kind.__name__}.{name} is no text, integer, yes or no, or tuple of texts" for name in wrong]
    values: dict[str, Any] = {name: SAMPLES[shape] for name, shape in shapes.items() if name not in wrong}
    sample = kind(**values)
    if not describe(sample):
        found.append(f"nothing is said of {tag}")
    if tag not in writers:
        found.append(f"nobody may write {tag}")
    if f"## `{tag}`" not in documented:
        found.append(f"docs/reference/record-kinds.md does not describe {tag}")
    return found


class LoudRecord(entries.Entry, frozen=True, kw_only=True, tag="loud"):
    """Somebody was loud in `room_digest`."""

    room_digest: str


class NamelessRecord(entries.Entry, frozen=True, kw_only=True, tag="loud"):
    room_digest: str


class OpenRecord(entries.Entry, frozen=True, kw_only=True, tag="loud"):
    """Somebody was loud; how loud stands in `details`."""

    details: float = 0.5


COMPLETE: dict[str, Any] = {
    "union": (LoudRecord,),
    "describe": lambda _: "somebody was loud",
    "documented": "## `loud`",
    "writers": ("loud",),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_follows_the_recipe(kind: type[entries.Entry]) -> None:
    assert find_forgotten_steps(kind) == []


def test_a_kind_that_follows_the_recipe_lacks_nothing() -> None:
    assert find_forgotten_steps(LoudRecord, **COMPLETE) == []


@pytest.mark.parametrize(
    ("kind", "forgotten", "lacks"),
    [
        (LoudRecord, {"union": KINDS}, "LoudRecord is not in AnyEntry"),
        (LoudRecord, {"describe": told.said}, "nothing is said of loud"),
        (LoudRecord, {"writers": ()}, "nobody may write loud"),
        (LoudRecord, {"documented": DOCUMENTED}, "docs/reference/record-kinds.md does not describe loud"),
        (NamelessRecord, {"union": (NamelessRecord,)}, "NamelessRecord does not say what its fields are"),
        (OpenRecord, {"union": (OpenRecord,)}, "OpenRecord.details is no text, integer, yes or no, or tuple of texts"),
    ],
)
def test_a_forgotten_step_is_found(kind: type[entries.Entry], forgotten: dict[str, Any], lacks: str) -> None:
    assert find_forgotten_steps(kind, **(COMPLETE | forgotten)) == [lacks]


def test_a_record_of_a_kind_outside_the_union_is_refused() -> None:
    data = entries.encode(LoudRecord(time="2026-11-24T09:00:00.000000Z", object="", room_digest="0"))  # type: ignore[arg-type]
    assert entries.wrong(data)


def test_the_recipe_is_there() -> None:
    assert Path(ROOT, "docs/guides/add-a-record-kind.md").is_file()


def test_every_kind_has_exactly_one_writer() -> None:
    assert set(WRITERS) == {kind.__struct_config__.tag for kind in KINDS}
    kinds = [kind for writer in Writer for kind in kinds_of(writer)]
    assert sorted(kinds) == sorted(WRITERS)

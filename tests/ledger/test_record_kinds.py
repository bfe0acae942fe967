"""Record kinds follow docs/guides/add-a-record-kind.md, and a kind that lacks a step is detected."""

import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dev.rules import ROOT
from muniment.ledger import record_kinds, record_text
from muniment.ledger.writers import WRITERS, Writer, list_kinds

SAMPLES: dict[Any, Any] = {str: "x", int: 1, bool: True, tuple[str, ...]: ("x",)}
KINDS: tuple[type[record_kinds.Entry], ...] = typing.get_args(record_kinds.AnyEntry)
DOCUMENTED = (ROOT / "docs" / "reference" / "record-kinds.md").read_text()


def find_forgotten_steps(
    kind: type[record_kinds.Entry],
    union: Collection[type[record_kinds.Entry]] = KINDS,
    describe: Callable[[Any], object] = record_text.describe_record,
    documented: str = DOCUMENTED,
    writers: Collection[str] = frozenset(WRITERS),
) -> list[str]:
    """List the steps of the recipe that a kind lacks, one sentence each."""
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


class LoudRecord(record_kinds.Entry, frozen=True, kw_only=True, tag="loud"):
    """A person was loud in `room_digest`."""

    room_digest: str


class NamelessRecord(record_kinds.Entry, frozen=True, kw_only=True, tag="loud"):
    room_digest: str


class OpenRecord(record_kinds.Entry, frozen=True, kw_only=True, tag="loud"):
    """A person was loud; `details` say how loud."""

    details: float = 0.5


COMPLETE: dict[str, Any] = {
    "union": (LoudRecord,),
    "describe": lambda _: "somebody was loud",
    "documented": "## `loud`",
    "writers": ("loud",),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_follows_the_recipe(kind: type[record_kinds.Entry]) -> None:
    assert find_forgotten_steps(kind) == []


def test_complete_kind_lacks_no_step() -> None:
    assert find_forgotten_steps(LoudRecord, **COMPLETE) == []


@pytest.mark.parametrize(
    ("kind", "forgotten", "lacks"),
    [
        (LoudRecord, {"union": KINDS}, "LoudRecord is not in AnyEntry"),
        (LoudRecord, {"describe": record_text.describe_record}, "nothing is said of loud"),
        (LoudRecord, {"writers": ()}, "nobody may write loud"),
        (LoudRecord, {"documented": DOCUMENTED}, "docs/reference/record-kinds.md does not describe loud"),
        (NamelessRecord, {"union": (NamelessRecord,)}, "NamelessRecord does not say what its fields are"),
        (OpenRecord, {"union": (OpenRecord,)}, "OpenRecord.details is no text, integer, yes or no, or tuple of texts"),
    ],
)
def test_missing_step_is_detected(kind: type[record_kinds.Entry], forgotten: dict[str, Any], lacks: str) -> None:
    assert find_forgotten_steps(kind, **(COMPLETE | forgotten)) == [lacks]


def test_record_of_a_kind_outside_the_union_is_refused() -> None:
    data = record_kinds.encode_record(LoudRecord(time="2026-11-24T09:00:00.000000Z", object="", room_digest="0"))  # type: ignore[arg-type]
    assert record_kinds.find_record_problem(data)


def test_recipe_document_exists() -> None:
    assert Path(ROOT, "docs/guides/add-a-record-kind.md").is_file()


def test_every_kind_has_exactly_one_writer() -> None:
    assert set(WRITERS) == {kind.__struct_config__.tag for kind in KINDS}
    kinds = [kind for writer in Writer for kind in list_kinds(writer)]
    assert sorted(kinds) == sorted(WRITERS)

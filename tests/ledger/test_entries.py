"""Entries: one spelling, at most 4 KiB, and no name in them."""

import pytest
from msgspec import structs

from muniment.errors import LedgerError
from muniment.facts.maybe import Known, Unknown
from muniment.ledger import entries, objects

DIGEST = "sha256:" + "0" * 64
JUDGED = entries.DecisionRecord(
    time="2026-11-24T09:00:00.000000Z",
    object=DIGEST,
    repository_location="0" * 32,
    point="merge",
    repository="shop",
    target="refs/heads/main",
    base="b" * 40,
    head="a" * 40,
    outcome="deny",
    enforced=True,
    policy=DIGEST,
    facts=DIGEST,
    results=DIGEST,
    reason_codes=("review.two-reviewers:too-few-approvals",),
    omitted_reason_codes=0,
    exceptions=(),
    trigger=DIGEST,
    included_heads=DIGEST,
)


def test_it_reads_back() -> None:
    assert entries.decode(entries.encode(JUDGED), 0) == JUDGED


def test_codes_that_have_no_room_are_counted() -> None:
    many = structs.replace(JUDGED, reason_codes=tuple(f"clause-{number}:too-few-approvals" for number in range(1000)))
    data = entries.encode(many)
    found = entries.decode(data, 0)
    assert len(data) <= entries.LARGEST
    assert isinstance(found, entries.DecisionRecord)
    assert len(found.reason_codes) + found.omitted_reason_codes == 1000
    assert found.reason_codes == many.reason_codes[: len(found.reason_codes)]


def test_what_has_no_room_without_codes_is_none() -> None:
    with pytest.raises(LedgerError, match="4096"):
        entries.encode(structs.replace(JUDGED, target="refs/heads/" + "x" * 5000))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"deny"', b'"deny" ', "canonical"),
        (b'"outcome":"deny"', b'"outcome":"allow","outcome":"deny"', "key twice"),
        (b'"omitted_reason_codes":0', b'"omitted_reason_codes":9007199254740992', "no canonical form"),
        (b'"version":1', b'"version":2', "version 2"),
        (b'"kind":"decision"', b'"kind":"else"', "else"),
        (b'"omitted_reason_codes":0', b'"more":0,"x":1', "unknown field"),
        (b'"omitted_reason_codes":0', b'"omitted_reason_codes":"0"', "int"),
        (b'"refs/heads/main"', b'"' + b"x" * 5000 + b'"', "4096"),
    ],
)
def test_what_is_no_entry_is_named(old: bytes, new: bytes, why: str) -> None:
    data = entries.encode(JUDGED).replace(old, new)
    assert why in entries.wrong(data)
    with pytest.raises(LedgerError, match="entry 7 is not one"):
        entries.decode(data, 7)


def test_a_commitment_tells_nobody_who_it_was() -> None:
    one, other = objects.salt(), objects.salt()
    assert objects.commitment("ada", one) != objects.commitment("ada", other)
    assert objects.commitment("ada", one) == objects.commitment("ada", one)
    assert objects.committed(Known("ada"), one) == objects.commitment("ada", one)
    assert objects.committed(Unknown("nobody said"), one) == ""

"""Entries of the ledger: one encoding, at most 4 KiB, and no name in them."""

import pytest
from msgspec import structs

from muniment.errors import LedgerError
from muniment.facts.maybe import Known, Unknown
from muniment.ledger import record_kinds, record_objects

DIGEST = "sha256:" + "0" * 64
DECISION = record_kinds.DecisionRecord(
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


def test_decoded_entry_equals_the_encoded_one() -> None:
    assert record_kinds.decode_record(record_kinds.encode_record(DECISION), 0) == DECISION


def test_codes_beyond_the_size_limit_are_counted() -> None:
    many = structs.replace(DECISION, reason_codes=tuple(f"clause-{number}:too-few-approvals" for number in range(1000)))
    data = record_kinds.encode_record(many)
    found = record_kinds.decode_record(data, 0)
    assert len(data) <= record_kinds.LARGEST_RECORD
    assert isinstance(found, record_kinds.DecisionRecord)
    assert len(found.reason_codes) + found.omitted_reason_codes == 1000
    assert found.reason_codes == many.reason_codes[: len(found.reason_codes)]


def test_entry_over_the_size_limit_without_codes_is_refused() -> None:
    with pytest.raises(LedgerError, match="4096"):
        record_kinds.encode_record(structs.replace(DECISION, target="refs/heads/" + "x" * 5000))


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
def test_invalid_entry_is_refused_with_a_reason(old: bytes, new: bytes, why: str) -> None:
    data = record_kinds.encode_record(DECISION).replace(old, new)
    assert why in record_kinds.find_record_problem(data)
    with pytest.raises(LedgerError, match="entry 7 is not one"):
        record_kinds.decode_record(data, 7)


def test_commitment_does_not_reveal_the_person() -> None:
    one, other = record_objects.draw_salt(), record_objects.draw_salt()
    assert record_objects.make_commitment("ada", one) != record_objects.make_commitment("ada", other)
    assert record_objects.make_commitment("ada", one) == record_objects.make_commitment("ada", one)
    assert record_objects.make_optional_commitment(Known("ada"), one) == record_objects.make_commitment("ada", one)
    assert record_objects.make_optional_commitment(Unknown("nobody said"), one) == ""

"""Witnesses of the ledger that follow the protocol, and some that do not."""

import pytest

from muniment.errors import LedgerError, StoreError
from muniment.ledger import ledger_keys, proofs, signed_notes
from muniment.store.settings import WitnessKey
from muniment.store.witnesses import request_cosignature
from tests.support.stored import Stored, numbered
from tests.support.witness import PRIVATE, Honest, serving


def ask_witness(stored: Stored, witness: WitnessKey) -> str:
    def prove(old: int) -> tuple[bytes, ...]:
        return proofs.prove_consistency(stored.files.get, stored.size, old)

    return request_cosignature(witness, stored.checkpoint, stored.size, prove)


def test_witness_signs_a_consistent_extension_of_its_last_checkpoint() -> None:
    stored = Stored(numbered(5))
    with serving(Honest(stored.public)) as witness:
        for more in (0, 3, 300):
            stored.append([b"more"] * more)
            note = signed_notes.parse_note(signed_notes.add_signatures(stored.checkpoint, ask_witness(stored, witness)))
            assert signed_notes.find_cosignature_time(note, witness.key) == 1_700_000_000


def test_witness_detects_an_older_ledger() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size = 9
    with serving(honest) as witness, pytest.raises(LedgerError, match="has seen 9 entries, and this ledger has 5"):
        ask_witness(stored, witness)


def test_witness_refuses_a_forked_ledger() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size, honest.root = 3, b"x" * 32
    with serving(honest) as witness, pytest.raises(StoreError, match="answered 422"):
        ask_witness(stored, witness)


OTHER = ledger_keys.generate_key("witness.example.test")[0]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b""),
        (200, b"nonsense"),
        (200, b"x" * 100_000),
        (200, signed_notes.make_cosignature(signed_notes.SignedNote("other\n", ()), PRIVATE, 1).encode()),
        (200, signed_notes.make_cosignature(signed_notes.SignedNote("other\n", ()), OTHER, 1).encode()),
        (409, b"many"),
        (302, b""),
        (500, b""),
    ],
    ids=["empty", "nonsense", "endless", "of another note", "by another", "conflict", "elsewhere", "broken"],
)
def test_invalid_answer_of_a_witness_is_refused(code: int, body: bytes) -> None:
    with serving(lambda _: (code, body)) as witness, pytest.raises((StoreError, LedgerError)):
        ask_witness(Stored(numbered(5)), witness)


def test_unreachable_witness_is_an_error() -> None:
    with serving(lambda _: (200, b"")) as witness:
        gone = witness
    with pytest.raises(StoreError, match="cannot be reached"):
        ask_witness(Stored(numbered(5)), gone)

"""Witnesses that follow the protocol, and some that do not."""

import pytest

from muniment.errors import LedgerError, StoreError
from muniment.ledger import keys, notes, proofs
from muniment.store.settings import Witness
from muniment.store.witnesses import ask
from tests.support.stored import Stored, numbered
from tests.support.witness import PRIVATE, Honest, serving


def asked(stored: Stored, witness: Witness) -> str:
    def prove(old: int) -> tuple[bytes, ...]:
        return proofs.consistency(stored.files.get, stored.size, old)

    return ask(witness, stored.checkpoint, stored.size, prove)


def test_it_signs_what_grew_out_of_what_it_signed() -> None:
    stored = Stored(numbered(5))
    with serving(Honest(stored.public)) as witness:
        for more in (0, 3, 300):
            stored.append([b"more"] * more)
            note = notes.parse(notes.with_signatures(stored.checkpoint, asked(stored, witness)))
            assert notes.cosigned(note, witness.key) == 1_700_000_000


def test_an_older_ledger_is_found_out() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size = 9
    with serving(honest) as witness, pytest.raises(LedgerError, match="has seen 9 entries, and this ledger has 5"):
        asked(stored, witness)


def test_a_forked_one_is_refused() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size, honest.root = 3, b"x" * 32
    with serving(honest) as witness, pytest.raises(StoreError, match="answered 422"):
        asked(stored, witness)


OTHER = keys.generate("witness.example.test")[0]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b""),
        (200, b"nonsense"),
        (200, b"x" * 100_000),
        (200, notes.cosign(notes.Note("other\n", ()), PRIVATE, 1).encode()),
        (200, notes.cosign(notes.Note("other\n", ()), OTHER, 1).encode()),
        (409, b"many"),
        (302, b""),
        (500, b""),
    ],
    ids=["empty", "nonsense", "endless", "of another note", "by another", "conflict", "elsewhere", "broken"],
)
def test_one_that_lies_signs_nothing(code: int, body: bytes) -> None:
    with serving(lambda _: (code, body)) as witness, pytest.raises((StoreError, LedgerError)):
        asked(Stored(numbered(5)), witness)


def test_one_that_is_away() -> None:
    with serving(lambda _: (200, b"")) as witness:
        gone = witness
    with pytest.raises(StoreError, match="cannot be reached"):
        asked(Stored(numbered(5)), gone)

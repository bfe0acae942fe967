"""Signed notes, checkpoints and signatures of witnesses, in the encoding of other implementations."""

import base64

import pytest

from muniment.errors import LedgerError, ParseError
from muniment.ledger import checkpoints, ledger_keys, proof_text, signed_notes

TEXT = "This is a message.\n"

# The example that Go's golang.org/x/mod/sumdb/note documents.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    return ledger_keys.generate_key("muniment/shop")


def test_note_is_verified_by_its_own_key_only(pair: tuple[str, str]) -> None:
    private, public = pair
    note = signed_notes.parse_note(signed_notes.sign_note(TEXT, private))
    assert note.text == TEXT
    assert signed_notes.is_note_signed(note, public)
    assert not signed_notes.is_note_signed(note, ledger_keys.generate_key("muniment/shop")[1])
    other = signed_notes.SignedNote(TEXT + "more\n", note.signatures)
    assert not signed_notes.is_note_signed(other, public)
    with pytest.raises(ParseError, match="witness"):
        signed_notes.is_note_signed(note, signed_notes.derive_cosigner_key(private))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\n", b"text\n", b"text\n\n", b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n", b"text\n\n- a AAAAAAA=\n"),
        *("text\n\n\u2014 a AAA=\n".encode(), "text\n\n\u2014 a b c\n".encode(), "\n\n\u2014 a AAAAAAA=\n".encode()),
        "text\n\n\u2014 a AAAAAAA=".encode(),
    ],
)
def test_invalid_note_is_refused(data: bytes) -> None:
    with pytest.raises(LedgerError, match="no signed note"):
        signed_notes.parse_note(data)


def test_witness_signature_contains_its_time(pair: tuple[str, str]) -> None:
    private, public = pair
    witness = ledger_keys.generate_key("witness.example.test")[0]
    data = signed_notes.sign_note(TEXT, private)
    both = signed_notes.add_signatures(
        data, signed_notes.make_cosignature(signed_notes.parse_note(data), witness, 1_700_000_000)
    )
    note = signed_notes.parse_note(both)
    assert signed_notes.is_note_signed(note, public)
    assert signed_notes.find_cosignature_time(note, signed_notes.derive_cosigner_key(witness)) == 1_700_000_000
    assert (
        signed_notes.find_cosignature_time(signed_notes.parse_note(data), signed_notes.derive_cosigner_key(witness))
        is None
    )
    assert (
        signed_notes.find_cosignature_time(
            signed_notes.SignedNote("other\n", note.signatures), signed_notes.derive_cosigner_key(witness)
        )
        is None
    )


class TestCheckpoint:
    def test_parsed_checkpoint_equals_the_written_one(self, pair: tuple[str, str]) -> None:
        private, public = pair
        data = checkpoints.sign_checkpoint(7, b"r" * 32, private)
        assert checkpoints.read_checkpoint(data, public) == checkpoints.Checkpoint("muniment/shop", 7, b"r" * 32)
        assert data.decode().split("\n")[:3] == ["muniment/shop", "7", base64.b64encode(b"r" * 32).decode()]

    @pytest.mark.parametrize(
        "text",
        [
            *("other\n7\n{root}\n", "muniment/shop\n07\n{root}\n", "muniment/shop\n-7\n{root}\n"),
            *("muniment/shop\n7\nAAAA\n", "muniment/shop\n7\n!\n", "muniment/shop\n7\n", "muniment/shop\n\n"),
        ],
    )
    def test_malformed_or_foreign_checkpoint_is_refused(self, pair: tuple[str, str], text: str) -> None:
        private, public = pair
        root = base64.b64encode(b"r" * 32).decode()
        with pytest.raises(LedgerError):
            checkpoints.read_checkpoint(signed_notes.sign_note(text.format(root=root), private), public)

    def test_checkpoint_with_an_invalid_key_is_refused(self, pair: tuple[str, str]) -> None:
        with pytest.raises(LedgerError, match="cannot be verified"):
            checkpoints.read_checkpoint(checkpoints.sign_checkpoint(7, b"r" * 32, pair[0]), "spoilt")


class TestWitnessKey:
    def test_published_witness_key_is_read(self) -> None:
        key = ledger_keys.parse_public_key(PUBLIC)
        assert (key.name, key.hash.hex(), key.kind) == ("PeterNeumann", "c74f20a3", ledger_keys.LOG)
        assert signed_notes.is_note_signed(signed_notes.parse_note(PUBLISHED.encode()), PUBLIC)
        assert not signed_notes.is_note_signed(
            signed_notes.parse_note(PUBLISHED.replace("answer", "question").encode()), PUBLIC
        )

    @pytest.mark.parametrize(
        "text", ["", "a", "a+b+c", "a+00000000+" + base64.b64encode(b"\1" + bytes(32)).decode(), PUBLIC[:-4] + "AAAA"]
    )
    def test_invalid_witness_key_is_refused(self, text: str) -> None:
        with pytest.raises(ParseError, match="public key"):
            ledger_keys.parse_public_key(text)

    def test_invalid_private_key_is_refused_without_showing_it(self, pair: tuple[str, str]) -> None:
        for spoilt in (pair[0][:-4], pair[0].replace("PRIVATE", "SECRET"), pair[0].replace("shop", "else")):
            with pytest.raises(ParseError, match="private key") as caught:
                ledger_keys.sign_message(spoilt, b"x")
            assert pair[0][-20:-6] not in str(caught.value)


def test_proof_is_parsed_strictly() -> None:
    text = proof_text.format_inclusion(7, (b"a" * 32, b"b" * 32), "the checkpoint\n")
    assert proof_text.parse_inclusion(text) == proof_text.InclusionProof(7, (b"a" * 32, b"b" * 32), b"the checkpoint\n")
    for spoilt in (
        *("", text.replace("v1", "v2"), text.replace("index 7", "index 07"), text.replace("index", "inde")),
        *(text.replace("YW", "Y"), text.replace("\n\n", "\n"), text.partition("\n")[0]),
    ):
        with pytest.raises(LedgerError):
            proof_text.parse_inclusion(spoilt)

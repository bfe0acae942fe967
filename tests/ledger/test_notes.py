"""Signed notes, checkpoints and witnesses' signatures, in the spelling that others read."""

import base64

import pytest

from muniment.errors import LedgerError, ParseError
from muniment.ledger import checkpoints, keys, notes, proof_text

TEXT = "This is a message.\n"

# The example that Go's golang.org/x/mod/sumdb/note documents.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    return keys.generate("muniment/shop")


def test_a_note_is_verified_by_its_own_key_alone(pair: tuple[str, str]) -> None:
    private, public = pair
    note = notes.parse(notes.sign(TEXT, private))
    assert note.text == TEXT
    assert notes.verified(note, public)
    assert not notes.verified(note, keys.generate("muniment/shop")[1])
    other = notes.Note(TEXT + "more\n", note.signatures)
    assert not notes.verified(other, public)
    with pytest.raises(ParseError, match="witness"):
        notes.verified(note, notes.cosigner(private))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\n", b"text\n", b"text\n\n", b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n", b"text\n\n- a AAAAAAA=\n"),
        *("text\n\n\u2014 a AAA=\n".encode(), "text\n\n\u2014 a b c\n".encode(), "\n\n\u2014 a AAAAAAA=\n".encode()),
        "text\n\n\u2014 a AAAAAAA=".encode(),
    ],
)
def test_what_is_no_note_is_none(data: bytes) -> None:
    with pytest.raises(LedgerError, match="no signed note"):
        notes.parse(data)


def test_a_witness_signs_with_a_moment(pair: tuple[str, str]) -> None:
    private, public = pair
    witness = keys.generate("witness.example.test")[0]
    data = notes.sign(TEXT, private)
    both = notes.with_signatures(data, notes.cosign(notes.parse(data), witness, 1_700_000_000))
    note = notes.parse(both)
    assert notes.verified(note, public)
    assert notes.cosigned(note, notes.cosigner(witness)) == 1_700_000_000
    assert notes.cosigned(notes.parse(data), notes.cosigner(witness)) is None
    assert notes.cosigned(notes.Note("other\n", note.signatures), notes.cosigner(witness)) is None


class TestCheckpoint:
    def test_it_reads_back(self, pair: tuple[str, str]) -> None:
        private, public = pair
        data = checkpoints.signed(7, b"r" * 32, private)
        assert checkpoints.read_checkpoint(data, public) == checkpoints.Checkpoint("muniment/shop", 7, b"r" * 32)
        assert data.decode().split("\n")[:3] == ["muniment/shop", "7", base64.b64encode(b"r" * 32).decode()]

    @pytest.mark.parametrize(
        "text",
        [
            *("other\n7\n{root}\n", "muniment/shop\n07\n{root}\n", "muniment/shop\n-7\n{root}\n"),
            *("muniment/shop\n7\nAAAA\n", "muniment/shop\n7\n!\n", "muniment/shop\n7\n", "muniment/shop\n\n"),
        ],
    )
    def test_what_is_malformed_or_of_another_ledger_is_none(self, pair: tuple[str, str], text: str) -> None:
        private, public = pair
        root = base64.b64encode(b"r" * 32).decode()
        with pytest.raises(LedgerError):
            checkpoints.read_checkpoint(notes.sign(text.format(root=root), private), public)

    def test_of_a_key_that_is_none(self, pair: tuple[str, str]) -> None:
        with pytest.raises(LedgerError, match="cannot be verified"):
            checkpoints.read_checkpoint(checkpoints.signed(7, b"r" * 32, pair[0]), "spoilt")


class TestKey:
    def test_the_published_one_is_read(self) -> None:
        key = keys.read_public(PUBLIC)
        assert (key.name, key.hash.hex(), key.kind) == ("PeterNeumann", "c74f20a3", keys.LOG)
        assert notes.verified(notes.parse(PUBLISHED.encode()), PUBLIC)
        assert not notes.verified(notes.parse(PUBLISHED.replace("answer", "question").encode()), PUBLIC)

    @pytest.mark.parametrize(
        "text", ["", "a", "a+b+c", "a+00000000+" + base64.b64encode(b"\1" + bytes(32)).decode(), PUBLIC[:-4] + "AAAA"]
    )
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ParseError, match="public key"):
            keys.read_public(text)

    def test_a_private_one_is_never_shown(self, pair: tuple[str, str]) -> None:
        for spoilt in (pair[0][:-4], pair[0].replace("PRIVATE", "SECRET"), pair[0].replace("shop", "else")):
            with pytest.raises(ParseError, match="private key") as caught:
                keys.sign(spoilt, b"x")
            assert pair[0][-20:-6] not in str(caught.value)


def test_a_proof_reads_back_and_nothing_else_does() -> None:
    text = proof_text.inclusion(7, (b"a" * 32, b"b" * 32), "the checkpoint\n")
    assert proof_text.read_inclusion(text) == proof_text.Inclusion(7, (b"a" * 32, b"b" * 32), b"the checkpoint\n")
    for spoilt in (
        *("", text.replace("v1", "v2"), text.replace("index 7", "index 07"), text.replace("index", "inde")),
        *(text.replace("YW", "Y"), text.replace("\n\n", "\n"), text.partition("\n")[0]),
    ):
        with pytest.raises(LedgerError):
            proof_text.read_inclusion(spoilt)

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from muniment.errors import ParseError
from muniment.ledger.ledger_keys import derive_public_key, generate_key


def test_key_has_the_text_form_of_signed_notes() -> None:
    private, public = generate_key("muniment.test/shop")
    name, hashed, encoded = public.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    assert (name, raw[:1], len(raw)) == ("muniment.test/shop", b"\x01", 33)
    assert hashed == hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex()
    assert private.startswith(f"PRIVATE+KEY+{name}+{hashed}+")


def test_public_key_verifies_signatures_of_the_private_key() -> None:
    private, public = generate_key("shop")
    seed = base64.b64decode(private.split("+", 4)[4])[1:]
    key = base64.b64decode(public.split("+", 2)[2])[1:]
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(b"checkpoint")
    Ed25519PublicKey.from_public_bytes(key).verify(signature, b"checkpoint")


def test_example_key_of_go_sumdb_note_is_read() -> None:
    """Example key of Go's golang.org/x/mod/sumdb/note, which defines the text form of signed-note keys."""
    private = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    assert derive_public_key(private) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_generated_keys_differ() -> None:
    assert generate_key("shop") != generate_key("shop")


def test_public_key_is_derived_from_the_private_key() -> None:
    for _ in range(20):  # some have a plus sign in their base64
        private, public = generate_key("shop")
        assert derive_public_key(private) == derive_public_key(private + "\n") == public


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_name_that_would_break_the_text_form_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match="cannot name a key"):
        generate_key(name)


def damaged_keys(how: str) -> str:
    private, _ = generate_key("shop")
    encoded = private.split("+", 4)[4]
    head = private.removesuffix(f"+{encoded}")
    raw = base64.b64decode(encoded)
    return {
        "empty": "",
        "public": derive_public_key(private),
        "cut off": private[:-5],
        "not base64": f"{head}+{encoded[:-1]}!",
        "other algorithm": f"{head}+{base64.b64encode(bytes([4]) + raw[1:]).decode()}",
        "too short": f"{head}+{base64.b64encode(raw[:-1]).decode()}",
        "other key": f"{head}+{base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()}",
        "other name": private.replace("+shop+", "+web+"),
        "no name": private.replace("+shop+", "++"),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        *("empty", "public", "cut off", "not base64", "other algorithm"),
        *("too short", "other key", "other name", "no name"),
    ],
)
def test_invalid_private_key_is_refused_without_showing_it(how: str) -> None:
    text = damaged_keys(how)
    with pytest.raises(ParseError, match="private key") as caught:
        derive_public_key(text)
    assert not text or text[-12:] not in str(caught.value)

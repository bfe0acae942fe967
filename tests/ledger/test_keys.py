import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from muniment.errors import ParseError
from muniment.ledger.keys import generate, public_of


def test_a_key_has_the_text_form_of_signed_notes() -> None:
    private, public = generate("muniment.test/shop")
    name, hashed, encoded = public.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    assert (name, raw[:1], len(raw)) == ("muniment.test/shop", b"\x01", 33)
    assert hashed == hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex()
    assert private.startswith(f"PRIVATE+KEY+{name}+{hashed}+")


def test_what_the_private_half_signs_the_public_half_verifies() -> None:
    private, public = generate("shop")
    seed = base64.b64decode(private.split("+", 4)[4])[1:]
    key = base64.b64decode(public.split("+", 2)[2])[1:]
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(b"checkpoint")
    Ed25519PublicKey.from_public_bytes(key).verify(signature, b"checkpoint")


def test_the_form_is_that_of_others() -> None:
    """The example key of Go's golang.org/x/mod/sumdb/note, which the signed-note text form comes from."""
    private = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    assert public_of(private) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_no_two_keys_are_alike() -> None:
    assert generate("shop") != generate("shop")


def test_the_public_half_follows_from_the_private_one() -> None:
    for _ in range(20):  # some have a plus sign in their base64
        private, public = generate("shop")
        assert public_of(private) == public_of(private + "\n") == public


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_a_name_that_would_break_the_form_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match="cannot name a key"):
        generate(name)


def spoilt(how: str) -> str:
    private, _ = generate("shop")
    encoded = private.split("+", 4)[4]
    head = private.removesuffix(f"+{encoded}")
    raw = base64.b64decode(encoded)
    return {
        "empty": "",
        "public": public_of(private),
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
def test_what_is_no_private_key_is_refused_without_showing_it(how: str) -> None:
    text = spoilt(how)
    with pytest.raises(ParseError, match="private key") as caught:
        public_of(text)
    assert not text or text[-12:] not in str(caught.value)

"""SSH public keys: one line, one plain key, of a kind that may sign here."""

import base64
import struct

import pytest

from muniment.errors import ParseError
from muniment.policy.ssh_keys import KEY_TYPES, parse_ssh_key, split_key_blob


def line(kind: str, *fields: bytes) -> str:
    """Key line of the given type over a blob of these fields."""
    blob = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return f"{kind} {base64.b64encode(blob).decode()}"


def rsa(bits: int) -> str:
    return line("ssh-rsa", b"ssh-rsa", b"\x01\x00\x01", b"\x00" + (1 << (bits - 1)).to_bytes(bits // 8))


ED = line("ssh-ed25519", b"ssh-ed25519", b"k" * 32)


@pytest.mark.parametrize("text", [ED, rsa(2048), line(KEY_TYPES[1], KEY_TYPES[1].encode(), b"nistp256", b"p" * 65)])
def test_plain_key_is_stored_without_comment(text: str) -> None:
    assert parse_ssh_key(f"{text} ada at work") == text
    assert parse_ssh_key(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{ED}\n{ED}", "one line"),
        (f"no-pty {ED}", "begins with"),
        ("ssh-ed25519", "begins with"),
        (line("ssh-dss", b"ssh-dss", b"x"), "begins with"),
        (line("ssh-ed25519-cert-v01@openssh.com", b"x"), "begins with"),
        ("ssh-ed25519 AAA", "cut off"),
        (f"ssh-ed25519 {base64.b64encode(b'xx').decode()}", "cut off"),
        (f"ssh-ed25519 {base64.b64encode(b'  xx').decode()}", "cut off"),
        (line("ssh-ed25519", b"ssh-rsa", b"k"), "another type"),
        (line("ssh-ed25519"), "another type"),
        (line("ssh-ed25519", b"ssh-ed25519", b"k", b"more"), "parts"),
        (rsa(1024), "shorter"),
    ],
)
def test_refuses_other_key_lines(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_ssh_key(text)


def test_key_encoding_is_normalised() -> None:
    text = line("ssh-ed25519", b"ssh-ed25519", b"k" * 34)
    assert text.endswith("=")
    assert text[-2] != "b"
    other = text[:-2] + chr(ord(text[-2]) + 1) + "="
    assert base64.b64decode(other.split()[1]) == base64.b64decode(text.split()[1])
    assert parse_ssh_key(other) == parse_ssh_key(text) == text


def test_key_fields_are_read_in_order() -> None:
    assert split_key_blob(b"\x00\x00\x00\x01a\x00\x00\x00\x00") == [b"a", b""]

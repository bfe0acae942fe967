"""SSH public keys as people.toml lists them: one line, one plain key, no options that would widen its use."""

import base64
import binascii
import struct
from enum import StrEnum

from muniment.errors import ParseError

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"
SECURITY_KEYS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
KEY_TYPES = (ED25519, *_ECDSA, RSA, *SECURITY_KEYS)
_FIELDS = {ED25519: 1, **dict.fromkeys(_ECDSA, 2), RSA: 2, SECURITY_KEYS[0]: 2, SECURITY_KEYS[1]: 3}
SHORTEST_RSA = 2048  # bits


class KeyCode(StrEnum):
    """Reason why a text is no acceptable SSH public key."""

    LINES = "lines"  # more than one, or control characters
    KIND = "kind"  # not one of KINDS
    CUT_OFF = "cut-off"  # or mistyped
    OTHER_KIND = "other-kind"  # inside than what its line says
    PARTS = "parts"  # not those that such a key has
    SHORT = "short"  # an RSA key


def parse_ssh_key(line: str) -> str:
    """A public key line (`ssh-ed25519 AAAA... comment`) as type and base64, without its comment.

    Raises ParseError, with a KeyCode, for anything else: options, certificates, other types, two lines, a blob of
    another type, an RSA key shorter than 2048 bits. Form of the blob: RFC 4253, section 6.6; OpenSSH's PROTOCOL.u2f.
    """
    if not line.isprintable():
        raise _key_error(KeyCode.LINES, "a key is one line, and this has more or has control characters")
    words = line.split(" ", 2)
    if len(words) < 2 or words[0] not in KEY_TYPES:
        raise _key_error(KeyCode.KIND, f"a key begins with one of {', '.join(KEY_TYPES)}")
    try:
        blob = base64.b64decode(words[1], validate=True)
        fields = split_key_blob(blob)
    except (binascii.Error, ValueError) as error:
        raise _key_error(KeyCode.CUT_OFF, f"the {words[0]} key is cut off or mistyped") from error
    if not fields or fields[0] != words[0].encode():
        raise _key_error(KeyCode.OTHER_KIND, f"the key says {words[0]} but holds another type")
    if len(fields) != _FIELDS[words[0]] + 1:
        raise _key_error(KeyCode.PARTS, f"the {words[0]} key has not the parts that such a key has")
    if words[0] == RSA and int.from_bytes(fields[2]).bit_length() < SHORTEST_RSA:
        raise _key_error(KeyCode.SHORT, f"the RSA key is shorter than {SHORTEST_RSA} bits")
    return f"{words[0]} {base64.b64encode(blob).decode()}"  # the bits at the end have one spelling


def _key_error(code: KeyCode, sentence: str) -> ParseError:
    return ParseError(code, sentence, "Copy the one line of the file that ends in .pub.")


def split_key_blob(blob: bytes) -> list[bytes]:
    """Split a key blob into its length-prefixed fields (RFC 4251, section 5, `string`). ValueError if cut off."""
    fields: list[bytes] = []
    at = 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise ValueError("a length is cut off")
        (length,) = struct.unpack_from(">I", blob, at)
        at += 4
        if at + length > len(blob):
            raise ValueError("a field is cut off")
        fields.append(blob[at : at + length])
        at += length
    return fields

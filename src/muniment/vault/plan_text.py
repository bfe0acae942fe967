"""Text of a plan for the vault, with all content, for the person who applies it."""

import base64
import difflib
import hashlib
import json
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from muniment.vault import layout
from muniment.vault.plan import PlannedAction, ResourceDifference
from muniment.vault.vault_resources import PUBLIC_KEYS_FIELD

_HIDDEN = frozenset({"password"})
_OWNERS = {layout.WEB: "Muniment's web", layout.WORKER: "Muniment's worker"}


def describe_difference(difference: ResourceDifference) -> list[str]:
    """The step and its path, then each rule that comes or goes, each key by fingerprint and owner, each other value."""
    piece = difference.piece
    fields = difference.fields if difference.step is PlannedAction.CHANGE else tuple(piece.data)
    lines = [str(difference)]
    for field in fields:
        wanted, there = piece.data.get(field), difference.there.get(field)
        lines += [f"    {line}" for line in _describe_field(piece.path, field, there, wanted)]
    return lines


def fingerprint_key(pem: str) -> str:
    """`SHA256:` and the digest of a public key (PEM), as others compute it: of its DER form (SubjectPublicKeyInfo)."""
    try:
        der = load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return "not a public key"
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def _describe_field(path: str, field: str, there: object, wanted: object) -> Iterator[str]:
    if field in _HIDDEN:
        yield f"+ {field}: (not shown)"
    elif field == PUBLIC_KEYS_FIELD:
        yield from _compare_lines(_describe_keys(path, there), _describe_keys(path, wanted))
    elif field == "policy":
        yield from _compare_lines(str(there or "").splitlines(), str(wanted or "").splitlines())
    else:
        yield from _compare_lines(_describe_value(field, there), _describe_value(field, wanted))


def _compare_lines(there: list[str], wanted: list[str]) -> Iterator[str]:
    """Lines that go, with -, and lines that come, with +."""
    for line in difflib.ndiff(there, wanted):
        if line.startswith(("- ", "+ ")):
            yield line[:2] + _escape_unprintable(line[2:])


def _escape_unprintable(text: str) -> str:
    """Escape characters that would move the cursor or turn the direction of writing."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def _describe_keys(path: str, pems: object) -> list[str]:
    mount = path.split("/")[1]
    owner = _OWNERS.get(mount) or (
        f"the runners of {mount.removeprefix(layout.RUNNERS_PREFIX).replace('.', '/')}"
        if mount.startswith(layout.RUNNERS_PREFIX)
        else f"the issuer {mount}"
    )
    return sorted(f"key {fingerprint_key(str(pem))} of {owner}" for pem in (pems if isinstance(pems, list) else ()))


def _describe_value(field: str, value: object) -> list[str]:
    return [] if value is None else [f"{field}: {json.dumps(value, sort_keys=True, ensure_ascii=False)}"]

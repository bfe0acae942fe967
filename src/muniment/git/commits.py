"""A commit's own words: its tree, its parents, and every identity that it names, read from the raw object.

What a commit says about hands can only add a contributor. Whatever cannot be read as an address becomes an
identity that belongs to nobody, so that it is seen.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import Commit, Contributor, ContributorRole
from muniment.facts.people import People, email_identity
from muniment.facts.statements import Signature
from muniment.git import signatures
from muniment.git.objects import Object

_TRAILERS = {
    b"co-authored-by": ContributorRole.CO_AUTHOR,
    b"co-developed-by": ContributorRole.CO_AUTHOR,
    b"requested-by": ContributorRole.REQUESTER,
    b"on-behalf-of": ContributorRole.REQUESTER,
}
_HEADERS = {b"author": ContributorRole.AUTHOR, b"committer": ContributorRole.COMMITTER}
# Any line of the message, whatever ends lines there, and wherever it stands.
_TRAILER = re.compile(rb"(?:^|[\r\n\0\v\f])[ \t>]*(%s)[ \t]*:([^\r\n\0\v\f]*)" % b"|".join(_TRAILERS), re.IGNORECASE)
_BRACKETED = re.compile(rb"<([^<>]*)>")
_BARE = re.compile(rb"[^\s<>@]+@[^\s<>@]+")
_SSH = "-----BEGIN SSH SIGNATURE-----"
_IDENTITY = re.compile(rb"[^<>]*<([^<>]*)>[^<>]*")


_SIGNATURES = re.compile(rb"^gpgsig[^\n]*\n(?: [^\n]*\n)*", re.MULTILINE)


class Parts(Struct, frozen=True):
    """A commit object cut up. `headers` in their order, continuation lines joined by line ends."""

    headers: tuple[tuple[bytes, bytes], ...]
    message: bytes


def parts(data: bytes) -> Parts:
    """The headers and the message of a raw commit."""
    head, _, message = data.partition(b"\n\n")
    headers: list[tuple[bytes, list[bytes]]] = []
    for line in head.removesuffix(b"\n").split(b"\n"):
        if line[:1] == b" " and headers:
            headers[-1][1].append(line[1:])
        else:
            name, _, value = line.partition(b" ")
            headers.append((name, [value]))
    return Parts(tuple((name, b"\n".join(lines)) for name, lines in headers), message)


def commit(found: Object) -> Commit:
    """The fact that a raw commit gives, without its signer. Raises GitError if it is not a commit at all."""
    if found.kind != "commit":
        raise GitError(f"{found.id} is a {found.kind}, not a commit", "Name a commit.")
    cut = parts(found.data)
    names = [name for name, _ in cut.headers]
    # As git reads it: the tree first, then at once the parents; later lines of these names mean nothing.
    after = next((at for at, name in enumerate(names[1:], 1) if name != b"parent"), len(names))
    if names[0] != b"tree":
        raise GitError(f"the commit {found.id} has no tree", "Look at the repository with git fsck.")
    values = [value.decode("ascii", "replace") for _, value in cut.headers[:after]]
    return Commit(found.id, values[0], tuple(values[1:]), tuple(dict.fromkeys(hands(cut))))


def hands(cut: Parts) -> Iterator[Contributor]:
    """Authors and committers (a hostile commit may have none or several), co-authors, and who asked for it."""
    for wanted, because in _HEADERS.items():
        for value in [value for name, value in cut.headers if name == wanted] or [b""]:
            yield Contributor(_identity(value), because)
    for trailer in _TRAILER.finditer(cut.message):
        because = _TRAILERS[trailer[1].lower()]
        for identity in _identities(trailer[2]):
            yield Contributor(identity, because)


def signers(found: Sequence[Object], people: People) -> list[Contributor | None]:
    """Who signed each commit by SSH, if with a key of somebody known and the signature is good; else None.

    Raises SignatureError if that cannot be learnt.
    """
    signed = [_signed_data(commit, people) for commit in found]
    verified = iter(signatures.verify_all([one for one in signed if one is not None], "git"))
    return [
        Contributor(f"key:{one.key}", ContributorRole.SIGNER)
        if one is not None and next(verified) is Signature.VALID
        else None
        for one in signed
    ]


def _signed_data(found: Object, people: People) -> signatures.SignedData | None:
    """A commit's first SSH signature, if it names a key of somebody known."""
    armored = next((text for text in _armored(found.data) if text.startswith(_SSH)), "")
    key = signatures.embedded_key(armored) if armored else None
    if key is None or (f"key:{key}" not in people.by_identity and f"key:{key}" not in people.by_unconfirmed):
        return None
    return signatures.SignedData(_signed(found.data), armored, key)


def _armored(data: bytes) -> Iterator[str]:
    for name, value in parts(data).headers:
        if name.startswith(b"gpgsig"):
            yield value.decode("ascii", "replace") + "\n"


def _signed(data: bytes) -> bytes:
    """What a commit's signature was made over: the commit without any."""
    head, blank, message = data.partition(b"\n\n")
    return _SIGNATURES.sub(b"", head + b"\n") + blank[1:] + message


def _identity(value: bytes) -> str:
    found = _IDENTITY.fullmatch(value)
    return _email(found[1]) if found else _nobody(value)


def _identities(value: bytes) -> list[str]:
    """One trailer may name several."""
    bracketed = _BRACKETED.findall(value)
    if bracketed:
        return [_email(address) for address in bracketed]
    bare = value.strip()
    return [_email(bare) if _BARE.fullmatch(bare) else _nobody(bare)]


def _email(address: bytes) -> str:
    try:
        text = address.decode()
    except UnicodeDecodeError:
        return _nobody(address)
    return email_identity(text) if text.isprintable() else _nobody(address)


def _nobody(raw: bytes) -> str:
    """An identity that no address can be, for it has brackets."""
    return f"email:<{paths.from_bytes(raw[:500])}>"

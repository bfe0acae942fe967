"""Parses raw commits: tree, parents, and every identity that they name.

A commit's own text can only add a contributor. Text that is no address becomes an identity of no person, so that it
is visible.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import Commit, Contributor, ContributorRole
from muniment.facts.people import People, email_identity
from muniment.facts.statements import SignatureResult
from muniment.git import signatures
from muniment.git.objects import GitObject

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


class CommitParts(Struct, frozen=True):
    """A commit object split up. `headers` in their order, continuation lines joined by line ends."""

    headers: tuple[tuple[bytes, bytes], ...]
    message: bytes


def split_commit(data: bytes) -> CommitParts:
    """Headers and message of a raw commit."""
    head, _, message = data.partition(b"\n\n")
    headers: list[tuple[bytes, list[bytes]]] = []
    for line in head.removesuffix(b"\n").split(b"\n"):
        if line[:1] == b" " and headers:
            headers[-1][1].append(line[1:])
        else:
            name, _, value = line.partition(b" ")
            headers.append((name, [value]))
    return CommitParts(tuple((name, b"\n".join(lines)) for name, lines in headers), message)


def parse_commit(git_object: GitObject) -> Commit:
    """Commit of a raw object, without its signer. Raises GitError if it is not a commit."""
    if git_object.kind != "commit":
        raise GitError(f"{git_object.id} is a {git_object.kind}, not a commit", "Name a commit.")
    cut = split_commit(git_object.data)
    names = [name for name, _ in cut.headers]
    # As git reads it: the tree first, then at once the parents; later lines of these names mean nothing.
    after = next((at for at, name in enumerate(names[1:], 1) if name != b"parent"), len(names))
    if names[0] != b"tree":
        raise GitError(f"the commit {git_object.id} has no tree", "Look at the repository with git fsck.")
    values = [value.decode("ascii", "replace") for _, value in cut.headers[:after]]
    return Commit(git_object.id, values[0], tuple(values[1:]), tuple(dict.fromkeys(list_contributors(cut))))


def list_contributors(parts: CommitParts) -> Iterator[Contributor]:
    """Authors and committers (a hostile commit may have none or several), co-authors, and requesters."""
    for wanted, because in _HEADERS.items():
        for value in [value for name, value in parts.headers if name == wanted] or [b""]:
            yield Contributor(_parse_identity(value), because)
    for trailer in _TRAILER.finditer(parts.message):
        because = _TRAILERS[trailer[1].lower()]
        for identity in _parse_trailer(trailer[2]):
            yield Contributor(identity, because)


def find_signers(commits: Sequence[GitObject], people: People) -> list[Contributor | None]:
    """SSH signer of each commit, if the key is of a known person and the signature is valid; else None.

    Raises SignatureError if a signature cannot be verified.
    """
    signed = [_find_signed_data(commit, people) for commit in commits]
    verified = iter(signatures.verify_signatures([one for one in signed if one is not None], "git"))
    return [
        Contributor(f"key:{one.key}", ContributorRole.SIGNER)
        if one is not None and next(verified) is SignatureResult.VALID
        else None
        for one in signed
    ]


def _find_signed_data(found: GitObject, people: People) -> signatures.SignedData | None:
    """First SSH signature of a commit, if it names a key of a known person."""
    armored = next((text for text in _iterate_signatures(found.data) if text.startswith(_SSH)), "")
    key = signatures.read_embedded_key(armored) if armored else None
    if key is None or (f"key:{key}" not in people.by_identity and f"key:{key}" not in people.by_unconfirmed):
        return None
    return signatures.SignedData(_strip_signatures(found.data), armored, key)


def _iterate_signatures(data: bytes) -> Iterator[str]:
    for name, value in split_commit(data).headers:
        if name.startswith(b"gpgsig"):
            yield value.decode("ascii", "replace") + "\n"


def _strip_signatures(data: bytes) -> bytes:
    """Data that a commit's signature is over: the commit without any signature."""
    head, blank, message = data.partition(b"\n\n")
    return _SIGNATURES.sub(b"", head + b"\n") + blank[1:] + message


def _parse_identity(value: bytes) -> str:
    found = _IDENTITY.fullmatch(value)
    return _parse_email(found[1]) if found else _make_unknown_identity(value)


def _parse_trailer(value: bytes) -> list[str]:
    """Identities in a trailer, which may name several."""
    bracketed = _BRACKETED.findall(value)
    if bracketed:
        return [_parse_email(address) for address in bracketed]
    bare = value.strip()
    return [_parse_email(bare) if _BARE.fullmatch(bare) else _make_unknown_identity(bare)]


def _parse_email(address: bytes) -> str:
    try:
        text = address.decode()
    except UnicodeDecodeError:
        return _make_unknown_identity(address)
    return email_identity(text) if text.isprintable() else _make_unknown_identity(address)


def _make_unknown_identity(raw: bytes) -> str:
    """An identity that no address can be, because it has brackets."""
    return f"email:<{paths.decode_path(raw[:500])}>"

"""Approvals without a forge: signed statements that lie in refs and travel with git.

docs/guides/approvals.md has the form.

`refs/muniment/approvals/<head>/<signer>` is a chain of them (`git.statements`). The signer is a person's handle, or
`key=` and the digest of a key, where the signer knew no list of people. A statement names the one it follows, so that
nobody can lay an old one on top of a newer. Who signs at several refs is one person: their statements are one sequence.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct, structs

from muniment.errors import NotCanonicalError, ParseError
from muniment.facts import canonical, moments
from muniment.facts.people import People
from muniment.facts.statements import APPROVING, Approval, ReviewAction, Signature
from muniment.git import signatures, statements
from muniment.git.repository import Repository

PREFIX = "refs/muniment/approvals/"
NAMESPACE = "muniment-approval"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "tag:muniment,2026:approval/v1"
KEY = "key="  # no handle has this form
_REF = re.compile(re.escape(PREFIX) + rf"([0-9a-f]{{40}}|[0-9a-f]{{64}})/([a-z0-9][a-z0-9._-]*|{KEY}[0-9a-f]{{64}})")


class ApprovalRef(Struct, frozen=True):
    """One signer's statements on one head, by name: `tip` is the newest of them. `person`: handle, or `key_name`."""

    head: str
    person: str
    tip: str


class Subject(Struct, frozen=True, forbid_unknown_fields=True):
    """What a statement is about: the repository's name and `{"gitCommit": head}`."""

    name: str
    digest: dict[str, str]


class Predicate(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says of one revision. `previous`: id of their statement before this one at this ref, or ""."""

    repository: str
    target: str
    base: str
    head: str
    tree: str
    action: ReviewAction
    answers: dict[str, str]
    attests: dict[str, str]
    previous: str
    time: str


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement, v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject]
    predicateType: Literal["tag:muniment,2026:approval/v1"]  # noqa: N815 -- in-toto's name
    predicate: Predicate


def statement(predicate: Predicate) -> bytes:
    """The bytes that are signed."""
    subject = Subject(predicate.repository, {"gitCommit": predicate.head})
    return canonical.encode(Statement(STATEMENT_TYPE, (subject,), PREDICATE_TYPE, predicate))


def references(refs: Mapping[str, str]) -> tuple[ApprovalRef, ...]:
    """The approval refs among `refs` (values by name), by name alone. Those whose name is not of the form are none."""
    found = ((_REF.fullmatch(name), tip) for name, tip in refs.items())
    return tuple(ApprovalRef(match[1], match[2], tip) for match, tip in found if match and tip)


def key_name(key: str) -> str:
    """How a ref names the signer who has the public key `type base64`."""
    return KEY + hashlib.sha256(base64.b64decode(key.split(" ")[1])).hexdigest()


def key_fingerprint(name: str) -> str:
    """`SHA256:...` of the key that a ref names, as ssh-keygen shows it; "" for a name that is a person's."""
    if not name.startswith(KEY):
        return ""
    return "SHA256:" + base64.b64encode(bytes.fromhex(name.removeprefix(KEY))).decode().rstrip("=")


class _Signer(NamedTuple):
    """Who a ref names: a person's id and the keys that may have signed there, or a name that is nobody's.

    `unconfirmed` are keys whose link to the person waits for a second person.
    """

    id: str
    keys: tuple[str, ...]
    known: bool
    unconfirmed: tuple[str, ...] = ()


class _Signers:
    """The signers among some people; their keys are digested once, and only if a ref names a key."""

    def __init__(self, people: People) -> None:
        self._people = people

    def find(self, name: str) -> _Signer:
        """Who has a handle, or a key."""
        if name.startswith(KEY):
            return self._by_key.get(name, _Signer(name, (), False))
        person = self._people.by_handle.get(name)
        if person is None:
            return _Signer(name, (), False)
        return _Signer(person.id, person.keys, True, person.unconfirmed_keys)

    @cached_property
    def _by_key(self) -> dict[str, _Signer]:
        found: dict[str, _Signer] = {}
        for person in self._people.persons:
            for key in person.keys:
                found.setdefault(key_name(key), _Signer(person.id, (key,), True))
            for key in person.unconfirmed_keys:
                found.setdefault(key_name(key), _Signer(person.id, (), True, (key,)))
        return found


def read(repository: Repository, refs: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
    """What the statements at `refs` say, oldest first for each head and person, every signature verified.

    Raises GitError or SignatureError if anything could not be learnt.
    """
    chains: dict[tuple[str, str], list[list[Approval]]] = {}
    signers = _Signers(people)
    for ref in refs:
        signer = signers.find(ref.person)
        chains.setdefault((ref.head, signer.id), []).append(_chain(repository, ref, signer, people))
    return tuple(
        structs.replace(found, order=order)
        for group in chains.values()
        for order, found in enumerate(_join_chains(group))
    )


def write(repository: Repository, head: str, person: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement on top of `previous` ("" for none); its commit's id.

    Raises GitError if the ref has moved on.
    """
    return statements.write(repository, f"{PREFIX}{head}/{person}", previous, data, armored)


def embedded_keys(repository: Repository, ref: ApprovalRef) -> set[str]:
    """The public keys that the statements at a ref say they were signed with. Nothing is verified by that."""
    stored = statements.chain(repository, ref.tip, f"{PREFIX}{ref.head}/{ref.person}")
    armored = (one.texts[1].decode("utf-8", "replace") for one in stored if one.texts)
    return {key for text in armored if (key := signatures.embedded_key(text)) is not None}


def newest(repository: Repository, tip: str, keys: Iterable[str]) -> Predicate | None:
    """What the statement at `tip` says, if one of `keys` validly signed it: nobody signs again what they never said."""
    stored = next(statements.chain(repository, tip, tip))
    try:
        if (
            stored.texts is None
            or _verify(stored.texts[0], stored.texts[1].decode(), keys, True) is not Signature.VALID
        ):
            return None
        return canonical.decode(stored.texts[0], Statement).predicate
    except (NotCanonicalError, ValueError):
        return None


def _chain(repository: Repository, ref: ApprovalRef, signer: _Signer, people: People) -> list[Approval]:
    """The statements at one ref, oldest first."""
    where = f"{PREFIX}{ref.head}/{ref.person}"
    return [_one(ref, stored, signer, people) for stored in statements.chain(repository, ref.tip, where)][::-1]


def _join_chains(chains: Sequence[list[Approval]]) -> list[Approval]:
    """One sequence of one person's statements at several refs, by their times; of the same time, a yes comes first.

    Each ref keeps its own order. Anybody can copy the beginning of one ref to another: of a valid statement that is at
    two, the one counts whose ref has more valid ones, so that no copy comes after what followed it. What is not valid
    hides nothing.
    """
    if len(chains) == 1:
        return chains[0]
    seen: set[str] = set()
    left: list[list[Approval]] = []
    for chain in sorted(chains, key=lambda chain: sum(map(_is_valid, chain)), reverse=True):
        left.append([found for found in chain if found.digest not in seen])
        seen.update(found.digest for found in chain if _is_valid(found))
    joined: list[Approval] = []
    while left := [chain for chain in left if chain]:
        joined.append(min(left, key=lambda chain: _place(chain[0])).pop(0))
    return joined


def _is_valid(found: Approval) -> bool:
    return found.signature is Signature.VALID


def _place(approval: Approval) -> tuple[str, bool]:
    return approval.time, approval.action not in APPROVING


def _one(ref: ApprovalRef, stored: statements.Stored, signer: _Signer, people: People) -> Approval:
    """The statement that one commit stores. The handles in it are resolved here: the ref's, and those attested."""
    malformed = Approval(ref.head, signer.id, stored.id, 0, Signature.MALFORMED)
    if stored.texts is None:
        return malformed
    try:
        said = canonical.decode(stored.texts[0], Statement)
        moments.parse(said.predicate.time)
        armored = stored.texts[1].decode()
    except (NotCanonicalError, ParseError, UnicodeDecodeError):
        return malformed
    about = said.predicate
    subject = Subject(about.repository, {"gitCommit": about.head})
    if said.subject != (subject,):
        return malformed
    fields = {name: getattr(about, name) for name in Predicate.__struct_fields__ if name != "previous"}
    fields["attests"] = {subject: _resolve(handle, people) for subject, handle in about.attests.items()}
    in_order = about.previous == stored.before
    signature = _verify(stored.texts[0], armored, signer.keys, in_order) if signer.known else Signature.UNKNOWN_PERSON
    if signature is Signature.OTHER_KEY and signer.unconfirmed:
        signature = _verify(stored.texts[0], armored, signer.unconfirmed, in_order)
        if signature is Signature.VALID and about.action is not ReviewAction.REQUEST_CHANGES:
            signature = Signature.UNCONFIRMED  # it may not be theirs: it can block, and has no other effect
    return Approval(ref.head, signer.id, stored.id, 0, signature, **fields, digest=canonical.digest(stored.texts[0]))


def _resolve(handle: str, people: People) -> str:
    """The id of the person with a handle; the handle itself, which is nobody's id, if there is none."""
    person = people.by_handle.get(handle)
    return handle if person is None else person.id


def _verify(data: bytes, armored: str, keys: Iterable[str], in_order: bool) -> Signature:
    verdict = signatures.verify(data, armored, NAMESPACE, keys)
    return verdict if in_order or verdict is not Signature.VALID else Signature.OUT_OF_ORDER

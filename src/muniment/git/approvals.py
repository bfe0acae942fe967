"""Approvals without a forge: signed statements that lie in refs and travel with git. docs/approvals.md has the form.

`refs/muniment/approvals/<head>/<person>` is a chain of them (`git.statements`). A statement names the one it follows,
so that nobody can lay an old one on top of a newer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs

from muniment.facts import canonical, moments
from muniment.facts.people import People
from muniment.facts.statements import Approval, Signature, Verdict
from muniment.git import signatures, statements
from muniment.git.repository import Repository

PREFIX = "refs/muniment/approvals/"
NAMESPACE = "muniment-approval"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "tag:muniment,2026:approval/v1"
_REF = re.compile(re.escape(PREFIX) + r"([0-9a-f]{40}|[0-9a-f]{64})/([a-z0-9][a-z0-9._-]*)")


class ApprovalRef(Struct, frozen=True):
    """One person's statements on one head, by name: `tip` is the newest of them."""

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
    verdict: Verdict
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


def read(repository: Repository, refs: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
    """What the statements at `refs` say, oldest first in each ref, every signature verified against its person's keys.

    Raises GitError or SignatureError if anything could not be learnt.
    """
    return tuple(approval for ref in refs for approval in _chain(repository, ref, people))


def write(repository: Repository, head: str, person: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement on top of `previous` ("" for none); its commit's id.

    Raises GitError if the ref has moved on.
    """
    return statements.write(repository, f"{PREFIX}{head}/{person}", previous, data, armored)


def _chain(repository: Repository, ref: ApprovalRef, people: People) -> list[Approval]:
    where = f"{PREFIX}{ref.head}/{ref.person}"
    found = [_one(ref, stored, people) for stored in statements.chain(repository, ref.tip, where)]
    return [structs.replace(approval, order=order) for order, approval in enumerate(reversed(found))]


def _one(ref: ApprovalRef, stored: statements.Stored, people: People) -> Approval:
    """The statement that one commit stores."""
    malformed = Approval(ref.head, ref.person, stored.id, 0, Signature.MALFORMED)
    if stored.texts is None:
        return malformed
    try:
        said = msgspec.json.decode(stored.texts[0], type=Statement)
        moments.parse(said.predicate.time)
        armored = stored.texts[1].decode()
    except (msgspec.MsgspecError, ValueError):
        return malformed
    about = said.predicate
    subject = Subject(about.repository, {"gitCommit": about.head})
    if said.subject != (subject,):
        return malformed
    fields = {name: getattr(about, name) for name in Predicate.__struct_fields__ if name != "previous"}
    in_order = about.previous == stored.before
    signature = _verdict(stored.texts[0], armored, ref.person, people, in_order=in_order)
    return Approval(ref.head, ref.person, stored.id, 0, signature, **fields)


def _verdict(data: bytes, armored: str, name: str, people: People, *, in_order: bool) -> Signature:
    person = people.by_id.get(name)
    if person is None:
        return Signature.UNKNOWN_PERSON
    verdict = signatures.verify(data, armored, NAMESPACE, person.keys)
    return verdict if in_order or verdict is not Signature.VALID else Signature.OUT_OF_ORDER

"""Approvals without a forge: signed statements in refs that travel with git. docs/guides/approvals.md has the form.

`refs/muniment/approvals/<head>/<signer>` is a chain of them (`git.statement_chains`). The signer is a person's handle,
or `key=` and the digest of a key, where the signer had no list of people. A statement names the one before it, so that
nobody can put an old one on top of a newer. A person who signs at several refs has one sequence of statements.
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
from muniment.facts.statements import APPROVING_ACTIONS, Approval, ReviewAction, SignatureResult
from muniment.git import signatures, statement_chains
from muniment.git.repository import Repository

PREFIX = "refs/muniment/approvals/"
APPROVAL_NAMESPACE = "muniment-approval"
IN_TOTO_STATEMENT: Final = "https://in-toto.io/Statement/v1"
APPROVAL_PREDICATE_TYPE: Final = "tag:muniment,2026:approval/v1"
KEY_NAME_PREFIX = "key="  # no handle has this form
_REF = re.compile(
    re.escape(PREFIX) + rf"([0-9a-f]{{40}}|[0-9a-f]{{64}})/([a-z0-9][a-z0-9._-]*|{KEY_NAME_PREFIX}[0-9a-f]{{64}})"
)


class ApprovalRef(Struct, frozen=True):
    """Name of the ref with one signer's statements on one head.

    `tip` is the newest of them; `person` is a handle, or the name that `make_key_name` makes.
    """

    head: str
    person: str
    tip: str


class StatementSubject(Struct, frozen=True, forbid_unknown_fields=True):
    """Subject of a statement: the repository's name and `{"gitCommit": head}`."""

    name: str
    digest: dict[str, str]


class ApprovalPredicate(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's statement on one revision. `previous`: id of their statement before this one at this ref, or ""."""

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


class ApprovalStatement(Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement, v1, about an approval."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[StatementSubject]
    predicateType: Literal["tag:muniment,2026:approval/v1"]  # noqa: N815 -- in-toto's name
    predicate: ApprovalPredicate


def encode_approval(predicate: ApprovalPredicate) -> bytes:
    """Bytes of a statement that are signed."""
    subject = StatementSubject(predicate.repository, {"gitCommit": predicate.head})
    return canonical.encode(ApprovalStatement(IN_TOTO_STATEMENT, (subject,), APPROVAL_PREDICATE_TYPE, predicate))


def find_approval_refs(refs: Mapping[str, str]) -> tuple[ApprovalRef, ...]:
    """Approval refs among `refs` (values by name), by name alone. A name of another form is ignored."""
    found = ((_REF.fullmatch(name), tip) for name, tip in refs.items())
    return tuple(ApprovalRef(match[1], match[2], tip) for match, tip in found if match and tip)


def make_key_name(key: str) -> str:
    """Name in a ref for the signer who has the public key `type base64`."""
    return KEY_NAME_PREFIX + hashlib.sha256(base64.b64decode(key.split(" ")[1])).hexdigest()


def key_fingerprint(name: str) -> str:
    """Fingerprint (`SHA256:...`) of the key that a ref names, as ssh-keygen shows it; "" for the name of a person."""
    if not name.startswith(KEY_NAME_PREFIX):
        return ""
    return "SHA256:" + base64.b64encode(bytes.fromhex(name.removeprefix(KEY_NAME_PREFIX))).decode().rstrip("=")


class _Signer(NamedTuple):
    """Signer that a ref names: a person's id and the keys that may have signed there, or an unknown name.

    `unconfirmed` are keys whose link to the person waits for a second person.
    """

    id: str
    keys: tuple[str, ...]
    known: bool
    unconfirmed: tuple[str, ...] = ()


class _Signers:
    """Signers among some people; their keys are digested once, and only if a ref names a key."""

    def __init__(self, people: People) -> None:
        self._people = people

    def find_ref_signer(self, name: str) -> _Signer:
        """Signer with a handle, or with a key."""
        if name.startswith(KEY_NAME_PREFIX):
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
                found.setdefault(make_key_name(key), _Signer(person.id, (key,), True))
            for key in person.unconfirmed_keys:
                found.setdefault(make_key_name(key), _Signer(person.id, (), True, (key,)))
        return found


def read_approvals(repository: Repository, refs: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
    """Approvals at `refs`, oldest first for each head and person, every signature verified.

    Raises GitError or SignatureError if any of them could not be read.
    """
    chains: dict[tuple[str, str], list[list[Approval]]] = {}
    signers = _Signers(people)
    for ref in refs:
        signer = signers.find_ref_signer(ref.person)
        chains.setdefault((ref.head, signer.id), []).append(_read_chain(repository, ref, signer, people))
    return tuple(
        structs.replace(found, order=order)
        for group in chains.values()
        for order, found in enumerate(_join_chains(group))
    )


def write_approval(repository: Repository, head: str, person: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement on top of `previous` ("" for none); its commit's id.

    Raises GitError if the ref has moved on.
    """
    return statement_chains.write_statement(repository, f"{PREFIX}{head}/{person}", previous, data, armored)


def list_embedded_keys(repository: Repository, ref: ApprovalRef) -> set[str]:
    """Public keys that the statements at a ref claim to be signed with. Nothing is verified."""
    stored = statement_chains.read_chain(repository, ref.tip, f"{PREFIX}{ref.head}/{ref.person}")
    armored = (one.texts[1].decode("utf-8", "replace") for one in stored if one.texts)
    return {key for text in armored if (key := signatures.read_embedded_key(text)) is not None}


def read_newest_statement(repository: Repository, tip: str, keys: Iterable[str]) -> ApprovalPredicate | None:
    """Statement at `tip`, if one of `keys` validly signed it: otherwise a person could sign a stranger's text again."""
    stored = next(statement_chains.read_chain(repository, tip, tip))
    try:
        if (
            stored.texts is None
            or _verify_statement(stored.texts[0], stored.texts[1].decode(), keys, True) is not SignatureResult.VALID
        ):
            return None
        return canonical.decode(stored.texts[0], ApprovalStatement).predicate
    except (NotCanonicalError, ValueError):
        return None


def _read_chain(repository: Repository, ref: ApprovalRef, signer: _Signer, people: People) -> list[Approval]:
    """Statements at one ref, oldest first."""
    where = f"{PREFIX}{ref.head}/{ref.person}"
    return [
        _make_approval(ref, stored, signer, people)
        for stored in statement_chains.read_chain(repository, ref.tip, where)
    ][::-1]


def _join_chains(chains: Sequence[list[Approval]]) -> list[Approval]:
    """Join one sequence of one person's statements at several refs, by their times.

    At the same time, an approval comes first. Each ref keeps its own order. Anybody can copy the beginning of one ref
    to another: of a valid statement that is at two refs, the one counts whose ref has more valid ones, so that no copy
    comes after a later statement. An invalid statement hides no other.
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
        joined.append(min(left, key=lambda chain: _order_key(chain[0])).pop(0))
    return joined


def _is_valid(found: Approval) -> bool:
    return found.signature is SignatureResult.VALID


def _order_key(approval: Approval) -> tuple[str, bool]:
    return approval.time, approval.action not in APPROVING_ACTIONS


def _make_approval(
    ref: ApprovalRef, stored: statement_chains.StoredStatement, signer: _Signer, people: People
) -> Approval:
    """Approval that one commit stores. Handles are resolved here: the ref's, and the attested ones."""
    malformed = Approval(ref.head, signer.id, stored.id, 0, SignatureResult.MALFORMED)
    if stored.texts is None:
        return malformed
    try:
        statement = canonical.decode(stored.texts[0], ApprovalStatement)
        moments.parse_moment(statement.predicate.time)
        armored = stored.texts[1].decode()
    except (NotCanonicalError, ParseError, UnicodeDecodeError):
        return malformed
    about = statement.predicate
    subject = StatementSubject(about.repository, {"gitCommit": about.head})
    if statement.subject != (subject,):
        return malformed
    fields = {name: getattr(about, name) for name in ApprovalPredicate.__struct_fields__ if name != "previous"}
    fields["attests"] = {subject: _resolve_handle(handle, people) for subject, handle in about.attests.items()}
    in_order = about.previous == stored.before
    signature = (
        _verify_statement(stored.texts[0], armored, signer.keys, in_order)
        if signer.known
        else SignatureResult.UNKNOWN_PERSON
    )
    if signature is SignatureResult.OTHER_KEY and signer.unconfirmed:
        signature = _verify_statement(stored.texts[0], armored, signer.unconfirmed, in_order)
        if signature is SignatureResult.VALID and about.action is not ReviewAction.REQUEST_CHANGES:
            signature = SignatureResult.UNCONFIRMED  # it may not be theirs: it can block, and has no other effect
    return Approval(
        ref.head, signer.id, stored.id, 0, signature, **fields, digest=canonical.digest_bytes(stored.texts[0])
    )


def _resolve_handle(handle: str, people: People) -> str:
    """Id of the person with a handle; the handle itself, which is no person's id, if there is none."""
    person = people.by_handle.get(handle)
    return handle if person is None else person.id


def _verify_statement(data: bytes, armored: str, keys: Iterable[str], in_order: bool) -> SignatureResult:
    result = signatures.verify_signature(data, armored, APPROVAL_NAMESPACE, keys)
    return result if in_order or result is not SignatureResult.VALID else SignatureResult.OUT_OF_ORDER

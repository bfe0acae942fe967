"""Approvals without a forge: signed statements that lie in refs and travel with git. docs/approvals.md has the form.

`refs/muniment/approvals/<head>/<person>` is a chain of commits, each with a tree of `statement.json` and
`statement.json.sig` and, as its parent, the person's statement before. A statement names the one it follows, so that
nobody can lay an old one on top of a newer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs

from muniment.errors import GitError
from muniment.facts import canonical, moments
from muniment.facts.people import People
from muniment.facts.statements import Approval, Signature, Verdict
from muniment.git import signatures
from muniment.git.objects import Object
from muniment.git.repository import Repository

PREFIX = "refs/muniment/approvals/"
NAMESPACE = "muniment-approval"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "tag:muniment,2026:approval/v1"
STATEMENT, SIGNATURE = "statement.json", "statement.json.sig"
_REF = re.compile(re.escape(PREFIX) + r"([0-9a-f]{40}|[0-9a-f]{64})/([a-z0-9][a-z0-9._-]*)")
_LARGEST = 65_536  # bytes of a statement
_LONGEST = 1_000  # statements in one ref


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
    names = {STATEMENT: data, SIGNATURE: armored.encode()}
    listed = "".join(
        f"100644 blob {_id(repository.in_place('hash-object', '-w', '--stdin', input=content))}\t{name}\n"
        for name, content in names.items()
    )
    tree = _id(repository.in_place("mktree", input=listed.encode()))
    parents = ["-p", previous] if previous else []
    who = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _NAMELESS.items()}
    made = _id(repository.in_place("commit-tree", *parents, "-m", "statement", tree, more=who))
    old = previous or "0" * len(made)
    repository.in_place("update-ref", f"{PREFIX}{head}/{person}", made, old)
    return made


_NAMELESS = {"NAME": "muniment", "EMAIL": "muniment@localhost"}


def _id(out: bytes) -> str:
    return out.decode().strip()


def _chain(repository: Repository, ref: ApprovalRef, people: People) -> list[Approval]:
    found: list[Approval] = []
    at = ref.tip
    while at:
        if len(found) == _LONGEST:
            raise GitError(
                f"{ref.person} has more than {_LONGEST} statements on {ref.head}",
                "Delete that ref and approve anew.",
            )
        approval, at = _one(repository, ref, at, people)
        found.append(approval)
    return [structs.replace(approval, order=order) for order, approval in enumerate(reversed(found))]


def _one(repository: Repository, ref: ApprovalRef, at: str, people: People) -> tuple[Approval, str]:
    """The statement that commit `at` stores, and the commit before it."""
    malformed = Approval(ref.head, ref.person, at, 0, Signature.MALFORMED)
    commit = _needed(repository, at)
    if commit.kind != "commit":
        return malformed, ""
    header = commit.data.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
    tree = header[0].removeprefix("tree ")
    parents = [line.removeprefix("parent ") for line in header if line.startswith("parent ")]
    before = parents[0] if parents else ""
    texts = _texts(repository, tree)
    if texts is None or len(parents) > 1:
        return malformed, before
    try:
        said = msgspec.json.decode(texts[0], type=Statement)
        moments.parse(said.predicate.time)
        armored = texts[1].decode()
    except (msgspec.MsgspecError, ValueError):
        return malformed, before
    about = said.predicate
    subject = Subject(about.repository, {"gitCommit": about.head})
    if said.subject != (subject,):
        return malformed, before
    fields = {name: getattr(about, name) for name in Predicate.__struct_fields__ if name != "previous"}
    signature = _verdict(texts[0], armored, ref.person, people, in_order=about.previous == before)
    return Approval(ref.head, ref.person, at, 0, signature, **fields), before


def _verdict(data: bytes, armored: str, name: str, people: People, *, in_order: bool) -> Signature:
    person = people.by_id.get(name)
    if person is None:
        return Signature.UNKNOWN_PERSON
    verdict = signatures.verify(data, armored, NAMESPACE, person.keys)
    return verdict if in_order or verdict is not Signature.VALID else Signature.OUT_OF_ORDER


def _texts(repository: Repository, tree: str) -> tuple[bytes, bytes] | None:
    """The two files of a statement's tree, None if it holds anything else or they are too large."""
    entries = repository.run("ls-tree", "-z", tree).split(b"\0")[:-1]
    by_name = dict(entry.split(b"\t", 1)[::-1] for entry in entries)
    if set(by_name) != {STATEMENT.encode(), SIGNATURE.encode()}:
        return None
    ids = [by_name[name.encode()].split(b" ") for name in (STATEMENT, SIGNATURE)]
    if any(entry[0] != b"100644" for entry in ids):
        return None
    names = [entry[2].decode() for entry in ids]
    sizes = repository.objects.sizes(names)
    if any(size is not None and size > _LARGEST for size in sizes):
        return None
    first, second = (_needed(repository, name).data for name in names)
    return first, second


def _needed(repository: Repository, name: str) -> Object:
    found = repository.objects.read(name)
    if found is None:
        raise GitError(f"the object {name} of an approval is missing", "Fetch refs/muniment/approvals/* again.")
    return found

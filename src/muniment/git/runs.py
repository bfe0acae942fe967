"""Runs of tests without a forge: a machine signs what its pipeline found on one commit.

docs/guides/pipelines.md has the form.

`refs/muniment/runs/<head>/<pipeline>` is a chain of statements (`git.statements`), each by a machine that people.toml
knows. A statement names the one it follows, so that nobody can lay an old one on top of a newer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from muniment.errors import NotCanonicalError, ParseError
from muniment.facts import canonical, moments
from muniment.facts.maybe import Known
from muniment.facts.people import Machine, People
from muniment.facts.pipeline import Counts, Run
from muniment.facts.statements import Signature
from muniment.git import signatures, statements
from muniment.git.approvals import STATEMENT_TYPE, Subject
from muniment.git.repository import Repository

PREFIX = "refs/muniment/runs/"
NAMESPACE = "muniment-run"
PREDICATE_TYPE: Final = "tag:muniment,2026:run/v1"
NAME = r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"  # of a pipeline: a part of the ref
_REF = re.compile(re.escape(PREFIX) + rf"([0-9a-f]{{40}}|[0-9a-f]{{64}})/({NAME})")


class RunRef(Struct, frozen=True):
    """What is told of one pipeline on one head, by name: `tip` is the newest statement."""

    head: str
    pipeline: str
    tip: str


class Predicate(Struct, frozen=True, forbid_unknown_fields=True):
    """What a machine says of one run. `reports` are the digests of the files that were counted.

    `previous`: id of the statement before this one at this ref, or "".
    """

    repository: str
    pipeline: str
    head: str
    machine: str
    passed: bool
    executed: int
    failed: int
    skipped: int
    reports: tuple[str, ...]
    url: str
    previous: str
    time: str


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement, v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject]
    predicateType: Literal["tag:muniment,2026:run/v1"]  # noqa: N815 -- in-toto's name
    predicate: Predicate


class Told(Struct, frozen=True):
    """One statement: its commit, the repository and head that it is about, and the run as a fact."""

    id: str
    repository: str
    head: str
    run: Run


def is_name(pipeline: str) -> bool:
    """Whether a pipeline can go by that name."""
    return re.fullmatch(NAME, pipeline) is not None


def statement(predicate: Predicate) -> bytes:
    """The bytes that are signed."""
    subject = Subject(predicate.repository, {"gitCommit": predicate.head})
    return canonical.encode(Statement(STATEMENT_TYPE, (subject,), PREDICATE_TYPE, predicate))


def references(refs: Mapping[str, str]) -> tuple[RunRef, ...]:
    """The refs of runs among `refs` (values by name), by name alone."""
    found = ((_REF.fullmatch(name), tip) for name, tip in refs.items())
    return tuple(RunRef(match[1], match[2], tip) for match, tip in found if match and tip)


def read(repository: Repository, refs: Iterable[RunRef], people: People) -> tuple[Told, ...]:
    """What the statements at `refs` say, oldest first in each ref, every signature verified against its machine's keys.

    Raises GitError or SignatureError if anything could not be learnt.
    """
    return tuple(told for ref in refs for told in _chain(repository, ref, people))


def facts_of(told: Iterable[Told], repository: str) -> tuple[Run, ...]:
    """The runs that are about this repository and the commit whose ref they lie at; others are nothing here."""
    return tuple(one.run for one in told if one.repository == repository and one.head == one.run.commit)


def write(repository: Repository, head: str, pipeline: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement on top of `previous` ("" for none); its commit's id. Raises GitError."""
    return statements.write(repository, f"{PREFIX}{head}/{pipeline}", previous, data, armored)


def _chain(repository: Repository, ref: RunRef, people: People) -> list[Told]:
    where = f"{PREFIX}{ref.head}/{ref.pipeline}"
    return [_one(ref, stored, people) for stored in statements.chain(repository, ref.tip, where)][::-1]


def _one(ref: RunRef, stored: statements.Stored, people: People) -> Told:
    unread = Run(ref.pipeline, ref.head, "", Signature.MALFORMED, Known(False), Known(Counts(0, 0, 0)), "")
    malformed = Told(stored.id, "", "", unread)
    if stored.texts is None:
        return malformed
    try:
        said = canonical.decode(stored.texts[0], Statement)
        moments.parse(said.predicate.time)
        armored = stored.texts[1].decode()
    except (NotCanonicalError, ParseError, UnicodeDecodeError):
        return malformed
    about = said.predicate
    if said.subject != (Subject(about.repository, {"gitCommit": about.head}),) or about.pipeline != ref.pipeline:
        return malformed
    run = Run(
        pipeline=about.pipeline,
        commit=ref.head,
        runner=f"machine:{about.machine}",
        signature=_verdict(stored, armored, about, people),
        passed=Known(about.passed),
        counts=Known(Counts(about.executed, about.failed, about.skipped)),
        time=about.time,
        url=about.url,
    )
    return Told(stored.id, about.repository, about.head, run)


def _verdict(stored: statements.Stored, armored: str, about: Predicate, people: People) -> Signature:
    machine = people.by_identity.get(f"machine:{about.machine}")
    if not isinstance(machine, Machine) or stored.texts is None:
        return Signature.UNKNOWN_PERSON
    if min(about.executed, about.failed, about.skipped) < 0:
        return Signature.MALFORMED
    verdict = signatures.verify(stored.texts[0], armored, NAMESPACE, machine.keys)
    in_order = about.previous == stored.before
    return verdict if in_order or verdict is not Signature.VALID else Signature.OUT_OF_ORDER

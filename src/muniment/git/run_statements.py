"""Test runs without a forge: a machine signs its pipeline's result for one commit.

docs/guides/pipelines.md has the form.

`refs/muniment/runs/<head>/<pipeline>` is a chain of statements (`git.statement_chains`), each by a machine that
people.toml lists. A statement names the one before it, so that nobody can put an old one on top of a newer.
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
from muniment.facts.pipeline import PipelineRun, RunCounts
from muniment.facts.statements import SignatureResult
from muniment.git import signatures, statement_chains
from muniment.git.approvals import IN_TOTO_STATEMENT, StatementSubject
from muniment.git.repository import Repository

RUN_REFS = "refs/muniment/runs/"
RUN_NAMESPACE = "muniment-run"
RUN_PREDICATE_TYPE: Final = "tag:muniment,2026:run/v1"
PIPELINE_NAME_PATTERN = r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"  # of a pipeline: a part of the ref
_REF = re.compile(re.escape(RUN_REFS) + rf"([0-9a-f]{{40}}|[0-9a-f]{{64}})/({PIPELINE_NAME_PATTERN})")


class RunRef(Struct, frozen=True):
    """Refs of one pipeline on one head, by name: `tip` is the newest statement."""

    head: str
    pipeline: str
    tip: str


class RunPredicate(Struct, frozen=True, forbid_unknown_fields=True):
    """A machine's statement on one run. `reports` are the digests of the files that were counted.

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


class RunStatement(Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement, v1, about a test run."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[StatementSubject]
    predicateType: Literal["tag:muniment,2026:run/v1"]  # noqa: N815 -- in-toto's name
    predicate: RunPredicate


class StatedRun(Struct, frozen=True):
    """Statement about a test run: its commit, the repository and head that it is about, and the run as a fact."""

    id: str
    repository: str
    head: str
    run: PipelineRun


def is_pipeline_name(pipeline: str) -> bool:
    """Whether a pipeline can have that name."""
    return re.fullmatch(PIPELINE_NAME_PATTERN, pipeline) is not None


def encode_run(predicate: RunPredicate) -> bytes:
    """Bytes of a statement that are signed."""
    subject = StatementSubject(predicate.repository, {"gitCommit": predicate.head})
    return canonical.encode(RunStatement(IN_TOTO_STATEMENT, (subject,), RUN_PREDICATE_TYPE, predicate))


def find_run_refs(refs: Mapping[str, str]) -> tuple[RunRef, ...]:
    """Refs of runs among `refs` (values by name), by name alone."""
    found = ((_REF.fullmatch(name), tip) for name, tip in refs.items())
    return tuple(RunRef(match[1], match[2], tip) for match, tip in found if match and tip)


def read_runs(repository: Repository, refs: Iterable[RunRef], people: People) -> tuple[StatedRun, ...]:
    """Runs at `refs`, oldest first in each ref, every signature verified against its machine's keys.

    Raises GitError or SignatureError if any of them could not be read.
    """
    return tuple(statement for ref in refs for statement in _read_chain(repository, ref, people))


def select_runs(stated_runs: Iterable[StatedRun], repository: str) -> tuple[PipelineRun, ...]:
    """Runs that are about this repository and the commit of their ref; others do not count here."""
    return tuple(one.run for one in stated_runs if one.repository == repository and one.head == one.run.commit)


def write_run(repository: Repository, head: str, pipeline: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement on top of `previous` ("" for none); its commit's id. Raises GitError."""
    return statement_chains.write_statement(repository, f"{RUN_REFS}{head}/{pipeline}", previous, data, armored)


def _read_chain(repository: Repository, ref: RunRef, people: People) -> list[StatedRun]:
    where = f"{RUN_REFS}{ref.head}/{ref.pipeline}"
    return [
        _make_stated_run(ref, stored, people) for stored in statement_chains.read_chain(repository, ref.tip, where)
    ][::-1]


def _make_stated_run(ref: RunRef, stored: statement_chains.StoredStatement, people: People) -> StatedRun:
    unread = PipelineRun(
        ref.pipeline, ref.head, "", SignatureResult.MALFORMED, Known(False), Known(RunCounts(0, 0, 0)), ""
    )
    malformed = StatedRun(stored.id, "", "", unread)
    if stored.texts is None:
        return malformed
    try:
        statement = canonical.decode(stored.texts[0], RunStatement)
        moments.parse_moment(statement.predicate.time)
        armored = stored.texts[1].decode()
    except (NotCanonicalError, ParseError, UnicodeDecodeError):
        return malformed
    about = statement.predicate
    if (
        statement.subject != (StatementSubject(about.repository, {"gitCommit": about.head}),)
        or about.pipeline != ref.pipeline
    ):
        return malformed
    run = PipelineRun(
        pipeline=about.pipeline,
        commit=ref.head,
        runner=f"machine:{about.machine}",
        signature=_verify_statement(stored, armored, about, people),
        passed=Known(about.passed),
        counts=Known(RunCounts(about.executed, about.failed, about.skipped)),
        time=about.time,
        url=about.url,
    )
    return StatedRun(stored.id, about.repository, about.head, run)


def _verify_statement(
    stored: statement_chains.StoredStatement, armored: str, about: RunPredicate, people: People
) -> SignatureResult:
    machine = people.by_identity.get(f"machine:{about.machine}")
    if not isinstance(machine, Machine) or stored.texts is None:
        return SignatureResult.UNKNOWN_PERSON
    if min(about.executed, about.failed, about.skipped) < 0:
        return SignatureResult.MALFORMED
    result = signatures.verify_signature(stored.texts[0], armored, RUN_NAMESPACE, machine.keys)
    in_order = about.previous == stored.before
    return result if in_order or result is not SignatureResult.VALID else SignatureResult.OUT_OF_ORDER

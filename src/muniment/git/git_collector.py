"""Facts of a change from plain git: each is read whole, or is Unknown with the reason, independently of the others."""

import os
from collections.abc import Callable, Collection, Hashable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from muniment.controls.approval_carryover import find_carryover
from muniment.controls.statement_order import select_approved_head
from muniment.errors import GitError, SignatureError
from muniment.facts import kinds as known_kinds
from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision, UpdateKind
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.pipeline import PipelineRun, PipelineRuns
from muniment.facts.statements import Approval, LandedHeads
from muniment.git import approvals, changed_files, run_statements
from muniment.git.approved_heads import find_approved_heads
from muniment.git.history import History, read_history
from muniment.git.history import read_commits as read_commits
from muniment.git.repository import Repository

ReadPushes = Callable[[Revision, tuple[Commit, ...], tuple[Commit, ...]], Pushes]  # the change's, and those it carries
ReadLandedHeads = Callable[[Revision, tuple[Approval, ...]], LandedHeads]

T = TypeVar("T")
_REFERENCES = "references"


ASSUMED_PUSHES = Pushes(preview=True, first_pushes=(), earlier_heads=(), earlier_commits=())
NO_LANDED_HEADS = LandedHeads(preview=True, heads=(), statements=(), all_before=-1)  # supposed, where no ledger is read


class GitCollector:
    """Reads the facts of revisions of one repository. Each fact is read once and used by the others."""

    def __init__(
        self,
        repository: Repository,
        people: Maybe[People],
        now: str,
        read_pushes: ReadPushes | None = None,
        pushed_refs: Mapping[str, str] = MappingProxyType({}),
        refs: Mapping[str, str] | None = None,
        read_landed_heads: ReadLandedHeads | None = None,
    ) -> None:
        """`people`: their keys may have signed. `now` is the moment at which every fact was read.

        `read_pushes` reads who brought the commits; None if this is not recorded, and the contributors of the commits
        are assumed. `pushed_refs` are refs that are about to change, with their values. `refs` are those of the
        repository where they were read already. `read_landed_heads` finds the approved heads that the branch already
        took; None if no ledger is read, and none is assumed.
        """
        self._repository = repository
        self._people = people
        self._now = now
        self._read_pushes = read_pushes
        self._pushed = pushed_refs
        self._refs = refs
        self._read_landed = read_landed_heads
        self._read: dict[Hashable, Any] = {}
        self._readers: dict[str, Callable[[Revision], object]] = {
            known_kinds.REVISION.name: lambda revision: revision,
            known_kinds.COMMITS.name: self._read_commits,
            known_kinds.FILES.name: self.read_files,
            known_kinds.PUSHES.name: self._read_pushes_once,
            known_kinds.APPROVED_HEADS.name: self._read_approved_heads_once,
            known_kinds.APPROVALS.name: self._read_approvals_once,
            known_kinds.LANDED_HEADS.name: self._find_landed_heads,
            known_kinds.TEST_RUNS.name: self._read_test_runs,
        }

    @property
    def git_repository(self) -> Repository:
        """Repository whose revisions are read."""
        return self._repository

    def make_revision(self, name: str, target: str, base: str, head: str) -> Revision:
        """Revision that proposes `head` for `target` (a full ref) with tip `base`; full ids, "" for none."""
        update = self._read_or_unknown(lambda: self.read_history(base, head).update)
        return Revision(name, target, base, head, update)

    def make_landed_revision(self, name: str, target: str, commit: str) -> Revision:
        """Revision with which `commit` came onto `target`: its base is its first parent, "" for a first commit."""
        parents = self._read_or_unknown(lambda: read_commits(self._repository, [commit])[0].parents)
        if isinstance(parents, Unknown):
            return Revision(name, target, "", commit, parents)
        return self.make_revision(name, target, next(iter(parents.value), ""), commit)

    def collect_facts(
        self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[object] | Fact]
    ) -> Facts:
        """Facts of `kinds` (`facts.kinds`), and all of `extra`, which other collectors have read."""
        self._assume_history(revision, extra)
        found = {name: it if isinstance(it, Fact) else self._make_fact(it, "given") for name, it in extra.items()}
        for kind in kinds:
            if kind in self._readers and kind not in found:
                found[kind] = self._make_fact(self._read_or_unknown(partial(self._readers[kind], revision)), "git")
        return Facts(found)

    def _assume_history(self, revision: Revision, extra: Mapping[str, Maybe[object] | Fact]) -> None:
        """Use a history that was read elsewhere. A long replay must not keep the caches of earlier revisions."""
        commits, update = extra.get(known_kinds.COMMITS.name), revision.update
        if not isinstance(commits, Known) or not isinstance(commits.value, tuple):
            return
        if isinstance(update, Known) and update.value is UpdateKind.FAST_FORWARD:
            references: dict[Hashable, object] = {key: value for key, value in self._read.items() if key == _REFERENCES}
            history = History(commits.value, (revision.base,), UpdateKind.FAST_FORWARD)
            self._read = {**references, ("history", revision.base, revision.head): history}

    def _make_fact(self, value: Maybe[object], source: str) -> Fact:
        return Fact(value=value, source=source, read_at=self._now, salt=os.urandom(16).hex())

    def _read_or_unknown(self, read: Callable[[], T]) -> Maybe[T]:
        try:
            return Known(read())
        except (GitError, SignatureError) as error:
            return Unknown(error.message)

    def _read_once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Result or error of `read` at its first call."""
        if key not in self._read:
            try:
                self._read[key] = read()
            except (GitError, SignatureError) as error:
                self._read[key] = error
        found: T | GitError | SignatureError = self._read[key]
        if isinstance(found, (GitError, SignatureError)):
            raise found
        return found

    def read_history(self, base: str, head: str) -> History:
        """Commits that `head` brings to `base`, read once. Raises GitError."""
        return self._read_once(
            ("history", base, head), lambda: read_history(self._repository, base, head, self._people)
        )

    def _read_commits(self, revision: Revision) -> tuple[Commit, ...]:
        return self.read_history(revision.base, revision.head).commits

    def read_files(self, revision: Revision) -> tuple[File, ...]:
        """Files that a revision changes, read once. Raises GitError."""
        return self._read_once(
            ("files", revision.base, revision.head, revision.update), lambda: self._compare_files(revision)
        )

    def _compare_files(self, revision: Revision) -> tuple[File, ...]:
        """Files of an update that deletes or rewinds a branch are compared with the tip that it replaces."""
        if revision.update == Known(UpdateKind.DELETED):
            return changed_files.read_removed_files(self._repository, revision.base)
        if revision.update == Known(UpdateKind.REWOUND):
            return changed_files.read_changed_files(self._repository, (revision.base,), revision.head)
        change = self.read_history(revision.base, revision.head)
        return changed_files.read_changed_files(self._repository, change.bases, revision.head) if change.commits else ()

    def find_approval_refs(self) -> tuple[approvals.ApprovalRef, ...]:
        """Refs of all approvals, read once. Raises GitError."""
        return self._read_statement_refs_once()[0]

    def _read_statement_refs_once(
        self,
    ) -> tuple[tuple[approvals.ApprovalRef, ...], dict[str, list[run_statements.RunRef]]]:
        """Refs of all approvals, and those of runs by head; read once."""
        return self._read_once(_REFERENCES, self._read_statement_refs)

    def _read_statement_refs(self) -> tuple[tuple[approvals.ApprovalRef, ...], dict[str, list[run_statements.RunRef]]]:
        there = (
            self._repository.read_refs(approvals.PREFIX, run_statements.RUN_REFS) if self._refs is None else self._refs
        )
        refs = {**there, **self._pushed}
        by_head: dict[str, list[run_statements.RunRef]] = {}
        for reference in run_statements.find_run_refs(refs):
            by_head.setdefault(reference.head, []).append(reference)
        return approvals.find_approval_refs(refs), by_head

    def _read_approved_heads_once(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        return self._read_once(
            ("approved heads", revision.base, revision.head), lambda: self._read_approved_heads(revision)
        )

    def _read_approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        names = {reference.head for reference in self.find_approval_refs()}
        if not names:
            return ()
        change = self.read_history(revision.base, revision.head)
        return find_approved_heads(self._repository, revision, change, partial(self.read_files, revision), names)

    def _read_pushes_once(self, revision: Revision) -> Pushes:
        return self._read_once(("pushes", revision.base, revision.head), lambda: self._collect_pushes(revision))

    def _collect_pushes(self, revision: Revision) -> Pushes:
        if self._read_pushes is None:
            return ASSUMED_PUSHES
        own = self._read_commits(revision)
        carrying = (
            commit
            for approved in self._read_approved_heads_once(revision)
            if find_carryover(own, revision.head, approved) is not None
            for commit in approved.commits
        )
        return self._read_pushes(revision, own, tuple(carrying))

    def _find_landed_heads(self, revision: Revision) -> LandedHeads:
        return (
            NO_LANDED_HEADS
            if self._read_landed is None
            else self._read_landed(revision, self._read_approvals_once(revision))
        )

    def _read_approvals_once(self, revision: Revision) -> tuple[Approval, ...]:
        return self._read_once(("approvals", revision.base, revision.head), lambda: self._read_approvals(revision))

    def _read_approvals(self, revision: Revision) -> tuple[Approval, ...]:
        if not isinstance(self._people, Known):
            raise GitError(self._people.reason, "Add people.toml.")
        heads = {
            select_approved_head(revision),
            *(approved.head for approved in self._read_approved_heads_once(revision)),
        }
        heads.update(
            self._read_pushes_once(revision).earlier_heads
        )  # who asked for changes there is not silenced by a new head
        wanted = [reference for reference in self.find_approval_refs() if reference.head in heads]
        return approvals.read_approvals(self._repository, wanted, self._people.value)

    def _read_test_runs(self, revision: Revision) -> PipelineRuns:
        """Runs on the head, and those on the commit that the change was made on."""
        before = [base for base in self.read_history(revision.base, revision.head).bases if base != revision.head]
        return PipelineRuns(self._read_runs(revision, [revision.head]), self._read_runs(revision, before))

    def _read_runs(self, revision: Revision, heads: Collection[str]) -> tuple[PipelineRun, ...]:
        if not isinstance(self._people, Known):
            raise GitError(self._people.reason, "Add people.toml.")
        wanted = [reference for head in heads for reference in self._read_statement_refs_once()[1].get(head, ())]
        return run_statements.select_runs(
            run_statements.read_runs(self._repository, wanted, self._people.value), revision.repository
        )

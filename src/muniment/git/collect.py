"""Facts of a change from plain git: each is read whole, or is Unknown and says why, and holds up no other."""

import secrets
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from muniment.controls.carrying import carried
from muniment.controls.statement_order import head_to_approve
from muniment.errors import GitError, SignatureError
from muniment.facts import kinds as known_kinds
from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision, Update
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.pipeline import Run, Runs
from muniment.facts.statements import Approval, LandedHeads
from muniment.git import approvals, files, runs
from muniment.git.approved import approved_heads
from muniment.git.history import History, between
from muniment.git.history import read as read_commits
from muniment.git.repository import Repository

ReadPushes = Callable[[Revision, tuple[Commit, ...], tuple[Commit, ...]], Pushes]  # the change's, and those it carries
ReadLandedHeads = Callable[[Revision, tuple[Approval, ...]], LandedHeads]

_REFERENCES = "references"


_SUPPOSED = Pushes(preview=True, first_pushes=(), earlier_heads=(), earlier_commits=())
NOTHING_SPENT = LandedHeads(preview=True, heads=(), statements=(), all_before=-1)  # supposed, where no ledger is read


class GitCollector:
    """Reads the facts of revisions of one repository. What one kind has read, no other reads again."""

    def __init__(
        self,
        repository: Repository,
        people: Maybe[People],
        now: str,
        pushes: ReadPushes | None = None,
        pushed: Mapping[str, str] = MappingProxyType({}),
        refs: Mapping[str, str] | None = None,
        landed: ReadLandedHeads | None = None,
    ) -> None:
        """`people`: whose keys may have signed. `now` is the moment that every fact says it was read.

        `pushes` tells who brought the commits; None if nobody records that, and they are supposed to be by the
        commits' contributors. `pushed` are refs that are about to change, with their values. `refs` are those of the
        repository where they were read already. `landed` tells which approved heads the branch took already; None if no
        ledger is read, and none is supposed to be.
        """
        self._repository = repository
        self._people = people
        self._now = now
        self._read_pushes = pushes
        self._pushed = pushed
        self._refs = refs
        self._read_landed = landed
        self._read: dict[Any, Any] = {}
        self._readers: dict[str, Callable[[Revision], Any]] = {
            known_kinds.REVISION.name: lambda revision: revision,
            known_kinds.COMMITS.name: self._commits,
            known_kinds.FILES.name: self.files,
            known_kinds.PUSHES.name: self._pushes,
            known_kinds.APPROVED_HEADS.name: self._approved_heads,
            known_kinds.APPROVALS.name: self._approvals,
            known_kinds.LANDED_HEADS.name: self._landed_heads,
            known_kinds.TEST_RUNS.name: self._test_runs,
        }

    def revision(self, name: str, target: str, base: str, head: str) -> Revision:
        """The revision proposing `head` for `target` (a full ref) with tip `base`; full ids, "" for none."""
        update = self._learnt(lambda: self.history(base, head).update)
        return Revision(name, target, base, head, update)

    def landed(self, name: str, target: str, commit: str) -> Revision:
        """The revision with which `commit` came onto `target`: its base is its first parent, "" for a first commit."""
        parents = self._learnt(lambda: read_commits(self._repository, [commit])[0].parents)
        if isinstance(parents, Unknown):
            return Revision(name, target, "", commit, parents)
        return self.revision(name, target, next(iter(parents.value), ""), commit)

    def collect(self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[Any] | Fact]) -> Facts:
        """The facts that go by `kinds` (`facts.kinds`), and all of `extra`, which others have read."""
        self._suppose(revision, extra)
        found = {name: it if isinstance(it, Fact) else self._fact(it, "given") for name, it in extra.items()}
        for kind in kinds:
            if kind in self._readers and kind not in found:
                found[kind] = self._fact(self._learnt(partial(self._readers[kind], revision)), "git")
        return Facts(found)

    def _suppose(self, revision: Revision, extra: Mapping[str, Maybe[Any] | Fact]) -> None:
        """Takes a history that was read elsewhere for granted. A long replay must not keep what is behind it."""
        commits, update = extra.get(known_kinds.COMMITS.name), revision.update
        if isinstance(commits, Known) and isinstance(update, Known) and update.value is Update.FAST_FORWARD:
            kept = {key: value for key, value in self._read.items() if key == _REFERENCES}
            history = History(commits.value, (revision.base,), Update.FAST_FORWARD)
            self._read = {**kept, ("history", revision.base, revision.head): history}

    def _fact(self, value: Maybe[Any], source: str) -> Fact:
        return Fact(value=value, source=source, read_at=self._now, salt=secrets.token_hex(16))

    def _learnt(self, read: Callable[[], Any]) -> Maybe[Any]:
        try:
            return Known(read())
        except (GitError, SignatureError) as error:
            return Unknown(error.message)

    def _once(self, key: Any, read: Callable[[], Any]) -> Any:
        """What `read` gave or raised the first time."""
        if key not in self._read:
            try:
                self._read[key] = read()
            except (GitError, SignatureError) as error:
                self._read[key] = error
        if isinstance(self._read[key], Exception):
            raise self._read[key]
        return self._read[key]

    def history(self, base: str, head: str) -> History:
        """What `head` brings to `base`, read once. Raises GitError."""
        found: History = self._once(
            ("history", base, head), lambda: between(self._repository, base, head, self._people)
        )
        return found

    def _commits(self, revision: Revision) -> tuple[Commit, ...]:
        return self.history(revision.base, revision.head).commits

    def files(self, revision: Revision) -> tuple[File, ...]:
        """What it changes, read once. Raises GitError."""
        found: tuple[File, ...] = self._once(
            ("files", revision.base, revision.head, revision.update), lambda: self._read_files(revision)
        )
        return found

    def _read_files(self, revision: Revision) -> tuple[File, ...]:
        """What an update that deletes or rewinds changes is told from the tip that it replaces."""
        if revision.update == Known(Update.DELETED):
            return files.removed(self._repository, revision.base)
        if revision.update == Known(Update.REWOUND):
            return files.changed(self._repository, (revision.base,), revision.head)
        change = self.history(revision.base, revision.head)
        return files.changed(self._repository, change.bases, revision.head) if change.commits else ()

    def references(self) -> tuple[approvals.ApprovalRef, ...]:
        """The refs of all approvals, read once. Raises GitError."""
        return self._statements()[0]

    def _statements(self) -> tuple[tuple[approvals.ApprovalRef, ...], dict[str, list[runs.RunRef]]]:
        """All refs of approvals, and those of runs by head; asked for once."""
        found: tuple[tuple[approvals.ApprovalRef, ...], dict[str, list[runs.RunRef]]] = self._once(
            _REFERENCES, self._read_statements
        )
        return found

    def _read_statements(self) -> tuple[tuple[approvals.ApprovalRef, ...], dict[str, list[runs.RunRef]]]:
        there = self._repository.refs(approvals.PREFIX, runs.PREFIX) if self._refs is None else self._refs
        refs = {**there, **self._pushed}
        by_head: dict[str, list[runs.RunRef]] = {}
        for reference in runs.references(refs):
            by_head.setdefault(reference.head, []).append(reference)
        return approvals.references(refs), by_head

    def _approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        found: tuple[ApprovedHead, ...] = self._once(
            ("approved heads", revision.base, revision.head), lambda: self._read_approved_heads(revision)
        )
        return found

    def _read_approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        names = {reference.head for reference in self.references()}
        if not names:
            return ()
        change = self.history(revision.base, revision.head)
        return approved_heads(self._repository, revision, change, partial(self.files, revision), names)

    def _pushes(self, revision: Revision) -> Pushes:
        found: Pushes = self._once(("pushes", revision.base, revision.head), lambda: self._pushes_of(revision))
        return found

    def _pushes_of(self, revision: Revision) -> Pushes:
        if self._read_pushes is None:
            return _SUPPOSED
        own = self._commits(revision)
        carrying = (
            commit
            for approved in self._approved_heads(revision)
            if carried(own, revision.head, approved) is not None
            for commit in approved.commits
        )
        return self._read_pushes(revision, own, tuple(carrying))

    def _landed_heads(self, revision: Revision) -> LandedHeads:
        return NOTHING_SPENT if self._read_landed is None else self._read_landed(revision, self._approvals(revision))

    def _approvals(self, revision: Revision) -> tuple[Approval, ...]:
        found: tuple[Approval, ...] = self._once(
            ("approvals", revision.base, revision.head), lambda: self._read_approvals(revision)
        )
        return found

    def _read_approvals(self, revision: Revision) -> tuple[Approval, ...]:
        if not isinstance(self._people, Known):
            raise GitError(self._people.reason, "Add people.toml.")
        heads = {head_to_approve(revision), *(approved.head for approved in self._approved_heads(revision))}
        heads.update(self._pushes(revision).earlier_heads)  # who asked for changes there is not silenced by a new head
        wanted = [reference for reference in self.references() if reference.head in heads]
        return approvals.read(self._repository, wanted, self._people.value)

    def _test_runs(self, revision: Revision) -> Runs:
        """Those on the head, and those on the commit that the change was made on."""
        before = [base for base in self.history(revision.base, revision.head).bases if base != revision.head]
        return Runs(self._runs(revision, [revision.head]), self._runs(revision, before))

    def _runs(self, revision: Revision, heads: Collection[str]) -> tuple[Run, ...]:
        if not isinstance(self._people, Known):
            raise GitError(self._people.reason, "Add people.toml.")
        wanted = [reference for head in heads for reference in self._statements()[1].get(head, ())]
        return runs.facts_of(runs.read(self._repository, wanted, self._people.value), revision.repository)

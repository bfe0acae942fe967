"""Facts of a change at a forge: from its API (a `Reading`) and from git, each whole or Unknown.

They are the facts that plain git gives, so no control knows of forges. Commits, files, approved heads and signed
statements come from a mirror; openers, pushers, reviews and write access from the reading.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError, GitError, SignatureError
from muniment.facts import kinds as known_kinds
from muniment.facts.change import ApprovedHead, Commit, Pushes, Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People, Person
from muniment.facts.pipeline import PipelineRuns
from muniment.facts.statements import Approval, LandedHeads, ReviewAction, SignatureResult
from muniment.forges import checks, contributors, reviews
from muniment.forges.accounts import Accounts, list_named_accounts
from muniment.forges.contributors import list_earlier_heads
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes
from muniment.forges.shapes import NOT_READ, Account, Check, Move, Reading
from muniment.git import approvals, history
from muniment.git.approved_heads import find_approved_heads
from muniment.git.git_collector import NO_LANDED_HEADS, GitCollector, ReadLandedHeads
from muniment.git.history import History
from muniment.git.repository import Repository
from muniment.programs.command import join_lines

T = TypeVar("T")
_WALK_SECONDS = 60


class ForgeCollector:
    """Reads the facts of one change's revisions from a forge's reading and a mirror.

    `statements`: those that people made in a session of the service (attestations, answers to the guide).
    """

    def __init__(
        self,
        name: str,
        reading: Reading,
        repository: Repository,
        people: People,
        now: str,
        *,
        noreply: Iterable[str] = (),
        numbered: bool = True,
        statements: Iterable[Approval] = (),
        read_statuses: Callable[[str], tuple[Check, ...]] | None = None,
        can_write: Callable[[Account], bool] | None = None,
        read_landed_heads: ReadLandedHeads | None = None,
        read_first_pushes: ReadFirstPushes | None = None,
        existed_at_merge: Callable[[Approval], bool] | None = None,
    ) -> None:
        """Readers of facts that the reading does not contain; each may be None.

        `read_statuses` reads the checks of a head; `can_write` whether an account may write. `read_landed_heads` finds
        the approved heads that the branch already took; None if no ledger is read. `read_first_pushes` finds who pushed
        commits first, to any branch; None if only the change's own branch is read. `existed_at_merge`: whether a signed
        statement existed when the change was merged; None if the change is open.
        """
        self._name = name
        self._reading = reading
        self._repository = repository
        self._people = people
        self._now = now
        self._statements = tuple(statements)
        self._statuses = read_statuses
        self._may_write = can_write
        self._landed = read_landed_heads
        self._first_pushes = read_first_pushes
        self._was_said = existed_at_merge
        proven = reading.addresses.value if isinstance(reading.addresses, Known) else {}
        seen = list_named_accounts(reading)
        self._accounts = Accounts(name, people, noreply, numbered=numbered, seen=seen, proven=proven)
        self._git = GitCollector(repository, Known(people), now)
        self._approved: dict[tuple[str, str], tuple[ApprovedHead, ...]] = {}
        self._given: dict[tuple[str, str], tuple[Approval, ...]] = {}
        self._trees: dict[str, str] = {}
        self._writers: dict[str, bool] = {}
        self._asked_writers: list[Account] = []
        self._readers: dict[str, Callable[[Revision], object]] = {
            known_kinds.COMMITS.name: self._read_commits,
            known_kinds.FILES.name: self._git.read_files,
            known_kinds.PUSHES.name: self._read_pushes,
            known_kinds.APPROVED_HEADS.name: self._read_approved_heads,
            known_kinds.APPROVALS.name: self._read_approvals,
            known_kinds.LANDED_HEADS.name: self._find_landed_heads,
            known_kinds.TEST_RUNS.name: self._read_test_runs,
        }

    @property
    def git_repository(self) -> Repository:
        """Copy of the repository in which the commits are."""
        return self._repository

    def make_revision(self, name: str, target: str, base: str, head: str) -> Revision:
        """The revision proposing `head` for `target` (a full ref) with tip `base`."""
        return self._git.make_revision(name, target, base, head)

    def collect_facts(
        self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[object] | Fact]
    ) -> Facts:
        """Facts of `kinds`, and all of `extra`, which other collectors have read. Never raises."""
        found = {name: it if isinstance(it, Fact) else self._make_fact(it, "given") for name, it in extra.items()}
        for kind in kinds:
            if kind == known_kinds.REVISION.name and kind not in found:
                found[kind] = self._make_fact(Known(revision), "git")
            elif kind in self._readers and kind not in found:
                found[kind] = self._make_fact(
                    self._read_or_unknown(kind, revision), f"{self._name}, read {self._reading.read_at}"
                )
        return Facts(found)

    def _make_fact(self, value: Maybe[object], source: str) -> Fact:
        return Fact(value=value, source=source, read_at=self._now, salt=secrets.token_hex(16))

    def _read_or_unknown(self, kind: str, revision: Revision) -> Maybe[object]:
        try:
            return Known(self._readers[kind](revision))
        except (ForgeError, GitError, SignatureError) as error:
            return Unknown(error.message)

    def _read_history(self, revision: Revision) -> History:
        return self._git.read_history(revision.base, revision.head)

    @cached_property
    def _contributor_mapper(self) -> contributors.ContributorMapper:
        reading = self._reading
        own = reading.own_commits.value if isinstance(reading.own_commits, Known) else ()
        moves = reading.moves.value if isinstance(reading.moves, Known) else ()
        pushers = [move.who.value for move in moves if isinstance(move.who, Known)]
        known = _require_known(reading.contributors)
        return contributors.ContributorMapper(
            self._accounts, self._name, reading.change, known, own, pushers, lambda: self._pushed_at
        )

    @cached_property
    def _pushed_at(self) -> dict[str, str]:
        """The moment of the push to the change's own branch that brought each commit first. Raises GitError."""
        found: dict[str, str] = {}
        for move in _require_known(self._reading.moves):
            there = self._select_present_commits([move.new] if move.new else [])
            reached = self._list_commits_beyond(there, [self._reading.change.base]) if there else frozenset()
            for commit in (*move.commits, *reached):
                found.setdefault(commit, move.at)
        return found

    def _read_commits(self, revision: Revision) -> tuple[Commit, ...]:
        return tuple(
            self._contributor_mapper.map_head_commit(commit)
            if commit.id == revision.head
            else self._contributor_mapper.map_commit(commit)
            for commit in self._read_history(revision).commits
        )

    def _read_approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        key = (revision.base, revision.head)
        if key not in self._approved:
            self._approved[key] = self._find_approved_heads(revision)
        return self._approved[key]

    def _find_approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        named = {review.commit for review in _require_known(self._reading.reviews) if reviews.is_approving(review)}
        named |= {reference.head for reference in self._git.find_approval_refs()}
        named |= {statement.ref_head for statement in self._statements}
        if not named:
            return ()
        change = self._read_history(revision)
        found = find_approved_heads(self._repository, revision, change, lambda: self._git.read_files(revision), named)
        return tuple(
            ApprovedHead(
                one.head,
                tuple(map(self._contributor_mapper.map_commit, one.commits)),
                one.merged_tree,
                one.replayed_trees,
            )
            for one in found
        )

    def _find_landed_heads(self, revision: Revision) -> LandedHeads:
        return NO_LANDED_HEADS if self._landed is None else self._landed(revision, self._read_approvals(revision))

    def _read_approvals(self, revision: Revision) -> tuple[Approval, ...]:
        key = (revision.base, revision.head)  # two kinds of fact are made of them
        if key not in self._given:
            self._given[key] = self._make_approvals(revision)
        return self._given[key]

    def _make_approvals(self, revision: Revision) -> tuple[Approval, ...]:
        reading = self._reading
        given = reviews.make_statements(
            revision.repository,
            reading.change,
            _require_known(reading.reviews),
            _require_known(reading.retargets),
            _require_known(reading.writers),
            self._accounts,
            self._read_tree,
        )
        heads = {revision.head, *(approved.head for approved in self._read_approved_heads(revision))}
        wanted = [reference for reference in self._git.find_approval_refs() if reference.head in heads]
        if len(wanted) < len(
            self._git.find_approval_refs()
        ):  # no new head silences who asked for changes on an earlier one
            earlier = {*list_earlier_heads(_require_known(reading.moves), revision.head)} - heads
            wanted += [reference for reference in self._git.find_approval_refs() if reference.head in earlier]
        signed = approvals.read_approvals(self._repository, wanted, self._people)
        if self._was_said is not None:
            signed = tuple(filter(self._was_said, signed))
        stated = [self._check_recorded_approval(one, heads) for one in self._statements]
        moment = reviews.find_last_retarget(_require_known(reading.retargets))
        return reviews.merge_statements(
            reviews.mark_retargeted(map(self._check_signed_approval, signed), moment),
            (*given, *reviews.mark_retargeted(stated, moment)),
        )

    def _check_recorded_approval(self, approval: Approval, heads: Collection[str]) -> Approval:
        """A statement recorded by the service: an approval counts only if the person may write at the forge now."""
        yes = (
            approval.action is ReviewAction.APPROVE
            and approval.signature is SignatureResult.RECORDED
            and approval.head in heads
        )
        person = self._people.by_id.get(approval.ref_person)
        return approval if not yes or person is None else self._check_writer(approval, person)

    def _check_signed_approval(self, approval: Approval) -> Approval:
        """A signed approval counts only if the person may write at the forge now, by an account of theirs."""
        person = self._people.by_id.get(approval.ref_person)
        if person is None or approval.signature is not SignatureResult.VALID:
            return approval
        if approval.action is ReviewAction.REQUEST_CHANGES and self._can_person_write(
            person
        ):  # who may approve may block
            return structs.replace(approval, writer_at_forge=True)
        return self._check_writer(approval, person) if approval.action is ReviewAction.APPROVE else approval

    def _check_writer(self, approval: Approval, person: Person) -> Approval:
        if self._can_person_write(person):
            return structs.replace(approval, writer_at_forge=True)
        if self._accounts.has_unconfirmed_account(person):
            return structs.replace(approval, signature=SignatureResult.UNCONFIRMED)
        known = bool(self._accounts.list_accounts_of(person))
        return structs.replace(
            approval, signature=SignatureResult.MAY_NOT_WRITE if known else SignatureResult.NO_ACCOUNT
        )

    def find_writers(self) -> tuple[Account, ...]:
        """Accounts that reviewed, or whose persons approved on our page, and may write, as far as this was read."""
        reading = self._reading
        may = reading.writers.value if isinstance(reading.writers, Known) else {}
        given = reading.reviews.value if isinstance(reading.reviews, Known) else ()
        found = [*(one.by for one in given if may.get(one.by.id) is True), *self._asked_writers]
        return tuple({one.id or one.login: one for one in found}.values())

    def find_possible_reviewers(self, can_write: Callable[[Account], bool]) -> tuple[str, ...]:
        """Ids of the active persons with an account at the forge for which `can_write` is true."""
        persons = (one for one in self._people.persons if one.active)
        return tuple(one.id for one in persons if any(map(can_write, self._accounts.list_accounts_of(one))))

    def _can_person_write(self, person: Person) -> bool:
        if person.id not in self._writers:
            writers = _require_known(self._reading.writers)
            theirs = (
                one.by.id
                for one in _require_known(self._reading.reviews)
                if self._accounts.find_account_owner(one.by) is person
            )
            known = any(writers.get(id) is True for id in theirs)
            self._writers[person.id] = known or any(
                map(self._can_account_write, self._accounts.list_accounts_of(person))
            )
        return self._writers[person.id]

    def _can_account_write(self, account: Account) -> bool:
        try:
            may = self._may_write is not None and self._may_write(account)
        except ForgeError as error:
            if error.code is ForgeCode.NOT_FOUND:  # nobody is called so there
                return False
            raise
        self._asked_writers += [account] if may else []
        return may

    def _read_test_runs(self, revision: Revision) -> PipelineRuns:
        """The forge's checks of the head that was read, and the runs that machines signed (`git.run_statements`)."""
        signed: PipelineRuns = _require_known(
            self._git.collect_facts(revision, [known_kinds.TEST_RUNS.name], {}).get(known_kinds.TEST_RUNS)
        )
        statuses = self._read_checks() if revision.head == self._reading.change.head else ()
        return PipelineRuns((*signed.head, *checks.convert_to_runs(self._name, statuses, revision.head)), signed.base)

    def _read_checks(self) -> tuple[Check, ...]:
        found = self._reading.checks
        if found == NOT_READ and self._statuses is not None:
            return self._statuses(self._reading.change.head)
        statuses: tuple[Check, ...] = _require_known(found)
        return statuses

    def _read_tree(self, commit: str) -> str:
        if commit not in self._trees:  # one head has many reviews
            known = self._repository.objects.read_kinds([commit]) == ["commit"]
            self._trees[commit] = history.read_commits(self._repository, [commit])[0].tree if known else ""
        return self._trees[commit]

    def _read_pushes(self, revision: Revision) -> Pushes:
        moves = _require_known(self._reading.moves)
        before = contributors.list_earlier_heads(moves, revision.head)
        earlier = self._read_earlier_commits(revision, before)
        carrying = (commit for approved in self._read_approved_heads(revision) for commit in approved.commits)
        return contributors.make_pushes(
            moves,
            (*self._read_history(revision).commits, *carrying),
            before,
            earlier,
            self._find_merge_commits(revision),
            self._accounts,
            lambda move: self._find_commits_of_move(revision, move),
            lambda commits: self._find_first_pushes(commits, revision.base),
        )

    def _find_first_pushes(self, commits: Collection[str], base: str) -> Mapping[str, FirstPush]:
        if self._first_pushes is None:
            return {}
        return self._first_pushes(self._repository, commits, base)

    def _read_earlier_commits(self, revision: Revision, heads: Sequence[str]) -> tuple[Commit, ...]:
        """Commits that earlier heads reach and base and head do not; a head that is gone as a lost commit."""
        there = self._select_present_commits(heads)
        ids = self._list_commits_beyond(there, [revision.base, revision.head])
        found = map(self._contributor_mapper.map_commit, history.read_commits(self._repository, sorted(ids)))
        return (*found, *(contributors.make_lost_commit(head) for head in heads if head not in there))

    def _select_present_commits(self, heads: Sequence[str]) -> list[str]:
        kinds = self._repository.objects.read_kinds(heads) if heads else []
        return [head for head, kind in zip(heads, kinds, strict=True) if kind == "commit"]

    def _find_commits_of_move(self, revision: Revision, move: Move) -> frozenset[str]:
        if move.new == revision.head:
            return frozenset(commit.id for commit in self._read_history(revision).commits)
        there = self._select_present_commits([move.new])
        return self._list_commits_beyond(there, [revision.base]) if there else frozenset()

    def _find_merge_commits(self, revision: Revision) -> dict[str, Maybe[Account]]:
        """Commits that the merge made, with the account that merged; {} for a change that was not merged."""
        change = self._reading.change
        if not change.merged or revision.head != change.merged:
            return {}
        made = self._list_commits_beyond([change.merged], [revision.base, change.head])
        return dict.fromkeys(made, change.merged_by)

    def _list_commits_beyond(self, tips: Sequence[str], known: Sequence[str]) -> frozenset[str]:
        tips = [tip for tip in tips if tip not in known]
        if not tips:
            return frozenset()
        asked = join_lines("git rev-list", [*tips, *(f"^{one}" for one in known if one)], GitError)
        options = ("--stdin", f"--max-count={history.MOST_COMMITS + 1}")
        out = self._repository.run_git_once("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        found = out.decode("ascii").split()
        if len(found) > history.MOST_COMMITS:
            raise GitError(
                f"more than {history.MOST_COMMITS} commits belong to this change", "Bring it in smaller pieces."
            )
        return frozenset(found)


def _require_known(part: Maybe[T]) -> T:
    """Value of a part of a reading. Raises GitError if the forge did not return it."""
    if isinstance(part, Unknown):
        raise GitError(part.reason, "It is read again.")
    return part.value


def list_commits_to_keep(reading: Reading) -> tuple[str, ...]:
    """Every head that the change ever had, or that was reviewed: forges delete them."""
    change = reading.change
    moves = reading.moves.value if isinstance(reading.moves, Known) else ()
    given = reading.reviews.value if isinstance(reading.reviews, Known) else ()
    named = [
        change.head,
        change.merged,
        *contributors.list_earlier_heads(moves, ""),
        *(review.commit for review in given),
    ]
    return tuple(dict.fromkeys(one for one in named if one))

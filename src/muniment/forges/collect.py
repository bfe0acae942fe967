"""Facts of a change at a forge: what its API told (a `Reading`) and what git has of it, each whole or Unknown.

They are the facts that plain git gives, so no control knows of forges. Commits, files, approved heads and signed
statements come from a mirror; openers, pushers, reviews and who may write from the reading.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError, GitError, SignatureError
from muniment.facts import kinds as known_kinds
from muniment.facts.change import ApprovedHead, Commit, Pushes, Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People, Person
from muniment.facts.pipeline import Runs
from muniment.facts.statements import Approval, LandedHeads, ReviewAction, Signature
from muniment.forges import checks, hands, reviews
from muniment.forges.accounts import Accounts
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes
from muniment.forges.hands import heads_before
from muniment.forges.shapes import NOT_ASKED, Account, Check, Move, Reading
from muniment.git import approvals, history
from muniment.git.approved import approved_heads
from muniment.git.collect import NOTHING_SPENT, GitCollector, ReadLandedHeads
from muniment.git.history import History
from muniment.git.repository import Repository
from muniment.programs.command import join_lines

_WALK_SECONDS = 60


class ForgeCollector:
    """Reads the facts of one change's revisions.

    `statements` are those that people made in a session of the service (attestations, answers to the guide).
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
        statuses: Callable[[str], tuple[Check, ...]] | None = None,
        may_write: Callable[[Account], bool] | None = None,
        landed: ReadLandedHeads | None = None,
        first_pushes: ReadFirstPushes | None = None,
        was_said: Callable[[Approval], bool] | None = None,
    ) -> None:
        """`statuses` asks what others say of a head, where the reading did not; `may_write` the same of an account.

        `landed` tells which approved heads the branch took already; None if no ledger is read. `first_pushes` tells who
        pushed commits first, to whichever branch; None if other branches than the change's own are not looked at.
        `was_said` tells of a signed statement whether it was there when the change was merged; None if it is open.
        """
        self._name = name
        self._reading = reading
        self._repository = repository
        self._people = people
        self._now = now
        self._statements = tuple(statements)
        self._statuses = statuses
        self._may_write = may_write
        self._landed = landed
        self._first_pushes = first_pushes
        self._was_said = was_said
        proven = reading.addresses.value if isinstance(reading.addresses, Known) else {}
        seen = accounts_in(reading)
        self._accounts = Accounts(name, people, noreply, numbered=numbered, seen=seen, proven=proven)
        self._git = GitCollector(repository, Known(people), now)
        self._approved: dict[tuple[str, str], tuple[ApprovedHead, ...]] = {}
        self._given: dict[tuple[str, str], tuple[Approval, ...]] = {}
        self._trees: dict[str, str] = {}
        self._writers: dict[str, bool] = {}
        self._asked_writers: list[Account] = []
        self._readers: dict[str, Callable[[Revision], Any]] = {
            known_kinds.COMMITS.name: self._commits,
            known_kinds.FILES.name: self._git.files,
            known_kinds.PUSHES.name: self._pushes,
            known_kinds.APPROVED_HEADS.name: self._approved_heads,
            known_kinds.APPROVALS.name: self._approvals,
            known_kinds.LANDED_HEADS.name: self._landed_heads,
            known_kinds.TEST_RUNS.name: self._test_runs,
        }

    def revision(self, name: str, target: str, base: str, head: str) -> Revision:
        """The revision proposing `head` for `target` (a full ref) with tip `base`."""
        return self._git.revision(name, target, base, head)

    def collect(self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[Any] | Fact]) -> Facts:
        """The facts that go by `kinds`, and all of `extra`, which others have read. It never raises."""
        found = {name: it if isinstance(it, Fact) else self._fact(it, "given") for name, it in extra.items()}
        for kind in kinds:
            if kind == known_kinds.REVISION.name and kind not in found:
                found[kind] = self._fact(Known(revision), "git")
            elif kind in self._readers and kind not in found:
                found[kind] = self._fact(self._learnt(kind, revision), f"{self._name}, read {self._reading.read_at}")
        return Facts(found)

    def _fact(self, value: Maybe[Any], source: str) -> Fact:
        return Fact(value=value, source=source, read_at=self._now, salt=secrets.token_hex(16))

    def _learnt(self, kind: str, revision: Revision) -> Maybe[Any]:
        try:
            return Known(self._readers[kind](revision))
        except (ForgeError, GitError, SignatureError) as error:
            return Unknown(error.message)

    def _history(self, revision: Revision) -> History:
        return self._git.history(revision.base, revision.head)

    @cached_property
    def _hands(self) -> hands.Hands:
        reading = self._reading
        own = reading.own_commits.value if isinstance(reading.own_commits, Known) else ()
        moves = reading.moves.value if isinstance(reading.moves, Known) else ()
        pushers = [move.who.value for move in moves if isinstance(move.who, Known)]
        told = _known(reading.hands)
        return hands.Hands(self._accounts, self._name, reading.change, told, own, pushers, lambda: self._pushed_at)

    @cached_property
    def _pushed_at(self) -> dict[str, str]:
        """The moment of the push to the change's own branch that brought each commit first. Raises GitError."""
        found: dict[str, str] = {}
        for move in _known(self._reading.moves):
            there = self._there([move.new] if move.new else [])
            reached = self._beyond(there, [self._reading.change.base]) if there else frozenset()
            for commit in (*move.commits, *reached):
                found.setdefault(commit, move.at)
        return found

    def _commits(self, revision: Revision) -> tuple[Commit, ...]:
        return tuple(
            self._hands.opened(commit) if commit.id == revision.head else self._hands.mapped(commit)
            for commit in self._history(revision).commits
        )

    def _approved_heads(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        key = (revision.base, revision.head)
        if key not in self._approved:
            self._approved[key] = self._heads_approved(revision)
        return self._approved[key]

    def _heads_approved(self, revision: Revision) -> tuple[ApprovedHead, ...]:
        named = {review.commit for review in _known(self._reading.reviews) if reviews.by_forge(review)}
        named |= {reference.head for reference in self._git.references()}
        named |= {statement.ref_head for statement in self._statements}
        if not named:
            return ()
        change = self._history(revision)
        found = approved_heads(self._repository, revision, change, lambda: self._git.files(revision), named)
        return tuple(
            ApprovedHead(one.head, tuple(map(self._hands.mapped, one.commits)), one.merged_tree, one.replayed_trees)
            for one in found
        )

    def _landed_heads(self, revision: Revision) -> LandedHeads:
        return NOTHING_SPENT if self._landed is None else self._landed(revision, self._approvals(revision))

    def _approvals(self, revision: Revision) -> tuple[Approval, ...]:
        key = (revision.base, revision.head)  # two kinds of fact are made of them
        if key not in self._given:
            self._given[key] = self._read_approvals(revision)
        return self._given[key]

    def _read_approvals(self, revision: Revision) -> tuple[Approval, ...]:
        reading = self._reading
        given = reviews.statements(
            revision.repository,
            reading.change,
            _known(reading.reviews),
            _known(reading.retargets),
            _known(reading.writers),
            self._accounts,
            self._tree,
        )
        heads = {revision.head, *(approved.head for approved in self._approved_heads(revision))}
        wanted = [reference for reference in self._git.references() if reference.head in heads]
        if len(wanted) < len(self._git.references()):  # no new head silences who asked for changes on an earlier one
            earlier = {*heads_before(_known(reading.moves), revision.head)} - heads
            wanted += [reference for reference in self._git.references() if reference.head in earlier]
        signed = approvals.read(self._repository, wanted, self._people)
        if self._was_said is not None:
            signed = tuple(filter(self._was_said, signed))
        stated = [self._counted(one, heads) for one in self._statements]
        moment = reviews.last_retarget(_known(reading.retargets))
        return reviews.together(
            reviews.end_by_retarget(map(self._written, signed), moment),
            (*given, *reviews.end_by_retarget(stated, moment)),
        )

    def _counted(self, said: Approval, heads: Collection[str]) -> Approval:
        """What was said on our own page: an approval of somebody who may not write at the forge now is none."""
        yes = said.action is ReviewAction.APPROVE and said.signature is Signature.RECORDED and said.head in heads
        person = self._people.by_id.get(said.ref_person)
        return said if not yes or person is None else self._checked(said, person)

    def _written(self, signed: Approval) -> Approval:
        """A signed approval: of a person who may write at the forge now by an account of theirs there."""
        person = self._people.by_id.get(signed.ref_person)
        if person is None or signed.signature is not Signature.VALID:
            return signed
        if signed.action is ReviewAction.REQUEST_CHANGES and self._writes(person):  # who may approve may block
            return structs.replace(signed, writer_at_forge=True)
        return self._checked(signed, person) if signed.action is ReviewAction.APPROVE else signed

    def _checked(self, said: Approval, person: Person) -> Approval:
        if self._writes(person):
            return structs.replace(said, writer_at_forge=True)
        if self._accounts.has_unconfirmed(person):
            return structs.replace(said, signature=Signature.UNCONFIRMED)
        known = bool(self._accounts.of(person))
        return structs.replace(said, signature=Signature.MAY_NOT_WRITE if known else Signature.NO_ACCOUNT)

    def writers(self) -> tuple[Account, ...]:
        """The accounts that reviewed, or whose people approved on our own page, and may write, as far as was asked."""
        reading = self._reading
        may = reading.writers.value if isinstance(reading.writers, Known) else {}
        given = reading.reviews.value if isinstance(reading.reviews, Known) else ()
        found = [*(one.by for one in given if may.get(one.by.id) is True), *self._asked_writers]
        return tuple({one.id or one.login: one for one in found}.values())

    def possible_reviewers(self, may_write: Callable[[Account], bool]) -> tuple[str, ...]:
        """Ids of the active persons with an account at the forge that may write, by what `may_write` says of it."""
        persons = (one for one in self._people.persons if one.active)
        return tuple(one.id for one in persons if any(map(may_write, self._accounts.of(one))))

    def _writes(self, person: Person) -> bool:
        if person.id not in self._writers:
            told = _known(self._reading.writers)
            theirs = (one.by.id for one in _known(self._reading.reviews) if self._accounts.holder(one.by) is person)
            known = any(told.get(id) is True for id in theirs)
            self._writers[person.id] = known or any(map(self._asked, self._accounts.of(person)))
        return self._writers[person.id]

    def _asked(self, account: Account) -> bool:
        try:
            may = self._may_write is not None and self._may_write(account)
        except ForgeError as error:
            if error.code is ForgeCode.NOT_FOUND:  # nobody is called so there
                return False
            raise
        self._asked_writers += [account] if may else []
        return may

    def _test_runs(self, revision: Revision) -> Runs:
        """What the forge's own checks say of the head that was read, and what machines signed (`git.runs`)."""
        signed: Runs = _known(self._git.collect(revision, [known_kinds.TEST_RUNS.name], {}).get(known_kinds.TEST_RUNS))
        told = self._checks() if revision.head == self._reading.change.head else ()
        return Runs((*signed.head, *checks.runs(self._name, told, revision.head)), signed.base)

    def _checks(self) -> tuple[Check, ...]:
        found = self._reading.checks
        if found == NOT_ASKED and self._statuses is not None:
            return self._statuses(self._reading.change.head)
        told: tuple[Check, ...] = _known(found)
        return told

    def _tree(self, commit: str) -> str:
        if commit not in self._trees:  # one head has many reviews
            known = self._repository.objects.kinds([commit]) == ["commit"]
            self._trees[commit] = history.read(self._repository, [commit])[0].tree if known else ""
        return self._trees[commit]

    def _pushes(self, revision: Revision) -> Pushes:
        moves = _known(self._reading.moves)
        before = hands.heads_before(moves, revision.head)
        earlier = self._earlier(revision, before)
        carrying = (commit for approved in self._approved_heads(revision) for commit in approved.commits)
        return hands.pushes(
            moves,
            (*self._history(revision).commits, *carrying),
            before,
            earlier,
            self._merged(revision),
            self._accounts,
            lambda move: self._reached(revision, move),
            lambda commits: self._pushed_first(commits, revision.base),
        )

    def _pushed_first(self, commits: Collection[str], base: str) -> Mapping[str, FirstPush]:
        if self._first_pushes is None:
            return {}
        return self._first_pushes(self._repository, commits, base)

    def _earlier(self, revision: Revision, heads: Sequence[str]) -> tuple[Commit, ...]:
        """The commits that earlier heads reach and base and head do not; those that are gone as such."""
        there = self._there(heads)
        ids = self._beyond(there, [revision.base, revision.head])
        found = map(self._hands.mapped, history.read(self._repository, sorted(ids)))
        return (*found, *(hands.lost(head) for head in heads if head not in there))

    def _there(self, heads: Sequence[str]) -> list[str]:
        kinds = self._repository.objects.kinds(heads) if heads else []
        return [head for head, kind in zip(heads, kinds, strict=True) if kind == "commit"]

    def _reached(self, revision: Revision, move: Move) -> frozenset[str]:
        if move.new == revision.head:
            return frozenset(commit.id for commit in self._history(revision).commits)
        there = self._there([move.new])
        return self._beyond(there, [revision.base]) if there else frozenset()

    def _merged(self, revision: Revision) -> dict[str, Maybe[Account]]:
        """For a change that was merged: what the merge made is by whoever merged."""
        change = self._reading.change
        if not change.merged or revision.head != change.merged:
            return {}
        made = self._beyond([change.merged], [revision.base, change.head])
        return dict.fromkeys(made, change.merged_by)

    def _beyond(self, tips: Sequence[str], known: Sequence[str]) -> frozenset[str]:
        tips = [tip for tip in tips if tip not in known]
        if not tips:
            return frozenset()
        asked = join_lines("git rev-list", [*tips, *(f"^{one}" for one in known if one)], GitError)
        options = ("--stdin", f"--max-count={history.LIMIT + 1}")
        out = self._repository.run_once("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        found = out.decode("ascii").split()
        if len(found) > history.LIMIT:
            raise GitError(f"more than {history.LIMIT} commits belong to this change", "Bring it in smaller pieces.")
        return frozenset(found)


def accounts_in(reading: Reading) -> list[Account]:
    """Every account that a reading names: their ids and logins are the forge's own word."""
    found = [reading.change.opener]
    found += reading.addresses.value.values() if isinstance(reading.addresses, Known) else ()
    if isinstance(reading.change.merged_by, Known):
        found.append(reading.change.merged_by.value)
    for review in reading.reviews.value if isinstance(reading.reviews, Known) else ():
        found.append(review.by)
    for move in reading.moves.value if isinstance(reading.moves, Known) else ():
        if isinstance(move.who, Known):
            found.append(move.who.value)
    return found


def _known(part: Maybe[Any]) -> Any:
    """A part of a reading. Raises GitError if the forge did not tell: whatever is made of it is then Unknown."""
    if isinstance(part, Unknown):
        raise GitError(part.reason, "It is read again.")
    return part.value


def commits_to_keep(reading: Reading) -> tuple[str, ...]:
    """Every head that the change ever had, or that somebody reviewed: forges forget them."""
    change = reading.change
    moves = reading.moves.value if isinstance(reading.moves, Known) else ()
    given = reading.reviews.value if isinstance(reading.reviews, Known) else ()
    named = [change.head, change.merged, *hands.heads_before(moves, ""), *(review.commit for review in given)]
    return tuple(dict.fromkeys(one for one in named if one))

"""Receive a push on a plain git server: record who means to push what, judge it, record what was decided.

The record comes first. The intent is in the ledger before anything is judged, so that whatever happens next, it is
known who brought these commits; and every decision is there, on the disk, before git learns of it. Judging holds no
lock: pushes wait for each other only while they write. A push is let through whole or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, structs

from muniment.errors import ConfigurationError, GitError, LedgerError, MunimentError, SignatureError
from muniment.facts import canonical
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.git import receiving
from muniment.git.receiving import Update
from muniment.git.repository import Repository
from muniment.ledger import entries, objects
from muniment.store.files import FilesStore
from muniment.store.store import LedgerRecord
from muniment.workflows.bypass_heads import find_bypass_heads
from muniment.workflows.judge_push import STATEMENTS, Answer, Judging
from muniment.workflows.judged import judged
from muniment.workflows.standing import Standing

Identify = Callable[[Maybe[People]], Maybe[str]]  # who pushes, as an identity, among these people

_INSTALL = "The operator of this server records the present state: muniment hook install --home DIR"


class Received(Struct, frozen=True):
    """A push, judged and recorded. `let_through`: with `enforced` false, what is denied passes and is told."""

    answers: tuple[Answer, ...]
    enforced: bool

    @property
    def let_through(self) -> bool:
        """What git is to be told."""
        return all(answer.allowed if self.enforced else answer.learnt for answer in self.answers)


class Gate:
    """The gate of one repository: `with Gate(repository, home) as gate`."""

    def __init__(self, repository: Repository, home: FilesStore) -> None:
        self._repository = repository
        self._home = home
        self._place = objects.repository_location(repository.git_dir)

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self._home.close()

    def ready(self) -> None:
        """Raises MunimentError if nothing could be recorded."""
        with self._home.exclusive():
            pass

    def install(self, now: str) -> int:
        """Record what the repository holds, or how it differs from what was recorded. How long the ledger is then."""
        with self._home.exclusive():
            refs = receiving.refs(self._repository)
            known = self._home.index.has_baseline(self._place)
            self._home.append(self._settled(refs, now) if known else [self._baseline(refs, now)])
            return self._home.log().head().size

    def settle(self, now: str) -> tuple[int, int]:
        """Record what became of the refs since the last push: how many landed, and how many moved past the gate."""
        with self._home.exclusive():
            if not self._home.index.has_baseline(self._place):
                return 0, 0
            found = self._settled(receiving.refs(self._repository), now)
            self._home.append(found)
        made = [entry for entry, _ in found]
        return (
            sum(entry.ref_count for entry in made if isinstance(entry, entries.RefUpdateRecord)),
            sum(entry.ref_count for entry in made if isinstance(entry, entries.HookBypassRecord)),
        )

    def receive(self, updates: Iterable[Update], identify: Identify, now: str, *, enforced: bool) -> Received:
        """Judge and record a push. Raises MunimentError where it could not be recorded: then it is denied."""
        wanted = receiving.followed(self._repository, updates)
        refs = receiving.refs(self._repository)
        standing = self._standing(refs)
        people = Known(standing.people) if isinstance(standing, Standing) else Unknown(standing.message)
        push = self._push(wanted, refs, identify(people), people)
        own = self._intend(push, now)
        answers: tuple[Answer, ...] | None = None
        while answers is None:
            frozen = self._home.freezes()
            judging = Judging(
                self._repository, self._home.index, self._place, refs, wanted, own, frozen, now, enforced=enforced
            )
            judged = tuple(judging.answer(update, standing) for update in wanted)
            answers = self._recorded(judged, frozen, canonical.digest_of(push), now, enforced=enforced)
        return Received(answers, enforced)

    def _standing(self, refs: Mapping[str, str]) -> "Standing | MunimentError":
        try:
            head = receiving.named(self._repository.head_branch())
            return Standing(self._repository, self._home, refs, head, self._home.put_people)
        except (ConfigurationError, GitError, SignatureError) as error:
            return error

    def _push(
        self, updates: tuple[Update, ...], refs: Mapping[str, str], pusher: Maybe[str], people: Maybe[People]
    ) -> objects.Push:
        """Statements are no commits of anybody's, so they neither bring commits nor make them known."""
        bringing = [update for update in updates if not update.ref.startswith(STATEMENTS)]
        known = [value for ref, value in refs.items() if not ref.startswith(STATEMENTS)]
        commits = receiving.brought(self._repository, bringing, known, people)
        named = tuple(objects.RefUpdate(update.ref, update.old, update.new) for update in updates)
        return objects.Push(self._place, pusher, named, commits, objects.salt())

    def _intend(self, push: objects.Push, now: str) -> int:
        """Record who means to push what; the place of that entry."""
        with self._home.exclusive():
            refs = receiving.refs(self._repository)
            if self._home.index.has_baseline(self._place):
                found = self._settled(refs, now)
            elif refs:
                raise LedgerError(
                    "the state of this repository before the server hook was installed was not recorded", _INSTALL
                )
            else:
                found = [self._baseline(refs, now)]
            entry = entries.PushRecord(
                time=now,
                object=canonical.digest_of(push),
                repository_location=self._place,
                pusher=objects.committed(push.pusher, push.salt),
                update_count=len(push.updates),
                commit_count=len(push.commits),
            )
            return self._home.append([*found, (entry, (push,))])[-1]

    def _recorded(
        self, answers: tuple[Answer, ...], frozen: tuple[Freeze, ...], push: str, now: str, *, enforced: bool
    ) -> tuple[Answer, ...] | None:
        """The answers with their entries' places; None if a freeze came or went while they were made."""
        found: list[LedgerRecord] = []
        counts: list[int] = []
        for answer in answers:
            made = list(self._entries(answer, push, now, enforced=enforced))
            counts.append(len(made))
            found += made
        if not found:
            return answers
        with self._home.exclusive():
            if self._home.freezes() != frozen:
                return None
            at = self._home.append(found)[0]
        placed: list[Answer] = []
        for answer, count in zip(answers, counts, strict=True):
            placed.append(structs.replace(answer, entry=at) if count else answer)
            at += count
        return tuple(placed)

    def _entries(self, answer: Answer, push: str, now: str, *, enforced: bool) -> Iterator[LedgerRecord]:
        if answer.refusal is not None:
            why = answer.refusal
            stopping = enforced or not answer.learnt
            kept = objects.PushRefusal(answer.update.ref, why.code, why.subject, why.details, objects.salt())
            digest = canonical.digest_of(kept)
            entry = entries.PushRefusalRecord(
                time=now, object=digest, repository_location=self._place, code=why.code, enforced=stopping, push=push
            )
            yield entry, (kept,)
        if answer.judgement is not None:
            yield judged(self._place, answer.judgement, push, enforced=enforced)
        for said in answer.statements:
            who = objects.PersonStatement(said.ref_person, said.action.value, "", objects.salt())
            yield (
                entries.CodeReviewRecord(
                    time=now,
                    object=canonical.digest_of(who),
                    repository_location=self._place,
                    head=said.ref_head,
                    statement_commit=said.id,
                    statement=said.digest,
                    person=objects.commitment(who.person, who.salt),
                    push=push,
                ),
                (who,),
            )

    def _settled(self, refs: Mapping[str, str], now: str) -> list[LedgerRecord]:
        """What became of the refs. Where it was erased what they were, they are recorded anew."""
        if not self._home.index.is_whole(self._place):
            return [self._baseline(refs, now)]
        landed, moved = self._home.index.settle(self._place, refs)
        found: list[LedgerRecord] = []
        if landed:
            became = objects.RefUpdates(self._place, landed, objects.salt())
            took = entries.RefUpdateRecord(
                time=now,
                object=canonical.digest_of(became),
                repository_location=self._place,
                ref_count=len(landed),
            )
            found.append((took, (became,)))
        if moved:
            found.append(self._bypassed(moved, refs, now))
        return found

    def _bypassed(self, moved: tuple[objects.RefUpdate, ...], refs: Mapping[str, str], now: str) -> LedgerRecord:
        became = objects.RefUpdates(self._place, moved, objects.salt())
        standing = self._standing(refs)
        included = find_bypass_heads(self._repository, self._home.index, self._place, refs, moved, standing)
        entry = entries.HookBypassRecord(
            time=now,
            object=canonical.digest_of(became),
            repository_location=self._place,
            ref_count=len(moved),
            included_heads=canonical.digest_of(included) if included is not None else "",
        )
        return entry, (became, *((included,) if included is not None else ()))

    def _baseline(self, refs: Mapping[str, str], now: str) -> LedgerRecord:
        updates = tuple(objects.RefUpdate(ref, "", value) for ref, value in sorted(refs.items()))
        there = objects.RefUpdates(self._place, updates, objects.salt())
        digest = canonical.digest_of(there)
        return entries.BaselineRecord(time=now, object=digest, repository_location=self._place, ref_count=len(refs)), (
            there,
        )

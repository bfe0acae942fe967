"""Receive a push on a plain git server: record the intent of its pusher, evaluate it, record the decision.

The record comes first. The intent is in the ledger before anything is evaluated, so that whatever happens next, it is
known who brought these commits; and every decision is there, on the disk, before git learns of it. An evaluation holds
no lock: pushes wait for each other only while they write. A push is accepted whole or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, structs

from muniment.errors import ConfigurationError, GitError, LedgerError, MunimentError, SignatureError
from muniment.facts import canonical
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.git import received_push
from muniment.git.received_push import PushedRef
from muniment.git.repository import Repository
from muniment.ledger import record_kinds, record_objects
from muniment.store.files_store import FilesStore
from muniment.store.store import LedgerRecord
from muniment.workflows.bypass_heads import find_bypass_heads
from muniment.workflows.decision_record import build_decision_record
from muniment.workflows.push_evaluator import STATEMENTS, PushEvaluator, UpdateResult
from muniment.workflows.repository_rules import RepositoryRules

FindPusher = Callable[[Maybe[People]], Maybe[str]]  # who pushes, as an identity, among these people

_INSTALL = "The operator of this server records the present state: muniment hook install --home DIR"


class PushResult(Struct, frozen=True):
    """Result of a push that was evaluated and recorded. With `enforced` false, denied updates pass and are reported."""

    answers: tuple[UpdateResult, ...]
    enforced: bool

    @property
    def is_accepted(self) -> bool:
        """Whether git may accept the push."""
        return all(answer.is_allowed if self.enforced else answer.is_evaluable for answer in self.answers)


class PushReceiver:
    """Server hook of one repository: `with PushReceiver(repository, home) as receiver`."""

    def __init__(self, repository: Repository, home: FilesStore) -> None:
        self._repository = repository
        self._home = home
        self._place = record_objects.digest_location(repository.git_dir)

    def __enter__(self) -> "PushReceiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._home.close()

    def require_writable(self) -> None:
        """Raise MunimentError if nothing could be recorded."""
        # Taking the lock verifies the ledger's head: what would deny a push later is reported now.
        with self._home.lock_ledger():
            pass

    def record_refs(self, now: str) -> int:
        """Record the refs of the repository, or their differences from the record. Returns the size of the ledger."""
        with self._home.lock_ledger():
            # Read under the lock: a push that is recorded meanwhile would else seem to be a bypass.
            refs = received_push.read_encoded_refs(self._repository)
            known = self._home.push_index.has_baseline(self._place)
            self._home.append_records(self._build_settlement(refs, now) if known else [self._build_baseline(refs, now)])
            return self._home.open_log().read_head().size

    def settle_refs(self, now: str) -> tuple[int, int]:
        """Record the updates of the refs since the last push: how many a decision allowed, and how many bypassed the
        hook.
        """
        with self._home.lock_ledger():
            if not self._home.push_index.has_baseline(self._place):
                return 0, 0
            found = self._build_settlement(received_push.read_encoded_refs(self._repository), now)
            self._home.append_records(found)
        made = [entry for entry, _ in found]
        return (
            sum(entry.ref_count for entry in made if isinstance(entry, record_kinds.RefUpdateRecord)),
            sum(entry.ref_count for entry in made if isinstance(entry, record_kinds.HookBypassRecord)),
        )

    def receive_push(
        self, updates: Iterable[PushedRef], identify: FindPusher, now: str, *, enforced: bool
    ) -> PushResult:
        """Evaluate and record a push. Raises MunimentError where it could not be recorded: then it is denied."""
        wanted = received_push.resolve_symbolic_refs(self._repository, updates)
        refs = received_push.read_encoded_refs(self._repository)
        standing = self._read_rules(refs)
        people = Known(standing.people) if isinstance(standing, RepositoryRules) else Unknown(standing.message)
        push = self._build_push(wanted, refs, identify(people), people)
        own = self._record_intent(push, now)
        answers: tuple[UpdateResult, ...] | None = None
        while answers is None:
            frozen = self._home.list_freezes()
            evaluator = PushEvaluator(
                self._repository, self._home.push_index, self._place, refs, wanted, own, frozen, now, enforced=enforced
            )
            evaluated = tuple(evaluator.evaluate_update(update, standing) for update in wanted)
            answers = self._record_results(evaluated, frozen, canonical.digest_value(push), now, enforced=enforced)
        return PushResult(answers, enforced)

    def _read_rules(self, refs: Mapping[str, str]) -> "RepositoryRules | MunimentError":
        try:
            head = received_push.encode_ref(self._repository.find_head_branch())
            return RepositoryRules(self._repository, self._home, refs, head, self._home.put_people)
        except (ConfigurationError, GitError, SignatureError) as error:
            return error

    def _build_push(
        self, updates: tuple[PushedRef, ...], refs: Mapping[str, str], pusher: Maybe[str], people: Maybe[People]
    ) -> record_objects.Push:
        """Describe the push. Statements are no commits of anybody's, so they neither bring commits nor make them
        known.
        """
        bringing = [update for update in updates if not update.ref.startswith(STATEMENTS)]
        known = [value for ref, value in refs.items() if not ref.startswith(STATEMENTS)]
        commits = received_push.read_new_commits(self._repository, bringing, known, people)
        named = tuple(record_objects.RefUpdate(update.ref, update.old, update.new) for update in updates)
        return record_objects.Push(self._place, pusher, named, commits, record_objects.draw_salt())

    def _record_intent(self, push: record_objects.Push, now: str) -> int:
        """Record who intends to push what. Returns the position of that record."""
        with self._home.lock_ledger():
            refs = received_push.read_encoded_refs(self._repository)
            if self._home.push_index.has_baseline(self._place):
                found = self._build_settlement(refs, now)
            elif refs:
                raise LedgerError(
                    "the state of this repository before the server hook was installed was not recorded", _INSTALL
                )
            else:
                found = [self._build_baseline(refs, now)]
            entry = record_kinds.PushRecord(
                time=now,
                object=canonical.digest_value(push),
                repository_location=self._place,
                pusher=record_objects.make_optional_commitment(push.pusher, push.salt),
                update_count=len(push.updates),
                commit_count=len(push.commits),
            )
            return self._home.append_records([*found, (entry, (push,))])[-1]

    def _record_results(
        self, answers: tuple[UpdateResult, ...], frozen: tuple[Freeze, ...], push: str, now: str, *, enforced: bool
    ) -> tuple[UpdateResult, ...] | None:
        """Record the results, and return them with their positions; None if a freeze began or was lifted meanwhile."""
        found: list[LedgerRecord] = []
        counts: list[int] = []
        for answer in answers:
            made = list(self._build_records(answer, push, now, enforced=enforced))
            counts.append(len(made))
            found += made
        if not found:
            return answers
        with self._home.lock_ledger():
            # Evaluated without the lock, since that takes long. A freeze that began meanwhile binds this push too, so
            # it is evaluated again.
            if self._home.list_freezes() != frozen:
                return None
            at = self._home.append_records(found)[0]
        placed: list[UpdateResult] = []
        for answer, count in zip(answers, counts, strict=True):
            placed.append(structs.replace(answer, entry=at) if count else answer)
            at += count
        return tuple(placed)

    def _build_records(self, answer: UpdateResult, push: str, now: str, *, enforced: bool) -> Iterator[LedgerRecord]:
        if answer.refusal is not None:
            why = answer.refusal
            stopping = enforced or not answer.is_evaluable
            refusal = record_objects.PushRefusal(
                answer.update.ref, why.code, why.subject, why.details, record_objects.draw_salt()
            )
            digest = canonical.digest_value(refusal)
            entry = record_kinds.PushRefusalRecord(
                time=now, object=digest, repository_location=self._place, code=why.code, enforced=stopping, push=push
            )
            yield entry, (refusal,)
        if answer.evaluation is not None:
            yield build_decision_record(self._place, answer.evaluation, push, enforced=enforced)
        for statement in answer.statements:
            who = record_objects.PersonStatement(
                statement.ref_person, statement.action.value, "", record_objects.draw_salt()
            )
            yield (
                record_kinds.CodeReviewRecord(
                    time=now,
                    object=canonical.digest_value(who),
                    repository_location=self._place,
                    head=statement.ref_head,
                    statement_commit=statement.id,
                    statement=statement.digest,
                    person=record_objects.make_commitment(who.person, who.salt),
                    push=push,
                ),
                (who,),
            )

    def _build_settlement(self, refs: Mapping[str, str], now: str) -> list[LedgerRecord]:
        """Records on the updates of the refs. Where the known refs were erased, all are recorded anew."""
        if not self._home.push_index.is_whole(self._place):
            return [self._build_baseline(refs, now)]
        landed, moved = self._home.push_index.compare_refs(self._place, refs)
        found: list[LedgerRecord] = []
        if landed:
            became = record_objects.RefUpdates(self._place, landed, record_objects.draw_salt())
            took = record_kinds.RefUpdateRecord(
                time=now,
                object=canonical.digest_value(became),
                repository_location=self._place,
                ref_count=len(landed),
            )
            found.append((took, (became,)))
        if moved:
            found.append(self._build_bypass_record(moved, refs, now))
        return found

    def _build_bypass_record(
        self, moved: tuple[record_objects.RefUpdate, ...], refs: Mapping[str, str], now: str
    ) -> LedgerRecord:
        became = record_objects.RefUpdates(self._place, moved, record_objects.draw_salt())
        standing = self._read_rules(refs)
        included = find_bypass_heads(self._repository, self._home.push_index, self._place, refs, moved, standing)
        entry = record_kinds.HookBypassRecord(
            time=now,
            object=canonical.digest_value(became),
            repository_location=self._place,
            ref_count=len(moved),
            included_heads=canonical.digest_value(included) if included is not None else "",
        )
        return entry, (became, *((included,) if included is not None else ()))

    def _build_baseline(self, refs: Mapping[str, str], now: str) -> LedgerRecord:
        updates = tuple(record_objects.RefUpdate(ref, "", value) for ref, value in sorted(refs.items()))
        there = record_objects.RefUpdates(self._place, updates, record_objects.draw_salt())
        digest = canonical.digest_value(there)
        return record_kinds.BaselineRecord(
            time=now, object=digest, repository_location=self._place, ref_count=len(refs)
        ), (there,)

"""Evaluates a change at a forge: git comes from a mirror, and the decision is recorded before it is published."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from msgspec import Struct, structs

from muniment.decision.decision import Outcome
from muniment.decision.expiry import find_expiry
from muniment.errors import ForgeError, GitError
from muniment.facts import canonical, kinds
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import Approval, Freeze, SignatureResult
from muniment.facts.statements import ReviewAction as Word
from muniment.forges.accounts import list_named_accounts
from muniment.forges.first_pushes import ReadFirstPushes
from muniment.forges.forge import Forge
from muniment.forges.reviews import summarize_standing
from muniment.forges.shapes import Account, ForgeRepository, MergeGroup, Reading, ReviewState
from muniment.forges.statuses import make_context
from muniment.git.history import read_commits as read_commits
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.ledger import record_objects
from muniment.server import moments
from muniment.server.changes.branch_evaluation import store_decision
from muniment.server.changes.models import Change
from muniment.server.changes.product_rules import load_repository_rules, read_product_freezes
from muniment.server.changes.product_standing import read_product_facts
from muniment.server.connections import account_ids, first_pushes, security_attention
from muniment.server.connections.change_acts import rebuild_statement_act
from muniment.server.connections.demonstration_forge import DemonstrationMirror
from muniment.server.connections.forge_access import locate_forge, require_linked_repository
from muniment.server.connections.forge_change_store import build_status_url, lock_change
from muniment.server.connections.landed_heads import read_landed_heads, record_statements, was_stated
from muniment.server.connections.models import ForgeChange, RepositoryLink, ReviewStatement
from muniment.server.connections.named_locks import hold_lock
from muniment.server.connections.work_requests import add_earlier_requests
from muniment.server.incidents.closings import find_suspended_people
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.remembered_sql import remember_instances, save_columns
from muniment.workflows import forge_changes, forge_status_text
from muniment.workflows.branch_steps import find_branch_steps
from muniment.workflows.change_evaluation import ChangeEvaluation, Proposal, evaluate_proposal
from muniment.workflows.eligible_reviewers import name_reviewers
from muniment.workflows.forge_changes import create_collector, fetch_change, fetch_changes
from muniment.workflows.rule_sources import Rules
from muniment.workflows.status_publisher import ReadingResult


class ForgeChangeEvaluator:
    """Evaluator of one repository's changes (`workflows.status_publisher.ReadingEvaluator`)."""

    def __init__(self, connected: RepositoryLink, forge: Forge) -> None:
        self._connected = connected
        self._forge = forge
        self.lacks_facts = False  # whether the newest evaluation had results that are unknown
        self._fetched: dict[tuple[int, str], str] = {}  # tip of its branch for each change and head fetched already

    @cached_property
    def repo(self) -> ForgeRepository:
        """The repository, compared with the ledger once: this object does not change meanwhile."""
        return require_linked_repository(self._connected)

    def __call__(self, reading: Reading, now: str) -> ReadingResult:
        """Evaluate the reading and record the decision. Raises MunimentError if it could not be evaluated."""
        reading = add_earlier_requests(self._connected.repository, reading)
        mirror, tip, pushers = self._fetch_inputs(reading)
        proposal = Proposal(self._connected.repository.name, reading.change.target, tip, reading.change.head)
        with mirror.open_copy() as git:
            evaluated = self._evaluate_reading(git, reading, proposal, pushers, now)
            lines = security_attention.find_attention_lines(git, evaluated.evaluation)
        with transaction.atomic():
            # Locked before its Change, which is written first here: in that order everybody locks the two.
            row = lock_change(self._connected.repository, reading.change.number)
            if row is None:
                raise RuntimeError("a change cannot be evaluated before it is opened")
            return self._record_decision(row, reading, evaluated, lines)

    def fetch_together(self, readings: Sequence[Reading]) -> None:
        """Fetch at once what the evaluations of these readings read. Those for which it fails are fetched alone."""
        mirror = open_repository_mirror(self._connected, self._forge, self.repo)
        with hold_lock(f"mirror:{self._connected.pk}"), contextlib.suppress(GitError, ForgeError):
            tips = fetch_changes(self._forge, mirror, readings)
            changes = [reading.change for reading in readings if reading.change.number in tips]
            self._fetched = {(change.number, change.head): tips[change.number] for change in changes}

    def evaluate_merged(
        self, reading: Reading, merged: Proposal, now: str, merged_at: str, supposed_writers: Collection[str] = ()
    ) -> ChangeEvaluation:
        """Evaluate a merged change for the moment `now`, without recording it.

        `reading` is as the change was when it was merged (`merged_at`, "" if the forge does not say that it was).
        Accounts with the ids `supposed_writers` count as if they could still write.
        Raises MunimentError if it cannot be evaluated.
        """
        reading = add_earlier_requests(self._connected.repository, reading)
        mirror, _, pushers = self._fetch_inputs(reading, merged.base)
        with mirror.open_copy() as git:
            return self._evaluate_reading(git, reading, merged, pushers, now, merged_at, supposed_writers).evaluation

    def _fetch_inputs(self, reading: Reading, base: str = "") -> tuple[Mirror, str, ReadFirstPushes]:
        """Mirror with all that an evaluation reads, the tip of the change's branch, and a reader of first pushes.

        The reader covers the commits that the change's head has over `base`, or over the tip.
        """
        account_ids.store_account_ids(self._connected.connection, list_named_accounts(reading))
        mirror = open_repository_mirror(self._connected, self._forge, self.repo)
        tip = self._fetched.pop((reading.change.number, reading.change.head), "")
        if not tip:
            with hold_lock(f"mirror:{self._connected.pk}"):
                tip = fetch_change(self._forge, mirror, reading)
        pushers = first_pushes.create_push_reader(self._connected, self._forge, mirror, reading.change, base or tip)
        return mirror, tip, pushers

    def _evaluate_reading(
        self,
        git: Git,
        reading: Reading,
        proposal: Proposal,
        pushers: ReadFirstPushes,
        now: str,
        merged_at: str = "",
        supposed_writers: Collection[str] = (),
    ) -> "EvaluatedReading":
        """Evaluate without recording. For a change that was `merged_at` a moment, nothing later counts."""
        repository, number = self._connected.repository, reading.change.number
        rules = load_repository_rules(repository, git, proposal.base, moments.parse_moment(now) if merged_at else None)
        connection, repo = locate_forge(self._connected.connection), self.repo
        change = _change_of(repository, number)
        statements = load_statements(change, git, now if merged_at else "")
        landed = partial(read_landed_heads, change, reading.change.opened)
        there = partial(was_stated, repository, now) if merged_at else None
        collector = create_collector(
            connection,
            self._forge,
            repo,
            reading,
            git,
            rules,
            now,
            statements,
            landed,
            merged_at,
            pushers,
            there,
            supposed_writers,
        )
        freezes = read_product_freezes(repository.product.slug, now)
        where = (repository, git, proposal.target, proposal.base, rules.policy)
        evaluation = evaluate_proposal(
            collector, rules, proposal, now, lambda names: read_product_facts(*where, names, now), Known(freezes)
        )
        if not merged_at:
            evaluation = name_reviewers(evaluation, collector, self._forge, repo)
        return EvaluatedReading(evaluation, rules, freezes, collector.find_writers())

    def _record_decision(
        self,
        row: ForgeChange,
        reading: Reading,
        evaluated: "EvaluatedReading",
        lines: security_attention.AttentionLines,
    ) -> ReadingResult:
        change = _require_change(row)
        change.repository = self._connected.repository
        report = evaluated.evaluation.build_report()
        self.lacks_facts = any(one.status == "unknown" for one in report.results)
        new = store_decision(change, evaluated.evaluation, enforced=True)
        if new is not None:
            record_statements(change, evaluated.evaluation, new)
        security_attention.store_attention(change, reading.change.head, lines)
        denied = new is not None and report.decision is Outcome.DENY
        stored = dict(row.__dict__)
        noted = _note_inputs(row, reading, evaluated)
        noted += _note_measures(row, reading, denied=denied, excepted=_has_exception(report))
        if changed := [name for name in noted if getattr(row, name) != stored[name]]:
            save_columns(row, *changed)
        address = build_status_url(row)
        return ReadingResult(
            forge_status_text.decision_status(report, make_context(reading.change.target), address),
            forge_status_text.format_comment(report, address),
            find_expiry(
                evaluated.evaluation.decision,
                evaluated.evaluation.policy,
                evaluated.rules.exceptions,
                evaluated.freezes,
                evaluated.evaluation.facts,
            ),
        )


def _note_inputs(row: ForgeChange, reading: Reading, evaluated: "EvaluatedReading") -> list[str]:
    """Note the inputs of the evaluation, to find out later whether they changed. The fields to save."""
    read = evaluated.evaluation.facts.items()
    row.reads_checks = kinds.TEST_RUNS.name in read
    row.reviews_digest, row.writers = "", []
    if kinds.APPROVALS.name in read and isinstance(reading.reviews, Known):
        row.reviews_digest = canonical.digest_value(summarize_standing(reading.reviews.value))
    if kinds.APPROVALS.name in read:
        row.writers = [[one.id, one.login] for one in evaluated.writers]
    return ["reads_checks", "reviews_digest", "writers"]


def _require_change(row: ForgeChange) -> Change:
    if row.change is None:
        raise RuntimeError("a change cannot be evaluated before it is opened")
    return row.change


@remember_instances
def _find_changes(repository: int, number: int) -> QuerySet[Change]:
    return Change.objects.filter(forge_change__repository=repository, forge_change__number=number)


def _change_of(repository: Repository, number: int) -> Change:
    change = next(iter(_find_changes(repository.pk, number)), None)
    if change is None:
        raise RuntimeError("a change cannot be evaluated before it is opened")
    change.repository = repository
    return change


class EvaluatedReading(Struct, frozen=True):
    """Evaluation with its rules and freezes, and the accounts of reviewers who can write."""

    evaluation: ChangeEvaluation
    rules: Rules
    freezes: tuple[Freeze, ...]
    writers: tuple[Account, ...]


def is_machine_merge(connected: RepositoryLink, forge: Forge, group: MergeGroup, heads: frozenset[str]) -> bool:
    """Whether each step of a group, base to head, is what a machine makes of these heads. Raises MunimentError."""
    mirror = open_repository_mirror(connected, forge)
    with hold_lock(f"mirror:{connected.pk}"):
        gone = mirror.fetch_refs((), (), [group.base, group.head, *heads])
    if gone:
        return False
    with mirror.open_copy() as git:
        found = find_branch_steps(git, group.target, group.base, group.head, heads)
    return bool(found) and {step.allowed for step in found} == heads and not any(step.rewound for step in found)


def open_repository_mirror(connected: RepositoryLink, forge: Forge, repo: ForgeRepository | None = None) -> Mirror:
    """Mirror of the repository, at the forge `repo`. To fetch into it, hold its lock."""
    there = repo if repo is not None else require_linked_repository(connected)
    if settings.DEMONSTRATION:
        return DemonstrationMirror(connected.repository.git_folder, there.clone, {})
    return forge_changes.open_mirror(connected.repository.git_folder, forge, there, connected.connection.proxy)


def load_statements(change: Change, git: Git, until: str = "") -> tuple[Approval, ...]:
    """Statements on the change made in our sessions until a moment ("" for now), for heads that git has."""
    last = moments.parse_moment(until) if until else None
    found = [row for row in _find_statements(change.pk) if last is None or row.stated_at <= last]
    for row in found:
        row.change = change
    name = change.repository.name
    there = git.objects.read_kinds([row.head for row in found]) if found else []
    made = (
        _make_approval(name, git, row, order)
        for order, (row, kind) in enumerate(zip(found, there, strict=True))
        if kind == "commit"
    )
    return tuple(_merge_statements(made))


@remember_instances
def _find_statements(change: int) -> QuerySet[ReviewStatement]:
    return ReviewStatement.objects.filter(change=change).order_by("stated_at", "pk")


def _merge_statements(statements: Iterable[Approval]) -> Iterator[Approval]:
    """Statements in their order: one of the same action repeats the former one of its person at this head.

    So answers for two clauses, or attestations of two contributors, do not replace each other.
    """
    last: dict[tuple[str, str, str], Approval] = {}
    for one in statements:
        key = (one.ref_person, one.head, one.target)
        before = last.get(key)
        if one.signature is not SignatureResult.RECORDED:
            yield one
            continue
        if before is not None and before.action is one.action:
            answers, attests = {**before.answers, **one.answers}, {**before.attests, **one.attests}
            one = structs.replace(one, answers=answers, attests=attests)
        last[key] = one
        yield one


def _make_approval(name: str, git: Git, row: ReviewStatement, order: int) -> Approval:
    attests = row.kind == Word.ATTEST.value
    return Approval(
        ref_head=row.head,
        ref_person=row.person_id,
        id=row.act_digest,
        order=order,
        signature=SignatureResult.RECORDED if _is_recorded(row) else SignatureResult.BAD,
        repository=name,
        target=row.target,
        head=row.head,
        tree=read_commits(git, [row.head])[0].tree,
        action=Word(row.kind),
        answers={} if attests else row.answers,
        attests=row.answers if attests else {},
        time=moments.format_moment(row.stated_at),
    )


def _is_recorded(row: ReviewStatement) -> bool:
    """Whether the ledger has exactly this act, carried out by this person."""
    act = rebuild_statement_act(row)
    if act is None or not Record.objects.filter(kind="person-action", details_digest=row.act_digest).exists():
        return False
    details = read_details(row.act_digest, record_objects.PersonAction)
    if not isinstance(details, record_objects.PersonAction) or details.person != row.person_id:
        return False
    if row.kind in (Word.APPROVE, Word.ATTEST) and row.person_id in find_suspended_people():
        return False  # perhaps by whoever recovered that account; what blocks is not taken away
    return (details.details.get("step"), details.details.get("act_digest")) == ("performed", act.digest_act())


def _has_exception(report: object) -> bool:
    return any(one.exception for one in getattr(report, "results", ()))


def _note_measures(row: ForgeChange, reading: Reading, *, denied: bool, excepted: bool) -> list[str]:
    """Note moments and counts of the change, of no person, for the page about friction. The fields to save."""
    given = reading.reviews.value if not isinstance(reading.reviews, Unknown) else ()
    yes = [review for review in given if review.state is ReviewState.APPROVED and not review.dismissed]
    row.last_approved_at = max((moments.parse_moment(review.at) for review in yes), default=row.last_approved_at)
    people = [review.by.id for review in given if review.state is ReviewState.APPROVED]
    row.reapproval_count = len(people) - len(set(people))
    row.denial_count += denied
    row.excepted_denial_count = row.denial_count if excepted and not denied else row.excepted_denial_count
    return ["last_approved_at", "reapproval_count", "denial_count", "excepted_denial_count"]

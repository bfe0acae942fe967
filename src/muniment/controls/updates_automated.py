"""Control: every lock of a product is updated by machinery that was seen to work."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.update_facts import UpdatedLock, UpdateMachinery
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Days within which the machinery must prove that it works, and a bot must be seen."""

    period_days: Annotated[int, Meta(ge=1, le=90), Unit("days"), Stricter.LOWER] = 7


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_REPOSITORY = not_applicable("The product has no repository.")
    NO_LOCK = met("{repository} has no lock file.")
    AUTOMATED = met("Every lock file of {repository} is updated automatically. Lock files: {count}.")
    NOT_PROVEN = violated(
        "{repository}: the machinery for updates last worked on {day}{why}.",
        "Correct the cause; the page Background jobs shows the task propose-updates. It tries again within an hour.",
    )
    NEVER_PROVEN = violated(
        "{repository}: the machinery for updates never worked{why}.",
        "Correct the cause; the page Background jobs shows the task propose-updates. It tries again within an hour.",
    )
    NOT_UPDATED = violated(
        "{path} of {repository}: Muniment does not update it, and no bot was seen to since {day}.",
        "Have a bot such as Renovate or Dependabot update it, or request an exception.",
    )
    AWAITED = unknown(
        "{repository}: the machinery for updates did not work yet{why}.",
        "The worker tries it within an hour after the lock files were read.",
    )
    FILE_UNKNOWN = unknown(
        "The dependencies of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the machinery of each repository, and name each lock that nobody updates."""
    repositories = case.get_fact(kinds.UPDATE_AUTOMATION).repositories
    oldest = moments.add_time(case.now, days=-case.parameters.period_days)
    found = [reason for each in repositories for reason in _check_repository(each, oldest)]
    return tuple(found) or (Reasons.NO_REPOSITORY("fact:update_automation"),)


def _check_repository(one: UpdateMachinery, oldest: str) -> Iterator[Reason]:
    subject = f"repository:{one.repository}"
    for file in one.unread:
        yield Reasons.FILE_UNKNOWN(f"path:{file.path}", why=file.why)
    ours = [lock for lock in one.locks if not _is_updated_by_bot(lock, oldest)]
    stopped = _check_proof(one, oldest) if any(lock.by_us for lock in ours) else None
    if stopped is not None:
        yield stopped
    lost = [lock for lock in ours if not lock.by_us]
    for lock in lost:
        yield Reasons.NOT_UPDATED(f"path:{lock.path}", path=lock.path, repository=one.repository, day=oldest[:10])
    if not one.locks and not one.unread:
        yield Reasons.NO_LOCK(subject, repository=one.repository)
    elif stopped is None and not lost and not one.unread:
        yield Reasons.AUTOMATED(subject, repository=one.repository, count=len(one.locks))


def _is_updated_by_bot(lock: UpdatedLock, oldest: str) -> bool:
    return bool(lock.bot) and lock.seen_at >= oldest


def _check_proof(one: UpdateMachinery, oldest: str) -> Reason | None:
    """Reason why the machinery is not proven to work, None if it is."""
    subject, why = f"repository:{one.repository}", f": {one.problem}" if one.problem else ""
    if one.proven_at >= oldest:
        return None
    if one.proven_at:
        return Reasons.NOT_PROVEN(subject, repository=one.repository, day=one.proven_at[:10], why=why)
    if one.since >= oldest:
        return Reasons.AWAITED(subject, repository=one.repository, why=why)
    return Reasons.NEVER_PROVEN(subject, repository=one.repository, why=why)


CONTROL = Control(
    name="updates-automated",
    version=1,
    summary="Every lock file is updated by machinery that was seen to work.",
    scope=Scope.PRODUCT,
    needs=(kinds.UPDATE_AUTOMATION,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

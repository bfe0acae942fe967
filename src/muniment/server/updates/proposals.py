"""Proposes updates at a forge, and renews, follows and closes the proposals. Each is recorded before it is pushed.

A branch of ours that somebody pushed to is left alone. One that was closed by hand stays closed until its due date.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import structs

from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.forges.forge import Forge
from muniment.forges.shapes import ChangeEdit, ChangeState, ForgeRepository
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.connections.forge_access import locate_forge
from muniment.server.connections.models import RepositoryLink
from muniment.server.error_text import format_error_text
from muniment.server.updates.advisory_lists import find_due_at, find_update_clauses
from muniment.server.updates.due_days import read_development_days, read_update_days
from muniment.server.updates.matching_acts import ProposeUpdate
from muniment.server.updates.models import ProductAdvisory, ProposalState, ProposedUpdate
from muniment.updates.dependencies import Lock
from muniment.updates.lock_updates import LockUpdate, UpdateSettings, update_lock
from muniment.workflows.update_proposals import (
    LABEL,
    UpdateProposal,
    VulnerablePackages,
    group_vulnerable,
    make_proposal,
    name_branch,
)

MOST_PROPOSED = 5  # proposals of a repository; one that is due soon is opened all the same
_SOON = timedelta(days=3)
_PAUSE = timedelta(days=30)  # after one was closed by hand whose advisories have no due date
_MARKER = "muniment-update"


class ProposalTarget(NamedTuple):
    """Branch of a repository at its forge for which updates are proposed, and the copy to make commits in."""

    connected: RepositoryLink
    forge: Forge
    there: ForgeRepository
    mirror: Mirror
    git: Git
    ref: str
    tip: str


class WantedUpdate(NamedTuple):
    """Packages of a lock that have to be updated, by when (None: no due date is known), and the branch for it."""

    lock: Lock
    group: VulnerablePackages
    due_at: datetime | None
    branch: str


def propose_updates(
    target: ProposalTarget, locks: Sequence[Lock], files: Mapping[str, bytes], about: UpdateSettings
) -> None:
    """Bring the proposals of a branch up to date. Raises MunimentError if the forge does not do its part."""
    rows = {row.branch: row for row in ProposedUpdate.objects.filter(repository=target.connected.repository_id)}
    for row in rows.values():
        if row.state == ProposalState.OPEN and row.number:
            _follow_change(target, row)
    wanted = list(_list_wanted(target, locks, about))
    needed = {one.branch for one in wanted}
    for row in rows.values():
        if row.state == ProposalState.OPEN and row.target == target.ref and row.branch not in needed:
            _close_proposal(target, row)
    room = MOST_PROPOSED - sum(row.state == ProposalState.OPEN for row in rows.values())
    for one in wanted:
        known = rows.get(one.branch)
        is_open = known is not None and known.state == ProposalState.OPEN
        if is_open or (not _is_paused(known) and (room > 0 or _is_due_soon(one))):
            opened = _propose_update(target, one, known, files, about)
            room -= int(opened and not is_open)


def _is_paused(row: ProposedUpdate | None) -> bool:
    return row is not None and row.paused_until is not None and row.paused_until > timezone.now()


def _is_due_soon(one: WantedUpdate) -> bool:
    return one.due_at is not None and one.due_at < timezone.now() + _SOON


def _list_wanted(target: ProposalTarget, locks: Sequence[Lock], about: UpdateSettings) -> Iterator[WantedUpdate]:
    """List what has to be updated, the first due on top."""
    days, _problem = read_update_days()
    more = read_development_days()
    rows = list(ProductAdvisory.objects.filter(repository=target.connected.repository_id, ended_at=None))
    found = []
    for lock in locks:
        for group in group_vulnerable(lock, about.index):
            own = [row for row in rows if row.lock_path == lock.path and row.package in group.names]
            due = [at for row in own if (at := find_due_at(row, days, more)) is not None]
            branch = name_branch(target.ref, lock.path, group)
            found.append(WantedUpdate(lock, group, min(due, default=None), branch))
    latest = timezone.now() + timedelta(days=10_000)
    yield from sorted(found, key=lambda one: (one.due_at or latest, one.branch))


def _propose_update(
    target: ProposalTarget,
    one: WantedUpdate,
    row: ProposedUpdate | None,
    files: Mapping[str, bytes],
    about: UpdateSettings,
) -> bool:
    """Open or renew one proposal. Returns whether it is open; an update that cannot be made is noted where one was."""
    settings = structs.replace(about, packages=one.group.names)
    update = update_lock(one.lock, files[one.lock.path], files, settings)
    if not isinstance(update, LockUpdate):
        if row is not None and update is not None:
            row.problem = update.reason
            row.save(update_fields=["problem"])
        return row is not None and row.state == ProposalState.OPEN
    digest = canonical.digest_bytes(update.content)
    there = target.mirror.list_remote_refs([one.branch]).get(one.branch, "")
    is_ours = not there or (row is not None and there in (row.commit, row.before))
    base = canonical.digest_bytes(files[one.lock.path])
    if row is not None and row.state == ProposalState.OPEN and row.number:
        if not is_ours or (there == row.commit and (row.digest, row.base_digest) == (digest, base)):
            return True  # somebody works on it, or it is as it has to be
    elif not is_ours:
        return False  # a branch of that name is somebody's
    now = moments.current_moment()
    who = locate_forge(target.connected.connection).format_address(target.forge.reader.describe_forge().ours)
    made = make_proposal(target.git, target.tip, one.branch, update, who, now, _list_reasons(one))
    row = _record_proposal(target, one, row, made, (digest, base, there))
    _publish_proposal(target, row, made)
    return True


def _record_proposal(
    target: ProposalTarget,
    one: WantedUpdate,
    row: ProposedUpdate | None,
    made: UpdateProposal,
    state: tuple[str, str, str],
) -> ProposedUpdate:
    """Store what will be pushed, and record it: the record comes before the act.

    `state`: digests of the new lock and of that on the target, and the commit at which the branch is, "" for none.
    """
    with transaction.atomic():
        found = row or ProposedUpdate(repository=target.connected.repository, branch=one.branch)
        found.target, found.lock_path, found.packages = target.ref, one.lock.path[:1000], list(one.group.names)
        found.digest, found.base_digest, found.before = state
        found.commit, found.problem = made.commit, ""
        if found.state != ProposalState.OPEN:
            found.number, found.url = 0, ""
        found.state = ProposalState.PLANNED
        found.save()
        values = {"proposal": found.pk, "digest": found.digest}
        execute_system_act(SystemActor.DEPENDENCY_SCAN, ProposeUpdate, values)
    found.refresh_from_db()
    return found


def _publish_proposal(target: ProposalTarget, row: ProposedUpdate, made: UpdateProposal) -> None:
    """Push the commit, and open or edit the change. Raises MunimentError, with the reason noted at the proposal."""
    publisher = target.forge.publisher
    try:
        target.mirror.push_commit(target.git, made.commit, made.branch, row.before)
        change = publisher.open_change(target.there, made.branch, target.ref, made.title, made.text)
        row.number, row.url = change.number, change.url[:500]
        row.save(update_fields=["number", "url"])
        publisher.edit_change(target.there, change.number, ChangeEdit(made.title, made.text, (LABEL,)))
    except MunimentError as error:
        row.problem = format_error_text(error)
        row.save(update_fields=["problem"])
        raise


def _list_reasons(one: WantedUpdate) -> list[str]:
    """Lines on the policy's clause and the due date."""
    clauses = ", ".join(find_update_clauses())
    reasons = [
        _("Clause of the policy: %(clauses)s.") % {"clauses": clauses}
        if clauses
        else _("No clause of the policy asks for it.")
    ]
    reasons.append(_("Highest severity: %(severity)s.") % {"severity": one.group.severity.value})
    if one.due_at is not None:
        reasons.append(_("Due on %(day)s.") % {"day": one.due_at.date().isoformat()})
    return reasons


def _follow_change(target: ProposalTarget, row: ProposedUpdate) -> None:
    """Note that a change was merged, or closed by hand: then it is asked why, and nothing is proposed for a while."""
    change = target.forge.reader.read_change(target.there, row.number)
    if change.state is ChangeState.OPEN:
        return
    if change.state is ChangeState.MERGED:
        row.state = ProposalState.MERGED
        row.save(update_fields=["state"])
        return
    row.state, row.paused_until = ProposalState.DISMISSED, _find_pause(row)
    row.save(update_fields=["state", "paused_until"])
    day = row.paused_until.date().isoformat()
    text = _(
        "You closed this update. Write the reason in a comment, or request an exception on the page Updates of the "
        "product. If its vulnerabilities are still open on %(day)s, it is proposed again."
    )
    target.forge.publisher.update_comment(target.there, row.number, _MARKER, text % {"day": day})


def _find_pause(row: ProposedUpdate) -> datetime:
    """Due date of the update if it is to come, else a month from now."""
    days, _problem = read_update_days()
    more = read_development_days()
    advisories = ProductAdvisory.objects.filter(
        repository=row.repository_id, lock_path=row.lock_path, package__in=row.packages, ended_at=None
    )
    now = timezone.now()
    due = [at for each in advisories if (at := find_due_at(each, days, more)) is not None and at > now]
    return min(due, default=now + _PAUSE)


def _close_proposal(target: ProposalTarget, row: ProposedUpdate) -> None:
    """Close a change that is no longer needed, and delete its branch if nobody else pushed to it."""
    if row.number:
        text = _("This update is no longer needed: no open vulnerability of these packages is left on the branch.")
        target.forge.publisher.update_comment(target.there, row.number, _MARKER, text)
        target.forge.publisher.edit_change(target.there, row.number, ChangeEdit(closes=True))
    if target.mirror.list_remote_refs([row.branch]).get(row.branch) == row.commit:
        target.mirror.delete_branch(row.branch, row.commit)
    row.state = ProposalState.CLOSED
    row.save(update_fields=["state"])

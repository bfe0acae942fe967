"""Reads the log of a gate on a git server: verified with its key, grown out of what was read before."""

import os
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.decision.account import account
from muniment.errors import ErasedError, LedgerError, MunimentError, StoreError
from muniment.facts import canonical
from muniment.ledger import entries, objects, tiles, told
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint, read_unverified
from muniment.ledger.key_exchanges import find_current_key
from muniment.server import moments
from muniment.server.changes.models import Change, Decision, ServerHookLog, ServerHookRecord
from muniment.server.products.repository_folders import REMEDY, UNNAMED, is_named
from muniment.server.records import row_checks
from muniment.server.records.entering import enter
from muniment.server.records.installation import store
from muniment.store.files import FilesStore
from muniment.store.files_log import FilesLog
from muniment.store.store import Store
from muniment.workflows.judge_again import NotComparable, judgement

_MOST = 1_000  # entries in one transaction
_RESTORE = gettext_lazy("Find out why: somebody may have rewritten it. Nothing of it is read until it is what it was.")


def read_on(log: ServerHookLog) -> None:
    """Read what is new. What is wrong with the log is told in `problem`, and nothing of it is then read."""
    try:
        while _read_some(log):
            pass
        log.problem = ""
    except MunimentError as error:
        log.problem = f"{error.message}. {error.remedy}"
    log.read_at = moments.read(moments.now())
    ServerHookLog.objects.filter(pk=log.pk).update(problem=log.problem, read_at=log.read_at)


def _read_some(log: ServerHookLog) -> bool:
    row_checks.require_recorded(log, log.repository)  # its key says whose decisions are believed
    if not is_named(log.path):
        raise StoreError(_(UNNAMED).rstrip("."), _(REMEDY))
    folder = Path(os.path.realpath(log.path))
    files = FilesLog(folder / "ledger" if (folder / "ledger").is_dir() else folder, None, None, None)
    data = files.checkpoint()
    if data is None:
        raise LedgerError(
            _("%(path)s has no checkpoint") % {"path": log.path}, _("Name the gate's home, or a copy of its ledger.")
        )
    key = find_current_key(files.read, read_unverified(data).size, log.public_key)
    head = read_checkpoint(data, key)
    _compare(files, head, log)
    until = min(head.size, log.verified_size + _MOST)
    if until == log.verified_size:
        return False
    given = FilesStore(str(folder)) if (folder / "objects").is_dir() else None
    root = tiles.root(files.read, head.size, until).hex()
    with transaction.atomic():
        for place, raw in enumerate(tiles.entries(files.read, head.size, log.verified_size, until), log.verified_size):
            _take(log, place, raw, given)
        origin = objects.PersonStatement("", f"{log.repository.name}: {log.path}", "", objects.salt())
        digest = canonical.digest_of(origin)
        enter(
            entries.LedgerImportRecord(time=moments.now(), object=digest, origin=head.origin, size=until, root=root),
            (origin,),
        )
        ServerHookLog.objects.filter(pk=log.pk).update(verified_size=until, verified_root=root)
    log.verified_size, log.verified_root = until, root
    return until < head.size


def _compare(files: FilesLog, head: Checkpoint, log: ServerHookLog) -> None:
    """Raises LedgerError unless it is whole at its edge, and grew out of what was read before."""
    if head.size < log.verified_size:
        raise LedgerError(
            _("the log of the gate is older than it was: %(now)d entries, not %(before)d")
            % {"now": head.size, "before": log.verified_size},
            str(_RESTORE),
        )
    if tiles.root(files.read, head.size, head.size) != head.root:
        raise LedgerError(_("the log of the gate does not give the root that is signed"), str(_RESTORE))
    if log.verified_size and tiles.root(files.read, head.size, log.verified_size).hex() != log.verified_root:
        raise LedgerError(_("the log of the gate is not the one that was read before"), str(_RESTORE))


def _take(log: ServerHookLog, place: int, raw: bytes, given: Store | None) -> None:
    entry = entries.decode(raw, place)
    row = ServerHookRecord.objects.create(
        log=log, position=place, kind=told.kind(entry), recorded_at=moments.read(entry.time), data=raw
    )
    if isinstance(entry, entries.DecisionRecord):
        _decide(log, row, entry, given)


def _decide(log: ServerHookLog, row: ServerHookRecord, entry: entries.DecisionRecord, given: Store | None) -> None:
    """A decision that bound somebody. What was merged is found by its commit; what was denied is gone."""
    allowed = entry.outcome == "allow"
    name = entry.head or "deletion"
    state = Change.State.MERGED if allowed else Change.State.CLOSED
    values = {"state": state, "title": name[:12], "head": entry.head, "updated_at": row.recorded_at}
    change, _ = Change.objects.get_or_create(
        repository=log.repository, target=entry.target[:300], name=name, defaults=values
    )
    decision = Decision.objects.create(
        change=change,
        hook_record=row,
        head=entry.head,
        base=entry.base,
        allowed=allowed,
        decided_at=row.recorded_at,
        policy_digest=entry.policy,
        inputs_digest=canonical.digest_of({"gate": log.pk, "place": row.position}),
        explanation_digest=_told(entry, given),
    )
    change.decision = decision
    change.save(update_fields=["decision"])


def _told(entry: entries.DecisionRecord, given: Store | None) -> str:
    """The object that tells it; "" if what lies beside the log was not given, was erased, or is another version's."""
    if given is None:
        return ""
    try:
        found = judgement(given, entry)
    except (ErasedError, StoreError, LedgerError, NotComparable):
        return ""
    return store().put(canonical.encode(account(found.decision, found.policy, found.facts)))

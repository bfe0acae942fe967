"""Reads the log of a server hook: verified with its key, and an extension of what was read before."""

import os
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.errors import ErasedError, LedgerError, MunimentError, StoreError
from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects, record_text, tiles
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint, read_unverified_checkpoint
from muniment.ledger.key_exchanges import find_current_key
from muniment.server import moments
from muniment.server.changes.models import Change, Decision, SecurityQuestions, ServerHookLog, ServerHookRecord
from muniment.server.changes.security_questions import find_security_questions
from muniment.server.products.repository_folders import REMEDY, UNNAMED, is_in_named_folder
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.record_writing import append_record
from muniment.store.files_log import FilesLog
from muniment.store.files_store import FilesStore
from muniment.store.store import Store
from muniment.workflows.reevaluation import NotComparable, load_evaluation

_MOST = 1_000  # entries in one transaction
_RESTORE = gettext_lazy("Find out why: somebody may have rewritten it. Nothing of it is read until it is what it was.")


def read_new_entries(log: ServerHookLog) -> None:
    """Read the new entries. A problem of the log is stored in `problem`, and none of its new entries is then read."""
    try:
        while _read_some(log):
            pass
        log.problem = ""
    except MunimentError as error:
        log.problem = f"{error.message}. {error.remedy}"
    log.read_at = moments.parse_moment(moments.current_moment())
    ServerHookLog.objects.filter(pk=log.pk).update(problem=log.problem, read_at=log.read_at)


def _read_some(log: ServerHookLog) -> bool:
    row_checks.require_recorded(log, log.repository)  # its key says whose decisions are believed
    if not is_in_named_folder(log.path):
        raise StoreError(_(UNNAMED).rstrip("."), _(REMEDY))
    folder = Path(os.path.realpath(log.path))
    files = FilesLog(folder / "ledger" if (folder / "ledger").is_dir() else folder, None, None, None)
    data = files.load_checkpoint()
    if data is None:
        raise LedgerError(
            _("%(path)s has no checkpoint") % {"path": log.path},
            _("Name the server hook's home, or a copy of its ledger."),
        )
    key = find_current_key(files.read_file, read_unverified_checkpoint(data).size, log.public_key)
    head = read_checkpoint(data, key)
    _require_extension(files, head, log)
    until = min(head.size, log.verified_size + _MOST)
    if until == log.verified_size:
        return False
    given = FilesStore(str(folder)) if (folder / "objects").is_dir() else None
    root = tiles.compute_root(files.read_file, head.size, until).hex()
    with transaction.atomic():
        for place, raw in enumerate(
            tiles.read_entries(files.read_file, head.size, log.verified_size, until), log.verified_size
        ):
            _store_entry(log, place, raw, given)
        origin = record_objects.PersonStatement(
            "", f"{log.repository.name}: {log.path}", "", record_objects.draw_salt()
        )
        digest = canonical.digest_value(origin)
        append_record(
            record_kinds.LedgerImportRecord(
                time=moments.current_moment(), object=digest, origin=head.origin, size=until, root=root
            ),
            (origin,),
        )
        ServerHookLog.objects.filter(pk=log.pk).update(verified_size=until, verified_root=root)
    log.verified_size, log.verified_root = until, root
    return until < head.size


def _require_extension(files: FilesLog, head: Checkpoint, log: ServerHookLog) -> None:
    """Raise LedgerError unless the log is consistent at its edge, and extends what was read before."""
    if head.size < log.verified_size:
        raise LedgerError(
            _("the log of the server hook is older than it was: %(now)d entries, not %(before)d")
            % {"now": head.size, "before": log.verified_size},
            str(_RESTORE),
        )
    if tiles.compute_root(files.read_file, head.size, head.size) != head.root:
        raise LedgerError(_("the log of the server hook does not give the signed root"), str(_RESTORE))
    if (
        log.verified_size
        and tiles.compute_root(files.read_file, head.size, log.verified_size).hex() != log.verified_root
    ):
        raise LedgerError(_("the log of the server hook is not the one that was read before"), str(_RESTORE))


def _store_entry(log: ServerHookLog, position: int, raw: bytes, home_store: Store | None) -> None:
    entry = record_kinds.decode_record(raw, position)
    row = ServerHookRecord.objects.create(
        log=log,
        position=position,
        kind=record_text.record_kind(entry),
        recorded_at=moments.parse_moment(entry.time),
        data=raw,
    )
    if isinstance(entry, record_kinds.DecisionRecord):
        _store_hook_decision(log, row, entry, home_store)


def _store_hook_decision(
    log: ServerHookLog, row: ServerHookRecord, entry: record_kinds.DecisionRecord, home_store: Store | None
) -> None:
    """Store a decision of a server hook. A merged change is found by its commit; a denied one is gone."""
    allowed = entry.outcome == "allow"
    name = entry.head or "deletion"
    state = Change.State.MERGED if allowed else Change.State.CLOSED
    values = {"state": state, "title": name[:12], "head": entry.head, "updated_at": row.recorded_at}
    change, _ = Change.objects.get_or_create(
        repository=log.repository, target=entry.target[:300], name=name, defaults=values
    )
    explanation, questions = _read_decision_object(entry, home_store)
    decision = Decision.objects.create(
        change=change,
        hook_record=row,
        head=entry.head,
        base=entry.base,
        allowed=allowed,
        decided_at=row.recorded_at,
        policy_digest=entry.policy,
        inputs_digest=canonical.digest_value({"hook_log": log.pk, "place": row.position}),
        explanation_digest=explanation,
        security_questions=questions,
    )
    change.decision = decision
    change.save(update_fields=["decision"])


def _read_decision_object(
    entry: record_kinds.DecisionRecord, home_store: Store | None
) -> tuple[str, SecurityQuestions]:
    """Digest of the decision's object, with the state of its security questions; "" and unknown if the home of the log
    was not given, or the object was erased or is another version's.
    """
    unknown = "", SecurityQuestions.UNKNOWN
    if home_store is None:
        return unknown
    try:
        found = load_evaluation(home_store, entry)
    except (ErasedError, StoreError, LedgerError, NotComparable):
        return unknown
    report = found.build_report()
    return open_store().put_object(canonical.encode(report)), find_security_questions(report.results)

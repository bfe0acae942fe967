"""Reads the log of a gate on a git server: verified with its key, grown out of what was read before."""

from pathlib import Path

from django.db import transaction

from muniment.decision.account import account
from muniment.errors import ErasedError, HomeError, LedgerError, MunimentError
from muniment.facts import canonical
from muniment.home.files import FilesHome
from muniment.home.files_log import FilesLog
from muniment.home.home import Home
from muniment.ledger import entries, objects, tiles, told
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint
from muniment.server import moments
from muniment.server.changes.models import Change, Decision, GateEntry, GateLog
from muniment.server.installation import home
from muniment.server.record.entering import enter
from muniment.workflows.judge_again import NotComparable, judgement

_MOST = 1_000  # entries in one transaction
_RESTORE = "Find out why: somebody may have rewritten it. Nothing of it is read until it is what it was."


def read_on(log: GateLog) -> None:
    """Read what is new. What is wrong with the log is told in `problem`, and nothing of it is then read."""
    try:
        while _read_some(log):
            pass
        log.problem = ""
    except MunimentError as error:
        log.problem = f"{error.message}. {error.remedy}"
    log.read = moments.read(moments.now())
    GateLog.objects.filter(pk=log.pk).update(problem=log.problem, read=log.read)


def _read_some(log: GateLog) -> bool:
    folder = Path(log.path)
    files = FilesLog(folder / "ledger" if (folder / "ledger").is_dir() else folder, None, None, None)
    data = files.checkpoint()
    if data is None:
        raise LedgerError(f"{log.path} has no checkpoint", "Name the gate's home, or a copy of its ledger.")
    head = read_checkpoint(data, log.key)
    _compare(files, head, log)
    until = min(head.size, log.size + _MOST)
    if until == log.size:
        return False
    given = FilesHome(log.path) if (folder / "objects").is_dir() else None
    root = tiles.root(files.read, head.size, until).hex()
    with transaction.atomic():
        for place, raw in enumerate(tiles.entries(files.read, head.size, log.size, until), log.size):
            _take(log, place, raw, given)
        origin = objects.Said("", f"{log.repository.name}: {log.path}", "", objects.salt())
        digest = canonical.digest_of(origin)
        enter(entries.Imported(time=moments.now(), object=digest, origin=head.origin, size=until, root=root), (origin,))
        GateLog.objects.filter(pk=log.pk).update(size=until, root=root)
    log.size, log.root = until, root
    return until < head.size


def _compare(files: FilesLog, head: Checkpoint, log: GateLog) -> None:
    """Raises LedgerError unless it is whole at its edge, and grew out of what was read before."""
    if head.size < log.size:
        raise LedgerError(f"the log of the gate is older than it was: {head.size} entries, not {log.size}", _RESTORE)
    if tiles.root(files.read, head.size, head.size) != head.root:
        raise LedgerError("the log of the gate does not give the root that is signed", _RESTORE)
    if log.size and tiles.root(files.read, head.size, log.size).hex() != log.root:
        raise LedgerError("the log of the gate is not the one that was read before", _RESTORE)


def _take(log: GateLog, place: int, raw: bytes, given: Home | None) -> None:
    entry = entries.decode(raw, place)
    row = GateEntry.objects.create(log=log, place=place, kind=told.kind(entry), time=moments.read(entry.time), data=raw)
    if isinstance(entry, entries.Judged):
        _decide(log, row, entry, given)


def _decide(log: GateLog, row: GateEntry, entry: entries.Judged, given: Home | None) -> None:
    """A decision that bound somebody. What was merged is found by its commit; what was denied is gone."""
    allowed = entry.outcome == "allow"
    name = entry.head or "deletion"
    where = Change.Where.PAST if allowed else Change.Where.GONE
    values = {"where": where, "title": name[:12], "head": entry.head, "time": row.time}
    change, _ = Change.objects.get_or_create(
        repository=log.repository, target=entry.target[:300], name=name, defaults=values
    )
    decision = Decision.objects.create(
        change=change,
        gate=row,
        head=entry.head,
        base=entry.base,
        allowed=allowed,
        time=row.time,
        policy=entry.policy,
        inputs=canonical.digest_of({"gate": log.pk, "place": row.place}),
        account=_told(entry, given),
    )
    change.decision = decision
    change.save(update_fields=["decision"])


def _told(entry: entries.Judged, given: Home | None) -> str:
    """The object that tells it; "" if what lies beside the log was not given, was erased, or is another version's."""
    if given is None:
        return ""
    try:
        found = judgement(given, entry)
    except (ErasedError, HomeError, LedgerError, NotComparable):
        return ""
    return home().put(canonical.encode(account(found.decision, found.policy, found.facts)))

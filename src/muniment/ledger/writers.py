"""The only process that may write each kind of record: the closed list that the database and the sequencer enforce."""

from enum import StrEnum


class Writer(StrEnum):
    """A process that writes records. The value is the name of its role in the database, without its prefix."""

    WEB = "web"
    WORKER = "worker"
    SEQUENCER = "sequencer"
    ERASER = "eraser"
    OPERATOR = "operator"
    SERVER_HOOK = "server-hook"  # writes to the log of its own home; none of its kinds is written by the service


WRITERS: dict[str, Writer] = {
    "baseline": Writer.SERVER_HOOK,
    "push": Writer.SERVER_HOOK,
    "code-review": Writer.SERVER_HOOK,
    "push-refusal": Writer.SERVER_HOOK,
    "ref-update": Writer.SERVER_HOOK,
    "hook-bypass": Writer.SERVER_HOOK,
    "decision": Writer.WORKER,
    "decision-preview": Writer.WORKER,
    "branch-update": Writer.WORKER,
    "replay": Writer.WORKER,
    "ledger-import": Writer.WORKER,
    "deployment-permission": Writer.SEQUENCER,
    "deployment-outcome": Writer.WORKER,
    "job-run": Writer.WORKER,
    "incident-opened": Writer.WORKER,
    "incident-resolved": Writer.WORKER,
    "service-action": Writer.WORKER,
    "person-action": Writer.WEB,
    "incident-closed": Writer.WEB,
    "freeze": Writer.WEB,
    "freeze-lift": Writer.WEB,
    "deployment-request": Writer.WORKER,
    "operator-action": Writer.OPERATOR,
    "reconciliation": Writer.SEQUENCER,
    "key-exchange": Writer.SEQUENCER,
    "erasure": Writer.ERASER,
}


def list_kinds(writer: Writer) -> tuple[str, ...]:
    """Kinds of record that only this process may write, in the order of their names."""
    return tuple(sorted(kind for kind, only in WRITERS.items() if only is writer))

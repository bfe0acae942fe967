"""Entries of the ledger in words: one line each."""

from muniment.facts.paths import to_bytes
from muniment.ledger import entries

_NAMES = {"landed": "refs took what was pushed", "moved": "refs moved past the gate"}


def kind(entry: entries.AnyEntry) -> str:
    """The word for its kind, as it stands in the ledger."""
    return str(type(entry).__struct_config__.tag)


def said(entry: entries.AnyEntry) -> str:
    """What an entry says, in one line. Refs of strangers may stand in it, with whatever bytes they have."""
    match entry:
        case entries.Judged() | entries.Previewed():
            word = "allowed" if entry.outcome == "allow" else "denied"
            note = "" if entry.enforced else " (reported only)"
            note = " (preview)" if isinstance(entry, entries.Previewed) else note
            why = f"  {', '.join(entry.codes)}" + (f" and {entry.more} more" if entry.more else "")
            return f"{word}{note}  {entry.head or 'deletion'} onto {_raw(entry.target)} of {entry.repository}{why}"
        case entries.Approved():
            return f"statement on {entry.head}"
        case entries.Refused():
            return f"{entry.code}" + ("" if entry.enforced else " (reported only)")
        case entries.Pushed():
            return f"{entry.updates} refs, {entry.commits} new commits" + ("" if entry.pusher else ", by nobody known")
        case entries.Baseline():
            return f"{entry.refs} refs were there"
        case entries.Landed() | entries.Moved():
            return f"{entry.refs} {_NAMES[kind(entry)]}"
        case entries.Frozen():
            return f"{entry.freeze}" + (" (rehearsal)" if entry.rehearsal else ": all merges stopped")
        case entries.Lifted():
            return f"{entry.freeze}" + (": lifted" if entry.complete else ": one of two")
        case entries.Erasure():
            return f"{entry.objects} objects erased"
        case entries.Acted():
            return f"{entry.action} of a {entry.resource} as {entry.role}" + (" (alone)" if entry.alone else "")
        case entries.Studied():
            return f"{entry.changes} past changes of {_raw(entry.target)}, {entry.allowed} of them allowed"
        case entries.Imported():
            return f"the log of {entry.origin} was verified up to {entry.size} entries"
        case entries.Asked():
            return f"{entry.artifact}, made of {entry.head}, is to be deployed"
        case entries.Vouched():
            return f"permission to deploy, by {entry.leave}, until {entry.until[:16]}"
        case entries.Delivered():
            return f"a deployment: {entry.state}"
        case entries.IncidentOpened():
            return f"{entry.incident}, to be closed by {entry.deadline[:10]}"
        case entries.IncidentClosed():
            return f"{entry.incident} closed: {entry.how}" + ("" if entry.person else ", by nobody's hand")
        case entries.Arrived():
            by = {"allowed": f"allowed by {entry.decision}", "escape": "an escape: no decision allowed it"}
            told = by.get(entry.how, "was there when its branch began to be watched")
            return f"{entry.commit} on {_raw(entry.target)} of {entry.repository}: {told}"
        case entries.Reconciliation():
            return f"went on from {entry.size} entries; the copy outside had {entry.seen}"


def _raw(ref: str) -> str:
    return to_bytes(ref).decode("utf-8", "replace")

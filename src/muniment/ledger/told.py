"""Entries of the ledger in words: one line each."""

from muniment.facts.counting import count_entries
from muniment.facts.paths import to_bytes
from muniment.ledger import entries

_NAMES = {"ref-update": "refs updated by a push", "hook-bypass": "refs updated without the server hook"}


def kind(entry: entries.AnyEntry) -> str:
    """The word for its kind, as it stands in the ledger."""
    return str(type(entry).__struct_config__.tag)


def said(entry: entries.AnyEntry) -> str:
    """Text of an entry in one line. It may contain names of refs with any bytes."""
    match entry:
        case entries.DecisionRecord() | entries.DecisionPreviewRecord():
            word = "allowed" if entry.outcome == "allow" else "denied"
            note = "" if entry.enforced else " (reported only)"
            note = " (preview)" if isinstance(entry, entries.DecisionPreviewRecord) else note
            why = f"  {', '.join(entry.reason_codes)}" + (
                f" and {entry.omitted_reason_codes} more" if entry.omitted_reason_codes else ""
            )
            return f"{word}{note}  {entry.head or 'deletion'} onto {_raw(entry.target)} of {entry.repository}{why}"
        case entries.CodeReviewRecord():
            return f"statement on {entry.head}"
        case entries.PushRefusalRecord():
            return f"{entry.code}" + ("" if entry.enforced else " (reported only)")
        case entries.PushRecord():
            return f"{entry.update_count} refs, {entry.commit_count} new commits" + (
                "" if entry.pusher else ", by an unknown person"
            )
        case entries.BaselineRecord():
            return f"{entry.ref_count} refs were there"
        case entries.RefUpdateRecord() | entries.HookBypassRecord():
            return f"{entry.ref_count} {_NAMES[kind(entry)]}"
        case entries.FreezeRecord():
            scope = " in one scope" if entry.scope else ""
            until = f" until {entry.until[:16]}" if entry.until else ""
            what = " (drill)" if entry.drill else f": merges and deployments frozen{scope}"
            return f"{entry.freeze}{what} from {entry.since[:16]}{until}"
        case entries.FreezeLiftRecord():
            return f"{entry.freeze}" + (": lifted" if entry.complete else ": one of two")
        case entries.ErasureRecord():
            return f"{entry.object_count} objects erased"
        case entries.PersonActionRecord() | entries.ServiceActionRecord() | entries.OperatorActionRecord():
            return f"{entry.action} of a {entry.resource_kind} as {entry.role}" + (
                " (alone)" if entry.without_second_person else ""
            )
        case entries.ReplayRecord():
            return f"{entry.change_count} past changes of {_raw(entry.target)}, {entry.allowed_count} of them allowed"
        case entries.LedgerImportRecord():
            return f"the log of {entry.origin} was verified up to {count_entries(entry.size)}"
        case entries.DeploymentRequestRecord():
            return f"{entry.artifact}, made of {entry.commit}, is to be deployed"
        case entries.DeploymentPermissionRecord():
            return f"permission to deploy, by {entry.basis}, until {entry.expires[:16]}"
        case entries.DeploymentOutcomeRecord():
            return f"a deployment: {entry.state}"
        case entries.JobRunRecord():
            return f"a job on {entry.commit} {'gets' if entry.allowed else 'is denied'} secrets without a deployment"
        case entries.IncidentOpenedRecord():
            return f"{entry.incident_kind}, to be closed by {entry.due[:10]}"
        case entries.IncidentClosedRecord():
            return f"{entry.incident_kind} closed by a person: {entry.resolution}"
        case entries.IncidentResolvedRecord():
            return f"{entry.incident_kind} ended by what was observed: {entry.resolution}"
        case entries.BranchUpdateRecord():
            by = {"allowed": f"allowed by {entry.decision}", "bypass": f"a bypass ({entry.bypass_reason})"}
            told = by.get(entry.status, "was there when its branch began to be watched")
            return f"{entry.commit} on {_raw(entry.target)} of {entry.repository}: {told}"
        case entries.KeyExchangeRecord():
            how = "the lost one does not vouch for it" if entry.lost else "the old one vouches for it"
            return f"signed with another key from now on: {entry.new_key.rpartition('+')[0]}; {how}"
        case entries.ReconciliationRecord():
            return f"went on from {count_entries(entry.ledger_size)}; the copy outside had {entry.copy_size}"


def _raw(ref: str) -> str:
    return to_bytes(ref).decode("utf-8", "replace")

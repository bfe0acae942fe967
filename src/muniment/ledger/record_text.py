"""Records of the ledger as text, one line each."""

from muniment.facts.counting import count_entries
from muniment.facts.paths import encode_path
from muniment.ledger import record_kinds

_NAMES = {"ref-update": "refs updated by a push", "hook-bypass": "refs updated without the server hook"}


def record_kind(entry: record_kinds.AnyEntry) -> str:
    """Kind of a record, as it stands in the ledger."""
    return str(type(entry).__struct_config__.tag)


def describe_record(entry: record_kinds.AnyEntry) -> str:
    """Text of an entry in one line. It may contain names of refs with any bytes."""
    match entry:
        case record_kinds.DecisionRecord() | record_kinds.DecisionPreviewRecord():
            word = "allowed" if entry.outcome == "allow" else "denied"
            note = "" if entry.enforced else " (reported only)"
            note = " (preview)" if isinstance(entry, record_kinds.DecisionPreviewRecord) else note
            why = f"  {', '.join(entry.reason_codes)}" + (
                f" and {entry.omitted_reason_codes} more" if entry.omitted_reason_codes else ""
            )
            return (
                f"{word}{note}  {entry.head or 'deletion'} onto {_decode_ref(entry.target)} of {entry.repository}{why}"
            )
        case record_kinds.CodeReviewRecord():
            return f"statement on {entry.head}"
        case record_kinds.PushRefusalRecord():
            return f"{entry.code}" + ("" if entry.enforced else " (reported only)")
        case record_kinds.PushRecord():
            return f"{entry.update_count} refs, {entry.commit_count} new commits" + (
                "" if entry.pusher else ", by an unknown person"
            )
        case record_kinds.BaselineRecord():
            return f"{entry.ref_count} refs were there"
        case record_kinds.RefUpdateRecord() | record_kinds.HookBypassRecord():
            return f"{entry.ref_count} {_NAMES[record_kind(entry)]}"
        case record_kinds.FreezeRecord():
            scope = " in one scope" if entry.scope else ""
            until = f" until {entry.until[:16]}" if entry.until else ""
            what = " (drill)" if entry.drill else f": merges and deployments frozen{scope}"
            return f"{entry.freeze}{what} from {entry.since[:16]}{until}"
        case record_kinds.FreezeLiftRecord():
            return f"{entry.freeze}" + (": lifted" if entry.complete else ": one of two")
        case record_kinds.ErasureRecord():
            return f"{entry.object_count} objects erased"
        case (
            record_kinds.PersonActionRecord() | record_kinds.ServiceActionRecord() | record_kinds.OperatorActionRecord()
        ):
            return f"{entry.action} of a {entry.resource_kind} as {entry.role}" + (
                " (alone)" if entry.without_second_person else ""
            )
        case record_kinds.ReplayRecord():
            target = _decode_ref(entry.target)
            return f"{entry.change_count} past changes of {target}, {entry.allowed_count} of them allowed"
        case record_kinds.LedgerImportRecord():
            return f"the log of {entry.origin} was verified up to {count_entries(entry.size)}"
        case record_kinds.DeploymentRequestRecord():
            return f"{entry.artifact}, made of {entry.commit}, is to be deployed"
        case record_kinds.DeploymentPermissionRecord():
            return f"permission to deploy, by {entry.basis}, until {entry.expires[:16]}"
        case record_kinds.DeploymentOutcomeRecord():
            return f"a deployment: {entry.state}"
        case record_kinds.JobRunRecord():
            return f"a job on {entry.commit} {'gets' if entry.allowed else 'is denied'} secrets without a deployment"
        case record_kinds.IncidentOpenedRecord():
            return f"{entry.incident_kind}, to be closed by {entry.due[:10]}"
        case record_kinds.IncidentClosedRecord():
            return f"{entry.incident_kind} closed by a person: {entry.resolution}"
        case record_kinds.IncidentResolvedRecord():
            return f"{entry.incident_kind} ended by what was observed: {entry.resolution}"
        case record_kinds.BranchUpdateRecord():
            by = {"allowed": f"allowed by {entry.decision}", "bypass": f"a bypass ({entry.bypass_reason})"}
            event = by.get(entry.status, "was there when its branch began to be watched")
            return f"{entry.commit} on {_decode_ref(entry.target)} of {entry.repository}: {event}"
        case record_kinds.KeyExchangeRecord():
            how = "the lost one does not vouch for it" if entry.lost else "the old one vouches for it"
            return f"signed with another key from now on: {entry.new_key.rpartition('+')[0]}; {how}"
        case record_kinds.ReconciliationRecord():
            return f"went on from {count_entries(entry.ledger_size)}; the copy outside had {entry.copy_size}"


def _decode_ref(ref: str) -> str:
    return encode_path(ref).decode("utf-8", "replace")

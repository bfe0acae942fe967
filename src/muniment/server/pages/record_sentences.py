"""Sentences about records for pages: the same facts as the command line prints, in the words of the pages."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.ledger import record_kinds, record_text
from muniment.server.records.record_writing import action_code

_ACTIONS = {action_code(action): action.rule.text for action in Action}
_ROLES = {role.value: role for role in Role}
_COMMIT = 7  # digits that pages show


def make_sentence(entry: record_kinds.AnyEntry) -> str:
    """Sentence about a record, in the reader's language; kinds that people rarely read are described as by commands."""
    match entry:
        case record_kinds.DecisionRecord() | record_kinds.DecisionPreviewRecord():
            return _describe_decision(entry)
        case record_kinds.CodeReviewRecord():
            return _("A review statement on %(head)s was received.") % {"head": entry.head[:_COMMIT]}
        case record_kinds.PushRefusalRecord():
            return _("A push was refused before its evaluation: %(code)s.") % {"code": entry.code}
        case record_kinds.PushRecord():
            refs = ngettext("%(count)d ref", "%(count)d refs", entry.update_count) % {"count": entry.update_count}
            commits = ngettext("%(count)d new commit", "%(count)d new commits", entry.commit_count) % {
                "count": entry.commit_count
            }
            text = _("%(refs)s and %(commits)s were pushed.") if entry.pusher else _UNKNOWN_PUSHER
            return str(text) % {"refs": refs, "commits": commits}
        case (
            record_kinds.PersonActionRecord() | record_kinds.ServiceActionRecord() | record_kinds.OperatorActionRecord()
        ):
            return _describe_act(entry)
        case record_kinds.BranchUpdateRecord():
            return _describe_branch_update(entry)
        case record_kinds.DeploymentRequestRecord():
            return _("A pipeline requested to deploy an artifact of commit %(commit)s.") % {
                "commit": entry.commit[:_COMMIT]
            }
        case record_kinds.DeploymentPermissionRecord():
            return _("The deployment was permitted until %(until)s UTC.") % {"until": _format_time(entry.expires)}
        case record_kinds.DeploymentOutcomeRecord():
            return _("The deployment ended: %(state)s.") % {"state": entry.state}
        case record_kinds.JobRunRecord():
            text = _("A job on %(commit)s got secrets.") if entry.allowed else _("A job on %(commit)s got no secrets.")
            return text % {"commit": entry.commit[:_COMMIT]}
        case record_kinds.IncidentOpenedRecord():
            return _("An incident was opened: %(kind)s. It is due by %(day)s.") % {
                "kind": _spell(entry.incident_kind),
                "day": entry.due[:10],
            }
        case record_kinds.IncidentClosedRecord() | record_kinds.IncidentResolvedRecord():
            return _("The incident %(kind)s was closed: %(resolution)s.") % {
                "kind": _spell(entry.incident_kind),
                "resolution": _spell(entry.resolution),
            }
        case record_kinds.ErasureRecord():
            return ngettext(
                "%(count)d object with personal data was erased.",
                "%(count)d objects with personal data were erased.",
                entry.object_count,
            ) % {"count": entry.object_count}
        case record_kinds.FreezeRecord():
            return (
                _("A drill of a freeze began. It blocks nothing.")
                if entry.drill
                else _("Merges and deployments were frozen.")
            )
        case record_kinds.FreezeLiftRecord():
            return _("The freeze was lifted.") if entry.complete else _("One of two people lifted the freeze.")
        case record_kinds.ReplayRecord():
            return _("%(allowed)d of %(count)d past changes of %(branch)s would have been allowed.") % {
                "allowed": entry.allowed_count,
                "count": entry.change_count,
                "branch": _shorten_ref(entry.target),
            }
        case _:
            text = record_text.describe_record(entry)
            return f"{text[:1].upper()}{text[1:]}."


def describe_role(code: str) -> str:
    """Name of the role with which a recorded act was done."""
    return _(_ROLES[code].label) if code in _ROLES else str(_OTHER_ROLES.get(code, code))


_OTHER_ROLES = {"self": gettext_lazy("for oneself"), "installation": gettext_lazy("Muniment itself")}
_UNKNOWN_PUSHER = gettext_lazy("An unknown person pushed %(refs)s and %(commits)s.")


def _describe_decision(entry: record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord) -> str:
    count = len(entry.reason_codes) + entry.omitted_reason_codes
    facts = {
        "repository": entry.repository,
        "head": entry.head[:_COMMIT] or _("a deletion"),
        "branch": _shorten_ref(entry.target),
        "count": count,
    }
    preview = isinstance(entry, record_kinds.DecisionPreviewRecord)
    if entry.outcome == "allow":
        text = (
            _("%(repository)s: %(head)s would be allowed on %(branch)s.")
            if preview
            else _("%(repository)s: %(head)s was allowed on %(branch)s.")
        )
        return text % facts
    if preview:
        text = ngettext(
            "%(repository)s: %(head)s would be blocked on %(branch)s, for %(count)d reason.",
            "%(repository)s: %(head)s would be blocked on %(branch)s, for %(count)d reasons.",
            count,
        )
    elif not entry.enforced:
        text = _("%(repository)s: %(head)s was not allowed on %(branch)s, but only monitored.")
    else:
        text = ngettext(
            "%(repository)s: %(head)s was blocked on %(branch)s, for %(count)d reason.",
            "%(repository)s: %(head)s was blocked on %(branch)s, for %(count)d reasons.",
            count,
        )
    return text % facts


def _describe_act(
    entry: record_kinds.PersonActionRecord | record_kinds.ServiceActionRecord | record_kinds.OperatorActionRecord,
) -> str:
    who = {
        record_kinds.PersonActionRecord: _("A person"),
        record_kinds.ServiceActionRecord: _("The service"),
        record_kinds.OperatorActionRecord: _("The operator"),
    }[type(entry)]
    role = f" ({_(_ROLES[entry.role].label)})" if entry.role in _ROLES else ""
    alone = f" {_('One person did it alone in the setup phase.')}" if entry.without_second_person else ""
    return f"{who}{role}: {_(_ACTIONS.get(entry.action, entry.action))}.{alone}"


def _describe_branch_update(entry: record_kinds.BranchUpdateRecord) -> str:
    texts = {
        "allowed": _("%(repository)s: %(branch)s moved to %(commit)s, as a decision allowed."),
        "bypass": _("%(repository)s: %(branch)s moved to %(commit)s, and no decision allowed it. This is a bypass."),
    }
    text = texts.get(entry.status, _("%(repository)s: %(branch)s was at %(commit)s when the watch began."))
    facts = {"repository": entry.repository, "branch": _shorten_ref(entry.target), "commit": entry.commit[:_COMMIT]}
    return text % facts


def _shorten_ref(ref: str) -> str:
    """Branch or tag of a ref, with the bytes that are no text replaced."""
    return (
        ref.encode("utf-8", "surrogateescape")
        .decode("utf-8", "replace")
        .removeprefix("refs/heads/")
        .removeprefix("refs/tags/")
    )


def _spell(code: str) -> str:
    return code.replace("-", " ")


def _format_time(moment: str) -> str:
    return moment[:16].replace("T", " ")

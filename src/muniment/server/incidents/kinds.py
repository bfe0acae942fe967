"""Table of all kinds of incidents, by hand: how long each may stay open, and the next step."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class IncidentKind(NamedTuple):
    """Kind of incident. `days` until it has to be closed. `by_hand`: a person may close it; else only its repair
    does.
    """

    text: Any
    days: int
    next: Any
    by_hand: bool = True


ESCAPE, DEPLOYMENT, BREAK_GLASS = "bypass", "unpermitted-deployment", "break-glass-deployment"
VAULT_DRIFT, VAULT_READ = "vault-drift", "secret-read"
VAULT_CHANGE, VAULT_AUDIT_GAP = "unplanned-vault-change", "vault-audit-gap"
RECORD_REFUSED, PERMISSION_REFUSED = "record-refused", "permission-refused"
REQUEST_FORGED, TASK_UNRECORDED = "request-forged", "unrecorded-task"
ACCOUNT_RECOVERED = "account-recovered-by-operator"
RULE_WEAKENED, STATUS_FORGED = "branch-protection-weakened", "status-forged"
ROW_DIFFERS, ACT_UNSIGNED = "row-differs", "act-unsigned"

INCIDENT_KINDS = {
    ESCAPE: IncidentKind(
        _("a commit on a protected branch that no decision allowed"),
        7,
        _("Have it reviewed by as many others as it needs, or revert it: it closes by itself then."),
        by_hand=False,
    ),
    DEPLOYMENT: IncidentKind(
        _("something runs that no allowed deployment brought"),
        3,
        _("Find out how it came there, and deploy what was allowed."),
    ),
    BREAK_GLASS: IncidentKind(
        _("a deployment that two people let through although it was denied"),
        3,
        _("Review what was deployed and why it could not wait; then mend what denied it."),
    ),
    VAULT_DRIFT: IncidentKind(
        _("the vault is set up otherwise than it should be"),
        2,
        _("See what differs with: muniment vault plan. Then put it right with: muniment vault apply"),
    ),
    VAULT_READ: IncidentKind(
        _("somebody read secrets who should not"),
        1,
        _("Rotate what was read, then take away the right to read it."),
    ),
    VAULT_CHANGE: IncidentKind(
        _("somebody changed the vault's configuration outside a plan"),
        1,
        _("Find out who it was. See what differs with: muniment vault plan. Rotate what could be read meanwhile."),
    ),
    VAULT_AUDIT_GAP: IncidentKind(
        _("the vault's audit log has a gap, so reads may have gone unseen"),
        1,
        _("Find out what happened to the log. Rotate the secrets that could be read meanwhile, then close this."),
    ),
    RECORD_REFUSED: IncidentKind(
        _("a process wrote a record that it may not write"),
        1,
        _("Its credentials may be stolen: stop that process, replace them, then look at what else it wrote."),
    ),
    PERMISSION_REFUSED: IncidentKind(
        _("a permission to deploy was to be signed that no record allows"),
        1,
        _("The worker's credentials may be stolen: stop it, replace them, then look at what else it wrote."),
    ),
    REQUEST_FORGED: IncidentKind(
        _("a request or a report was stored that no trusted pipeline sent"),
        1,
        _("The web's credentials may be stolen: stop it, replace them, then look at what else it wrote."),
    ),
    TASK_UNRECORDED: IncidentKind(
        _("a background task was in the queue that no recorded act asked for"),
        1,
        _("The web's credentials may be stolen: stop it, replace them, then look at what else it wrote."),
    ),
    ACCOUNT_RECOVERED: IncidentKind(
        _("the operator made a sign-in link for somebody at the machine"),
        1,
        _("Ask that person whether they wanted it, and look at what was done with the account since."),
    ),
    RULE_WEAKENED: IncidentKind(
        _("a rule of a protected branch was weakened at the forge"),
        2,
        _("Put it back with: muniment forge protect URL. Look at what was merged meanwhile."),
    ),
    STATUS_FORGED: IncidentKind(
        _("our status was posted by another account"),
        1,
        _("Take away that account's right to post it. Look at what was merged meanwhile."),
    ),
    ACT_UNSIGNED: IncidentKind(
        _("an act was carried out without the signatures that the policy demands"),
        1,
        _("The web's credentials may be stolen: stop it, replace them. End the link, or restore the secret."),
    ),
    ROW_DIFFERS: IncidentKind(
        _("a row of the database does not match the ledger"),
        1,
        _("Find out which database login wrote it, and replace its password. Then repeat the change on its page."),
    ),
}


class IncidentResolution(NamedTuple):
    """Way in which incidents end. `by_hand` as a kind's."""

    text: Any
    by_hand: bool = True


MENDED, ACCEPTED, FALSE_ALARM = "fixed", "accepted", "false-alarm"
REVIEWED, REVERTED, GONE = "bypass-reviewed", "reverted", "no-longer-present"

RESOLUTIONS = {
    MENDED: IncidentResolution(_("it was mended")),
    ACCEPTED: IncidentResolution(_("it was reviewed, and stays as it is")),
    FALSE_ALARM: IncidentResolution(_("it was none")),
    REVIEWED: IncidentResolution(_("enough others reviewed it afterwards"), by_hand=False),
    REVERTED: IncidentResolution(_("it was reverted"), by_hand=False),
    GONE: IncidentResolution(_("it is no longer so"), by_hand=False),
}

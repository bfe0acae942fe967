"""Table of all kinds of incidents, by hand: how long each may stay open, and the next step."""

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from muniment.server.acts.inputs import Label


class IncidentKind(NamedTuple):
    """Kind of incident. `days` until it has to be closed. `by_hand`: a person may close it; else only its repair
    does.
    """

    text: Label
    days: int
    next: Label
    by_hand: bool = True


ESCAPE, DEPLOYMENT, BREAK_GLASS = "bypass", "unpermitted-deployment", "break-glass-deployment"
VAULT_DRIFT, VAULT_READ = "vault-drift", "secret-read"
VAULT_CHANGE, VAULT_AUDIT_GAP = "unplanned-vault-change", "vault-audit-gap"
RECORD_REFUSED, PERMISSION_REFUSED = "record-refused", "permission-refused"
REQUEST_FORGED, TASK_UNRECORDED = "request-forged", "unrecorded-task"
ACCOUNT_RECOVERED = "account-recovered-by-operator"
RULE_WEAKENED, STATUS_FORGED = "branch-protection-weakened", "status-forged"
ROW_DIFFERS, ACT_UNSIGNED, SECRET_LEAKED = "row-differs", "act-unsigned", "secret-in-code"
MALWARE_LOCKED = "malware-in-lock"

INCIDENT_KINDS = {
    ESCAPE: IncidentKind(
        _("bypass: code reached a protected branch although nothing allowed it"),
        7,
        _("Let other people review the commit, or revert it. The incident then closes by itself."),
        by_hand=False,
    ),
    DEPLOYMENT: IncidentKind(
        _("an artifact runs that no allowed deployment installed"),
        3,
        _("Find out who installed it, and deploy an allowed artifact in its place."),
    ),
    BREAK_GLASS: IncidentKind(
        _("break-glass deployment: two people permitted a denied deployment"),
        3,
        _("Review the deployed artifact and the reason for the hurry. Then correct the cause of the denial."),
    ),
    VAULT_DRIFT: IncidentKind(
        _("the configuration of the vault differs from its plan"),
        2,
        _("Show the difference with: muniment vault plan. Then correct it with: muniment vault apply"),
    ),
    VAULT_READ: IncidentKind(
        _("somebody read secrets without permission"),
        1,
        _("Rotate these secrets. Then remove the permission to read them."),
    ),
    VAULT_CHANGE: IncidentKind(
        _("somebody changed the vault's configuration outside a plan"),
        1,
        _("Find out who did this. Show the difference with: muniment vault plan. Rotate the secrets concerned."),
    ),
    VAULT_AUDIT_GAP: IncidentKind(
        _("the vault's audit log has a gap, so reads may have gone unseen"),
        1,
        _("Find out why the log has a gap. Rotate the secrets that could be read meanwhile, then close the incident."),
    ),
    RECORD_REFUSED: IncidentKind(
        _("a process of Muniment wrote a record without permission"),
        1,
        _("Its credentials may be stolen. Stop that process, replace them, and check its other records."),
    ),
    PERMISSION_REFUSED: IncidentKind(
        _("a signature was requested for a deployment that no record allows"),
        1,
        _("The worker's credentials may be stolen. Stop the worker, replace them, and check its other records."),
    ),
    REQUEST_FORGED: IncidentKind(
        _("a request or report was stored, and no trusted pipeline sent it"),
        1,
        _("The credentials of the web process may be stolen. Stop it, replace them, and check its other records."),
    ),
    TASK_UNRECORDED: IncidentKind(
        _("a background job was queued, and no recorded act requested it"),
        1,
        _("The credentials of the web process may be stolen. Stop it, replace them, and check its other records."),
    ),
    ACCOUNT_RECOVERED: IncidentKind(
        _("the operator created a sign-in link for a person on the command line"),
        1,
        _("Ask that person whether they requested it, and check the activity of the account since then."),
    ),
    RULE_WEAKENED: IncidentKind(
        _("a rule of a protected branch was weakened at the forge"),
        2,
        _("Restore it with: muniment forge protect URL. Check which pull requests were merged meanwhile."),
    ),
    STATUS_FORGED: IncidentKind(
        _("another account posted a decision in Muniment's name at the forge"),
        1,
        _("Remove that account's permission to post statuses. Check which pull requests were merged meanwhile."),
    ),
    ACT_UNSIGNED: IncidentKind(
        _("an act was performed without the signatures that the policy requires"),
        1,
        _("The web's credentials may be stolen. Stop it, and replace them. End the link, or restore the secret."),
    ),
    SECRET_LEAKED: IncidentKind(
        _("a secret is in the code, where everybody who has a copy can read it"),
        1,
        _("Revoke it where it was issued, and rotate it. The incident closes once a second person confirms that."),
        by_hand=False,
    ),
    MALWARE_LOCKED: IncidentKind(
        _("a lock names a malicious package, which attacks the machines that install it"),
        1,
        _("Remove the package, and treat each machine that installed it as attacked. The incident then closes."),
        by_hand=False,
    ),
    ROW_DIFFERS: IncidentKind(
        _("the database was changed past Muniment: a row differs from the ledger"),
        1,
        _("Find out which database login changed it, and replace its password. Then repeat the change on its page."),
    ),
}


class IncidentResolution(NamedTuple):
    """Way in which incidents end. `by_hand` as a kind's."""

    text: Label
    by_hand: bool = True


MENDED, ACCEPTED, FALSE_ALARM = "fixed", "accepted", "false-alarm"
REVIEWED, REVERTED, GONE, SECRET_REVOKED = "bypass-reviewed", "reverted", "no-longer-present", "secret-revoked"

RESOLUTIONS = {
    MENDED: IncidentResolution(_("the cause was corrected")),
    ACCEPTED: IncidentResolution(_("reviewed and accepted")),
    FALSE_ALARM: IncidentResolution(_("false alarm")),
    REVIEWED: IncidentResolution(_("reviewed afterwards by enough other people"), by_hand=False),
    REVERTED: IncidentResolution(_("reverted"), by_hand=False),
    SECRET_REVOKED: IncidentResolution(_("the secret was revoked, as a second person confirmed"), by_hand=False),
    GONE: IncidentResolution(_("no longer present"), by_hand=False),
}

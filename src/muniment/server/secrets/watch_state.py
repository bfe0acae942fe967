"""State of the watch of secrets: what the workers saw of the vault's audit logs, and until when."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.controls.secrets_hidden_from_developers import CONTROL, Parameters
from muniment.policy.model import Clause
from muniment.server.incidents import kinds
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.models import Incident
from muniment.server.secrets.models import VaultWatch

STALE_SECONDS = 60  # without a look, after which nobody knows what was read
_CLOCKS = timedelta(minutes=5)  # by which the vault's clock may be ahead of ours


class WatchLimits(NamedTuple):
    """Limits of the policy: how old the log of a vault elsewhere may be, and the reason why one without a copy of
    its log need not be watched here ("" if it has to be).
    """

    log_minutes: int
    unwatched: str


def find_watch_limits(clauses: Iterable[Clause]) -> WatchLimits:
    """Strictest limits of these clauses; those of the control's defaults if no clause has any."""
    found = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    found = found or [Parameters()]
    words = " ".join(dict.fromkeys(word for one in found for word in one.unwatched))
    return WatchLimits(min(one.log_minutes for one in found), words if all(one.unwatched for one in found) else "")


def find_watch_problem(limits: WatchLimits) -> str:
    """Reason why it is unknown who read secrets lately; "" if the watch saw all of it, as recently as the policy
    wants.
    """
    open_ones = Q(closed_at=None) | Q(pk__in=find_unrecorded_closings())
    if Incident.objects.filter(open_ones, kind=kinds.VAULT_AUDIT_GAP).exists():
        return _("the vault's audit log has a gap: an open incident says where")
    rows = list(VaultWatch.objects.filter(ended_at=None).order_by("worker", "log"))
    if not rows and settings.VAULT_URL and not settings.VAULT_AUDIT:
        return "" if limits.unwatched else _("no copy of the vault's audit log is named in MUNIMENT_VAULT_AUDIT")
    if not rows:
        return _("no worker has looked at the vault's audit log yet")
    now = timezone.now()
    return next((problem for row in rows if (problem := _find_row_problem(row, limits, now))), "")


def find_examined_moment() -> datetime | None:
    """Moment until which people examined the gaps of the audit log: the newest recorded closing of their incident."""
    closed = Incident.objects.filter(kind=kinds.VAULT_AUDIT_GAP).exclude(closed_at=None)
    recorded = closed.exclude(pk__in=find_unrecorded_closings()).order_by("-closing_record_id")
    return recorded.values_list("closing_record__recorded_at", flat=True).first()


def find_log_moment() -> datetime | None:
    """Moment until which everything watched is known; None where nothing is watched, or a part is unknown."""
    found = [one.newest_entry_at if one.is_copy else one.looked_at for one in VaultWatch.objects.filter(ended_at=None)]
    known = [one for one in found if one is not None]
    return min(known) if known and len(known) == len(found) else None


def _find_row_problem(row: VaultWatch, limits: WatchLimits, now: datetime) -> str:
    details = {"worker": row.worker, "log": row.log}
    if now - row.looked_at > timedelta(seconds=STALE_SECONDS):
        sentence = _("worker %(worker)s has not looked at the vault's audit log %(log)s since %(time)s UTC")
        return sentence % {**details, "time": f"{row.looked_at:%Y-%m-%d %H:%M}"}
    if not row.is_copy:
        return ""
    if row.newest_entry_at is None:
        return _("no entry of %(log)s, the copy of the vault's audit log, could be read") % details
    if row.newest_entry_at > now + _CLOCKS:
        return _("the newest entry of %(log)s, the copy of the vault's audit log, is from the future") % details
    minutes = int((now - row.newest_entry_at).total_seconds() // 60)
    if minutes < limits.log_minutes:
        return ""
    sentence = _(
        "the newest entry of %(log)s, the copy of the vault's audit log, is %(minutes)d minutes old, and the policy "
        "permits %(most)d"
    )
    return sentence % {**details, "minutes": minutes, "most": limits.log_minutes}

"""Watches the vault's audit logs while a worker runs: an unexpected event is an incident within seconds.

Such as a read of secrets by anything but their environment's pipeline, a write to the vault's configuration that no
plan announced, and every sign that entries of the log are missing.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from muniment.errors import RowsDifferError
from muniment.facts.counting import count_text
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.products.models import Environment, Product
from muniment.server.records import row_checks
from muniment.server.secrets.models import PlannedVaultWrite, VaultWatch
from muniment.server.secrets.secret_reads import report_foreign_read, report_log_gap
from muniment.vault import audit, layout
from muniment.vault.audit import AuditEvent, AuditEventKind
from muniment.vault.audit_stream import DevicePairs, LogPosition, follow_log, read_last_entry, skip_to_end
from muniment.vault.embedded_vault import EmbeddedVault

PLAN_MINUTES = 15  # within which a plan is carried out

_REMEMBERED = 10_000  # requests, so that what both devices tell is reported once
_OURS = (layout.WEB, layout.WORKER, layout.PEOPLE_MOUNT, *layout.ISSUERS)


class VaultWatcher:
    """Follower of the logs of one vault. `logs` are those of its audit devices: two of our own, or a copy of
    another's.
    """

    def __init__(self, logs: tuple[Path, ...], find_first: Callable[[], list[LogPosition]], *, ours: bool) -> None:
        """`find_first` says where to begin in logs that were never followed: a large log is not read without need."""
        self._logs = logs
        self._name = {"worker": settings.WORKER_NAME[:200], "log": str(logs[0])[:1000]}
        self._find_first = find_first
        self._ours = ours
        self._pairs = DevicePairs()
        self._positions = self._load_positions()
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)
        self._sign_ins: dict[str, str] = {}  # request of the first sign-in with a token, oldest first

    def read_new_entries(self) -> None:
        """Read the new entries, and open an incident for each unexpected event."""
        now = time.monotonic()
        for device, log in enumerate(self._logs):
            entries, position, gaps = follow_log(log, self._positions[device])
            for gap in gaps:
                report_log_gap(gap)
            for entry in entries:
                self._process_entry(device, entry, now)
            self._positions[device] = position
        # Only after both logs were read: the second device writes an entry a moment after the first.
        if missing := len(self._logs) > 1 and self._pairs.drop_unpaired(now):
            report_log_gap(
                f"{count_text(missing, 'entry is', 'entries are')} in one of the vault's two audit logs only"
            )
        self._save_positions()

    def _process_entry(self, device: int, entry: dict[str, object], now: float) -> None:
        try:
            if len(self._logs) > 1:
                self._pairs.add_entries(device, [entry], now)
            event = audit.find_event(entry, settings.VAULT_NAMESPACE)
        except audit.AuditLogError as error:
            report_log_gap(f"{self._logs[device].name}: {error}")
            return
        # Both devices write each event: one incident is enough.
        if event is None or event.request in self._seen:
            return
        if event.kind is AuditEventKind.SIGN_IN and self._is_first_sign_in(event):
            return
        self._seen.append(event.request)
        self._report_event(event)

    def _is_first_sign_in(self, event: AuditEvent) -> bool:
        """Whether no other request signed in with this token before. The entries of both devices are one request."""
        first = self._sign_ins.setdefault(event.token, event.request) == event.request
        if len(self._sign_ins) > _REMEMBERED:
            del self._sign_ins[next(iter(self._sign_ins))]
        return first

    def _report_event(self, event: AuditEvent) -> None:
        if event.kind is AuditEventKind.PRODUCT_READ:
            _report_read_event(event)
        elif event.kind is AuditEventKind.SIGN_IN:
            _report_second_sign_in(event)
        elif event.kind is AuditEventKind.FORGE_READ:
            description = f"{event.who} read the credentials of the forge at {event.path}"
            open_incident(kinds.VAULT_READ, None, f"reader:{event.who}", description)
        elif (self._ours or _concerns_us(event.path)) and not _was_planned(event):
            description = f"{event.who} wrote {event.path} in the vault, and no plan contained that"
            open_incident(kinds.VAULT_CHANGE, None, f"path:{event.path}", description)

    def _load_positions(self) -> list[LogPosition | None]:
        row = VaultWatch.objects.filter(**self._name).first()
        # Where it stopped, also after a restart: an entry written meanwhile is still an incident.
        found = self._find_first() if row is None else msgspec.json.decode(row.positions, type=list[LogPosition])
        return [*found, *[None] * len(self._logs)][: len(self._logs)]

    def _save_positions(self) -> None:
        """Save the positions as of the last moment at which both devices had written the same: a restart begins
        there.
        """
        values: dict[str, object] = {"looked_at": timezone.now(), "is_copy": not self._ours, "ended_at": None}
        if (newest := self._find_newest_moment()) is not None:
            values["newest_entry_at"] = newest
        # A position beyond an entry that only one device has would, after a restart, never look for its partner.
        if self._pairs.is_empty:
            values["positions"] = msgspec.json.encode([one or LogPosition() for one in self._positions]).decode()
        with transaction.atomic():
            VaultWatch.objects.update_or_create(
                **self._name, defaults=values, create_defaults={"positions": "[]", **values}
            )
            others = VaultWatch.objects.filter(worker=self._name["worker"], ended_at=None)
            others.exclude(log=self._name["log"]).update(ended_at=timezone.now())  # it follows this one from now on

    def _find_newest_moment(self) -> datetime | None:
        """Moment of the last entry that was read; None where it is unknown."""
        position = self._positions[0]
        try:
            entry = read_last_entry(self._logs[0], position) if position is not None else None
            return audit.entry_time(entry) if entry is not None else None
        except (OSError, audit.AuditLogError):
            return None


def find_watcher() -> VaultWatcher | None:
    """The watcher of this worker's vault; None while there is none, or no log of it that this machine could read."""
    if settings.VAULT_AUDIT:
        log = Path(settings.VAULT_AUDIT)
        return VaultWatcher((log,), lambda: _find_log_position(log), ours=False)
    server = EmbeddedVault(Path(settings.HOME))
    if settings.VAULT_URL or not server.is_initialized:
        return None
    return VaultWatcher(server.audits, server.first_positions, ours=True)


def _find_log_position(log: Path) -> list[LogPosition]:
    """End of a copy that is followed from now on; nothing if it cannot be read: the first look reports why."""
    try:
        return [skip_to_end(log)]
    except (OSError, audit.AuditLogError):
        return []


def _report_second_sign_in(event: AuditEvent) -> None:
    """Open the incident of a token of a pipeline that signed in again: the job itself asks for a new one each time."""
    product = Product.objects.filter(slug=event.path.partition("/")[0]).first()
    description = f"A token of a pipeline of {event.path} signed in to the vault a second time; each is for one sign-in"
    open_incident(kinds.VAULT_READ, product, f"token-again:{event.path}", description)


def _report_read_event(event: AuditEvent) -> None:
    """Open the incident of a read by no pipeline; for a path that is no environment each time."""
    product, _, name = event.path.partition("/")
    place = Environment.objects.filter(product__slug=product, name=name).select_related("product").first()
    try:
        moment: datetime | None = audit.parse_log_time(event.time)
    except ValueError:
        moment = None
    if place is not None and moment is not None:
        report_foreign_read(place, event.who, moment)
        return
    description = f"{event.who} read the secrets of {event.path}, and is no pipeline of it"
    open_incident(kinds.VAULT_READ, Product.objects.filter(slug=product).first(), f"reader:{event.who}", description)


def _concerns_us(path: str) -> bool:
    """Whether a write to a vault that others use too can change who reads our secrets, or what is logged."""
    if path.startswith(
        ("sys/audit", "sys/raw", f"sys/policies/acl/{layout.SECRETS}", "sys/generate-root", "sys/rekey")
    ):
        return True
    mounts = [f"{root}{mount}" for root in ("auth/", "sys/auth/") for mount in _OURS]
    mounts += [
        f"{root}{mount}" for root in ("sys/mounts/", "sys/remount", "") for mount in (layout.SECRETS, layout.FORGES)
    ]
    # Of the root also one whose names would look like those of our namespace.
    starts = [layout.RUNNERS_PREFIX, *filter(None, (audit.make_name_prefix(settings.VAULT_NAMESPACE),))]
    runners = path.startswith(tuple(f"{root}{start}" for root in ("auth/", "sys/auth/") for start in starts))
    return runners or any(path == mount or path.startswith(f"{mount}/") for mount in mounts)


def _was_planned(event: AuditEvent) -> bool:
    """Whether a person announced this write, and no other write has used the announcement yet."""
    try:
        at = audit.parse_log_time(event.time)
    except ValueError:
        return False  # whoever wrote it: no plan can be compared with no time
    with transaction.atomic():
        rows = PlannedVaultWrite.objects.select_for_update().filter(
            path=event.path, planned_at__gt=at - timedelta(minutes=PLAN_MINUTES), planned_at__lte=at
        )
        # The lock on the row: two watchers that see the same write must not both use one announcement for two writes.
        row = rows.filter(request__in=("", event.request)).order_by("planned_at").first()
        if row is None:
            return False
        try:
            row_checks.require_recorded(row)
        except RowsDifferError:
            return False  # no act announced it: its incident says that it was not planned
        PlannedVaultWrite.objects.filter(pk=row.pk).update(request=event.request)
    return True

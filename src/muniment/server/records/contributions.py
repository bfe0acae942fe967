"""Contributions of the records: the ledger, what people did, background jobs and settings."""

import re
from collections.abc import Iterable, Iterator

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize_anywhere
from muniment.server.acts.system_actors import SystemActor
from muniment.server.records.models import LedgerHead, Record, RecordPosition, TaskFailure
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord, RetryJob
from muniment.server.records.row_acts import AcceptRow
from muniment.server.records.setup_steps import BACKUP
from muniment.server.registration import AppContributions, GlossaryEntry, MenuEntry, MenuGroup, Metric, SearchKind

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_PLACE = re.compile(r"[0-9]{1,18}")


def find_records(actor: Actor, text: str) -> Iterable[object]:
    """The records at a position of the ledger, or with a digest of what is stored outside."""
    if authorize_anywhere(actor, Action.SEE_LEDGER) is not AccessResult.YES:
        return ()
    if _PLACE.fullmatch(text):
        return Record.objects.select_related("place").filter(place__position=int(text))
    digest = _DIGEST.fullmatch(text)
    return Record.objects.filter(details_digest=f"sha256:{digest[1]}") if digest else ()


def measure_jobs() -> Iterator[Metric]:
    """Background jobs by state, and those whose process was ended."""
    states = {row["status"]: row["n"] for row in ProcrastinateJob.objects.values("status").annotate(n=Count("id"))}
    yield Metric("muniment_tasks", "Tasks in the queue, by state.", states, "state")
    over = TaskFailure.objects.filter(seconds__gt=0).count()
    causes = {"limit": over, "crash": TaskFailure.objects.count() - over}
    yield Metric("muniment_ended_task_processes", "Tasks whose process was ended, by why.", causes, "cause")


def measure_ledger() -> Iterator[Metric]:
    """Records that wait for a position, and whether there is a checkpoint."""
    waiting = RecordPosition.objects.filter(position=None).order_by("record__recorded_at")
    oldest = waiting.values_list("record__recorded_at", flat=True).first()
    age = (timezone.now() - oldest).total_seconds() if oldest else 0
    yield Metric("muniment_records_without_position", "Entries without a place yet.", waiting.count())
    yield Metric("muniment_oldest_record_without_position_seconds", "How long the oldest of them waits.", age)
    signed = LedgerHead.objects.exclude(checkpoint=None).exists()
    yield Metric("muniment_ledger_signed", "Whether there is a checkpoint.", int(signed))


CONTRIBUTIONS = AppContributions(
    setup=(BACKUP,),
    acts=(
        CorrectRecord,
        ChangeSettings,
        RetryJob,
    ),
    system_acts={SystemActor.OPERATOR: (AcceptRow,)},
    menu=(
        MenuEntry(MenuGroup.PROVE, 30, "activity", _("Activity"), "activity", Action.SEE_ACTIVITY),
        MenuEntry(MenuGroup.PROVE, 20, "ledger", _("Ledger"), "certificate", Action.SEE_LEDGER),
        MenuEntry(MenuGroup.ADMIN, 40, "work", _("Background jobs"), "server", Action.SEE_JOBS),
        MenuEntry(MenuGroup.ADMIN, 30, "settings", _("Settings"), "settings", Action.CHANGE_SETTINGS),
    ),
    search=(SearchKind(90, "records/found.html", find_records),),
    metrics=(measure_jobs, measure_ledger),
    demonstration="muniment.server.records.demonstration",
    glossary=(
        GlossaryEntry(
            80,
            _("ledger, record"),
            _("The ledger is the list of all decisions and acts. Records are added, never changed or removed."),
        ),
        GlossaryEntry(
            90,
            _("checkpoint"),
            _("A signed summary of the whole ledger. If one record is changed, the summary no longer matches."),
        ),
    ),
)

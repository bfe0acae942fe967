"""What a monitoring system may count, as Prometheus reads it: numbers alone, of no person and no product."""

from collections.abc import Iterator

from django.db.models import Count
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from muniment.server.changes.models import Change
from muniment.server.deployments.models import DeploymentPermission, TokenIssuer
from muniment.server.incidents.models import Incident, overdue
from muniment.server.pages.health import workers_alive
from muniment.server.records.models import LedgerHead, RecordPosition, TaskFailure
from muniment.server.requests.models import Request


class _Measures(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each read from the database as it is asked for."""
        tasks = GaugeMetricFamily("muniment_tasks", "Tasks in the queue, by state.", labels=["state"])
        for row in ProcrastinateJob.objects.values("status").annotate(n=Count("id")):
            tasks.add_metric([row["status"]], row["n"])
        yield tasks
        ended = GaugeMetricFamily(
            "muniment_ended_task_processes", "Tasks whose process was ended, by why.", labels=["cause"]
        )
        over = TaskFailure.objects.filter(seconds__gt=0).count()
        ended.add_metric(["limit"], over)
        ended.add_metric(["crash"], TaskFailure.objects.count() - over)
        yield ended
        verdicts = GaugeMetricFamily("muniment_open_changes", "Open changes, by verdict.", labels=["decision"])
        open_ = Change.objects.filter(state=Change.State.OPEN)
        for verdict, found in (("allowed", True), ("denied", False), ("none", None)):
            rows = open_.filter(decision=None) if found is None else open_.filter(decision__allowed=found)
            verdicts.add_metric([verdict], rows.count())
        yield verdicts
        waiting = RecordPosition.objects.filter(position=None).order_by("record__recorded_at")
        oldest = waiting.values_list("record__recorded_at", flat=True).first()
        age = (timezone.now() - oldest).total_seconds() if oldest else 0
        yield GaugeMetricFamily("muniment_records_without_position", "Entries without a place yet.", waiting.count())
        yield GaugeMetricFamily(
            "muniment_oldest_record_without_position_seconds", "How long the oldest of them waits.", age
        )
        signed = LedgerHead.objects.exclude(checkpoint=None).exists()
        yield GaugeMetricFamily("muniment_ledger_signed", "Whether there is a checkpoint.", int(signed))
        yield GaugeMetricFamily("muniment_workers", "Workers that are alive.", workers_alive())
        deployments = GaugeMetricFamily("muniment_deployments", "Deployments decided on, by state.", labels=["state"])
        for state in DeploymentPermission.objects.values("state").annotate(n=Count("id")):
            deployments.add_metric([state["state"]], state["n"])
        yield deployments
        silent = TokenIssuer.objects.exclude(problem="").count()
        yield GaugeMetricFamily(
            "muniment_unreadable_issuers", "Issuers of pipelines whose keys cannot be read.", silent
        )
        incidents = GaugeMetricFamily("muniment_open_incidents", "Open incidents, by kind.", labels=["kind"])
        for each in Incident.objects.filter(closed_at=None).values("kind").annotate(n=Count("id")):
            incidents.add_metric([each["kind"]], each["n"])
        yield incidents
        late = overdue(timezone.now()).count()
        yield GaugeMetricFamily("muniment_overdue_incidents", "Incidents open past their deadline.", late)
        requests = Request.objects.filter(state=Request.State.WAITING).count()
        yield GaugeMetricFamily("muniment_requests_waiting", "Acts that wait for a second person.", requests)


def text() -> bytes:
    """All of them, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Measures())
    return generate_latest(registry)

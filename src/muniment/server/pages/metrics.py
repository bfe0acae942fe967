"""Metrics for monitoring, in the format of Prometheus: numbers alone, of no person and no product."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from muniment.server.pages.health_checks import count_live_workers
from muniment.server.registration import Metric, read_contributions


class _MetricsCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Metrics, each read from the database when it is requested."""
        yield GaugeMetricFamily("muniment_workers", "Workers that are alive.", count_live_workers())
        for measure in (one for app in read_contributions() for one in app.metrics):
            yield from map(_make_gauge, measure())


def _make_gauge(metric: Metric) -> GaugeMetricFamily:
    if isinstance(metric.values, (int, float)):
        return GaugeMetricFamily(metric.name, metric.text, metric.values)
    gauge = GaugeMetricFamily(metric.name, metric.text, labels=[metric.label])
    for value, number in metric.values.items():
        gauge.add_metric([value], number)
    return gauge


def format_metrics() -> bytes:
    """Metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_MetricsCollector())
    return generate_latest(registry)

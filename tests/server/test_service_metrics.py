"""Metrics of an operator: what waits, for how long, and how old each fact is; and the files that use them."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection
from django.utils import timezone

from muniment.server.connections.models import Connection, ConnectionRateLimit, ForgeChange
from muniment.server.pages.metrics import format_metrics
from muniment.server.products.models import Repository, RepositoryScan
from tests.support.service import as_role, product

pytestmark = pytest.mark.usefixtures("service")
TEMPLATES = Path(__file__).parents[2] / "docs" / "monitoring"
NAME = re.compile(r"\bmuniment_[a-z_]+")


def read_metrics() -> dict[str, float]:
    lines = [line for line in format_metrics().decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def make_repository() -> Repository:
    with as_role("owner"):
        return Repository.objects.create(product=product("shop"), name="shop", path="/nowhere/shop")


def test_time_to_status_is_that_of_the_last_day() -> None:
    repository, now = make_repository(), timezone.now()
    with as_role("owner"):
        for number, seconds in enumerate((1, 2, 3, 100), 1):
            moment = now - timedelta(hours=1)
            ForgeChange.objects.create(
                repository=repository,
                number=number,
                opened_at=moment,
                first_decided_at=moment + timedelta(seconds=seconds),
                read_due_at=now - timedelta(seconds=40) if number == 4 else None,
            )
        old = now - timedelta(days=2)
        ForgeChange.objects.create(
            repository=repository, number=9, opened_at=old, first_decided_at=old + timedelta(hours=5)
        )
    found = read_metrics()
    assert found['muniment_time_to_status_seconds{quantile="0.5"}'] == 2
    assert found['muniment_time_to_status_seconds{quantile="0.95"}'] == 100
    assert 40 <= found["muniment_oldest_due_change_seconds"] < 60


def test_nothing_decided_has_no_time_to_status() -> None:
    found = read_metrics()
    assert not [name for name in found if name.startswith("muniment_time_to_status")]
    assert found["muniment_oldest_due_change_seconds"] == 0
    assert found["muniment_oldest_task_seconds"] == 0


def test_queue_age_is_that_of_the_oldest_job_that_could_begin() -> None:
    make = "INSERT INTO procrastinate_jobs (task_name, queue_name, args, status, scheduled_at) VALUES %s RETURNING id"
    with as_role("owner"), connection.cursor() as cursor:
        for ago, due in ((50, "NULL"), (500, "now() + interval '1 hour'"), (400, "now() - interval '10 seconds'")):
            cursor.execute(make % f"('x', 'q', '{{}}', 'todo', {due})")
            (job,) = cursor.fetchone() or (0,)
            cursor.execute(
                f"UPDATE procrastinate_events SET at = now() - interval '{ago} seconds' WHERE job_id = {job}"
            )
    assert 50 <= read_metrics()["muniment_oldest_task_seconds"] < 70


def test_rate_limit_left_is_the_smallest_share() -> None:
    with as_role("owner"):
        forge = Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.com")
        later = timezone.now() + timedelta(hours=1)
        for resource, left in (("core", 1200), ("graphql", 4000)):
            values: dict[str, Any] = {"request_limit": 5000, "remaining": left, "reset_at": later}
            ConnectionRateLimit.objects.create(connection=forge, resource=resource, **values)
    found = read_metrics()
    assert found['muniment_rate_limit_left_ratio{connection="forge"}'] == 0.24
    assert found['muniment_rate_limit_refused{connection="forge"}'] == 0


def test_age_of_a_fact_is_that_of_its_oldest_reading() -> None:
    repository = make_repository()
    with as_role("owner"):
        RepositoryScan.objects.create(repository=repository, finished_at=timezone.now() - timedelta(seconds=90))
    found = read_metrics()
    assert 90 <= found['muniment_fact_age_seconds{fact="repository"}'] < 120
    assert 'muniment_fact_age_seconds{fact="design"}' not in found, "what was never read has no age"


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((TEMPLATES / "prometheus.yml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def test_rules_and_dashboard_name_existing_metrics() -> None:
    known = set(re.findall(r"^# TYPE (\S+) gauge$", format_metrics().decode(), re.MULTILINE))
    rules = read_rules()
    for rule in rules:
        assert {"alert", "expr", "for", "labels", "annotations"} == set(rule)
        names = NAME.findall(rule["expr"])
        assert names, rule
        assert set(names) <= known, rule["alert"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    dashboard = json.loads((TEMPLATES / "grafana.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {name for text in expressions for name in NAME.findall(text)} <= known
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])

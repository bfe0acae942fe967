"""With the web's credentials alone, nobody gets a permission to deploy.

Environments, pipelines, trusted builders and break-glass permissions are on the record.
"""

from pathlib import Path

import pytest
from django.db import connection

from muniment.server.api import deployments as api
from muniment.server.changes.models import ServerHookLog
from muniment.server.deployments import tasks
from muniment.server.deployments.models import DeploymentPermission
from tests.support.deploying import ARTIFACT, Shop
from tests.support.service import as_role, compare_rows, person, record_rows


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Everything that a deployment to staging needs, on the record."""
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    found = Shop(tmp_path)
    person("eve")
    record_rows()
    compare_rows(monkeypatch)
    return found


def execute_sql(statement: str, *values: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_deployment_is_allowed_by_rows_that_acts_wrote(shop: Shop) -> None:
    assert shop.state(shop.asked("staging")) == "allowed"


@pytest.mark.parametrize(
    ("attack", "table"),
    [
        ("UPDATE products_environment SET \"order\" = 9 WHERE name = 'production'", "products_environment"),
        ("UPDATE products_environment SET production = false", "products_environment"),
        ("UPDATE deployments_pipelineidentity SET ref_patterns = 'refs/heads/*'", "deployments_pipelineidentity"),
        (
            "INSERT INTO deployments_trustedbuilder (builder_id, public_key, trusted_at) VALUES ('b', 'k', now())",
            "deployments_trustedbuilder",
        ),
    ],
)
def test_row_without_an_act_denies_the_deployment(attack: str, table: str, shop: Shop) -> None:
    execute_sql(attack)
    number = shop.asked("staging")
    assert shop.state(number) == "denied"
    assert table in DeploymentPermission.objects.get(deployment=number).reason


def test_server_hook_decision_that_no_act_names_denies_the_deployment(shop: Shop) -> None:
    with as_role("owner"):  # the web inserts one with a key of its own before the worker has read the true one
        ServerHookLog.objects.update(public_key="mine")
    number = shop.asked("staging")
    assert shop.state(number) == "denied"
    assert "changes_serverhooklog" in DeploymentPermission.objects.get(deployment=number).reason


def test_break_glass_permission_without_two_people_deploys_nothing(shop: Shop) -> None:
    execute_sql(
        "INSERT INTO deployments_breakglasspermission"
        " (environment_id, artifact, reason, requester_id, approver_id, created_at, expires_at)"
        " SELECT id, %s, 'x', 'eve', 'eve', now(), now() + interval '1 hour' FROM products_environment"
        " WHERE name = 'production'",
        ARTIFACT,
    )
    number = shop.asked("production")
    assert shop.state(number) == "denied"
    assert shop.codes(number) == ["deployment.permitted:environment-skipped"]


def test_permission_ends_when_its_pipeline_changes(shop: Shop) -> None:
    number = shop.asked("staging")
    assert shop.state(number) == "allowed"
    execute_sql("UPDATE deployments_pipelineidentity SET subject = 'other'")
    with as_role("worker"):
        tasks.check_deployment_task(number)
    assert shop.state(number) == "revoked"
    assert "deployments_pipelineidentity" in DeploymentPermission.objects.get(deployment=number).reason

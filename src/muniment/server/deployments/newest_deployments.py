"""Newest deployments of environments."""

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from muniment.server.deployments.models import Deployment


def find_newest_deployments(environments: list[int], count: int) -> dict[int, list[Deployment]]:
    """Newest deployments of each environment, at most `count`, in one query."""
    number = Window(RowNumber(), partition_by=F("environment"), order_by=F("pk").desc())
    rows = Deployment.objects.filter(environment__in=environments).annotate(number=number).filter(number__lte=count)
    found: dict[int, list[Deployment]] = {}
    for row in rows.select_related("pipeline", "environment", "permission__break_glass").order_by("-pk"):
        found.setdefault(row.environment_id, []).append(row)
    return found

"""Rows of groups of a merge queue or train, which a forge may merge any moment."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from muniment.forges.statuses import StatusState
from muniment.server.connections.models import (
    BranchUpdate,
    PostedStatus,
)
from muniment.server.remembered_sql import remember_sql

QUEUED = timedelta(days=1)  # that a group stands in a queue at most


@remember_sql
def find_green_groups(repository: int, context: str, since: datetime) -> QuerySet[Any, tuple[str]]:
    """Heads of groups of a repository that may be merged any moment: shown green since then, or about to be."""
    rows = PostedStatus.objects.filter(repository=repository, context=context, merge_group=True, posted_at__gte=since)
    green = Q(status__saying=StatusState.ALLOWED.value) | Q(read_due_at__isnull=False)
    return _exclude_landed(rows.filter(green)).values_list("head")


def list_due_groups(before: datetime) -> list[PostedStatus]:
    """Statuses of groups that have been due for reading since before then, and may still be in a queue."""
    rows = PostedStatus.objects.filter(
        merge_group=True, read_due_at__lt=before, read_due_at__gte=timezone.now() - QUEUED
    )
    return list(_exclude_landed(rows.filter(repository__product__retired_at=None)))


def _exclude_landed(rows: QuerySet[PostedStatus]) -> QuerySet[PostedStatus]:
    """Rows of groups that did not land."""
    landed = BranchUpdate.objects.filter(repository=OuterRef("repository"), commit=OuterRef("head"))
    return rows.exclude(Exists(landed))

"""Recorded rows: an act records their new state, and a row that differs from its record is not used.

With the web's credentials such a row can be written, but no record of an act that wrote it. Acts alone write these
rows: while one is executed, each row that it writes is noted here, however Django writes it. At its end the record
of the act gets one digest of all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models.signals import post_delete, post_save

M = TypeVar("M", bound=models.Model)
Values = tuple[Any, ...]


class RecordedQuerySet(models.QuerySet[M]):
    """Query set of recorded rows, which also notes writes that send no signal."""

    def update(self, **values: Any) -> int:
        """Update, and note the rows if a recorded column is written."""
        if list_recorded_names(self.model).intersection(values):
            note_rows(self.model, self.values_list("pk", flat=True))
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[M], *arguments: Any, **options: Any) -> list[M]:
        """Create, and note the rows."""
        made = super().bulk_create(objs, *arguments, **options)
        note_rows(self.model, [one.pk for one in made])
        return made


class RecordedModel(models.Model):
    """Table of recorded rows. `recorded_columns` are those that a record commits to, without columns that the worker
    writes and those that can be erased.
    """

    recorded_columns: ClassVar[tuple[str, ...]]
    objects = RecordedQuerySet.as_manager()

    class Meta:
        """Abstract model without a table."""

        abstract = True


class RowCollector:
    """Keys of the rows that one act wrote, by table."""

    def __init__(self) -> None:
        self.rows: dict[type[models.Model], dict[str, None]] = {}

    def add_rows(self, model: type[models.Model], keys: Iterable[object]) -> None:
        """Add rows by their keys."""
        self.rows.setdefault(model, {}).update(dict.fromkeys(map(str, keys)))


_collector: ContextVar[RowCollector | None] = ContextVar("collector", default=None)


@contextmanager
def collect_rows() -> Iterator[RowCollector]:
    """Collect the rows that this block writes."""
    collector = RowCollector()
    token = _collector.set(collector)
    try:
        yield collector
    finally:
        _collector.reset(token)


def note_rows(model: type[models.Model], keys: Iterable[object]) -> None:
    """Note that the current act writes rows. Rows written outside of an act match no record, and are not used."""
    collector = _collector.get()
    if collector is not None:
        collector.add_rows(model, keys)


def list_recorded_models() -> tuple[type[models.Model], ...]:
    """Models of recorded rows, in the order of the apps."""
    from django.apps import apps

    return tuple(model for model in apps.get_models() if hasattr(model, "recorded_columns"))


def connect_row_signals() -> None:
    """Note each row that is saved or deleted, also by a cascade. Called once, at the start."""
    for model in list_recorded_models():
        post_save.connect(_note_saved, sender=model, dispatch_uid=f"recorded-{model._meta.db_table}")
        post_delete.connect(_note_deleted, sender=model, dispatch_uid=f"recorded-{model._meta.db_table}")


def _note_saved(sender: type[models.Model], instance: models.Model, **details: Any) -> None:
    only = details.get("update_fields")
    if only is None or list_recorded_names(sender).intersection(only):
        note_rows(sender, [instance.pk])


def _note_deleted(sender: type[models.Model], instance: models.Model, **details: Any) -> None:
    note_rows(sender, [instance.pk])


def list_recorded_names(model: type[models.Model]) -> frozenset[str]:
    """Names of the recorded fields and of their columns."""
    fields = [model._meta.get_field(name) for name in list_recorded_columns(model)]
    return frozenset(name for field in fields for name in (field.name, str(getattr(field, "attname", field.name))))


def list_recorded_columns(model: type[models.Model]) -> tuple[str, ...]:
    """The recorded columns of a table."""
    columns: tuple[str, ...] = model.recorded_columns  # type: ignore[attr-defined]
    return columns


def read_recorded_columns(model: type[models.Model], keys: Sequence[str] | None = None) -> dict[str, Values]:
    """Recorded columns of rows, all if `keys` is None, by key."""
    rows = model._default_manager.all() if keys is None else model._default_manager.filter(pk__in=keys)
    return {str(key): tuple(values) for key, *values in rows.values_list("pk", *list_recorded_columns(model))}

"""Rows that are relied on: an act records what it made of them, and a row that says otherwise is not used.

Whoever has the web's credentials can write such a row, and no record of an act that wrote it. Acts alone write these
rows: while one is executed, each row that it writes is noted here, by whichever way of Django it is written. At its end
the record of the act gets one digest of all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models.signals import post_delete, post_save

M = TypeVar("M", bound=models.Model)
Values = tuple[Any, ...]


class RecordedRows(models.QuerySet[M]):
    """Rows that are relied on: what is written without a signal is noted too."""

    def update(self, **values: Any) -> int:
        """Update, and note the rows if a recorded column is among what is written."""
        if recorded_names(self.model).intersection(values):
            note_rows(self.model, self.values_list("pk", flat=True))
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[M], *arguments: Any, **options: Any) -> list[M]:
        """Create, and note the rows."""
        made = super().bulk_create(objs, *arguments, **options)
        note_rows(self.model, [one.pk for one in made])
        return made


class RecordedModel(models.Model):
    """A table whose rows are relied on. `recorded_columns` are those that a record commits to: what the worker notes in
    the same table, and what can be erased, is not among them.
    """

    recorded_columns: ClassVar[tuple[str, ...]]
    objects = RecordedRows.as_manager()

    class Meta:
        """A shape, not a table."""

        abstract = True


class RowCollector:
    """The keys of the rows that one act wrote, by table."""

    def __init__(self) -> None:
        self.rows: dict[type[models.Model], dict[str, None]] = {}

    def add(self, model: type[models.Model], keys: Iterable[Any]) -> None:
        """Note rows by their keys."""
        self.rows.setdefault(model, {}).update(dict.fromkeys(map(str, keys)))


_collector: ContextVar[RowCollector | None] = ContextVar("collector", default=None)


@contextmanager
def collect_rows() -> Iterator[RowCollector]:
    """While this lasts, rows that are written are noted."""
    collector = RowCollector()
    token = _collector.set(collector)
    try:
        yield collector
    finally:
        _collector.reset(token)


def note_rows(model: type[models.Model], keys: Iterable[Any]) -> None:
    """Note that the act under way writes rows. Outside of an act they agree with no record, and are not used."""
    collector = _collector.get()
    if collector is not None:
        collector.add(model, keys)


def recorded_models() -> tuple[type[models.Model], ...]:
    """Every table whose rows are relied on, in the order of the apps."""
    from django.apps import apps

    return tuple(model for model in apps.get_models() if hasattr(model, "recorded_columns"))


def watch_rows() -> None:
    """Note each row that is saved or deleted, those too that are deleted with another. Called once, at the start."""
    for model in recorded_models():
        post_save.connect(_saved, sender=model, dispatch_uid=f"recorded-{model._meta.db_table}")
        post_delete.connect(_deleted, sender=model, dispatch_uid=f"recorded-{model._meta.db_table}")


def _saved(sender: type[models.Model], instance: models.Model, **details: Any) -> None:
    only = details.get("update_fields")
    if only is None or recorded_names(sender).intersection(only):
        note_rows(sender, [instance.pk])


def _deleted(sender: type[models.Model], instance: models.Model, **details: Any) -> None:
    note_rows(sender, [instance.pk])


def recorded_names(model: type[models.Model]) -> frozenset[str]:
    """The recorded columns, by the names of their fields and of their columns."""
    fields = [model._meta.get_field(name) for name in columns_of(model)]
    return frozenset(name for field in fields for name in (field.name, str(getattr(field, "attname", field.name))))


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The recorded columns of a table."""
    columns: tuple[str, ...] = model.recorded_columns  # type: ignore[attr-defined]
    return columns


def read_rows(model: type[models.Model], keys: Sequence[str] | None = None) -> dict[str, Values]:
    """The recorded columns of rows, all if `keys` is None, by key."""
    rows = model._default_manager.all() if keys is None else model._default_manager.filter(pk__in=keys)
    return {str(key): tuple(values) for key, *values in rows.values_list("pk", *columns_of(model))}

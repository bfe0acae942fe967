"""Keeps the worst state of each product for each clause equal to the states of its repositories."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from muniment.server.products.models import ClauseState, Product, ProductClauseState

_RAISE = """
    INSERT INTO products_productstateversion (product_id, number) VALUES (%s, 1)
    ON CONFLICT (product_id) DO UPDATE SET number = products_productstateversion.number + 1
"""
_LOCK = 0x6D757370  # the first number of the advisory locks, one for each product


class WorstState(NamedTuple):
    """Worst of some states of one clause, and since when the first of them is so."""

    state: int
    changed_at: datetime


def find_worst_states(rows: Iterable[tuple[str, int, datetime]]) -> dict[str, WorstState]:
    """Worst state for each clause of (clause, state, moment of its change)."""
    found: dict[str, WorstState] = {}
    for clause, state, changed_at in rows:
        known = found.get(clause)
        if known is None or (-state, changed_at) < (-known.state, known.changed_at):
            found[clause] = WorstState(state, changed_at)
    return found


def lock_product_states(product: int) -> None:
    """Wait until no other transaction changes states of this product; the lock ends with the transaction.

    Without it, two workers that evaluate two repositories of one product would each miss what the other changes. It is
    taken before any row is locked, so that both take their locks in the same order.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, product])


def update_product_states(product: int) -> int:
    """Bring the stored states of a product up to date with its repositories; how many rows were written or removed.

    In the transaction that changed the states, which has the lock of `lock_product_states`. Rows that stay the same are
    not written.
    """
    states = ClauseState.objects.filter(repository__product=product)
    worst = find_worst_states(states.values_list("clause", "state", "changed_at"))
    stored = {row.clause: row for row in ProductClauseState.objects.filter(product=product)}
    gone = [row.pk for clause, row in stored.items() if clause not in worst]
    if gone:
        ProductClauseState.objects.filter(pk__in=gone).delete()
    changed = _build_changed_rows(product, worst, stored)
    if changed:
        ProductClauseState.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["product", "clause"],
            update_fields=["state", "changed_at"],
        )
    if gone or changed:
        with connection.cursor() as cursor:
            cursor.execute(_RAISE, [product])
    return len(gone) + len(changed)


def _build_changed_rows(
    product: int, worst: Mapping[str, WorstState], stored: Mapping[str, ProductClauseState]
) -> list[ProductClauseState]:
    return [
        ProductClauseState(product_id=product, clause=clause, state=found.state, changed_at=found.changed_at)
        for clause, found in sorted(worst.items())
        if (row := stored.get(clause)) is None or (row.state, row.changed_at) != found
    ]


def rebuild_product_states() -> int:
    """Bring the stored states of every product up to date; how many rows differed: 0 where nothing is wrong."""
    differing = 0
    for product in Product.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            lock_product_states(product)
            differing += update_product_states(product)
    return differing

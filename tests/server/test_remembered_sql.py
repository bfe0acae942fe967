"""Queries whose SQL is built once: they find what a new query finds, and refuse what would be wrong later."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.connections.models import ForgeChange
from muniment.server.people.models import RoleGrant, _read_grants_in_force, build_in_force_condition
from muniment.server.products.models import Product, Repository
from muniment.server.remembered_sql import remember_instances, remember_sql, save_columns
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(autouse=True)
def _products(service: object) -> None:
    with as_role("owner"):
        for number, slug in enumerate(("bank", "shop", "till")):
            made = product(slug, f"/srv/{slug}.git")
            Product.objects.filter(pk=made.pk).update(created_at=datetime(2026, 1, 1 + number, tzinfo=UTC))


@remember_sql
def _read_names(slugs: tuple[str, ...], since: datetime) -> "QuerySet[Any, tuple[str]]":
    return Product.objects.filter(slug__in=slugs, created_at__gte=since).order_by("slug").values_list("name")


@remember_instances
def _read_repositories(product: int) -> "QuerySet[Repository]":
    return Repository.objects.filter(product=product).select_related("product", "scan")


def test_each_call_is_read_with_its_own_arguments() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert _read_names(("bank", "shop"), first) == [("Bank",), ("Shop",)]
    assert _read_names(("shop", "till"), first) == [("Shop",), ("Till",)]
    assert _read_names(("shop", "till"), first + timedelta(days=2)) == [("Till",)]
    assert _read_names(("till",), first) == [("Till",)]
    assert _read_names((), first) == []


def test_instances_are_those_of_a_usual_query() -> None:
    for one in Product.objects.all():
        (expected,) = Repository.objects.filter(product=one)
        with CaptureQueriesContext(connection) as queries:
            (found,) = _read_repositories(one.pk)
            assert (found, found.name, found.product) == (expected, expected.name, one)
            assert not hasattr(found, "scan")
        assert len(queries) == 1
    assert _read_repositories(0) == []


@remember_instances
def _read_forge_changes(number: int) -> "QuerySet[ForgeChange]":
    return ForgeChange.objects.filter(number=number)


def test_number_of_a_small_column_is_found() -> None:
    with as_role("owner"):
        made = [ForgeChange.objects.create(repository=Repository.objects.all()[0], number=n) for n in (1, 2)]
    assert [_read_forge_changes(one.number) for one in made] == [[one] for one in made]


@remember_sql
def _read_nothing(slug: str) -> "QuerySet[Any, tuple[str]]":
    return Product.objects.filter(slug=slug, pk__in=()).values_list("name")


def test_query_that_never_finds_anything_is_refused() -> None:
    with pytest.raises(TypeError, match="finds nothing"):
        _read_nothing("shop")


def test_each_thread_reads_by_its_own_connection() -> None:
    shop = Product.objects.get(slug="shop").pk
    (expected,) = _read_repositories(shop)

    def read() -> tuple[Repository, tuple[str]]:
        try:
            return _read_repositories(shop)[0], _read_names(("shop",), datetime(2026, 1, 1, tzinfo=UTC))[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(read).result() == (expected, ("Shop",))


def test_the_form_of_a_query_follows_arguments_that_are_no_values() -> None:
    @remember_sql
    def read_slugs(chosen: frozenset[str] | None) -> "QuerySet[Any, tuple[str]]":
        rows = Product.objects.order_by("slug").values_list("slug")
        return rows if chosen is None else rows.filter(slug__in=chosen)

    assert read_slugs(None) == [("bank",), ("shop",), ("till",)]
    assert read_slugs(frozenset({"shop"})) == [("shop",)]
    assert read_slugs(None) == [("bank",), ("shop",), ("till",)]


def test_values_are_those_of_their_fields() -> None:
    @remember_sql
    def count_repositories(slug: str) -> "QuerySet[Any, tuple[str, int]]":
        rows = Product.objects.filter(slug=slug).values_list("slug")
        return rows.annotate(count=Count("repositories"))

    assert count_repositories("shop") == [("shop", 1)]
    assert count_repositories("none") == []


def test_a_query_that_reads_the_clock_is_refused() -> None:
    @remember_sql
    def read_old(slug: str) -> "QuerySet[Any, tuple[str]]":
        return Product.objects.filter(slug=slug, created_at__lt=timezone.now()).values_list("slug")

    with pytest.raises(TypeError, match="moments and days as arguments"):
        read_old("shop")


def test_an_argument_that_is_no_parameter_is_refused() -> None:
    @remember_sql
    def read_first(most: int) -> "QuerySet[Any, tuple[str]]":
        return Product.objects.values_list("slug")[:most]

    with pytest.raises(TypeError, match="no parameters of its SQL"):
        read_first(1)


def test_the_roles_of_a_request_are_the_grants_in_force() -> None:
    ada, now, shop = person("ada"), timezone.now(), Product.objects.get(slug="shop")
    days = (None, now - timedelta(days=1), now, now + timedelta(days=1))
    with as_role("owner"):
        for role, day in zip(Role, days, strict=False):
            last = day.date() if day is not None else None
            RoleGrant.objects.create(person=ada, role=role.value, product=shop, last_day=last)
            RoleGrant.objects.create(person=ada, role=role.value, ended_at=now)
    expected = ada.role_grants.filter(build_in_force_condition()).values_list("pk", "role", "product__slug")
    assert sorted(_read_grants_in_force(ada.pk)) == sorted(expected)
    assert len(expected) == 3


def _make_change() -> Change:
    with as_role("owner"):
        where = {"repository": Repository.objects.all()[0], "target": "refs/heads/main"}
        return Change.objects.create(name="#1", updated_at=timezone.now(), **where)


def test_saved_columns_are_written_and_no_others() -> None:
    change = _make_change()
    change.title, change.head, change.name = "Add a till", "a" * 40, "not saved"
    with as_role("worker"), CaptureQueriesContext(connection) as queries:
        save_columns(change, "title", "head")
    assert len(queries) == 1
    stored = Change.objects.get(pk=change.pk)
    assert (stored.title, stored.head, stored.name) == ("Add a till", "a" * 40, "#1")


def test_saving_a_row_that_is_gone_fails() -> None:
    change = _make_change()
    with as_role("owner"):
        Change.objects.filter(pk=change.pk).delete()
    with as_role("worker"), pytest.raises(RuntimeError, match="there is no row"):
        save_columns(change, "title")


def test_columns_of_recorded_rows_are_written_by_acts_alone() -> None:
    with as_role("owner"), pytest.raises(TypeError, match="written by acts"):
        save_columns(Product.objects.all()[0], "name")

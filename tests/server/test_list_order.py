"""Order of lists, as a reader chooses it."""

import html
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.page_lists import page_in_order
from muniment.server.people.models import Person
from muniment.server.products.models import ClauseResult, ProductClauseState, Repository
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows on each part of a list."""
    monkeypatch.setattr(page_in_order, "__kwdefaults__", {"handle": "slug", "size": 2})


def read_list(address: str, names: list[str], **asked: str) -> list[str]:
    """Names of the rows in their order, over all parts of the list."""
    client, following = browser(Person.objects.get(slug="amy")), f"{address}?{urlencode(asked)}"
    found: list[str] = []
    for _part in range(len(names)):
        page = client.get(following).content.decode().split("<tbody>")[1]
        rows = re.findall(rf">({'|'.join(names)})\b", page.split("</tbody>")[0])
        found += dict.fromkeys(rows)
        link = re.search(r'href="(\?after=[^"]+)"', page)
        if link is None:
            return found
        following = address + html.unescape(link[1])
    raise AssertionError(found)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", ["Bakery", "Lab", "Market", "Shop"]),
        ("name", ["Bakery", "Lab", "Market", "Shop"]),
        ("-name", ["Shop", "Market", "Lab", "Bakery"]),
        ("failing", ["Lab", "Shop", "Bakery", "Market"]),
        ("-added", ["Bakery", "Market", "Lab", "Shop"]),
        ("added", ["Shop", "Lab", "Market", "Bakery"]),
        ("no-such-order", ["Bakery", "Lab", "Market", "Shop"]),
    ],
)
def test_products_are_listed_in_the_chosen_order(order: str, expected: list[str]) -> None:
    person("amy", Role.ADMIN)
    failing = {"shop": 1, "lab": 2, "market": 0, "bakery": 0}
    for slug, number in failing.items():
        row = product(slug)
        with as_role("owner"):
            ProductClauseState.objects.bulk_create(
                ProductClauseState(product=row, clause=f"c.{i}", state=ClauseResult.VIOLATED, changed_at=timezone.now())
                for i in range(number)
            )
    assert read_list("/products", [slug.title() for slug in failing], order=order) == expected


def test_people_are_listed_from_z_to_a_and_a_search_keeps_the_order() -> None:
    for slug in ("amy", "amir", "eve", "amos"):
        person(slug, Role.ADMIN)
    names = ["Amy", "Amir", "Eve", "Amos"]
    assert read_list("/people", names, order="-name") == ["Eve", "Amy", "Amos", "Amir"]
    assert read_list("/people", names, order="-name", find="am") == ["Amy", "Amos", "Amir"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", ["Third", "Second", "First"]),
        ("opened", ["First", "Second", "Third"]),
        ("-updated", ["First", "Third", "Second"]),
        ("updated", ["Second", "Third", "First"]),
    ],
)
def test_pull_requests_are_listed_in_the_chosen_order(order: str, expected: list[str]) -> None:
    person("amy", Role.ADMIN)
    with as_role("owner"):
        place = Repository.objects.create(product=product("shop"), name="shop.git", path="/x")
        for title, days in (("First", 1), ("Second", 9), ("Third", 5)):
            Change.objects.create(
                repository=place,
                name=title,
                target="main",
                state="open",
                title=title,
                head="a" * 40,
                updated_at=timezone.now() - timedelta(days=days),
            )
    assert read_list("/changes", ["First", "Second", "Third"], order=order) == expected


def test_row_that_left_the_list_still_marks_where_the_next_part_begins() -> None:
    for slug in ("amy", "bob", "cy", "eve"):
        person(slug, Role.ADMIN)
    page = browser(Person.objects.get(slug="amy")).get("/people?find=e&after=bob&order=name").content.decode()
    assert ">Eve<" in page
    assert ">Amy<" not in page.split("<tbody>")[1]

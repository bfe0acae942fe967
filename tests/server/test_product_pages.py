"""Pages of a product: its tabs, what to fix first, its pull requests with filters, its people and its settings."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change, Decision
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.policies.state_counts import is_evaluated
from muniment.server.products.models import ClauseResult, ClauseState, Product, Repository
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, product

MAIN = "refs/heads/main"


@pytest.fixture(autouse=True)
def shop(service: None) -> Product:
    enough()
    product("site", "/nowhere/site")
    return product("shop", "/nowhere/shop")


def _add_change(title: str, state: str, *, allowed: bool = True, days: int = 0, number: int = 0) -> Change:
    when = timezone.now() - timedelta(days=days)
    with as_role("owner"):
        repository = Repository.objects.get(name="shop")
        where = {"target": MAIN, "state": state, "updated_at": when, "head": f"{number:040x}", "title": title}
        row = Change.objects.create(repository=repository, name=title, **where)
        result = {"allowed": allowed, "decided_at": when, "policy_digest": "x", "inputs_digest": title}
        row.decision = Decision.objects.create(change=row, head=row.head, **result)
        row.save()
    return row


def test_each_tab_is_shown_to_those_who_may_open_it() -> None:
    _add_change("Add search", "open")
    owner, dpo = browser(person("olga", Role.OWNER)), browser(person("dpo", Role.DPO))
    page = owner.get("/products/shop").content.decode()
    for address in ("changes", "secrets", "environments", "people", "settings"):
        assert f'href="/products/shop/{address}"' in page, address
        assert owner.get(f"/products/shop/{address}").status_code == 200
    assert 'Pull requests<span class="n">1</span>' in page
    assert 'href="/products/shop/secrets"' not in dpo.get("/products/shop").content.decode()


@pytest.mark.parametrize("address", ["", "/changes", "/people", "/settings"])
def test_pages_of_another_product_are_not_found(address: str, shop: Product) -> None:
    stranger = browser(person("zora", Role.DEVELOPER, product=Product.objects.get(slug="site")))
    assert stranger.get(f"/products/shop{address}").status_code == 404
    assert stranger.get(f"/products/site{address}").status_code == 200


def test_failing_clause_comes_first_with_its_reason() -> None:
    clause = next(one for one in current_clauses() if is_evaluated(one))
    with as_role("owner"):
        repository = Repository.objects.get(name="shop")
        row = {"state": ClauseResult.VIOLATED, "changed_at": timezone.now(), "reason": "Not all of it is reviewed."}
        ClauseState.objects.create(repository=repository, clause=clause.id, **row)
    page = browser(person("olga", Role.OWNER)).get("/products/shop").content.decode()
    assert page.index(f'href="#clause-{clause.id}"') < page.index(f'id="clause-{clause.id}"')
    assert page.count("Not all of it is reviewed.") == 2


def test_merged_pull_requests_are_filtered_by_text_result_and_period() -> None:
    _add_change("Add search", "merged", number=1)
    _add_change("Skip review", "merged", allowed=False, number=2)
    _add_change("Old work", "merged", days=60, number=3)
    client = browser(person("olga", Role.OWNER))

    def listed(query: str) -> set[str]:
        page = client.get(f"/products/shop/changes?{query}").content.decode()
        return {title for title in ("Add search", "Skip review", "Old work") if title in page}

    assert listed("") == {"Add search", "Skip review", "Old work"}
    assert listed("text=sear") == {"Add search"}
    assert listed("result=failing") == {"Skip review"}
    assert listed("result=passing&period=30") == {"Add search"}
    assert listed("result=odd&period=odd") == {"Add search", "Skip review", "Old work"}
    assert "No pull request matches" in client.get("/products/shop/changes?text=nothing").content.decode()


def test_people_are_listed_with_the_roles_that_apply_to_the_product(shop: Product) -> None:
    client = browser(person("olga", Role.OWNER, product=shop))
    person("zora", Role.DEVELOPER, product=Product.objects.get(slug="site"))
    page = client.get("/products/shop/people").content.decode()
    assert "Olga" in page
    assert "Zora" not in page


def test_form_shows_what_is_known_of_the_product(shop: Product) -> None:
    with as_role("owner"):
        Product.objects.filter(pk=shop.pk).update(deployed=True, has_users=False)
    page = browser(person("olga", Role.OWNER)).get("/products/shop/settings").content.decode()
    assert page.count('<option value="yes" selected>') == 1
    assert page.count('<option value="no" selected>') == 1


def test_only_those_who_may_change_a_product_are_offered_its_forms() -> None:
    page = browser(person("aud", Role.AUDITOR)).get("/products/shop/settings").content.decode()
    assert "Add repository" not in page
    assert "Retire product" not in page


@pytest.mark.parametrize("address", ["", "/changes", "/people"])
def test_pages_of_a_product_take_the_same_queries_with_more_rows(address: str) -> None:
    client = browser(person("olga", Role.OWNER))
    _add_change("Change 0", "open", number=1)
    _add_change("Merged 0", "merged", number=2)
    client.get(f"/products/shop{address}")

    def count_queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"/products/shop{address}").status_code == 200
        return len(queries)

    before = count_queries()
    for number in range(3, 6):
        _add_change(f"Change {number}", "open", number=number)
        _add_change(f"Merged {number}", "merged", number=number + 10)
        person(f"dev{number}", Role.DEVELOPER)
    assert count_queries() == before

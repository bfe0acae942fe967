"""Monitoring periods: two people exempt one product from enforcement until a day, and pages show since when."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.product_rules import ProductRules
from muniment.server.changes.weekly_chart import make_weekly_chart
from muniment.server.people.models import Person
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Product, Repository
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

CLAUSE = "review.two-reviewers"
TILL = (timezone.now().date() + timedelta(days=30)).isoformat()


def request_and_approve_monitoring(until: str = TILL) -> str:
    """Request monitoring as Olga, approve it as Sam; return the text of Olga's page."""
    olga = browser(person("olga", Role.OWNER))
    answer = post(olga, "/products/shop/monitoring", clause=CLAUSE, until=until, reason="We begin.")
    for row in Request.objects.filter(state="waiting"):
        post(browser(Person.objects.get(slug="sam")), f"/requests/{row.pk}", answer="agree")
    return answer


def find_last_day(slug: str) -> date | None:
    found = ProductRules(Product.objects.get(slug=slug)).load_policy()
    assert found is not None
    return next(clause.monitoring_until for clause in found.policy.clauses if clause.id == CLAUSE)


@pytest.fixture(autouse=True)
def crew(service: None) -> None:
    enough()
    product("shop", "/nowhere/shop")
    product("site", "/nowhere/site")


def test_monitoring_covers_one_product_until_one_person_ends_it() -> None:
    assert "waits for a second person" in request_and_approve_monitoring()
    assert str(find_last_day("shop")) == TILL
    assert find_last_day("site") is None
    amy = browser(Person.objects.get(slug="amy"))
    assert "In monitoring for this product until" in amy.get("/products/shop").content.decode()
    assert "In monitoring for this product until" not in amy.get("/products/site").content.decode()
    row = MonitoringPeriod.objects.get()
    post(browser(Person.objects.get(slug="sam")), f"/monitoring/{row.slug}/end")
    assert find_last_day("shop") is None
    with as_role("worker"), pytest.raises(Exception, match="permission denied"):
        MonitoringPeriod.objects.update(ended_at=None)


@pytest.mark.parametrize("until", ["", "soon", "2020-01-01", "2999-01-01", timezone.now().date().isoformat()])
def test_refuses_last_day_that_is_past_or_too_far(until: str) -> None:
    request_and_approve_monitoring(until)
    assert not Request.objects.exists()


def test_refuses_approval_by_requester_and_request_by_developer() -> None:
    dev = browser(person("dev", Role.DEVELOPER))
    assert dev.post("/products/shop/monitoring", {"clause": CLAUSE, "until": TILL, "reason": "x"}).status_code == 403
    sam = browser(Person.objects.get(slug="sam"))
    post(sam, "/products/shop/monitoring", clause=CLAUSE, until=TILL, reason="x")
    assert sam.post(f"/requests/{Request.objects.get().pk}", {"answer": "agree"}).status_code == 403


def test_monitoring_of_removed_clause_is_ignored() -> None:
    request_and_approve_monitoring()
    with as_role("owner"):
        MonitoringPeriod.objects.update(clause="gone.clause")
    assert find_last_day("shop") is None


def test_overview_shows_since_when_clause_is_monitored() -> None:
    day = (timezone.now().date() + timedelta(days=60)).isoformat()
    old = PolicyVersion.objects.get(in_force=True)
    delayed = old.text.replace(f'id = "{CLAUSE}"', f'id = "{CLAUSE}"\nmonitoring_until = {day}')
    assert delayed != old.text
    with as_role("owner"):
        PolicyVersion.objects.update(in_force=False, applied_at=timezone.now() - timedelta(days=200))
        for ago in (100, 40, 3):
            text = old.text if ago == 100 else f"{delayed}# {ago}\n"
            when = timezone.now() - timedelta(days=ago)
            PolicyVersion.objects.create(text=text, digest=str(ago), applied_at=when, in_force=ago == 3)
        from muniment.server.records.installation import open_store

        open_store().write_document("policy.toml", f"{delayed}# 3\n".encode())
    assert any(clause.monitoring_until for clause in current_clauses())
    page = browser(Person.objects.get(slug="amy")).get("/products/shop").content.decode()
    assert "(40 days)" in page


def test_chart_counts_allowed_changes_per_week() -> None:
    with as_role("owner"):
        repository = Repository.objects.get(name="shop")
        for number in range(10):
            when = timezone.now() - timedelta(weeks=number)
            where = {"target": "refs/heads/main", "state": "merged", "updated_at": when, "head": str(number)}
            row = Change.objects.create(repository=repository, name=str(number), **where)
            result = {
                "allowed": number % 2 == 0,
                "decided_at": when,
                "policy_digest": "x",
                "inputs_digest": str(number),
            }
            row.decision = Decision.objects.create(change=row, head=str(number), **result)
            row.save()
    found = make_weekly_chart(Product.objects.all())
    assert (found.changes, found.allowed, len(found.weeks)) == (10, 5, 26)
    assert [week.share for week in found.weeks[-4:]] == [0, 100, 0, 100]
    amy = browser(Person.objects.get(slug="amy"))
    page = amy.get("/products/shop/changes").content.decode()
    assert page.count('class="f-passing"') == 5
    assert "5 of 10 followed the current policy" in page
    assert "Show as table" not in amy.get("/products/site/changes").content.decode()

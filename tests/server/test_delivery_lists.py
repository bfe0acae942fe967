"""Lists over all products: pull requests, and secrets with deployments. Each shows no more than the person may see."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import PolicyError
from muniment.policy.model import Clause
from muniment.server.changes.models import Change, Decision
from muniment.server.deployments import views
from muniment.server.deployments.models import Deployment, DeploymentPermission, PipelineIdentity
from muniment.server.products.models import Environment, Product, Repository
from muniment.server.secrets.models import Secret
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")


def open_page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode().split("<main")[1]


def add_change(owner: Product, title: str, state: str = "open", *, allowed: bool | None = None) -> Change:
    with as_role("owner"):
        repository, _ = Repository.objects.get_or_create(product=owner, name=f"{owner.slug}.git", path="/x")
        row = Change.objects.create(
            repository=repository,
            name=title,
            target="main",
            state=state,
            title=title,
            head="a" * 40,
            updated_at=timezone.now(),
        )
        if allowed is not None:
            row.decision = Decision.objects.create(
                change=row,
                head=row.head,
                allowed=allowed,
                decided_at=timezone.now(),
                policy_digest="p",
                inputs_digest=title,
            )
            row.save()
    return row


def add_environment(owner: Product, name: str = "production", *, days: int = 0, state: str = "") -> Environment:
    with as_role("owner"):
        setter = person(f"setter-{owner.slug}-{name}", Role.OWNER, product=owner)
        place = Environment.objects.create(product=owner, name=name)
        Secret.objects.create(
            environment=place, name="TOKEN", set_by=setter, set_at=timezone.now() - timedelta(days=days)
        )
        if state:
            pipeline = PipelineIdentity.objects.create(environment=place, name="deploy", kind="runner")
            row = Deployment.objects.create(
                environment=place,
                pipeline=pipeline,
                artifact="sha256:" + "b" * 64,
                commit="a" * 40,
                identity={},
                idempotency_key="k",
            )
            DeploymentPermission.objects.create(deployment=row, state=state, decided_at=timezone.now())
    return place


def test_pull_requests_are_filtered_by_state_and_product() -> None:
    shop, lab = product("shop"), product("lab")
    add_change(shop, "Blocked one", allowed=False)
    add_change(lab, "Ready one", allowed=True)
    add_change(lab, "Old one", "merged", allowed=False)
    client = browser(person("sam", Role.SECURITY))
    page = open_page(client, "/changes")
    for text in ("Blocked one", "Ready one", "Blocked</span>", "Ready to merge"):
        assert text in page, text
    assert "Old one" not in page
    assert "Did not follow the policy" in open_page(client, "/changes?state=merged")
    assert "Blocked one" not in open_page(client, "/changes?state=all&product=lab")
    assert "No pull request matches" in open_page(client, "/changes?state=closed")
    assert "Blocked one" in open_page(client, "/changes?state=nonsense")


def test_lists_show_only_products_that_the_person_may_see() -> None:
    shop, lab = product("shop"), product("lab")
    for one in (shop, lab):
        add_change(one, f"Of {one.slug}")
        add_environment(one, state="succeeded")
    near = browser(person("nia", Role.OWNER, product=lab))
    for address in ("/changes?state=all", "/deployments"):
        page = open_page(near, address)
        assert "/products/lab" in page
        assert "/products/shop" not in page
    assert "Of shop" not in open_page(near, "/changes?product=shop")


def test_deliveries_show_newest_deployment_and_old_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    clause = Clause("rotation", "Rotation", "", "Rotated.", "secret-rotation", (), {"max_age_days": 90})
    monkeypatch.setattr(views, "current_clauses", lambda: (clause,))
    add_environment(product("shop"), days=100, state="rolled-back")
    add_environment(product("lab"))
    page = open_page(browser(person("dev", Role.DEVELOPER)), "/deployments")
    for text in ("Failed, rolled back", "1 older than 90 days", "no deployment yet"):
        assert text in page, text
    assert "/products/lab/secrets" not in open_page(browser(person("dpo", Role.DPO)), "/deployments")
    assert "No product matches" in open_page(browser(person("dev2", Role.DEVELOPER)), "/deployments?find=zzz")


def test_deliveries_without_readable_policy_leave_due_dates_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[Clause, ...]:
        raise PolicyError("policy.toml", "", "The policy cannot be read", "")

    monkeypatch.setattr(views, "current_clauses", refuse)
    add_environment(product("shop"), days=1000)
    assert "Due dates are unknown." in open_page(browser(person("dev", Role.DEVELOPER)), "/deployments")


def test_query_count_does_not_grow_with_products() -> None:
    client = browser(person("sam", Role.SECURITY))
    counts: dict[str, list[int]] = {"/changes": [], "/deployments": []}
    for count in (1, 6):
        for number in range(count):
            one = product(f"p-{count}-{number}")
            add_change(one, f"c-{count}-{number}", allowed=True)
            add_environment(one, state="succeeded")
        for address, found in counts.items():
            client.get(address)
            with CaptureQueriesContext(connection) as asked:
                client.get(address)
            found.append(len(asked))
    assert all(first == last for first, last in counts.values()), counts


def test_menu_leads_to_both_lists() -> None:
    page = browser(person("dev", Role.DEVELOPER)).get("/changes").content.decode()
    assert 'href="/changes" aria-current="page"' in page
    assert 'href="/deployments"' in page
    assert "No open pull requests" in page

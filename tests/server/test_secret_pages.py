"""Page of a product's secrets: ages, due dates, dialogs for each person, and the list over all products."""

from datetime import timedelta

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import PolicyError
from muniment.policy.model import Clause
from muniment.server.people.models import Person
from muniment.server.products.models import Environment, Product
from muniment.server.secrets import views
from muniment.server.secrets.models import Secret, SecretRead, SecretVersion
from muniment.server.secrets.rotation import find_rotation_days
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")

_ROTATION = Clause("rotation", "Rotation", "", "Secrets are rotated.", "secret-rotation", (), {"max_age_days": 90})
_LONGER = Clause("longer", "Rotation", "", "Secrets are rotated.", "secret-rotation", (), {"max_age_days": 400})


@pytest.fixture
def olga(service: None) -> Person:
    return person("olga", Role.OWNER, product=product("shop"))


def add_secret(olga: Person, name: str, days: int, *, versions: int = 1, **fields: bool) -> Secret:
    with as_role("owner"):
        place, _ = Environment.objects.get_or_create(product=Product.objects.get(slug="shop"), name="production")
        at = timezone.now() - timedelta(days=days, hours=1)
        row = Secret.objects.create(environment=place, name=name, set_at=at, set_by=olga, version=versions, **fields)
        for number in range(1, versions + 1):
            SecretVersion.objects.create(secret=row, number=number, set_at=at, set_by=olga)
    return row


def open_page(who: Person, query: str = "") -> str:
    return browser(who).get(f"/products/shop/secrets{query}").content.decode().split("<main")[1]


def test_secret_shows_age_due_date_and_overdue_status(olga: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "current_clauses", lambda: (_LONGER, _ROTATION))
    add_secret(olga, "OLD", 100)
    add_secret(olga, "OPEN", 100, public=True)
    page = open_page(olga)
    assert page.count("Too old, limit 90 days") == 1
    assert "100 days" in page
    assert "1 overdue" in page
    assert "Public value" in page


def test_without_limit_no_secret_is_due(olga: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "current_clauses", tuple)
    assert find_rotation_days(()) is None
    add_secret(olga, "OLD", 1000)
    page = open_page(olga)
    assert "No limit in the policy" in page
    assert "Too old" not in page


def test_unreadable_policy_leaves_due_dates_unknown(olga: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[Clause, ...]:
        raise PolicyError("policy.toml", "", "The policy cannot be read", "")

    monkeypatch.setattr(views, "current_clauses", refuse)
    add_secret(olga, "OLD", 1000)
    page = open_page(olga)
    assert "Due dates are unknown." in page
    assert "Deployments to environments with secrets are denied meanwhile." in page
    assert "Unknown" in page


def test_only_random_values_are_rotated_by_one_button(olga: Person) -> None:
    add_secret(olga, "MADE", 1, generated=True)
    assert "Rotate MADE?" in open_page(olga)
    add_secret(olga, "TYPED", 1)
    assert "Rotate TYPED?" not in open_page(olga)


def test_person_who_may_not_change_secrets_sees_no_form(olga: Person) -> None:
    add_secret(olga, "TOKEN", 1, versions=3)
    page = open_page(olga)
    for text in ("Remove TOKEN?", "Use an earlier version of TOKEN?", "Version 2, set", "Generate a random value"):
        assert text in page, text
    auditor = open_page(person("aud", Role.AUDITOR))
    assert "TOKEN" in auditor
    assert "<form" not in auditor


def test_dialog_opens_without_script(olga: Person) -> None:
    row = add_secret(olga, "TOKEN", 1)
    assert f'id="confirm-remove-{row.pk}"' in open_page(olga)
    assert " open>" in open_page(olga, f"?confirm=remove-{row.pk}")


def test_read_by_no_pipeline_is_marked(olga: Person) -> None:
    place = add_secret(olga, "TOKEN", 1).environment
    with as_role("owner"):
        now = timezone.now()
        for reader, by_pipeline in (("deploy", True), ("root", False)):
            SecretRead.objects.create(
                environment=place, reader=reader, by_pipeline=by_pipeline, first_read_at=now, last_read_at=now
            )
    page = open_page(olga)
    assert page.count("Not a pipeline") == 1


def test_page_without_environments_names_the_next_step(olga: Person) -> None:
    assert "No environments yet" in open_page(olga)
    assert "Add environment" in open_page(olga)

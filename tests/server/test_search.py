"""Search finds visible objects of each kind and nothing of another product, with a constant number of queries."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Person
from muniment.server.policies.models import PolicyException
from muniment.server.products.models import Environment, Product
from muniment.server.records.models import Record, RecordPosition
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")


def entry() -> Record:
    place = Record.objects.count()
    digest = f"sha256:{place:064x}"
    row = Record.objects.create(kind="decision", recorded_at=timezone.now(), details_digest=digest, data=b"{}")
    RecordPosition.objects.filter(pk=row.pk).update(position=place)
    return row


def create_one_of_each_kind(found: Product, number: int = 0) -> None:
    """Create one object of each kind, each with the word quagga."""
    now = timezone.now()
    ada = Person.objects.get(slug="ada")
    repository = found.repositories.get()
    Change.objects.create(repository=repository, name=f"quagga{number}", target="m", title="", head="", updated_at=now)
    times = {"approved_at": now, "expires_at": now + timedelta(days=9)}
    who = {"requester": ada, "approver": ada, "reason": f"the quagga of {found.slug}"}
    PolicyException.objects.create(
        slug=f"{found.slug}-{number}", repository=repository, clause="x", branch="b", **who, **times
    )
    content = {"kind": "bypass", "summary": f"a quagga got out of {found.slug}", "subject": f"commit:{number}"}
    Incident.objects.create(product=found, due_at=now, record=entry(), **content)
    place = Environment.objects.create(product=found, name=f"quagga-{number}")
    pipeline = PipelineIdentity.objects.create(environment=place, name="p", kind="runner")
    what = {"artifact": f"sha256:beef{number}", "commit": "c0ffee" + found.slug, "identity": {}, "idempotency_key": "k"}
    Deployment.objects.create(environment=place, pipeline=pipeline, request_digest="r", **what)


@pytest.fixture
def shop() -> Product:
    person("ada")
    shop, other = product("shop", "/shop"), product("other", "/other")
    with as_role("owner"):
        create_one_of_each_kind(shop)
        create_one_of_each_kind(other)
    return shop


def page(who: str, text: str) -> str:
    answer = browser(Person.objects.get(slug=who)).get("/search", {"q": text})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_each_kind_is_found_by_words_and_by_digest(shop: Product) -> None:
    person("ada", Role.SECURITY)
    found = page("ada", "quagga")
    for text in ("the quagga of shop", "the quagga of other", "a quagga got out of shop", "Shop · quagga-0"):
        assert text in found, text
    for digest in ("beef", "sha256:beef0", "c0ffeeshop"):
        assert "/deployments/" in page("ada", digest), digest
    assert "review.two-reviewers" in page("ada", "two-reviewers")
    for typed in ("2", f"sha256:{2:064x}", f"{2:064x}"):
        assert "Record 2" in page("ada", typed), typed
    assert "Nothing found" in page("ada", "no such thing")
    assert "Nothing found" in page("ada", "9" * 30)


def test_results_contain_nothing_of_another_product(shop: Product) -> None:
    person("olga", Role.OWNER, product=shop)
    found = page("olga", "quagga")
    assert "a quagga got out of shop" in found
    for text in ("of other", "Other", "/products/other"):
        assert text not in found, text
    assert page("olga", "beef").count('href="/deployments/') == 1
    assert 'href="/ledger/' not in page("olga", "2")


def test_number_of_queries_does_not_grow_with_results(shop: Product) -> None:
    person("ada", Role.SECURITY)
    ada = browser(Person.objects.get(slug="ada"))

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert ada.get("/search", {"q": "quagga"}).status_code == 200
        return len(asked)

    queries()
    few = queries()
    with as_role("owner"):
        for number in range(1, 8):
            create_one_of_each_kind(shop, number)
    assert queries() == few

"""Designs: products are evaluated from their branches, threats keep their answers, and changes show both states."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.design import isolation
from muniment.errors import RowsDifferError
from muniment.facts.maybe import Known, Unknown
from muniment.programs.process import ProcessResult
from muniment.server.changes.models import Change, Decision
from muniment.server.designs import contributions, demonstration, tasks
from muniment.server.designs.change_designs import list_due_changes
from muniment.server.designs.design_facts import DesignSupplier, read_product_design
from muniment.server.designs.evaluating import list_due_products
from muniment.server.designs.models import DesignReading, DesignThreat, PersonalDataDraft, ProductDesign, ThreatAnswer
from muniment.server.designs.sections import read_design_threats, read_processing_record
from muniment.server.meetings.models import ProductMeeting
from muniment.server.people.models import Message, Person
from muniment.server.products.models import Repository, RepositoryScan
from muniment.server.retros.sections import list_known_threats
from tests.support.one_person import actor_of, day
from tests.support.repos import Repo
from tests.support.service import (
    as_role,
    browser,
    compare_rows,
    finish_bootstrap,
    person,
    post,
    product,
    record_rows,
    token_of,
)

pytestmark = pytest.mark.usefixtures("service")

DESIGN = """schema = 1
product = "shop"
owner = "sec@example.test"
[[application]]
framework = "flask"
[[actor]]
id = "visitor"
label = "<b>Visitor</b>"
[[component]]
id = "web"
[[component]]
id = "database"
kind = "store"
[[data]]
id = "orders"
sensitivity = "confidential"
personal = true
purpose = "delivery"
keep_days = 90
[[guard]]
id = "login"
mechanisms = ["sign-in"]
on_failure = "deny"
[[flow]]
from = "visitor"
to = "web"
guards = ["login"]
[[flow]]
from = "web"
to = "database"
data = ["orders"]
[[resource]]
id = "orders"
component = "database"
data = ["orders"]
"""
APP = """from flask import Flask
from flask_login import login_required
app = Flask(__name__)

@app.get("/orders")
@login_required
def orders():
    return ""
"""
OPEN = APP.replace("@login_required\n", "")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"design.toml": DESIGN, "app.py": APP})
    return made


@pytest.fixture
def shop(repo: Repo) -> Repository:
    """Product with a developer, an owner and a security officer."""
    found = product("shop", str(repo.path / ".git"))
    person("dev", Role.DEVELOPER, product=found)
    person("olga", Role.OWNER, product=found)
    person("sam", Role.SECURITY)
    person("eve", Role.DEVELOPER, product=product("other"))
    finish_bootstrap()
    return Repository.objects.get()


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def read(slug: str, address: str) -> str:
    answer = who(slug).get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def evaluate(shop: Repository) -> ProductDesign | None:
    with as_role("worker"):
        tasks.evaluate_design_of_product(shop.product_id)
    return ProductDesign.objects.filter(product=shop.product).first()


def find_threat(identity: str = "stride:tampering:store:database") -> DesignThreat:
    return DesignThreat.objects.get(identity=identity)


def test_results_of_the_branch_are_stored_with_a_record_and_are_the_fact(
    shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_rows()
    compare_rows(monkeypatch)
    design = evaluate(shop)
    assert design is not None
    assert design.statuses["complete-mediation"] == "met"
    assert design.statuses["multiple-security-layers"] == "violated"
    with as_role("worker"):
        found = DesignSupplier().supply_facts("shop", ["design"], "2026-11-24T09:00:00.000000Z")["design"].value
    assert isinstance(found, Known)
    assert found.value.is_present
    assert [state.principle for state in found.value.states][-1] == "complete-mediation"
    with as_role("owner"):
        ProductDesign.objects.update(digest=f"sha256:{'0' * 64}")
    with pytest.raises(RowsDifferError), as_role("worker"):
        DesignSupplier().supply_facts("shop", ["design"], "2026-11-24T09:00:00.000000Z")


def test_an_evaluation_that_was_exchanged_is_unknown(shop: Repository) -> None:
    evaluate(shop)
    with as_role("owner"):
        ProductDesign.objects.update(evaluation=b"\x80")
    found = read_product_design("shop")
    assert isinstance(found, Unknown)
    assert "not the one that was recorded" in found.reason


def test_before_the_first_evaluation_and_after_three_days_the_design_is_unknown(shop: Repository) -> None:
    assert isinstance(read_product_design("shop"), Unknown)
    evaluate(shop)
    row = ProductDesign.objects.get()
    with as_role("owner"):
        ProductDesign.objects.update(evaluated_at=row.evaluated_at - timedelta(days=4))
    assert isinstance(read_product_design("shop"), Unknown)


def test_what_cannot_be_read_keeps_the_former_design_and_is_unknown(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(shop)
    repo.commit({"app.py": OPEN})
    monkeypatch.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(-9, b"", b""))
    evaluate(shop)
    assert "ended with -9" in DesignReading.objects.get().problem
    found = read_product_design("shop")
    assert isinstance(found, Unknown)
    assert "could not be read" in read("dev", "/products/shop/design")


def test_due_products_are_those_whose_branch_moved(shop: Repository, repo: Repo) -> None:
    with as_role("owner"):
        Repository.objects.update(worker=settings.WORKER_NAME)
    assert list(list_due_products()) == [shop.product_id]
    evaluate(shop)
    assert list(list_due_products()) == []
    with as_role("owner"):
        RepositoryScan.objects.update_or_create(repository=shop, defaults={"tip": "f" * 40})
    assert list(list_due_products()) == [shop.product_id]


def test_a_principle_that_fails_now_is_reported_to_owner_and_security(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    assert not Message.objects.exists()
    repo.commit({"app.py": OPEN})
    evaluate(shop)
    assert set(Message.objects.values_list("person__slug", flat=True)) == {"olga", "sam"}
    assert "complete-mediation" in Message.objects.latest("pk").text


def test_the_page_shows_results_picture_path_and_threats(shop: Repository) -> None:
    assert "No design yet" in read("dev", "/products/shop/design")
    evaluate(shop)
    page = read("dev", "/products/shop/design")
    for text in (
        "Multiple security layers: counter-example",
        "shown on the model",
        'class="dfd"',
        "Threats from the model",
    ):
        assert text.lower() in page.lower(), text
    assert "<b>Visitor</b>" not in page
    assert "Secure design" in read("dev", "/designs")
    assert who("eve").get("/products/shop/design").status_code == 404
    assert "shop" not in read("eve", "/designs").partition("<main")[2]


def test_a_product_without_design_says_how_to_draft_one(shop: Repository, repo: Repo) -> None:
    repo.commit({"design.toml": None})
    design = evaluate(shop)
    assert design is not None
    assert design.statuses == {}
    assert "muniment design init" in read("dev", "/products/shop/design")
    found = read_product_design("shop")
    assert isinstance(found, Known)
    assert not found.value.is_present


def test_a_wrong_design_names_the_line(shop: Repository, repo: Repo) -> None:
    repo.commit({"design.toml": DESIGN + 'colour = "red"\n'})
    evaluate(shop)
    assert "the key is unknown" in read("dev", "/products/shop/design")


def test_a_threat_keeps_its_answer_when_the_design_changes(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    threat = find_threat()
    text = "The database has its own login for each process."
    post(who("dev"), f"/design-threats/{threat.pk}/mitigate", mitigation=text)
    assert ThreatAnswer.objects.get().kind == "mitigated"
    repo.commit({"design.toml": DESIGN + '[[component]]\nid = "mailer"\n'})
    evaluate(shop)
    assert text in read("dev", f"/design-threats/{threat.pk}")
    assert DesignThreat.objects.filter(identity="stride:tampering:process:mailer").exists()
    repo.commit({"design.toml": DESIGN})
    evaluate(shop)
    assert DesignThreat.objects.get(identity="stride:tampering:process:mailer").gone_at is not None


def test_only_the_owner_accepts_a_threat_and_until_a_day(shop: Repository) -> None:
    evaluate(shop)
    threat = find_threat()
    address, why = f"/design-threats/{threat.pk}/accept", "It is replaced by the end of the quarter."
    assert who("dev").post(address, {"until": day(30), "reason": why}).status_code == 403
    post(who("olga"), address, until=day(400), reason=why)
    assert not ThreatAnswer.objects.exists()
    post(who("olga"), address, until=day(30), reason=why)
    answer = ThreatAnswer.objects.get()
    assert (answer.kind, answer.person.slug, answer.text) == ("accepted", "olga", why)
    assert "Accepted" in read("dev", "/products/shop/design/threats")
    post(who("dev"), f"/design-threats/answers/{answer.pk}/end")
    answer.refresh_from_db()
    assert answer.ended_at is not None


def test_personal_data_is_the_draft_of_the_processing_record_with_changes(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    row = PersonalDataDraft.objects.get()
    assert (row.name, row.purpose, row.keep_days, row.places) == ("orders", "delivery", 90, ["database"])
    repo.commit({"design.toml": DESIGN.replace("keep_days = 90", "keep_days = 30")})
    evaluate(shop)
    rows = list(PersonalDataDraft.objects.order_by("pk").values_list("keep_days", "ended_at"))
    assert [(days, ended is None) for days, ended in rows] == [(90, False), (30, True)]


def add_change(shop: Repository, head: str, base: str) -> Change:
    """Open change with a decision on its newest head."""
    with as_role("owner"):
        now = timezone.now()
        change = Change.objects.create(
            repository=shop, name="refs/heads/topic", target="refs/heads/main", state="open", head=head, updated_at=now
        )
        change.decision = Decision.objects.create(
            change=change, head=head, base=base, allowed=False, decided_at=now, policy_digest="x", inputs_digest=head
        )
        change.save()
    return change


def test_the_page_of_a_change_shows_the_design_before_and_after(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    base = repo.id("main")
    repo.branch("topic", "main")
    head = repo.commit({"app.py": OPEN, "design.toml": DESIGN + '[[component]]\nid = "mailer"\n'}, on="topic")
    change = add_change(shop, head, base)
    assert list_due_changes() == [change.pk]
    with as_role("worker"):
        tasks.evaluate_open_change_design(change.pk)
    assert list_due_changes() == []
    page = read("dev", f"/changes/{change.pk}")
    assert page.count('class="dfd"') == 2
    for text in ("Before", "After", "component mailer", "lets people through whom it refused"):
        assert text in page, text
    assert "Change of the design" in read("dev", "/products/shop/design")


def test_a_change_that_leaves_the_design_alone_shows_no_picture(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    base = repo.id("main")
    repo.branch("topic", "main")
    head = repo.commit({"notes.md": "x\n"}, on="topic")
    change = add_change(shop, head, base)
    with as_role("worker"):
        tasks.evaluate_open_change_design(change.pk)
    assert "Change of the design" not in read("dev", f"/changes/{change.pk}")


def test_a_change_whose_design_cannot_be_read_says_so(shop: Repository, repo: Repo) -> None:
    evaluate(shop)
    base = repo.id("main")
    repo.branch("topic", "main")
    head = repo.commit({"design.toml": DESIGN + 'colour = "red"\n'}, on="topic")
    change = add_change(shop, head, base)
    with as_role("worker"):
        tasks.evaluate_open_change_design(change.pk)
    assert "the key is unknown" in read("dev", f"/changes/{change.pk}")


def test_programs_read_results_and_answer_threats(shop: Repository) -> None:
    assert api("dev", "GET", "/products/shop/design")["unknown"].startswith("the design was not evaluated yet")
    evaluate(shop)
    design = api("dev", "GET", "/products/shop/design")
    assert design["unknown"] is None
    assert {each["principle"] for each in design["results"]} >= {"least-privilege", "secure-failure"}
    number = find_threat().pk
    api("dev", "POST", f"/design-threats/{number}/mitigate", {"mitigation": "Each process has a login."})
    [row] = [each for each in api("dev", "GET", "/design-threats?limit=100")["items"] if each["number"] == number]
    assert row["answer"]["kind"] == "mitigated"
    api("dev", "POST", f"/design-threats/answers/{row['answer']['number']}/end")
    assert not ThreatAnswer.find_in_force().exists()


def api(slug: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Answer of the API to a person's token."""
    token: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token_of(Person.objects.get(slug=slug))}"}
    if method == "GET":
        answer = browser().get(f"/api{path}", **token)
    else:
        answer = browser().post(f"/api{path}", body or {}, content_type="application/json", **token)
    assert answer.status_code < 300, answer.content
    return json.loads(answer.content)


def test_retro_and_review_read_threats_and_personal_data(shop: Repository) -> None:
    evaluate(shop)
    meeting = ProductMeeting(product=shop.product, kind="retro")
    since = timezone.localdate() - timedelta(days=30)
    lines = read_design_threats(meeting, since)
    assert any("database" in line.text and line.link.startswith("/design-threats/") for line in lines)
    assert lines == list_known_threats(meeting, since)
    section = read_processing_record(meeting, since)
    assert [(line.word, line.text) for line in section.lines] == [("New", "orders")]
    assert "Why: delivery. How long: 90 days. Where: database. Who: unknown." in section.lines[0].note
    later = read_processing_record(meeting, timezone.localdate() + timedelta(days=1))
    assert [line.word for line in later.lines] == ["Same"]


def test_inbox_and_overview_name_threats_and_failing_products(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"design.toml": DESIGN.replace('guards = ["login"]\n', "")})
    evaluate(shop)
    assert "Threats of designs to answer" in read("olga", "/inbox")
    assert "Threats of designs to answer" not in read("dev", "/inbox")
    assert contributions.count_failing_principles(shop.product_id) > 0
    monkeypatch.setattr(contributions, "current_actor", lambda _: actor_of("sam"))
    card = contributions.read_failing_designs(HttpRequest())
    assert card is not None
    assert [row.slug for row, _count in card["failing"]] == ["shop"]
    assert {metric.name for metric in contributions.measure_designs()} == {
        "muniment_failing_designs",
        "muniment_open_design_threats",
    }


def test_the_demonstration_shows_designs_with_results_and_answers() -> None:
    for slug in ("patient-portal", "billing"):
        product(slug, f"/{slug}")
    with as_role("worker"):
        for _days, slug, text in demonstration._DESIGNS:
            demonstration._evaluate_design(slug, text)
    statuses = ProductDesign.objects.get(product__slug="patient-portal").statuses
    assert set(statuses.values()) >= {"met", "violated", "unknown"}
    assert DesignThreat.objects.filter(identity="stride:spoofing:actor:clinician").exists()

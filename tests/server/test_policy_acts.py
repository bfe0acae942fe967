"""Acts on the policy, exceptions, monitoring and freezes: equal input by page, API and document; their records."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import PolicyError, RefusedError
from muniment.facts.statements import Freeze as FreezeFact
from muniment.ledger import record_objects
from muniment.policy.exception_files import read_exception
from muniment.server import moments
from muniment.server.changes.product_rules import read_product_freezes
from muniment.server.people.models import Person
from muniment.server.policies.differences import is_weaker_policy
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.freeze_acts import StartFreeze
from muniment.server.policies.models import Freeze, PolicyException, PolicySource, PolicyTrial, PolicyVersion
from muniment.server.policies.monitoring_acts import StartMonitoring
from muniment.server.policies.source_acts import SetPolicySource
from muniment.server.policies.tasks import apply_freeze_task
from muniment.server.policies.version_acts import DraftPolicy
from muniment.server.products.models import Product, Repository
from muniment.server.records.installation import open_store
from muniment.server.records.models import Document, ExceptionFile, Record
from muniment.server.records.record_details import read_details
from muniment.server.requests.execution import approve_request
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.doors import Door, Doors, hostile_fields
from tests.support.service import as_role, browser, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")

CLAUSE = "review.two-reviewers"
DAY = (timezone.now().date() + timedelta(days=30)).isoformat()
EXCEPTION = {"repository": "shop", "clause": CLAUSE, "branch": "refs/heads/main", "days": "3", "reason": "Down."}
DOORS = (
    Door(RequestException, "/exceptions/request", "POST", "/exceptions", {}, {**EXCEPTION, "head": "a" * 40}),
    Door(
        StartMonitoring,
        "/products/shop/monitoring",
        "POST",
        "/products/shop/monitoring",
        {"product": "shop"},
        {"clause": CLAUSE, "until": DAY, "reason": "We begin."},
    ),
    Door(StartFreeze, "/policy/freeze", "POST", "/freezes", {}, {"reason": "A key leaked.", "drill": "yes"}),
    Door(
        SetPolicySource,
        "/policy/source",
        "PUT",
        "/policy/source",
        {},
        {"repository": "shop", "branch": "main", "path": "policy.toml"},
    ),
    Door(DraftPolicy, "/policy/propose", "POST", "/policy/versions", {}, {"text": "", "note": "Stricter."}),
)


@pytest.fixture(autouse=True)
def crew(service: None) -> None:
    enough()
    product("shop", "/nowhere/shop")


def freezes(product: str = "shop", environment: str = "") -> tuple[FreezeFact, ...]:
    return read_product_freezes(product, moments.current_moment(), environment)


def someone(slug: str) -> Person:
    return Person.objects.get(slug=slug)


def details() -> list[dict[str, str]]:
    rows = Record.objects.filter(kind="person-action").order_by("pk")
    found: list[Any] = [read_details(row.details_digest, record_objects.PersonAction) for row in rows]
    return [one.details for one in found]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.act.act_tag())
def test_page_api_and_document_accept_the_same_values(door: Door) -> None:
    doors = Doors(door, someone("sam"))
    if door.act is DraftPolicy:
        door.good["text"] = PolicyVersion.objects.get(in_force=True).text + "# draft\n"
    assert doors.answers(door.good) == (True, True, True)
    for fields in hostile_fields(door):
        assert len(set(doors.answers(fields))) == 1, {name: str(value)[:40] for name, value in fields.items()}


def test_binary_or_oversized_policy_file_is_refused() -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    sam = browser(someone("sam"))
    for content in (b"\xff\xfe\x00", b"x" * (2 << 20)):
        file = SimpleUploadedFile("policy.toml", content)
        assert sam.post("/policy/propose", {"act": "draft-policy", "text": "", "file": file}).status_code == 422
    assert PolicyVersion.objects.count() == 1
    text = PolicyVersion.objects.get().text + "# \u00e9\n"
    assert sam.post("/policy/propose", {"file": SimpleUploadedFile("p.toml", text.encode())}).status_code == 302
    typed = {"act": "draft-policy", "text": text, "note": "", "file": ""}  # as a browser sends it without a file
    assert sam.post("/policy/propose", typed).status_code == 302
    assert PolicyVersion.objects.latest("id").text == text


def test_exception_requires_records_of_request_and_approval() -> None:
    post(browser(person("dev", Role.DEVELOPER)), "/exceptions/request", **EXCEPTION)
    row = Request.objects.get(state="waiting")
    post(browser(someone("sam")), f"/requests/{row.pk}", answer="agree")
    file = ExceptionFile.objects.get()
    read = read_exception(file.name, bytes(file.data))
    assert read.exception.granted == moments.format_moment(row.requested_at)
    answer = [one for one in details() if one.get("act") == "request-exception"]
    assert [one["step"] for one in answer] == ["requested", "approved"]
    assert {one["exception"] for one in answer} == {read.exception.id}
    assert len({one["terms"] for one in answer}) == 1
    assert {one["act_digest"] for one in answer} == {row.digest}


def test_request_with_altered_time_proves_no_exception() -> None:
    post(browser(person("dev", Role.DEVELOPER)), "/exceptions/request", **EXCEPTION)
    with as_role("owner"):
        Request.objects.update(requested_at=timezone.now() + timedelta(days=200))
    post(browser(someone("sam")), f"/requests/{Request.objects.get().pk}", answer="agree")
    answer = [one["terms"] for one in details() if one.get("act") == "request-exception"]
    assert len(set(answer)) == 2, "the two records speak of different terms"


def test_exception_that_expired_before_approval_is_refused() -> None:
    post(browser(person("dev", Role.DEVELOPER)), "/exceptions/request", **EXCEPTION)
    with as_role("owner"):
        Request.objects.update(requested_at=timezone.now() - timedelta(days=4))
    sam = someone("sam")
    actor = Actor(sam.pk, active=True, grants=sam.load_roles(), second_factor=True)
    with pytest.raises(RefusedError) as caught, transaction.atomic():
        approve_request(actor, Request.objects.get())
    assert caught.value.code == "exception-over"
    assert not PolicyException.objects.exists()


def test_duplicate_exception_request_is_stored_once() -> None:
    dev = browser(person("dev", Role.DEVELOPER))
    assert "waits for a second person" in post(dev, "/exceptions/request", **EXCEPTION)
    assert "requested that already" in post(dev, "/exceptions/request", **EXCEPTION)
    assert "waits for a second person" in post(dev, "/exceptions/request", **{**EXCEPTION, "days": "4"})


def test_exception_of_repository_moved_to_another_product_is_not_approved() -> None:
    post(browser(person("dev", Role.DEVELOPER)), "/exceptions/request", **EXCEPTION)
    product("other")
    with as_role("owner"):
        Repository.objects.update(product=Product.objects.get(slug="other"))
    page = post(browser(someone("sam")), f"/requests/{Request.objects.get().pk}", answer="agree")
    assert "another permission" in page
    assert not PolicyException.objects.exists()


def test_freeze_decision_relies_on_the_record_and_not_on_the_row() -> None:
    sam, sid = browser(someone("sam")), browser(someone("sid"))
    post(sam, "/policy/freeze", reason="A key leaked.")
    (frozen,) = freezes()
    assert (frozen.person, frozen.reason, frozen.drill) == ("sam", "A key leaked.", False)
    record = Record.objects.get(kind="freeze")
    result = read_details(record.details_digest, record_objects.PersonStatement)
    assert isinstance(result, record_objects.PersonStatement)
    proof = result.signature.removeprefix("act:")
    assert Record.objects.filter(kind="person-action", details_digest=proof).exists()
    with as_role("owner"):
        Freeze.objects.update(lifted_at=timezone.now())
    assert freezes() == (frozen,), "who can write the table lifts nothing"
    post(sam, f"/policy/freezes/{frozen.id}/lift")
    waiting = Request.objects.get(state="waiting")
    assert waiting.summary.startswith("lift the freeze of all products, started by Sam on ")
    assert frozen.id in waiting.shown, "one person can start two freezes on a day"
    post(sid, f"/requests/{waiting.pk}", answer="agree")
    assert freezes() == ()
    lifts: list[Any] = [
        read_details(one.details_digest, record_objects.PersonStatement)
        for one in Record.objects.filter(kind="freeze-lift").order_by("pk")
    ]
    assert [one.person for one in lifts] == ["sam", "sid"]
    assert "lifted already" in post(sam, f"/policy/freezes/{frozen.id}/lift")


def test_freeze_applies_only_to_its_product_or_environment() -> None:
    sam = browser(someone("sam"))
    product("till", "/nowhere/till")
    with as_role("owner"):
        Product.objects.get(slug="shop").environments.create(name="production")
    post(sam, "/policy/freeze", reason="A key leaked.", product="till")
    post(sam, "/policy/freeze", reason="The season.", product="shop", environment="production")
    assert [one.product for one in freezes("till")] == ["till"]
    assert (freezes("shop"), [one.environment for one in freezes("shop", "production")]) == ((), ["production"])
    page = sam.get("/policy").content.decode()
    assert "Merges and deployments of Till are stopped." in page
    assert "Deployments to production of Shop are stopped." in page
    assert "The season." not in sam.get("/products/till").content.decode()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"environment": "production"}, "missing"),
        ({"product": "shop", "environment": "nowhere"}, "no-environment"),
        ({"since": "2020-01-01T00:00"}, "freeze-period"),
        ({"until": "2020-01-01T00:00"}, "freeze-period"),
        ({"since": "2098-01-02T00:00", "until": "2098-01-01T00:00"}, "freeze-period"),
        ({"until": "tomorrow"}, "not-a-date"),
    ],
)
def test_freeze_without_scope_or_duration_is_refused(sent: dict[str, str], code: str) -> None:
    program = {"Authorization": f"Bearer {token_of(someone('sam'))}"}
    body = json.dumps({"reason": "x", **sent})
    answer = browser().post("/api/freezes", body, content_type="application/json", headers=program)
    assert answer.status_code in (409, 422)
    assert code in answer.content.decode()
    assert not Freeze.objects.exists()


def test_scheduled_freeze_starts_and_ends_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sam = browser(someone("sam"))
    post(sam, "/policy/freeze", reason="The season.", since="2098-12-24T18:00", until="2099-01-02T08:00")
    rows = ProcrastinateJob.objects.filter(task_name="apply-freeze").order_by("pk")
    times = [(row.args["boundary"], row.scheduled_at and row.scheduled_at.isoformat()[:16]) for row in rows]
    assert times == [("recorded", None), ("start", "2098-12-24T18:00"), ("end", "2099-01-02T08:00")]
    assert "All merges and deployments will be stopped." in sam.get("/policy").content.decode()
    slug = Freeze.objects.get().slug
    with as_role("worker"):
        apply_freeze_task(slug, "recorded")
    waiting = ProcrastinateJob.objects.filter(task_name="revoke-deployments")
    assert not waiting.exists(), "before its start it stops nothing"
    Freeze.objects.update(drill=True)  # by the web: the records decide
    monkeypatch.setattr(moments, "current_moment", lambda: "2098-12-24T18:00:00Z")
    with as_role("worker"):
        apply_freeze_task(slug, "start")
    assert waiting.exists()


def test_freeze_page_says_that_nobody_can_lift_it_until_another_officer_is_appointed() -> None:
    sam = browser(someone("sam"))
    post(sam, "/policy/freeze", reason="A key leaked.", product="shop")
    assert "Nobody can lift it" not in sam.get("/policy").content.decode()
    with as_role("owner"):
        Person.objects.filter(slug="sid").update(active=False)
    assert "Nobody can lift it yet: grant 1 more person the security role" in sam.get("/policy").content.decode()


def test_officer_can_stop_reading_policies_from_branches() -> None:
    sam = browser(someone("sam"))
    post(sam, "/policy/source", act="set-policy-source", repository="shop")
    assert PolicySource.objects.get().path == "policy.toml"
    assert "Stop reading policies" in sam.get("/policy/versions").content.decode()
    post(sam, "/policy/source", act="remove-policy-source")
    assert not PolicySource.objects.exists()


def test_api_reports_the_effect_of_a_policy_version_on_past_changes() -> None:
    with as_role("owner"):
        version = PolicyVersion.objects.get()
        repository = Repository.objects.get()
        PolicyTrial.objects.create(
            version=version, repository=repository, change_count=3, allowed_now=2, allowed_then=1, problem=""
        )
    headers = {"Authorization": f"Bearer {token_of(someone('sam'))}"}
    answer = browser().get(f"/api/policy/versions/{version.pk}", headers=headers)
    (trial,) = json.loads(answer.content)["trials"]
    assert (trial["repository"], trial["change_count"], trial["allowed_then"]) == ("shop", 3, 1)


def test_policy_in_force_with_a_clause_of_another_version_is_corrected_by_two_people() -> None:
    good = PolicyVersion.objects.get(in_force=True).text
    broken = good.replace('control = "small-changes"', 'control = "control-of-another-version"')
    assert broken != good
    with as_role("owner"):  # as another version of the program left it
        Document.objects.filter(name="policy.toml").update(data=broken.encode())
    found = open_store().load_policy()
    assert found is not None
    assert found.clause_problems.keys() == {"review.small-changes"}
    assert is_weaker_policy(good)
    sam = browser(someone("sam"))
    assert sam.post("/policy/propose", {"text": good + "# corrected\n", "note": "Known here."}).status_code == 302
    assert sam.get("/policy").status_code == 200
    with pytest.raises(PolicyError, match="expected the name of a control"):
        is_weaker_policy(broken + "# again\n")

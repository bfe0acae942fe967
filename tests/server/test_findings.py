"""Findings: a branch is scanned as a whole, nothing is lost or doubled, and two people decide what is excused."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.facts.moments import parse_moment
from muniment.programs.process import ProcessResult
from muniment.scanners import isolation
from muniment.server.changes.models import Change, Decision
from muniment.server.findings import early_stops, tasks
from muniment.server.findings.category_coverage import read_category_coverage
from muniment.server.findings.contributions import measure_findings
from muniment.server.findings.finding_facts import FindingSupplier, read_product_findings
from muniment.server.findings.models import CodeScan, FindingDecision, KnownRule, LeakedSecret, ProductFinding
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Message, Person
from muniment.server.policies.models import PolicyVersion
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.requests.models import Request
from tests.server.test_change_findings import found, report, scanned
from tests.support.one_person import day
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

WEAK = "import hashlib\ndigest = hashlib.md5(b'')\n"
OPEN = "import os\nos.chmod('a', 0o777)\n"
TOKEN = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"old.py": WEAK, "notes.md": "x\n"})
    return made


@pytest.fixture
def shop(repo: Repo) -> Repository:
    """Product with a developer, an owner and two security officers."""
    found = product("shop", str(repo.path / ".git"))
    person("dev", Role.DEVELOPER, product=found)
    person("olga", Role.OWNER, product=found)
    for name in ("sam", "sue"):
        person(name, Role.SECURITY)
    person("eve", Role.DEVELOPER, product=product("other"))
    finish_bootstrap()
    return Repository.objects.get()


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def read(slug: str, address: str) -> str:
    answer = who(slug).get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def scan(shop: Repository) -> CodeScan:
    with as_role("worker"):
        tasks.scan_code_task(shop.pk)
    return CodeScan.objects.get(repository=shop)


def list_open() -> list[tuple[str, str, bool]]:
    rows = ProductFinding.objects.filter(gone_at=None).order_by("path", "line")
    return list(rows.values_list("rule", "path", "is_baseline"))


def approve(slug: str) -> str:
    waiting = Request.objects.filter(state=Request.State.WAITING).latest("pk")
    return post(who(slug), f"/requests/{waiting.pk}", answer="agree")


def test_first_scan_makes_the_baseline_and_later_findings_are_new(shop: Repository, repo: Repo) -> None:
    first = scan(shop)
    assert (list_open(), first.problem) == ([("weak-hash", "old.py", True)], "")
    assert first.baseline_at is not None
    assert not Message.objects.exists()
    repo.commit({"new.py": OPEN})
    second = scan(shop)
    assert list_open() == [("file-writable-by-all", "new.py", False), ("weak-hash", "old.py", True)]
    assert (second.file_count, second.scanned_count) == (3, 1)
    assert set(Message.objects.values_list("person__slug", flat=True)) == {"olga", "sam", "sue"}


def test_a_finding_that_is_gone_is_closed_and_one_that_comes_back_reopens(shop: Repository, repo: Repo) -> None:
    scan(shop)
    number = ProductFinding.objects.get().pk
    began = ProductFinding.objects.get().clock_from
    repo.commit({"old.py": "x = 1\n"})
    scan(shop)
    assert ProductFinding.objects.get().gone_at is not None
    repo.commit({"old.py": None, "moved/there.py": f"# above\n{WEAK}"})
    scan(shop)
    row = ProductFinding.objects.get()
    assert (row.pk, row.gone_at, row.shown_place, row.clock_from) == (number, None, "moved/there.py:3", began)
    kinds = list(row.events.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["found", "gone", "reopened"]


def test_a_new_rule_is_monitored_before_its_clock_starts(shop: Repository, repo: Repo) -> None:
    scan(shop)
    assert not KnownRule.objects.exclude(monitored_until=None).exists()
    with as_role("worker"):
        KnownRule.objects.filter(rule="file-writable-by-all").update(digest="another")
    repo.commit({"new.py": OPEN})
    scan(shop)
    row = ProductFinding.objects.get(rule="file-writable-by-all")
    supplied = FindingSupplier().supply_facts("shop", ["monitored_rules"], "2026-11-24T09:00:00.000000Z")
    assert [one.rule for one in supplied["monitored_rules"].value.value] == ["file-writable-by-all"]
    assert row.clock_from == KnownRule.objects.get(rule=row.rule).monitored_until
    assert row.clock_from > timezone.now() + timedelta(days=13)
    assert "New rule, monitored" in read("dev", "/findings")


def test_what_cannot_be_scanned_is_named_and_closes_nothing(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(shop)
    repo.commit({"old.py": "def broken(:\n"})
    found = scan(shop)
    assert list_open() == [("weak-hash", "old.py", True)]
    assert [(path, engine) for path, engine, _ in found.unscanned] == [("old.py", "muniment-python")]
    facts = read_product_findings("shop")
    assert facts.scans[0].unscanned[0].path == "old.py"
    repo.commit({"old.py": "x = 2\n"})
    monkeypatch.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(-9, b"", b""))
    assert scan(shop).unscanned_count > 0
    assert list_open() == [("weak-hash", "old.py", True)]


def test_a_first_scan_that_read_nothing_is_no_baseline(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(-9, b"", b""))
        assert scan(shop).baseline_at is None
    scan(shop)
    assert list_open() == [("weak-hash", "old.py", True)]


def test_a_repository_that_cannot_be_opened_is_unknown(shop: Repository) -> None:
    with as_role("owner"):
        Repository.objects.update(path="/nowhere")
    assert scan(shop).problem
    assert read_product_findings("shop").scans[0].problem
    assert "Not scanned" in read("dev", "/products/shop/findings")


def test_rows_are_compared_with_the_ledger(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    record_rows()
    compare_rows(monkeypatch)
    scan(shop)
    supplied = FindingSupplier().supply_facts("shop", ["product_findings"], "2026-11-24T09:00:00.000000Z")
    assert supplied["product_findings"].value.value.findings[0].rule == "weak-hash"
    with as_role("owner"):
        ProductFinding.objects.update(clock_from=timezone.now() + timedelta(days=400))
    with pytest.raises(RowsDifferError):
        FindingSupplier().supply_facts("shop", ["product_findings"], "2026-11-24T09:00:00.000000Z")


def test_due_branches_are_those_that_moved_or_waited_a_day(shop: Repository, repo: Repo) -> None:
    from django.conf import settings

    from muniment.server.findings.scanning import list_due_repositories

    with as_role("owner"):
        Repository.objects.update(worker=settings.WORKER_NAME)
    assert list(list_due_repositories()) == [shop.pk]
    scan(shop)
    assert list(list_due_repositories()) == []
    with as_role("worker"):
        CodeScan.objects.update(started_at=timezone.now() - timedelta(days=2))
    assert list(list_due_repositories()) == [shop.pk]


def test_a_false_positive_takes_two_people_and_one_ends_it(shop: Repository) -> None:
    scan(shop)
    number = ProductFinding.objects.get().pk
    decide = f"/findings/{number}/decide"
    page = post(who("sam"), decide, act="call-false-positive", reason="It is a cache key.")
    assert "waits for a second person" in page
    assert not FindingDecision.objects.exists()
    approve("sam")
    assert not FindingDecision.objects.exists()  # nobody approves their own request
    approve("sue")
    row = FindingDecision.objects.get()
    assert row.ends_at is not None
    assert row.ends_at > timezone.now() + timedelta(days=364)
    facts = read_product_findings("shop").findings[0]
    assert (facts.decision, parse_moment(facts.decided_until)) == ("false-positive", row.ends_at)
    page = read("dev", f"/findings/{number}")
    assert "It is a cache key." in page
    assert "approved by Sue" in " ".join(page.split())
    assert "Weak hash" not in read("dev", "/findings")
    assert "Weak hash" in read("dev", "/findings?state=false-positive")
    post(who("dev"), f"/findings/decisions/{row.pk}/end")
    assert read_product_findings("shop").findings[0].decision == ""
    assert "Weak hash" in read("dev", "/findings")


def test_a_decision_survives_that_the_finding_was_gone(shop: Repository, repo: Repo) -> None:
    scan(shop)
    post(who("sam"), f"/findings/{ProductFinding.objects.get().pk}/decide", act="call-false-positive", reason="No.")
    approve("sue")
    repo.commit({"old.py": "x = 1\n"})
    scan(shop)
    repo.commit({"old.py": WEAK})
    scan(shop)
    assert read_product_findings("shop").findings[0].decision == "false-positive"


def test_a_risk_is_accepted_with_an_owner_for_90_days_at_most(shop: Repository) -> None:
    scan(shop)
    decide = f"/findings/{ProductFinding.objects.get().pk}/decide"
    fields = {"act": "accept-finding", "person": "olga", "reason": "Replaced next month."}
    assert "90 days at most" in post(who("dev"), decide, until=day(91), **fields)
    assert "waits for a second person" in post(who("dev"), decide, until=day(90), **fields)
    approve("sam")
    row = FindingDecision.objects.get()
    assert (row.kind, row.owner_id, row.requester_id, row.approver_id) == ("accepted", "olga", "dev", "sam")
    assert "A decision about it is in force" in post(who("dev"), decide, until=day(9), **fields)


def test_a_finding_that_a_person_entered_is_closed_by_two(shop: Repository) -> None:
    fields = {
        "weakness": "session stays valid",
        "severity": "high",
        "reported_in": "penetration test of 9 November",
        "cwe": "613",
        "description": "Sessions end when the password changes.",
    }
    assert "Finding entered" in post(who("dev"), "/products/shop/findings/enter", **fields)
    row = ProductFinding.objects.get(source="entered")
    assert (row.owasp_2025, row.severity, row.is_baseline) == ("A07:2025", "high", False)
    page = read("dev", f"/findings/{row.pk}")
    assert "penetration test of 9 November" in page
    scan(shop)
    assert ProductFinding.objects.get(pk=row.pk).gone_at is None
    decide = f"/findings/{row.pk}/decide"
    post(who("dev"), decide, act="confirm-correction", reason="Change 12; tried with two browsers.")
    assert ProductFinding.objects.get(pk=row.pk).gone_at is None
    approve("sam")
    assert ProductFinding.objects.get(pk=row.pk).gone_at is not None
    post(who("dev"), f"/findings/decisions/{FindingDecision.objects.get().pk}/end")
    assert ProductFinding.objects.get(pk=row.pk).gone_at is None


def test_a_scan_closes_what_a_scan_found(shop: Repository) -> None:
    scan(shop)
    address = f"/findings/{ProductFinding.objects.get().pk}/decide"
    page = post(who("dev"), address, act="confirm-correction", reason="Done.")
    assert "a scan closes it" in page


def test_who_corrects_a_finding_is_told(shop: Repository) -> None:
    scan(shop)
    number = ProductFinding.objects.get().pk
    assert "Assigned" in post(who("olga"), f"/findings/{number}/assign", person="dev")
    assert Message.objects.get(person="dev").link == f"/findings/{number}"
    assert "Weak hash" in read("dev", "/inbox")


def test_findings_of_another_product_are_hidden(shop: Repository) -> None:
    scan(shop)
    number = ProductFinding.objects.get().pk
    assert "Weak hash" not in read("eve", "/findings")
    assert "/findings/" not in read("eve", "/search?q=weak-hash")
    assert f"/findings/{number}" in read("dev", "/search?q=weak-hash")
    eve = who("eve")
    for address in (f"/findings/{number}", "/products/shop/findings"):
        assert eve.get(address).status_code in (403, 404)
    assert eve.post(f"/findings/{number}/assign", {"person": "eve"}).status_code in (403, 404)


def test_pages_say_how_much_was_read(shop: Repository, repo: Repo) -> None:
    repo.commit({"main.go": "package main\n" * 9})
    scan(shop)
    page = " ".join(read("dev", "/products/shop/findings").split())
    assert "% of the code was read" in page
    assert "No engine: only secrets" in page
    assert "Go" in read("dev", "/findings/coverage")
    assert read_product_findings("shop").scans[0].languages == ("Go",)


def test_overdue_findings_are_on_the_overview(shop: Repository) -> None:
    scan(shop)
    assert "Overdue findings" not in read("dev", "/?overview")
    with as_role("owner"):
        ProductFinding.objects.update(clock_from=timezone.now() - timedelta(days=200))
    assert "Overdue findings" in read("dev", "/?overview")
    assert "Overdue" in read("dev", "/findings?state=overdue")


def test_a_secret_is_an_incident_that_closes_once_it_is_revoked(shop: Repository, repo: Repo) -> None:
    repo.commit({"settings.py": f"token = '{TOKEN}'\n"})
    scan(shop)
    assert list_open() == [("weak-hash", "old.py", True)]
    row, incident = LeakedSecret.objects.get(), Incident.objects.get()
    assert (row.path, incident.kind) == ("settings.py", "secret-in-code")
    assert "Nobody closes this by hand" in post(
        who("sam"), f"/incidents/{incident.pk}/handle", act="close-incident", resolution="fixed", cause="It is old."
    )
    repo.commit({"settings.py": "token = read()\n"})
    scan(shop)
    assert LeakedSecret.objects.get().gone_at is not None
    assert Incident.objects.get().closed_at is None  # the history has it
    post(who("dev"), f"/leaked-secrets/{row.pk}/revoked", reason="Deleted at the forge; a request gives 401.")
    assert LeakedSecret.objects.get().revoked_at is None
    approve("sam")
    with as_role("worker"):
        tasks.close_revoked_secrets_task()
    assert Incident.objects.get().resolution == "secret-revoked"
    assert "a request gives 401" in read("dev", f"/leaked-secrets/{row.pk}")
    post(who("dev"), f"/leaked-secrets/{row.pk}/handle", act="retract-revocation")
    with as_role("worker"):
        tasks.report_leaked_secret(row.pk)
    assert Incident.objects.filter(closed_at=None).count() == 1


def test_no_table_has_the_value_of_a_secret(shop: Repository, repo: Repo) -> None:
    repo.commit({"settings.py": f"token = '{TOKEN}'\n"})
    scan(shop)
    with as_role("owner"), connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE %s", [f"%{TOKEN[4:]}%"])
            assert cursor.fetchone() == (0,), table
        cursor.execute("SELECT results FROM findings_cachedscan")
        assert all(TOKEN[4:].encode() not in bytes(row[0]) for row in cursor.fetchall())


def test_programs_read_findings_and_request_decisions(shop: Repository) -> None:
    scan(shop)
    token: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token_of(Person.objects.get(slug='dev'))}"}
    client = browser()
    listed = client.get("/api/findings", **token).json()
    (one,) = listed["items"]
    assert (one["rule"], one["baseline"], one["decision"]) == ("weak-hash", True, None)
    address = f"/api/findings/{one['number']}/false-positive"
    answer = client.post(address, {"reason": "A cache key."}, content_type="application/json", **token)
    assert answer.status_code < 300
    assert Request.objects.get().state == Request.State.WAITING


def test_suppressions_are_one_list_and_a_rule_that_is_often_wrong_is_shown(shop: Repository, repo: Repo) -> None:
    files = {f"f{number}.py": WEAK.replace("digest", f"digest{number}") for number in range(3)}
    repo.commit(files)
    scan(shop)
    for row in ProductFinding.objects.filter(rule="weak-hash").order_by("pk")[:3]:
        post(who("sam"), f"/findings/{row.pk}/decide", act="call-false-positive", reason="A cache key.")
        approve("sue")
    page = read("dev", "/findings/suppressions")
    assert page.count("A cache key.") == 3
    assert "Rules that are often wrong" in page
    assert "3 of 3 decided findings are false positives, 100%" in page
    assert "A cache key." not in read("eve", "/findings/suppressions")
    assert "A cache key." not in read("dev", "/findings/suppressions?kind=accepted")
    assert "Rules that are often wrong" in read("sam", "/inbox")
    assert "Rules that are often wrong" not in read("dev", "/inbox")
    assert "Monitor only" not in read("dev", "/findings/suppressions")
    assert who("dev").post("/findings/suppressions/monitor", {"rule": "weak-hash"}).status_code == 403
    assert who("sam").post("/findings/suppressions/monitor", {"rule": "sql-injection"}).status_code == 404
    assert "Monitor only" not in read("sam", "/findings/suppressions")  # no clause lets a finding block
    assert who("sam").post("/findings/suppressions/monitor", {"rule": "weak-hash"}).status_code == 404
    with as_role("owner"):
        policy = PolicyVersion.objects.get(in_force=True)
        text = policy.text.replace('control = "no-overdue-findings"', 'control = "no-new-findings"', 1)
        PolicyVersion.objects.filter(pk=policy.pk).update(text=text)
    assert "Monitor only" in read("sam", "/findings/suppressions")
    post(who("sam"), "/findings/suppressions/monitor", rule="weak-hash")
    drafted = PolicyVersion.objects.latest("pk")
    assert 'monitored_rules = ["weak-hash"]' in drafted.text
    assert (drafted.in_force, drafted.note) == (False, "Findings of the rule weak-hash are often false.")


def test_the_demonstration_shows_findings_of_each_kind() -> None:
    from muniment.server.findings import demonstration

    for _days, slug, _files in demonstration._SCANS:
        if not Repository.objects.filter(product__slug=slug).exists():
            product(slug, f"/{slug}")
    product("lab-gateway", "/lab-gateway")
    with as_role("worker"):
        for _days, slug, files in demonstration._SCANS:
            demonstration._store_scan(slug, files)
        demonstration._leak_secret()
    rules = set(ProductFinding.objects.values_list("rule", flat=True))
    assert {"weak-hash", "open-redirect", "certificate-not-verified", "command-injection"} <= rules
    assert ProductFinding.objects.filter(gone_at__isnull=False).exists()
    assert ProductFinding.objects.exclude(steps=[]).exists()
    assert LeakedSecret.objects.get().path == "deploy/settings.py"


def test_the_owner_is_the_code_owner_or_the_last_changer_and_never_nobody(shop: Repository, repo: Repo) -> None:
    Person.objects.filter(slug="dev").update(email="dev@example.com")
    Person.objects.filter(slug="olga").update(email="olga@example.com")
    files = {
        "CODEOWNERS": "*.js @acme/web\n/pay/ olga@example.com\nold.py\n",
        "pay/a.py": WEAK,
        "b.js": "eval(location.hash)\n",
    }
    repo.commit(files, author="Dev <dev@example.com>")
    scan(shop)

    def read_owners() -> dict[str, tuple[str | None, str, str]]:
        rows = ProductFinding.objects.values_list("path", "owner__slug", "owner_basis", "owner_name")
        return {path: (owner, basis, team) for path, owner, basis, team in rows}

    assert read_owners() == {
        "old.py": (None, "", ""),
        "pay/a.py": ("olga", "code-owners", ""),
        "b.js": (None, "code-owners", "@acme/web"),
    }
    assert "Olga" in read("dev", f"/findings/{ProductFinding.objects.get(path='old.py').pk}")
    assert "@acme/web" in read("dev", "/findings")
    repo.commit({"old.py": f"{WEAK}x = 1\n", "CODEOWNERS": "*.js @acme/web\n"}, author="Dev <dev@example.com>")
    number = ProductFinding.objects.get(path="pay/a.py").pk
    post(who("sam"), f"/findings/{number}/assign", person="sue")
    scan(shop)
    assert read_owners() == {
        "old.py": ("dev", "last-change", ""),
        "pay/a.py": ("sue", "assigned", ""),
        "b.js": (None, "code-owners", "@acme/web"),
    }


def test_findings_are_counted_by_where_they_were_found(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(shop)
    fields = {"weakness": "Session stays valid", "severity": "high", "reported_in": "test", "description": "It does."}
    post(who("olga"), "/products/shop/findings/enter", **fields)
    repo.commit({"old.py": "x = 1\n", "new.py": OPEN})
    scan(shop)
    made = report(scanned(found("sql-injection"), found("sql-injection", line=9), found("weak-hash", "minor-finding")))
    monkeypatch.setattr(early_stops, "read_all_details", lambda digests, _shape: dict.fromkeys(digests, made))
    with as_role("worker"):
        change = Change.objects.create(
            repository=shop, name="topic", target="main", state="open", head="a" * 40, updated_at=timezone.now()
        )
        for number, record in enumerate(Record.objects.filter(decision=None)[:2]):
            Decision.objects.create(
                change=change,
                record=record,
                head=str(number) * 40,
                allowed=False,
                decided_at=timezone.now(),
                policy_digest="sha256:0",
                inputs_digest=f"sha256:{number}",
                explanation_digest="sha256:1",
            )
        for _ in range(2):
            early_stops.count_stopped_findings()
    (one,) = early_stops.read_early_figures(actor_of("dev"))
    assert (one.stopped, one.merged, one.production, one.early_share, one.days) == (1, 1, 1, 33, 0)
    assert "33%" in read("dev", "/findings/early")
    assert "No findings in the last four quarters" in read("eve", "/findings/early")
    metric = next(each for each in measure_findings() if each.name == "muniment_findings_stopped_early_percent")
    assert metric.values == {"shop": 33}


def test_a_category_that_source_cannot_show_has_no_zero(shop: Repository) -> None:
    scan(shop)
    found = {one.short_code: one for one in read_category_coverage(actor_of("dev"))}
    assert list(found) == [f"A{number:02}" for number in range(1, 11)]
    assert found["A04"].open_findings == 1
    assert 0 < found["A05"].checked_percentage <= 100
    page = read("dev", "/findings/coverage")
    for one in found.values():
        assert f"{one.short_code} {one.name}" in page
    assert ("Source cannot show this" in page) == any(one.rules == 0 for one in found.values())
    assert read_category_coverage(actor_of("eve"))[3].open_findings == 0


def actor_of(slug: str) -> Actor:
    someone = Person.objects.get(slug=slug)
    return Actor(someone.pk, active=True, grants=someone.load_roles(), second_factor=True)

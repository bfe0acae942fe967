"""Updates: every lock is read, every product is matched, and no failure reads as "no vulnerabilities"."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from muniment.access.roles import Role
from muniment.controls.control import Case
from muniment.controls.no_known_vulnerabilities import CONTROL
from muniment.errors import RowsDifferError
from muniment.facts.maybe import Known
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.server import moments
from muniment.server.deployments.models import Deployment, DeploymentPermission, PipelineIdentity
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Person
from muniment.server.policies.models import PolicyException
from muniment.server.products.models import Environment, Repository
from muniment.server.updates import advisory_lists, lock_reading, tasks
from muniment.server.updates.advisory_facts import AdvisorySupplier, provide_advisories, read_product_advisories
from muniment.server.updates.contributions import drop_revisions, measure_advisories
from muniment.server.updates.models import (
    AdvisoryRevision,
    AdvisorySource,
    DependencyLock,
    DependencyReading,
    LockEntry,
    ProductAdvisory,
    StoredAdvisory,
)
from muniment.updates.dependencies import Ecosystem
from muniment.updates.sboms import parse_sbom
from muniment.workflows.change_dependencies import _PROVIDERS
from tests.support.advisory_exports import fixed_in, pack_export, write_advisory
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

FILLER = write_advisory("PYSEC-0", "unused", events=fixed_in("1"))


def make_lock(**versions: str) -> str:
    packages = "".join(
        f"[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {{ registry = 'https://pypi.org/simple' }}\n"
        for name, version in versions.items()
    )
    needs = ", ".join(f"{{ name = '{name}' }}" for name in versions)
    own = f"[[package]]\nname = 'shop'\nversion = '1'\nsource = {{ editable = '.' }}\ndependencies = [{needs}]\n"
    return f"version = 1\n{own}{packages}"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"uv.lock": make_lock(django="4.1", sqlparse="0.3")})
    return made


@pytest.fixture
def shop(repo: Repo) -> Repository:
    """Product with a repository that has one lock."""
    found = product("shop", str(repo.path / ".git"))
    person("dev", Role.DEVELOPER, product=found)
    person("sam", Role.SECURITY)
    finish_bootstrap()
    return Repository.objects.get()


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "ADVISORIES", (str(tmp_path / "all.zip"),))
    return tmp_path / "all.zip"


def publish(export: Path, *documents: dict[str, Any]) -> None:
    """Publish an export, and have it read."""
    now = timezone.now() - timedelta(minutes=1)
    fresh = {"modified": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    export.write_bytes(pack_export(FILLER | fresh, *documents))
    read_advisories()


def read_advisories() -> None:
    with as_role("worker"):
        tasks.read_advisories_task()


def read_locks(shop: Repository) -> DependencyReading:
    with as_role("worker"):
        tasks.read_dependencies_task(shop.pk)
    return DependencyReading.objects.get(repository=shop)


def deploy(shop: Repository, commit: str, name: str = "production", state: str = "succeeded") -> None:
    with as_role("owner"):
        place, _ = Environment.objects.get_or_create(product=shop.product, name=name)
        pipeline, _ = PipelineIdentity.objects.get_or_create(environment=place, name="ci", kind="key")
        count = Deployment.objects.count()
        row = Deployment.objects.create(
            environment=place,
            pipeline=pipeline,
            artifact="sha256:" + "b" * 64,
            commit=commit,
            identity={},
            idempotency_key=f"k{count}",
        )
        DeploymentPermission.objects.create(deployment=row, state=state, decided_at=timezone.now())


def list_open() -> list[tuple[str, str, str]]:
    rows = ProductAdvisory.objects.filter(ended_at=None).order_by("advisory", "package")
    return list(rows.values_list("advisory", "package", "severity"))


DJANGO = write_advisory("PYSEC-1", "django", events=fixed_in("4.2"), aliases=["CVE-1"])


def test_a_new_advisory_is_matched_with_every_product_at_once(shop: Repository, export: Path) -> None:
    read_locks(shop)
    assert LockEntry.objects.count() == 2
    publish(export, DJANGO)
    row = ProductAdvisory.objects.get()
    assert (row.advisory, row.names, row.package, row.versions) == ("PYSEC-1", ["PYSEC-1", "CVE-1"], "django", ["4.1"])
    assert (row.severity, row.severity_origin, row.safe_version, row.places) == (
        *("high", "assumed", "4.2"),
        ["refs/heads/main"],
    )
    assert (row.route, row.lock_path) == (["shop", "django"], "uv.lock")
    first_read = DependencyReading.objects.get().first_read_at
    assert (row.clock_from, row.clock_start) == (first_read, "connection")
    facts = read_product_advisories("shop")
    assert [one.advisory for one in facts.advisories] == ["PYSEC-1"]
    assert (facts.data[0].ecosystem, facts.data[0].problem) == ("PyPI", "")
    assert facts.readings[0].read_at


def test_an_advisory_ends_when_the_update_is_merged_and_nothing_is_deployed(
    shop: Repository, repo: Repo, export: Path
) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    repo.commit({"uv.lock": make_lock(django="4.2", sqlparse="0.3")})
    read_locks(shop)
    row = ProductAdvisory.objects.get()
    assert (row.ended_at is not None, row.end_reason, row.places) == (True, "updated", [])
    began = row.clock_from
    repo.commit({"uv.lock": make_lock(django="4.1")})
    read_locks(shop)
    row = ProductAdvisory.objects.get()
    assert (row.ended_at, row.end_reason, row.clock_from) == (None, "", began)


def test_an_advisory_stays_open_until_the_update_runs_in_every_environment(
    shop: Repository, repo: Repo, export: Path
) -> None:
    old = repo.commit({"readme.md": "x"})
    deploy(shop, old)
    deploy(shop, old, "staging")
    publish(export, DJANGO)
    read_locks(shop)
    assert ProductAdvisory.objects.get().places == [
        *("environment:production", "environment:staging"),
        "refs/heads/main",
    ]
    new = repo.commit({"uv.lock": make_lock(django="4.2", sqlparse="0.3")})
    deploy(shop, new, "staging")
    deploy(shop, new, state="failed")
    read_locks(shop)
    assert ProductAdvisory.objects.get().places == ["environment:production"]
    assert list_open() == [("PYSEC-1", "django", "high")]
    deploy(shop, new)
    read_locks(shop)
    assert list_open() == []


def test_what_runs_and_is_in_no_repository_is_unknown(shop: Repository) -> None:
    deploy(shop, "c" * 40)
    read_locks(shop)
    unread = [file for reading in read_product_advisories("shop").readings for file in reading.unread]
    assert [(file.path, file.why) for file in unread] == [
        ("production", "it runs the commit ccccccc, which no repository of the product has")
    ]
    facts = {"product_advisories": Known(read_product_advisories("shop"))}
    found = CONTROL.evaluate(Case(facts, CONTROL.parameters(), moments.current_moment(), {}))
    assert "unknown" in {reason.status for reason in found}


def test_an_unreadable_lock_is_named_and_ends_nothing(shop: Repository, repo: Repo, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    repo.commit({"uv.lock": "version = [", "web/package.json": '{"dependencies": {"qs": "^6"}}'})
    reading = read_locks(shop)
    assert {path for _place, path, _why in reading.unread} == {"uv.lock", "web/package.json"}
    assert list_open() == [("PYSEC-1", "django", "high")]
    assert {file.path for file in read_product_advisories("shop").readings[0].unread} == {
        "uv.lock",
        "web/package.json",
    }


def test_a_repository_that_cannot_be_read_keeps_what_was_known(
    shop: Repository, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    with as_role("owner"):
        Repository.objects.update(path="/nowhere")
    shop.refresh_from_db()
    reading = read_locks(shop)
    assert reading.problem
    assert reading.finished_at is None
    assert read_product_advisories("shop").readings[0].problem
    assert list_open() == [("PYSEC-1", "django", "high")]


@pytest.mark.parametrize("content", [None, b"PK", pack_export(DJANGO)[:-30]])
def test_a_source_that_cannot_be_read_keeps_its_advisories_and_says_why(
    shop: Repository, export: Path, content: bytes | None
) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    if content is None:
        export.unlink()
    else:
        export.write_bytes(content)
    read_advisories()
    source = AdvisorySource.objects.get()
    assert (bool(source.problem), source.advisory_count) == (True, 2)
    assert list_open() == [("PYSEC-1", "django", "high")]
    assert read_product_advisories("shop").data[0].problem


def test_without_any_advisories_nothing_is_none(shop: Repository, export: Path) -> None:
    read_locks(shop)
    read_advisories()
    (data,) = read_product_advisories("shop").data
    assert (data.ecosystem, data.as_of) == ("PyPI", "")
    assert "cannot be read" in data.problem


def test_an_export_that_lost_many_advisories_is_refused(shop: Repository, export: Path) -> None:
    many = [write_advisory(f"PYSEC-9{number}", "other", events=fixed_in("2")) for number in range(30)]
    publish(export, DJANGO, *many)
    publish(export, DJANGO)
    source = AdvisorySource.objects.get()
    assert "30 advisories fewer" in source.problem
    assert StoredAdvisory.objects.count() == 32


def test_a_changed_advisory_has_a_history_and_a_withdrawn_one_ends(shop: Repository, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    publish(export, DJANGO | {"withdrawn": "2026-01-09T00:00:00Z"})
    assert AdvisoryRevision.objects.filter(advisory="PYSEC-1").count() == 1
    row = ProductAdvisory.objects.get()
    assert (row.ended_at is not None, row.end_reason) == (True, "withdrawn")


def test_an_alias_neither_doubles_an_advisory_nor_restarts_its_clock(shop: Repository, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    before = ProductAdvisory.objects.get()
    publish(export, DJANGO, write_advisory("GHSA-1", "django", events=fixed_in("4.2"), aliases=["CVE-1"]))
    row = ProductAdvisory.objects.get()
    assert (row.pk, row.advisory, row.clock_from) == (before.pk, "GHSA-1", before.clock_from)


def test_malware_is_an_incident_at_once_and_closes_when_it_is_gone(shop: Repository, repo: Repo, export: Path) -> None:
    publish(export, write_advisory("MAL-1", "sqlparse", versions=["0.3"]))
    read_locks(shop)
    row, incident = ProductAdvisory.objects.get(), Incident.objects.get()
    assert (row.is_malware, row.clock_from, row.clock_start) == (True, None, "malware")
    assert (incident.kind, incident.closed_at) == ("malware-in-lock", None)
    repo.commit({"uv.lock": make_lock(django="4.1")})
    read_locks(shop)
    assert Incident.objects.get().closed_at is not None


def test_the_clock_of_a_later_introduction_starts_then(shop: Repository, repo: Repo, export: Path) -> None:
    read_locks(shop)
    publish(export, write_advisory("PYSEC-2", "flask", events=fixed_in("3")))
    repo.commit({"uv.lock": make_lock(django="4.1", flask="2")})
    read_locks(shop)
    row = ProductAdvisory.objects.get()
    assert (row.clock_start, row.clock_from) == (
        "introduction",
        LockEntry.objects.get(name="flask").introduced_at,
    )


def test_a_correction_that_adds_a_version_starts_the_clock_when_it_was_seen(shop: Repository, export: Path) -> None:
    read_locks(shop)
    publish(export, write_advisory("PYSEC-2", "django", events=fixed_in("4.0")))
    publish(export, write_advisory("PYSEC-2", "django", events=fixed_in("4.2")))
    row = ProductAdvisory.objects.get()
    assert row.clock_start == "first-sight"
    assert row.clock_from is not None
    assert row.clock_from > StoredAdvisory.objects.get(advisory="PYSEC-2").first_seen_at


def test_rows_that_no_act_wrote_are_not_used(shop: Repository, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    record_rows()
    compare_rows(monkeypatch)
    now = moments.current_moment()
    assert AdvisorySupplier().supply_facts("shop", ["product_advisories"], now)
    with as_role("owner"):
        ProductAdvisory.objects.filter(advisory="PYSEC-1").update(ended_at=timezone.now())
    with pytest.raises(RowsDifferError):
        AdvisorySupplier().supply_facts("shop", ["product_advisories"], now)


def test_a_repository_is_due_when_a_branch_or_a_deployment_moved(shop: Repository, repo: Repo) -> None:
    with as_role("owner"):
        Repository.objects.update(worker="here")
    with as_role("worker"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "WORKER_NAME", "here")
        assert list(lock_reading.list_due_readings()) == [shop.pk]
        read_locks(shop)
        assert list(lock_reading.list_due_readings()) == []
        deploy(shop, repo.commit({"x": "y"}))
        reading = DependencyReading.objects.get()
        reading.started_at = timezone.now() - timedelta(hours=1)
        reading.save()
        assert list(lock_reading.list_due_readings()) == [shop.pk]
        read_locks(shop)
        assert list(lock_reading.list_due_readings()) == []
        DependencyReading.objects.update(started_at=timezone.now() - timedelta(days=2))
        assert list(lock_reading.list_due_readings()) == [shop.pk]
    assert DependencyLock.objects.filter(place="environment:production").exists()


def open_page(slug: str, address: str) -> str:
    answer = browser(Person.objects.get(slug=slug)).get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


def test_the_page_shows_what_is_open_with_its_due_date_and_safe_version(shop: Repository, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    page = open_page("dev", "/updates")
    for text in ("PYSEC-1", "4.2", "uv.lock", "Not due yet", "No pull request names this package yet.", "in 14 days"):
        assert text in page, text
    assert "PYSEC-1" in open_page("sam", "/products/shop/updates")
    assert "CVE-1" in open_page("dev", f"/updates/{ProductAdvisory.objects.get().pk}")
    assert "PYSEC-1" in open_page("sam", "/search?q=PYSEC-1")


def test_others_see_no_advisory_of_the_product(shop: Repository, export: Path) -> None:
    person("eve", Role.DEVELOPER, product=product("other"))
    publish(export, DJANGO)
    read_locks(shop)
    number = ProductAdvisory.objects.get().pk
    assert "PYSEC-1" not in open_page("eve", "/updates")
    assert "PYSEC-1" not in open_page("eve", "/updates?affected=django").replace("/updates?affected", "")
    for address in (f"/updates/{number}", "/products/shop/updates", "/products/shop/updates/sbom"):
        assert browser(Person.objects.get(slug="eve")).get(address).status_code in (403, 404), address


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("django", "<strong>django</strong>: 1 product."),
        ("Django@4.1", "<strong>Django@4.1</strong>: 1 product."),
        ("django@9", "not in the 1 product whose dependencies are known"),
        ("cve-1", "<strong>cve-1</strong>: 1 product."),
        ("CVE-2099-1", "No source of advisories has CVE-2099-1"),
        ("PYSEC-0", "not in the 1 product whose dependencies are known"),
        ("@", "not in the 1 product whose dependencies are known"),
    ],
)
def test_are_we_affected_is_answered_with_the_path(shop: Repository, export: Path, asked: str, expected: str) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    page = open_page("dev", f"/updates?affected={asked}")
    assert expected in page
    assert ("shop › django" in page) is ("1 product." in expected)


def test_are_we_affected_names_the_products_that_are_unknown(shop: Repository, export: Path) -> None:
    product("other")
    read_locks(shop)
    page = open_page("sam", "/updates?affected=flask")
    assert "1 unknown" in page
    assert "Other</a>: The product has no repository." in page


def test_an_exception_from_the_clause_is_shown_and_requested_from_the_page(
    shop: Repository, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    policy = parse_policy(format_built_in_policy("sec@example.test", "shop"), "built-in")
    monkeypatch.setattr(advisory_lists, "current_clauses", lambda: policy.clauses)
    address = f"/updates/{ProductAdvisory.objects.get().pk}"
    page = open_page("dev", address)
    assert "/exceptions/request?repository=shop&amp;clause=updates.security" in page
    with as_role("owner"):
        sam = Person.objects.get(slug="sam")
        PolicyException.objects.create(
            slug="e1",
            repository=shop,
            clause="updates.security",
            branch="refs/heads/main",
            reason="meanwhile",
            requester=sam,
            approver=sam,
            approved_at=timezone.now(),
            expires_at=timezone.now() + timedelta(days=2),
        )
    assert "Exception in force" in open_page("dev", address)


def test_an_update_that_is_merged_waits_for_the_deployment(shop: Repository, repo: Repo, export: Path) -> None:
    deploy(shop, repo.commit({"x": "y"}))
    publish(export, DJANGO)
    read_locks(shop)
    repo.commit({"uv.lock": make_lock(django="4.2", sqlparse="0.3")})
    read_locks(shop)
    assert "It waits for a deployment to: production." in open_page("dev", "/updates")


def test_time_to_fix_is_measured_over_finished_updates(shop: Repository, repo: Repo, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    repo.commit({"uv.lock": make_lock(django="4.2")})
    read_locks(shop)
    with as_role("owner"):
        ProductAdvisory.objects.update(clock_from=timezone.now() - timedelta(days=3))
    page = open_page("dev", "/updates")
    assert "3.0 <small>days</small>" in page
    assert "1 update was finished in the last year." in page


def test_late_updates_reach_the_overview_the_owner_and_the_metrics(shop: Repository, export: Path) -> None:
    person("olga", Role.OWNER, product=shop.product)
    publish(export, DJANGO)
    read_locks(shop)
    assert "Security updates to make" not in open_page("olga", "/inbox")
    with as_role("owner"):
        ProductAdvisory.objects.update(clock_from=timezone.now() - timedelta(days=30))
    assert "Late security updates" in open_page("sam", "/?overview")
    assert "Security updates to make" in open_page("olga", "/inbox")
    figures = {one.name: one.values for one in measure_advisories()}
    assert figures["muniment_overdue_updates"] == 1
    assert figures["muniment_open_advisories"] == {"high": 1}


def test_the_sbom_of_a_place_has_its_packages_and_is_read_again(shop: Repository, repo: Repo) -> None:
    deploy(shop, repo.commit({"x": "y"}))
    read_locks(shop)
    answer = browser(Person.objects.get(slug="dev")).get("/products/shop/updates/sbom?place=environment:production")
    assert answer["Content-Disposition"] == 'attachment; filename="shop.cdx.json"'
    lock = parse_sbom("bom.json", answer.content, {})
    assert {each.key for each in lock.dependencies} == {"django@4.1", "sqlparse@0.3"}
    assert browser(Person.objects.get(slug="dev")).get("/products/shop/updates/sbom?place=x").status_code == 404


def test_read_now_enqueues_a_reading_and_needs_a_repository(shop: Repository) -> None:
    page = post(browser(Person.objects.get(slug="sam")), "/products/shop/updates/read")
    assert "The lock files are read now." in page
    product("empty")
    assert "The product has no repository" in post(
        browser(Person.objects.get(slug="sam")), "/products/empty/updates/read"
    )


def test_the_api_lists_advisories_answers_and_serves_the_sbom(shop: Repository, export: Path) -> None:
    publish(export, DJANGO)
    read_locks(shop)
    client = browser()
    headers = {"authorization": f"Bearer {token_of(Person.objects.get(slug='dev'))}"}
    (row,) = client.get("/api/updates", headers=headers).json()["items"]
    assert (row["advisory"], row["clock_start"], row["safe_version"]) == ("PYSEC-1", "connection", "4.2")
    assert row["due_at"] > row["clock_from"]
    answer = client.get("/api/updates/affected?name=django", headers=headers).json()
    assert [use["path"] for use in answer["uses"]] == [["shop", "django"]]
    assert client.get("/api/products/shop/sbom", headers=headers).json()["bomFormat"] == "CycloneDX"
    assert client.get("/api/products/shop/sbom?place=x", headers=headers).status_code == 404


def test_earlier_contents_are_deleted_after_their_period(shop: Repository, export: Path) -> None:
    publish(export, DJANGO)
    publish(export, DJANGO | {"summary": "corrected"})
    assert AdvisoryRevision.objects.filter(advisory="PYSEC-1").count() == 1
    with as_role("eraser"):
        assert drop_revisions(timezone.now() - timedelta(days=1)) == 0
        assert drop_revisions(timezone.now() + timedelta(days=1)) > 0


def test_changes_are_evaluated_with_the_advisories_of_the_database(shop: Repository, export: Path) -> None:
    assert [provide_advisories] == _PROVIDERS
    publish(export, DJANGO)
    found = provide_advisories([Ecosystem.PYPI, Ecosystem.NPM], moments.current_moment())
    assert found.index.match_version(Ecosystem.PYPI, "django", "4.1")
    assert [(one.ecosystem, bool(one.as_of)) for one in found.data] == [("PyPI", True), ("npm", False)]

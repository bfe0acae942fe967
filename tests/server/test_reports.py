"""Reports of other tools: imported once, closed by what they cover alone, and never against a decision."""

import gzip
import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import RefusedError, UsageError
from muniment.scanners.imports.sarif_import import parse_import
from muniment.server.findings import report_files, report_import, tasks
from muniment.server.findings.finding_facts import read_product_findings
from muniment.server.findings.models import (
    CodeScan,
    FindingDecision,
    ProductFinding,
    ReceivedReport,
    ToolCoverage,
    ToolImport,
)
from muniment.server.findings.report_files import pack_report, read_report, unpack_report
from muniment.server.people.models import Person
from muniment.server.products.models import Repository
from muniment.server.requests.models import Request
from tests.support.repos import Repo
from tests.support.service import as_role, browser, finish_bootstrap, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")

CWE = "external/cwe/cwe-089"
API = "/api/products/shop/findings/import?repository=shop"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a.go": "package a\n", "b.go": "package b\n", "canary.go": "package c\n"})
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


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read reports in this process, which is faster than a child for each."""
    monkeypatch.setattr(report_import, "read_report_runs", lambda content, key: parse_import(content, key).runs)


def make_sarif(
    *places: str, listed: tuple[str, ...] | None = None, tool: str = "CodeQL", successful: bool = True, level: str = ""
) -> bytes:
    """Report with one finding for each place, and the list of files that it has, None for none."""
    results = [
        {
            "ruleId": "go/sql-injection",
            "message": {"text": "Bind the value."},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": int(line)}}}
            ],
            "partialFingerprints": {"primaryLocationLineHash": f"{path}-hash"},
            **({"level": level} if level else {}),
        }
        for path, line in (place.split(":") for place in places)
    ]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": tool,
                "rules": [{"id": "go/sql-injection", "properties": {"tags": ["external/cwe/cwe-089"]}}],
            }
        },
        "results": results,
        "invocations": [{"executionSuccessful": successful}],
    }
    if listed is not None:
        run["artifacts"] = [{"location": {"uri": path}, "roles": ["analysisTarget"]} for path in listed]
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


def send(content: bytes, slug: str = "dev") -> dict[str, Any]:
    """Send a report as a pipeline does, and import it."""
    headers = {"Authorization": f"Bearer {token_of(Person.objects.get(slug=slug))}"}
    client = Client(HTTP_HOST="localhost", headers=headers)
    answer = client.generic("POST", API, content, content_type="application/gzip")
    if answer.status_code != 200:
        return {"status": answer.status_code, **answer.json()}
    number = answer.json()["report"]
    with as_role("worker"):
        tasks.import_report_task(number)
    return dict(client.get(f"/api/reports/{number}").json())


def list_open() -> list[tuple[str, int]]:
    return list(ProductFinding.objects.filter(gone_at=None).order_by("path", "line").values_list("path", "line"))


ALL = ("a.go", "b.go", "canary.go")


def test_a_report_is_imported_and_the_same_file_changes_nothing(shop: Repository) -> None:
    first = make_sarif("a.go:3", "b.go:5", listed=ALL)
    assert send(gzip.compress(first))["problem"] == ""
    row = ProductFinding.objects.get(path="a.go")
    assert (row.cwe, row.tool, row.is_baseline, row.is_severity_given) == (89, "CodeQL", True, False)
    moment = ToolImport.objects.get().imported_at
    assert send(first)["problem"] == ""
    assert list_open() == [("a.go", 3), ("b.go", 5)]
    assert ToolImport.objects.get().imported_at == moment
    assert ReceivedReport.objects.filter(content=b"").count() == 2


def test_a_later_report_closes_only_what_it_covers(shop: Repository) -> None:
    send(make_sarif("a.go:3", "b.go:5", listed=ALL))
    send(make_sarif("canary.go:1", listed=ALL, tool="Trivy"))
    assert len(list_open()) == 3
    send(make_sarif(listed=("a.go",)))
    assert list_open() == [("b.go", 5), ("canary.go", 1)]
    send(make_sarif("a.go:9", "b.go:5", listed=ALL))
    assert list_open() == [("a.go", 9), ("b.go", 5), ("canary.go", 1)]
    assert ProductFinding.objects.count() == 3


def test_a_report_that_did_not_end_well_closes_nothing(shop: Repository) -> None:
    send(make_sarif("a.go:3", listed=ALL))
    send(make_sarif(listed=ALL, successful=False))
    assert list_open() == [("a.go", 3)]
    assert ToolImport.objects.get().coverage == "none"


def test_files_that_are_gone_lose_their_findings(shop: Repository, repo: Repo) -> None:
    send(make_sarif("a.go:3", listed=ALL))
    repo.commit({"a.go": None})
    send(make_sarif(listed=("b.go",)))
    assert list_open() == []


def test_two_findings_with_one_fingerprint_stay_two(shop: Repository) -> None:
    document = json.loads(make_sarif("a.go:3", "b.go:5", listed=ALL))
    for result in document["runs"][0]["results"]:
        result["partialFingerprints"] = {"primaryLocationLineHash": "same"}
    send(json.dumps(document).encode())
    assert sorted(ProductFinding.objects.values_list("copy", flat=True)) == [0, 1]
    document["runs"][0]["results"].reverse()
    send(json.dumps(document).encode())
    assert ProductFinding.objects.filter(gone_at=None).count() == 2 == ProductFinding.objects.count()


def test_a_higher_severity_is_due_from_that_day(shop: Repository) -> None:
    send(make_sarif("a.go:3", listed=ALL, level="note"))
    before = ProductFinding.objects.get()
    with as_role("owner"):
        ProductFinding.objects.update(clock_from=timezone.now() - timedelta(days=30))
    send(make_sarif("a.go:3", listed=ALL, level="error"))
    row = ProductFinding.objects.get()
    assert (before.severity, row.severity) == ("low", "high")
    assert row.clock_from > timezone.now() - timedelta(days=1)


def test_a_decision_survives_a_report(shop: Repository) -> None:
    send(make_sarif("a.go:3", listed=ALL))
    number = ProductFinding.objects.get().pk
    post(browser(Person.objects.get(slug="dev")), f"/findings/{number}/decide", act="call-false-positive", reason="No.")
    approve("sam")
    send(make_sarif("a.go:4", listed=ALL))
    assert FindingDecision.find_in_force().get().finding_id == number
    assert read_product_findings("shop").findings[0].decision == "false-positive"


def test_a_finding_stated_to_be_corrected_opens_again_if_reported(shop: Repository) -> None:
    send(make_sarif("a.go:3", listed=ALL))
    number = ProductFinding.objects.get().pk
    post(
        browser(Person.objects.get(slug="dev")), f"/findings/{number}/decide", act="confirm-correction", reason="Done."
    )
    approve("sam")
    assert list_open() == []
    send(make_sarif("a.go:4", listed=ALL))
    assert list_open() == [("a.go", 4)]
    assert read_product_findings("shop").findings[0].decision == ""


def approve(slug: str) -> str:
    waiting = Request.objects.filter(state=Request.State.WAITING).latest("pk")
    return post(browser(Person.objects.get(slug=slug)), f"/requests/{waiting.pk}", answer="agree")


def declare(slug: str = "olga") -> None:
    values = {"repository": "shop", "tool": "Scanner", "paths": "*.go", "canary_rule": "go/sql-injection"}
    someone = browser(Person.objects.get(slug=slug))
    post(someone, "/products/shop/findings/coverage", canary_path="canary.go", **values)


def test_a_report_without_list_counts_by_a_declaration_of_two_and_its_canary(shop: Repository) -> None:
    send(make_sarif("a.go:3", "canary.go:1", tool="Scanner"))
    assert list_open() == [("a.go", 3), ("canary.go", 1)]
    declare()
    assert not ToolCoverage.objects.exists()
    approve("sam")
    send(make_sarif(tool="Scanner"))
    assert len(list_open()) == 2, "without its canary"
    send(make_sarif("canary.go:1", tool="Scanner"))
    assert list_open() == [], "the canary is no finding"
    assert ToolImport.objects.get().coverage == "declared"
    post(browser(Person.objects.get(slug="dev")), f"/tool-coverage/{ToolCoverage.objects.get().pk}/end")
    assert ToolCoverage.objects.filter(ended_at=None).count() == 0


def test_a_report_covers_a_language_without_an_engine(shop: Repository) -> None:
    with as_role("worker"):
        CodeScan.objects.create(repository=shop, finished_at=timezone.now(), languages=[["Go", 10, 0, 3]])
    send(make_sarif(listed=("a.go",)))
    assert read_product_findings("shop").scans[0].languages == ("Go",)
    send(make_sarif(listed=ALL))
    assert read_product_findings("shop").scans[0].languages == ()
    with as_role("worker"):
        ToolImport.objects.update(imported_at=timezone.now() - timedelta(days=8))
    assert read_product_findings("shop").scans[0].languages == ("Go",)


@pytest.mark.parametrize("content", [b"{}", b"[", b"\x1f\x8bx", b'{"version": "2.1.0", "runs": []}'])
def test_a_file_that_is_no_report_changes_nothing(shop: Repository, content: bytes) -> None:
    answer = send(content)
    assert answer.get("problem") or answer.get("status") == 409, answer
    assert not ProductFinding.objects.exists()


def test_people_of_other_products_send_nothing(shop: Repository) -> None:
    assert send(make_sarif("a.go:3", listed=ALL), "eve")["status"] == 404
    assert not ReceivedReport.objects.exists()


def test_a_page_takes_a_file(shop: Repository) -> None:
    dev = browser(Person.objects.get(slug="dev"))
    assert "No file was chosen" in post(dev, "/products/shop/findings/import", repository="shop")
    file = BytesIO(make_sarif("a.go:3", listed=ALL))
    file.name = "results.sarif"
    dev.post("/products/shop/findings/import", {"repository": "shop", "file": file})
    with as_role("worker"):
        tasks.import_report_task(ReceivedReport.objects.get().pk)
    page = dev.get("/products/shop/findings").content.decode()
    assert "go/sql-injection" in page
    assert "CodeQL" in page


def test_no_more_than_the_limit_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_files, "MOST_DOCUMENT_BYTES", 1000)
    with pytest.raises(UsageError, match="too large"):
        unpack_report(pack_report(b"x" * 1001))
    with pytest.raises(UsageError, match="damaged"):
        unpack_report(pack_report(b"x" * 1000)[:-4])
    for content in (b"x" * 1001, pack_report(b"x" * 100_000), b""):
        with pytest.raises(RefusedError):
            read_report(BytesIO(content))

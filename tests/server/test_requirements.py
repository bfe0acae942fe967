"""Requirements: machines verify what they can, two people state the rest, and what nobody verified is unknown."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.facts.maybe import Known
from muniment.facts.pipeline import PipelineRun, RunCounts
from muniment.facts.statements import SignatureResult
from muniment.server.findings.models import CodeScan, FindingSource, ProductFinding
from muniment.server.people.models import Person
from muniment.server.products.models import ClauseResult, Product, ProductClauseState, Repository
from muniment.server.requests.models import Request
from muniment.server.requirements import named_tests, tasks
from muniment.server.requirements.models import (
    NamedTestResult,
    OfficialRequirementList,
    RequirementStatement,
    StatementKind,
)
from muniment.server.requirements.named_tests import find_newest_run, find_trusted_runners
from muniment.server.requirements.requirement_facts import RequirementSupplier, read_product_requirements
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

PAGE = "/products/shop/security-requirements"
NOW = "2026-11-24T09:00:00.000000Z"


@pytest.fixture
def shop(tmp_path: Path) -> Product:
    """Product with people in all roles that state something about its requirements."""
    made = Repo(tmp_path / "shop")
    made.commit({"a.py": "READY = True\n"})
    found = product("shop", str(made.path / ".git"))
    person("dev", Role.DEVELOPER, product=found)
    person("olga", Role.OWNER, product=found)
    person("dora", Role.DPO)
    for name in ("sam", "sue"):
        person(name, Role.SECURITY)
    person("eve", Role.DEVELOPER, product=product("other"))
    finish_bootstrap()
    return found


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def read(slug: str, address: str) -> str:
    answer = who(slug).get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def approve(slug: str) -> str:
    waiting = Request.objects.filter(state=Request.State.WAITING).latest("pk")
    return post(who(slug), f"/requests/{waiting.pk}", answer="agree")


def state(slug: str, requirement: str, act: str, **values: str) -> str:
    return post(who(slug), f"{PAGE}/state", act=act, requirement=requirement, **values)


def attest(slug: str, requirement: str, *, days: int = 100) -> str:
    return state(slug, requirement, "attest-requirement", reason="Minutes of 12 November.", until=day(days))


def find_state(name: str) -> tuple[str, str]:
    (found,) = (one for one in read_product_requirements("shop").states if one.name == name)
    return found.status.value, found.because


def finish_scan(languages: tuple[str, ...] = ("Python",)) -> None:
    kinds = [[name, 10, 10, 1] for name in languages]
    CodeScan.objects.create(
        repository=Repository.objects.get(name="shop"), finished_at=timezone.now(), languages=kinds, file_count=1
    )


def test_nothing_is_met_before_anything_is_known(shop: Product) -> None:
    found = read_product_requirements("shop")
    assert {one.status.value for one in found.states} == {"unknown"}
    assert found.holds_personal_data
    page = read("dev", PAGE)
    assert "By state: 0 met, 0 not met, 59 unknown, 0 not applicable." in page


def test_rules_are_met_by_scanned_code_and_not_by_an_open_finding(shop: Product) -> None:
    with as_role("worker"):
        finish_scan()
    assert find_state("pages escape")[0] == "met"
    with as_role("worker"):
        ProductFinding.objects.create(
            product=shop, tool="python", rule="cross-site-scripting", fingerprint="f", severity="high", cwe=79
        )
    assert find_state("pages escape") == ("violated", "open findings of cross-site-scripting")
    assert find_state("commands are lists")[0] == "met"


def test_a_finding_of_another_tool_counts_by_its_cwe(shop: Product) -> None:
    with as_role("worker"):
        finish_scan()
        ProductFinding.objects.create(
            product=shop,
            tool="CodeQL",
            rule="py/sql",
            fingerprint="f",
            severity="high",
            cwe=89,
            source=FindingSource.IMPORTED,
        )
    assert find_state("bound statements")[0] == "violated"


def test_code_without_an_engine_leaves_rules_unknown(shop: Product) -> None:
    with as_role("worker"):
        finish_scan(("Python", "Go"))
    assert find_state("pages escape") == ("unknown", "no engine reads Go in shop")


def test_an_attestation_counts_once_a_second_person_approved_it(shop: Product) -> None:
    attest("sam", "uploads-never-run")
    assert find_state("uploads never run")[0] == "unknown"
    approve("sue")
    assert find_state("uploads never run") == ("met", "Sam, confirmed by Sue: Minutes of 12 November.")
    assert "Sam, confirmed by Sue" in read("dev", f"{PAGE}/uploads-never-run")
    number = RequirementStatement.objects.get().pk
    post(who("dev"), f"/requirement-statements/{number}/end")
    assert find_state("uploads never run")[0] == "unknown"


def test_people_without_the_role_attest_nothing(shop: Product) -> None:
    assert "Somebody with the role" in attest("dev", "uploads-never-run")
    assert "Somebody with the role" in attest("sam", "data-is-classified")
    assert not Request.objects.exists()
    attest("dora", "data-is-classified")
    approve("sam")
    assert find_state("data is classified")[0] == "met"


def test_nobody_attests_what_rules_verify(shop: Product) -> None:
    assert "Rules verify this requirement" in attest("sam", "pages-escape")
    assert "Rules verify this requirement" in state("sam", "pages-escape", "name-requirement-test", test="unit")


@pytest.mark.parametrize("days", [-1, 366])
def test_a_statement_counts_for_a_year_at_most(shop: Product, days: int) -> None:
    assert "A statement counts for a year at most." in attest("sam", "uploads-never-run", days=days)


def test_a_statement_ends_by_itself(shop: Product) -> None:
    attest("sam", "uploads-never-run")
    approve("sue")
    RequirementStatement.objects.update(until=timezone.localdate() - timedelta(days=1))
    assert find_state("uploads never run")[0] == "unknown"


def test_a_newer_statement_replaces_the_former_one(shop: Product) -> None:
    for act, values in (
        ("attest-requirement", {"reason": "Looked at it.", "until": day(10)}),
        ("exclude-requirement", {"reason": "No uploads.", "until": day(20)}),
    ):
        state("sam", "uploads-never-run", act, **values)
        approve("sue")
    assert find_state("uploads never run")[0] == "not_applicable"
    assert RequirementStatement.objects.filter(ended_at=None).get().kind == StatementKind.EXCLUDED


def test_a_row_that_no_act_wrote_makes_the_fact_unknown(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    record_rows()
    compare_rows(monkeypatch)
    attest("sam", "uploads-never-run")
    approve("sue")
    supplied = RequirementSupplier().supply_facts("shop", ["product_requirements"], NOW)
    assert isinstance(supplied["product_requirements"].value, Known)
    with as_role("owner"):
        RequirementStatement.objects.update(until=timezone.localdate() + timedelta(days=400))
    with pytest.raises(RowsDifferError):
        RequirementSupplier().supply_facts("shop", ["product_requirements"], NOW)


def name_test(requirement: str) -> None:
    state("dev", requirement, "name-requirement-test", test="unit")
    approve("sam")


def make_run(passed: bool, *, counts: RunCounts | None = None, time: str = NOW) -> PipelineRun:
    found = RunCounts(3, 0, 0) if counts is None else counts
    return PipelineRun(
        "unit", "c" * 40, "app:ci", SignatureResult.RECORDED, Known(passed), Known(found), time, "https://ci.example"
    )


def test_a_named_test_verifies_by_its_newest_result(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    name_test("second-factor")
    assert find_state("second factor")[1] == "the result of the test unit is not known: it was not read yet"
    moment = timezone.now().isoformat().replace("+00:00", "Z")
    for passed, status in ((True, "met"), (False, "violated")):
        runs = [make_run(passed, time=moment)]
        monkeypatch.setattr(named_tests, "_read_trusted_runs", lambda _repository, runs=runs: runs)
        with as_role("worker"):
            tasks.read_named_tests(shop.pk)
        assert find_state("second factor") == (status, f"the test unit {'passes' if passed else 'fails'}")
    with as_role("worker"):
        NamedTestResult.objects.update(ran_at=timezone.now() - timedelta(days=8))
    assert find_state("second factor")[0] == "unknown"


def test_a_repository_without_runs_leaves_the_test_unknown(shop: Product) -> None:
    name_test("second-factor")
    with as_role("worker"):
        assert named_tests.list_products_with_tests() == [shop.pk]
        tasks.read_named_tests(shop.pk)
    status, because = find_state("second factor")
    assert (status, NamedTestResult.objects.get().passed) == ("unknown", None)
    assert because.startswith("the result of the test unit is not known")


def test_of_two_runs_at_one_moment_the_failed_one_counts() -> None:
    failed = make_run(passed=True, counts=RunCounts(3, 1, 0))
    assert find_newest_run([make_run(passed=True), failed]) is failed
    assert find_newest_run([]) is None
    assert find_trusted_runners(()) == frozenset()


def test_checks_of_the_design_count_by_the_state_of_their_clause(shop: Product) -> None:
    for result, status in ((ClauseResult.UNKNOWN, "unknown"), (ClauseResult.MET, "met"), (4, "violated")):
        with as_role("worker"):
            ProductClauseState.objects.update_or_create(
                product=shop,
                clause="design.least-privilege",
                defaults={"state": result, "changed_at": timezone.now()},
            )
        assert find_state("few rights")[0] == status


LIST = {
    "Name": "Standard",
    "ShortName": "S",
    "Version": "5.0",
    "Requirements": [
        {
            "Shortcode": "V1",
            "Name": "Chapter",
            "Items": [
                {
                    "Shortcode": "V1.1",
                    "Name": "Section",
                    "Items": [{"Shortcode": "V1.1.1", "Ordinal": 1, "Description": "Verify something.", "L": "1"}],
                }
            ],
        }
    ],
}


def test_an_official_list_is_imported_by_two_officers(shop: Product) -> None:
    assert post(who("dev"), "/requirement-lists/import", content=json.dumps(LIST)) != ""
    assert not Request.objects.exists()
    assert "cannot be read" in post(who("sam"), "/requirement-lists/import", content="{}")
    post(who("sam"), "/requirement-lists/import", content=json.dumps(LIST))
    approve("sue")
    assert "Standard 5.0" in read("dev", "/requirement-lists")
    assert read_product_requirements("shop").lists == ("Standard 5.0",)
    assert "Verify something." not in read("dev", PAGE)
    assert "Verify something." in read("dev", f"{PAGE}?listing=Standard+5.0")
    key = "Standard 5.0: 1.1.1"
    state("sam", key, "attest-requirement", reason="Looked at it.", until=day(10))
    approve("sue")
    assert find_state("1.1.1")[0] == "met"
    post(who("sue"), f"/requirement-lists/{OfficialRequirementList.objects.get().pk}/end")
    assert read_product_requirements("shop").lists == ()


def test_strangers_see_no_requirement(shop: Product) -> None:
    assert who("eve").get(PAGE).status_code == 404
    assert who("dev").get(f"{PAGE}/nothing-such").status_code == 404


def test_filters_choose_rows(shop: Product) -> None:
    page = read("dev", f"{PAGE}?text=escaped&level=1&state=unknown&verifier=none")
    assert "Text becomes part of a page only escaped for its place." in page
    assert "Programs are started" not in page
    assert "No requirement matches" in read("dev", f"{PAGE}?state=ends-soon")


def test_the_api_lists_and_states(shop: Product) -> None:
    token = token_of(Person.objects.get(slug="sam"))
    answer = who("sam").get(f"/api{PAGE}", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["requirements"]) == 59
    body = {"requirement": "uploads-never-run", "until": day(10), "reason": "Looked at it."}
    answer = who("sam").post(
        f"/api{PAGE}/attest",
        json.dumps(body),
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code in (200, 202), answer.content
    assert Request.objects.count() == 1

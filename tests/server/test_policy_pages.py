"""Pages of the policy and its exceptions: statuses, changes clause by clause, versions, freezes."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from msgspec import structs

from muniment.access.roles import Role
from muniment.policy.document import parse_policy
from muniment.policy.model import Clause
from muniment.server.people.models import Person
from muniment.server.policies.models import Freeze, PolicyException, PolicyVersion
from muniment.server.policies.policy_sections import list_missing_phases
from muniment.server.products.models import ClauseResult, ProductClauseState, Repository
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

CLAUSE = "review.two-reviewers"
FORM = f"/policy/clauses/{CLAUSE}/change"


@pytest.fixture(autouse=True)
def crew(service: None) -> None:
    enough()
    product("shop", "/nowhere/shop")


def someone(handle: str) -> Any:
    return browser(Person.objects.get(slug=handle))


def read(handle: str, path: str) -> str:
    text: str = someone(handle).get(path).content.decode()
    return text


def find_clause(version: PolicyVersion, name: str) -> Clause:
    return next(one for one in parse_policy(version.text, "p").clauses if one.id == name)


def fields(changed: dict[str, Any], name: str = CLAUSE) -> dict[str, Any]:
    clause = find_clause(PolicyVersion.objects.get(in_force=True), name)
    typed = {
        "name": clause.name,
        "section": clause.section,
        "text": clause.text,
        "control": clause.control,
        "parameters_of": clause.control,
        "enforce": ["merge"],
        "note": "Two teams merge.",
    }
    parameters = {"with-reviewers": "2"} if name == CLAUSE else {}
    return typed | parameters | changed


def drafted_clause(name: str = CLAUSE) -> Clause:
    draft = PolicyVersion.objects.latest("pk")
    assert draft.applied_at is None
    return find_clause(draft, name)


def exception(slug: str, days: int, **more: Any) -> None:
    dev = person("dev", Role.DEVELOPER)
    now = timezone.now()
    with as_role("owner"):
        PolicyException.objects.create(
            slug=slug,
            repository=Repository.objects.get(),
            clause=CLAUSE,
            branch="refs/heads/main",
            reason=f"Reason of {slug}.",
            requester=dev,
            approver=Person.objects.get(slug="sam"),
            approved_at=now,
            expires_at=now + timedelta(days=days),
            **more,
        )


def test_policy_shows_sections_with_status_over_products() -> None:
    for name in ("a", "b"):
        made = product(name)
        with as_role("owner"):
            state = ClauseResult.MET if name == "a" else ClauseResult.VIOLATED
            ProductClauseState.objects.create(product=made, clause=CLAUSE, state=state, changed_at=timezone.now())
    page = read("sam", "/policy")
    visible = ("Code review", "At least two people", "1 of 3", "1 failing", "1 unknown", "Blocks merging", "reviewers")
    for text in visible:  # every clause of the built-in policy is evaluated
        assert text in page
    assert "Phase: Code" in page


def test_a_phase_without_an_evaluated_clause_is_shown() -> None:
    version = PolicyVersion.objects.get(in_force=True)
    policy = parse_policy(version.text, "p")
    kept = tuple(one for one in policy.clauses if one.control == "independent-review")
    missing = list_missing_phases(structs.replace(policy, clauses=kept))
    assert [str(name) for name in missing] == ["Design", "Build", "Deploy", "Run", "Improve"]
    assert "No clause is evaluated in these phases:" not in read("sam", "/policy")


def test_person_who_may_not_change_the_policy_is_offered_nothing() -> None:
    person("eve", Role.DEVELOPER)
    page = read("eve", "/policy")
    for text in ("Request a change", "Freeze", "/policy/clauses/"):
        assert text not in page
    assert someone("eve").get(FORM).status_code == 403


def test_clause_is_changed_in_a_form_and_becomes_a_draft() -> None:
    assert 'name="with-reviewers"' in read("sam", FORM)
    sent = fields({"with-reviewers": "3", "text": "Three people approve.", "enforce": ["merge", "deploy"]})
    page = someone("sam").post(FORM, sent, follow=True).content.decode()
    changed = drafted_clause()
    assert (changed.parameters, changed.text) == ({"reviewers": 3}, "Three people approve.")
    assert len(changed.enforce) == 2
    assert "stricter" in page
    assert PolicyVersion.objects.latest("pk").note == "Two teams merge."


def test_second_clause_is_changed_on_top_of_the_draft() -> None:
    someone("sam").post(FORM, fields({"with-reviewers": "3"}))
    draft = PolicyVersion.objects.latest("pk").pk
    sent = fields({}, "history.protected")
    someone("sam").post(f"/policy/clauses/history.protected/change?from={draft}", {**sent, "name": "History"})
    assert drafted_clause().parameters == {"reviewers": 3}
    assert drafted_clause("history.protected").name == "History"


def test_other_control_shows_its_parameters_first() -> None:
    answer = someone("sam").post(FORM, fields({"control": "small-changes"}))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'name="with-lines"' in page
    assert PolicyVersion.objects.count() == 1
    sent = {"with-lines": "300", "with-files": "40", "with-generated": "*.lock", "parameters_of": "small-changes"}
    someone("sam").post(FORM, fields({"control": "small-changes", **sent}))
    assert drafted_clause().parameters == {"lines": 300, "generated": ["*.lock"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"with-reviewers": "0"},
        {"with-reviewers": "many"},
        {"text": " "},
        {"section": "none"},
        {"enforce": ["nowhere"]},
        {"monitoring_until": "soon"},
        {"branches": "refs/heads/main"},
        {"control": "none", "parameters_of": "none"},
    ],
)
def test_invalid_clause_is_shown_again_with_the_problem(wrong: dict[str, Any]) -> None:
    answer = someone("sam").post(FORM, fields(wrong))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert PolicyVersion.objects.count() == 1


def test_sentence_that_contradicts_its_parameter_is_pointed_out() -> None:
    page = someone("sam").post(FORM, fields({"with-reviewers": "1"}), follow=True).content.decode()
    assert "reviewers = 1" in page
    assert "“two people”" in page


def test_clause_that_the_policy_lacks_is_not_found() -> None:
    assert someone("sam").get("/policy/clauses/none/change").status_code == 404


def test_clauses_and_text_are_two_tabs() -> None:
    assert "Text (TOML)" in read("sam", "/policy/change")
    assert "schema = 1" in read("sam", "/policy/propose")
    assert "In force" in read("sam", "/policy/versions")


def test_freeze_is_confirmed_and_shown_with_its_reason() -> None:
    assert "until two security officers lift it" in read("sam", "/policy?confirm=freeze")
    post(someone("sam"), "/policy/freeze", reason="A key leaked.", product="shop")
    page = read("sam", "/policy").casefold()
    for text in ("merges and deployments of shop are stopped", "a key leaked.", "resume"):
        assert text in page
    assert "A key leaked." in read("sam", "/products/shop")
    assert "A key leaked." in read("sam", "/")
    post(someone("sam"), "/policy/freeze", reason="We practise.", drill="yes")
    assert Freeze.objects.filter(drill=True).count() == 1


def test_exceptions_in_force_are_listed_by_their_end() -> None:
    exception("late", 20)
    exception("soon", 2)
    exception("over", 5, ended_at=timezone.now())
    page = read("sam", "/exceptions")
    assert page.index("Reason of soon.") < page.index("Reason of late.") < page.index("Reason of over.")
    for text in ("Two reviewers", "Dev, approved by Sam", "in 2 days", "Ended early", "End this exception now?"):
        assert text in page
    person("eve", Role.AUDITOR)
    assert "End this exception now?" not in read("eve", "/exceptions")


def test_exception_is_requested_by_the_short_name_of_a_branch() -> None:
    dev = browser(person("dev", Role.DEVELOPER))
    sent = {"repository": "shop", "clause": CLAUSE, "branch": "main", "days": "3", "reason": "Down."}
    assert "waits for a second person" in post(dev, "/exceptions/request", **sent)
    assert '"refs/heads/main"' in Request.objects.get().act
    assert "refs/heads/main" not in read("sam", "/exceptions")
    assert dev.post("/exceptions/request", {**sent, "branch": "refs/tags/v1"}).status_code == 422

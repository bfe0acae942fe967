"""Pages of requests: what each shows, to whom, and which decisions they take."""

from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.decision.decision import Outcome
from muniment.decision.report import DecisionReport, PolicyReference, ReasonReport, ResultReport, RevisionReport
from muniment.facts import canonical
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from muniment.server.changes.models import Change, Decision
from muniment.server.connections.models import SecurityAttention
from muniment.server.people.models import Message, Person
from muniment.server.policies.models import PolicyVersion
from muniment.server.products.models import Repository
from muniment.server.records.installation import open_store
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")
POLICY = format_built_in_policy("security@example.test", "organisation")


@pytest.fixture(autouse=True)
def crew(service: None) -> None:
    enough()
    product("shop", "/nowhere/shop")


def someone(handle: str) -> Any:
    return browser(Person.objects.get(slug=handle))


def waiting() -> Request:
    return Request.objects.get(state=Request.State.WAITING)


def read(client: Any, row: Request) -> str:
    text: str = client.get(f"/requests/{row.pk}").content.decode()
    return text


def request_exception() -> Request:
    dev = browser(person("dev", Role.DEVELOPER))
    post(
        dev,
        "/exceptions/request",
        repository="shop",
        clause="review.two-reviewers",
        branch="refs/heads/main",
        head="ab" * 20,
        days="3",
        reason="The release is tonight.",
    )
    return waiting()


def request_weaker_policy() -> Request:
    text = POLICY.replace("reviewers = 2", "reviewers = 1")
    sam = someone("sam")
    post(sam, "/policy/propose", text=text, note="Too few people.")
    number = PolicyVersion.objects.latest("pk").pk
    post(sam, f"/policy/versions/{number}/apply")
    return waiting()


def test_exception_is_shown_with_its_terms() -> None:
    row = request_exception()
    page = read(someone("sam"), row)
    for text in ("Two reviewers", "At least two people", "abababa", "The release is tonight.", "after 3 days"):
        assert text in page
    assert "ab" * 10 not in page
    assert "Do you approve this?" in page
    assert "checked" not in page.partition("<fieldset")[2].partition("</fieldset>")[0]


def test_summary_of_an_exception_names_no_ref_and_no_id() -> None:
    row = request_exception()
    assert row.summary == (
        "permit commit abababa on branch main of shop to proceed for 3 days, although the clause “Two reviewers” fails"
    )
    assert "ab" * 20 in row.shown, "who signs reads the whole commit"


def store_change(repository: Repository, head: str, state: Change.State, status: str) -> None:
    """Change with a decision in which the clause of two reviewers has a status; "" for a decision without text."""
    change = Change.objects.create(
        repository=repository,
        name=head[:4],
        target="refs/heads/main",
        state=state,
        title=f"Change {head[:4]}",
        head=head,
        updated_at=timezone.now(),
    )
    digest = store_report(head, status) if status else ""
    change.decision = Decision.objects.create(
        change=change,
        head=head,
        allowed=status == "met",
        decided_at=timezone.now(),
        policy_digest="sha256:00",
        inputs_digest=f"sha256:{head}",
        explanation_digest=digest,
    )
    change.save()


def store_report(head: str, status: str) -> str:
    reason = ReasonReport("too-few-approvals", "1 of 2 approvals.", "Ask Hana Kim.", "commit:x", {}, "approve")
    text = "At least two people review each change."
    result = ResultReport("review.two-reviewers", text, "independent-review", 1, status, True, "", (reason,))
    report = DecisionReport(
        decision=Outcome.DENY,
        point=EnforcementPoint.MERGE,
        preview=False,
        time="2026-11-24T09:12:00Z",
        policy=PolicyReference("sha256:00"),
        facts="sha256:01",
        revision=RevisionReport("shop", "refs/heads/main", "", head, "forward"),
        results=(result,),
        reasons=(),
        contributors=(),
        merger="",
        approvals=(),
        eligible_reviewers=(),
        missing_facts=(),
    )
    return open_store().put_object(canonical.encode(report))


def test_exception_shows_its_commit_with_reasons_and_the_last_90_days() -> None:
    with as_role("owner"):
        repository = Repository.objects.get(name="shop")
        store_change(repository, "ab" * 20, Change.State.OPEN, "violated")
        for head, status in (("1" * 40, "violated"), ("2" * 40, "met"), ("3" * 40, "")):
            store_change(repository, head, Change.State.MERGED, status)
    page = " ".join(read(someone("sam"), request_exception()).split())
    assert "Change abab" in page
    assert "1 of 2 approvals." in page
    assert "The clause failed for 1 of 2 changes that the branch took." in page
    assert "For 1 more change its result is unknown." in page


def test_exception_shows_the_diff_of_its_commit_or_how_to_read_it() -> None:
    with as_role("owner"):
        repository = Repository.objects.get(name="shop")
        store_change(repository, "ab" * 20, Change.State.OPEN, "violated")
        change = Change.objects.get(head="ab" * 20)
        SecurityAttention.objects.create(change=change, head="ab" * 20, topics=["sign-in"], lines="+ check(token)\n")
    row = request_exception()
    page = read(someone("sam"), row)
    assert '<div class="added">+ check(token)</div>' in page
    assert f"git show {'ab' * 20}" in page
    with as_role("owner"):
        SecurityAttention.objects.update(head="cd" * 20)
    assert "check(token)" not in read(someone("sam"), row), "these are lines of another commit"


def test_policy_is_shown_clause_by_clause_with_its_contradiction() -> None:
    page = read(someone("sid"), request_weaker_policy())
    for text in ("Two reviewers", "<del", "reviewers = 1", "“two people”", "Weaker", "Too few people."):
        assert text in page


def test_role_is_shown_with_the_permissions_that_it_adds() -> None:
    person("eve")
    post(someone("amy"), "/people/eve/role", act="grant-role", role="security", product="")
    page = read(someone("abe"), waiting())
    for text in ("Role for Eve", "Freeze merges and deployments", "Approve requests of others:", "security officer"):
        assert text in page


def test_recovery_is_shown_with_its_consequences() -> None:
    post(someone("amy"), "/people/sam/invite")
    page = read(someone("abe"), waiting())
    for text in ("Account recovery for Sam", "do not count for 24 hours", "security officer"):
        assert text in page


def test_requester_may_withdraw_and_not_decide() -> None:
    row = request_exception()
    page = read(someone("dev"), row)
    assert "Withdraw request" in page
    assert "Do you approve this?" not in page
    assert "is withdrawn" in post(someone("dev"), f"/requests/{row.pk}", answer="refuse")
    assert "Withdrawn" in read(someone("dev"), row)


def test_uninvolved_person_is_not_notified_of_a_request() -> None:
    row = request_exception()
    other = browser(person("eve", Role.DEVELOPER))
    assert other.get(f"/requests/{row.pk}").status_code == 404
    assert other.post(f"/requests/{row.pk}", {"answer": "agree"}).status_code == 403
    assert waiting() == row


@pytest.mark.parametrize(
    "sent", [{}, {"answer": ""}, {"answer": "yes"}, {"answer": "refuse"}, {"answer": "refuse", "reason": " "}]
)
def test_decision_without_a_choice_or_a_reason_is_refused(sent: dict[str, str]) -> None:
    row = request_exception()
    answer = someone("sam").post(f"/requests/{row.pk}", sent)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert waiting() == row


def test_reason_that_is_too_long_is_refused() -> None:
    row = request_exception()
    sent = {"answer": "agree", "reason": "x" * 2001}
    assert someone("sam").post(f"/requests/{row.pk}", sent).status_code == 422
    assert waiting() == row


def test_reason_of_the_decision_is_shown_and_sent() -> None:
    row = request_exception()
    post(someone("sam"), f"/requests/{row.pk}", answer="refuse", reason="Merge tomorrow.")
    assert "Merge tomorrow." in read(someone("dev"), row)
    answer = Message.objects.get(person__slug="dev")
    assert (answer.link, "Merge tomorrow." in answer.text) == (f"/requests/{row.pk}", True)


def test_messages_lead_to_the_page_of_the_request() -> None:
    row = request_exception()
    assert set(Message.objects.values_list("link", flat=True)) == {f"/requests/{row.pk}"}


def test_altered_act_is_shown_as_such() -> None:
    row = request_exception()
    with as_role("owner"):
        Request.objects.update(act=row.act.replace("shop", "shap").replace('"days":3', '"days":4'))
    page = read(someone("sam"), row)
    assert "is not the one that was requested" in page

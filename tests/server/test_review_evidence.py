"""Evidence of a review: a sample that nobody could choose, security questions of deployed commits, and access."""
# ruff: noqa: F811 (a fixture of another file)

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.decision.report import ResultReport
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.models import Change, Decision, SecurityQuestions
from muniment.server.changes.security_questions import find_security_questions
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.meetings.models import MeetingCalendar, ProductMeeting
from muniment.server.minutes.agendas import read_agenda
from muniment.server.people.models import Message, Person
from muniment.server.products.models import Environment, Repository
from muniment.server.records.models import Record
from muniment.server.reviews import sampling
from muniment.server.reviews.access_collection import collect_due_access, finish_held_access
from muniment.server.reviews.deployed_changes import DeployedAnswers, count_deployed_answers
from muniment.server.reviews.models import (
    AccessEntry,
    AccessReviewResult,
    ChangeSample,
    MarketRequirement,
    SampleLook,
)
from muniment.server.reviews.sampling import DrawSample, digest_population, draw_sample, make_seed
from tests.server.test_minutes import hold, review, seat_of, who  # noqa: F401
from tests.support.service import as_role, person, post

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def planned(review: ProductMeeting) -> ProductMeeting:
    """Review of an organisation with a calendar."""
    with as_role("owner"):
        MeetingCalendar.objects.create(zone="Europe/Amsterdam", region="NL")
    return review


def add_updates(count: int, contributors: tuple[str, ...] = ()) -> list[int]:
    with as_role("owner"):
        repository, _made = Repository.objects.get_or_create(
            name="shop", defaults={"product_id": ProductMeeting.objects.get().product_id, "path": "/nowhere"}
        )
        found = []
        for each in range(count):
            record = Record.objects.create(kind="branch-updated", recorded_at=timezone.now(), data=b"{}")
            row = BranchUpdate.objects.create(
                repository=repository,
                ref="refs/heads/main",
                commit=f"{each:040x}",
                outcome="bypass",
                bypass_reason="unknown",
                contributors=list(contributors),
                title=f"Change {each}",
                record=record,
            )
            found.append(row.pk)
    return found


class GrownLedger:
    """Ledger of some size, whose root nobody knew before."""

    def __init__(self, size: int) -> None:
        self.size, self.root = size, b"r" * 32

    def open_log(self) -> "GrownLedger":
        return self

    def read_head(self) -> "GrownLedger":
        return self


def draw(monkeypatch: pytest.MonkeyPatch, size: int, position: int | None) -> None:
    monkeypatch.setattr(sampling, "open_store", lambda: GrownLedger(size))
    monkeypatch.setattr(sampling, "find_population_position", lambda row: position)
    with as_role("worker"):
        sampling.draw_due_samples()


def test_population_is_recorded_before_a_later_tree_of_the_ledger_draws(
    planned: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = add_updates(12)
    draw(monkeypatch, 5, None)
    row = ChangeSample.objects.get()
    assert (row.population, row.seed, row.drawn) == (population, "", [])
    assert row.population_digest == digest_population(population, row.salt)
    add_updates(3)  # merged later: they are not in the sample
    draw(monkeypatch, 6, 5)  # the tree ends with the record of the population itself
    assert ChangeSample.objects.get().seed == ""
    draw(monkeypatch, 9, 5)
    row = ChangeSample.objects.get()
    assert (row.ledger_size, row.seed) == (9, make_seed(row.population_digest, b"r" * 32))
    assert row.drawn == draw_sample(list(reversed(population)), row.seed)
    assert len(row.drawn) == 5
    draw(monkeypatch, 30, 5)
    assert ChangeSample.objects.get().ledger_size == 9


def test_seed_for_a_tree_without_the_population_is_refused(
    planned: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_updates(2)
    draw(monkeypatch, 5, None)
    monkeypatch.setattr(sampling, "find_population_position", lambda row: 7)
    with as_role("worker"), pytest.raises(Exception, match="No recorded population waits"):
        execute_system_act(SystemActor.PLANNING, DrawSample, {"meeting": planned.pk, "size": 8, "seed": "a" * 64})


def test_each_change_of_the_sample_is_looked_at_by_somebody_else(
    planned: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    (update,) = add_updates(1, ("sam",))
    draw(monkeypatch, 5, None)
    draw(monkeypatch, 9, 5)
    look = f"/reviews/seats/{seat_of(planned, 'sam')}/look"
    assert "You contributed" in post(who("sam"), look, update=str(update), sound="yes")
    other = f"/reviews/seats/{seat_of(planned, 'ann')}/look"
    assert "needs a sentence" in post(who("ann"), other, update=str(update), sound="no")
    assert "has no such change" in post(who("ann"), other, update=str(add_updates(1)[0]), sound="yes")
    assert "Saved" in post(who("ann"), other, update=str(update), sound="no", note="No test.")
    assert SampleLook.objects.get().is_sound is False
    agenda = who("dora").get(f"/meetings/{planned.pk}/hold").content.decode()
    assert "1 of 1 merged changes are in the sample" in agenda
    assert "No test." in agenda
    assert "Change 0" not in agenda


def list_shown_people(client: Any, review: ProductMeeting) -> str:
    return str(client.get(f"/reviews/{review.pk}/access").content.decode())


def test_access_is_decided_by_the_owner_and_nobody_decides_on_their_own(planned: ProductMeeting) -> None:
    with as_role("worker"):
        assert collect_due_access() == 1
        assert collect_due_access() == 0
    own = AccessEntry.objects.get(person="olga", place="here", role="owner")
    dev = AccessEntry.objects.get(person="dev", place="here", role="developer")
    assert dev.is_used is False
    assert AccessEntry.objects.get(person="ann", place="here").is_used is None
    assert "Dev" in list_shown_people(who("olga"), planned)
    assert "Dev" not in list_shown_people(who("sam"), planned)
    assert who("dora").get(f"/reviews/{planned.pk}/access").status_code == 403
    assert who("olga").post(f"/reviews/access/{own.pk}", {"decision": "keep"}).status_code == 404
    assert "Saved" in post(who("sam"), f"/reviews/access/{own.pk}", decision="keep")
    assert "product owner decides" in post(who("sam"), f"/reviews/access/{dev.pk}", decision="remove")
    assert "Saved" in post(who("olga"), f"/reviews/access/{dev.pk}", decision="remove")
    assert "Saved" in post(who("olga"), f"/reviews/access/{dev.pk}", decision="open")
    assert AccessEntry.objects.get(pk=dev.pk).decided_by is None
    assert "Saved" in post(who("olga"), f"/reviews/access/{dev.pk}", decision="remove")


def test_rows_of_access_are_erased_with_the_decision(planned: ProductMeeting) -> None:
    person("adam", Role.ADMIN)
    with as_role("worker"):
        collect_due_access()
        assert finish_held_access() == 0
    dev = AccessEntry.objects.get(person="dev", place="here", role="developer")
    post(who("olga"), f"/reviews/access/{dev.pk}", decision="remove")
    total = AccessEntry.objects.count()
    hold(planned)
    with as_role("worker"):
        assert finish_held_access() == 1
    assert not AccessEntry.objects.exists()
    result = AccessReviewResult.objects.get()
    assert (result.kept_count, result.removed_count, result.undecided_count) == (0, 1, total - 1)
    assert Message.objects.get(text__contains="remove the access").person == Person.objects.get(slug="adam")


def test_agenda_says_that_nothing_is_known_to_be_deployed(planned: ProductMeeting) -> None:
    add_updates(1)
    agenda = who("ann").get(f"/meetings/{planned.pk}/hold").content.decode()
    assert "No commit since the last review is known to be in production" in agenda


def deploy(commit: str) -> None:
    with as_role("owner"):
        product = ProductMeeting.objects.get().product
        environment, _made = Environment.objects.get_or_create(product=product, name="production")
        values = {"kind": "runner", "public_key": "key"}
        pipeline, _made = PipelineIdentity.objects.get_or_create(environment=environment, name="ci", defaults=values)
        Deployment.objects.create(
            environment=environment,
            pipeline=pipeline,
            artifact="sha256:0",
            commit=commit,
            identity={},
            idempotency_key=commit,
            request_digest="",
        )


def decide(update: int, questions: str) -> None:
    with as_role("owner"):
        row = BranchUpdate.objects.get(pk=update)
        change = Change.objects.create(
            repository=row.repository, name=row.commit, target="main", state="merged", updated_at=timezone.now()
        )
        row.decision = Decision.objects.create(
            change=change,
            head=row.commit,
            allowed=True,
            decided_at=timezone.now(),
            policy_digest="",
            inputs_digest=row.commit,
            security_questions=questions,
        )
        row.save()


def test_answers_are_counted_over_all_commits_up_to_the_last_deployed_one(planned: ProductMeeting) -> None:
    updates = add_updates(6)
    for update, questions in zip(updates, ("answered", "open", "none", "", "answered", "answered"), strict=True):
        decide(update, questions)
    since = timezone.localdate()
    assert count_deployed_answers(planned.product, since) == DeployedAnswers(0, 0, 0, 0)
    deploy(f"{4:040x}")  # the last one is merged, and not deployed
    with CaptureQueriesContext(connection) as queries:
        assert count_deployed_answers(planned.product, since) == DeployedAnswers(5, 3, 2, 1)
    assert len(queries) == 2, "no report is read"


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ((), SecurityQuestions.NONE),
        (("not_applicable",), SecurityQuestions.NONE),
        (("met", "not_applicable"), SecurityQuestions.ANSWERED),
        (("met", "unknown"), SecurityQuestions.OPEN),
        (("violated",), SecurityQuestions.OPEN),
    ],
)
def test_unknown_or_violated_question_is_open(statuses: tuple[str, ...], state: SecurityQuestions) -> None:
    results = [ResultReport("a", "", "security-attention", 1, status, True, "", ()) for status in statuses]
    others = [ResultReport("b", "", "independent-review", 1, "violated", True, "", ())]
    assert find_security_questions([*results, *others]) == state


def test_rows_that_an_agenda_does_not_list_are_counted(planned: ProductMeeting) -> None:
    with as_role("owner"):
        MarketRequirement.objects.bulk_create(
            MarketRequirement(product=planned.product, text=f"Wish {at}", source="law", added_by_id="ann")
            for at in range(43)
        )
    section = next(each for each in read_agenda(planned) if each.code == "market")
    assert len(section.lines) == 41
    assert section.lines[-1].text == "3 more are not listed here"

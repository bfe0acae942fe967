"""Clauses about a product, such as those of its secrets, where its repository is at a forge."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known
from muniment.facts.vault_facts import SecretAge
from muniment.forges.forge import Forge
from muniment.server.changes import product_standing
from muniment.server.changes import tasks as change_tasks
from muniment.server.connections import product_clauses, tasks
from muniment.server.products.models import ClauseResult, ClauseState, Environment, RepositoryScan
from tests.server.test_change_evaluation import FakeSupplier
from tests.support.forge_setup import ForgeSetup
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

OLD = SecretAge("production", "KEY", Known("2020-01-01T00:00:00.000000Z"), public=False)


@pytest.fixture
def supplier(monkeypatch: pytest.MonkeyPatch) -> FakeSupplier:
    """Vault of the product, without a secret."""
    found = FakeSupplier()
    monkeypatch.setattr(product_standing, "fact_suppliers", lambda: (found,))
    return found


def run_round(setup: ForgeSetup) -> list[str]:
    """Run the periodic task and what it enqueues; give the names of the tasks."""
    with as_role("worker"):
        tasks.evaluate_due_product_clauses()
    return setup.run_queue()


def mark_complete() -> None:
    """Have the newest evaluation count as one that every supplier answered."""
    with as_role("owner"):
        RepositoryScan.objects.update(facts_digest=product_standing.digest_fact_states())


def make_older(age: timedelta) -> None:
    """Have the newest evaluation be that much older."""
    with as_role("owner"):
        RepositoryScan.objects.update(finished_at=F("finished_at") - age)


def state(clause: str) -> ClauseResult:
    return ClauseResult(ClauseState.objects.get(clause=clause).state)


def test_states_of_secrets_are_known_before_any_change_is_merged(setup: ForgeSetup, supplier: FakeSupplier) -> None:
    assert run_round(setup) == ["evaluate-product-clauses"]
    assert state("secrets.rotated") is ClauseResult.MET
    assert state("secrets.fetched-by-pipeline") is ClauseResult.UNKNOWN  # the vault says nothing about readers
    assert not ClauseState.objects.filter(clause__in=["review.two-reviewers", "pipeline.tests"]).exists()


def test_new_environment_has_the_states_evaluated_again(setup: ForgeSetup, supplier: FakeSupplier) -> None:
    run_round(setup)
    mark_complete()
    assert run_round(setup) == []
    supplier.ages = (OLD,)
    with as_role("owner"):
        Environment.objects.create(product=setup.product, name="production")
    assert run_round(setup) == ["evaluate-product-clauses"]
    assert state("secrets.rotated") is ClauseResult.VIOLATED


@pytest.mark.parametrize("event", ["moved branch", "policy", "an hour later"])
def test_states_are_evaluated_again_after(setup: ForgeSetup, supplier: FakeSupplier, event: str) -> None:
    run_round(setup)
    setup.read_updates()
    mark_complete()
    assert run_round(setup) == []
    if event == "moved branch":
        setup.work.push("ada", setup.work.commit("ada", {"app.py": "x = 2\n"}, setup.work.tip("main")), "main")
        setup.read_updates()
    elif event == "policy":
        with as_role("worker"):
            change_tasks.reevaluate_all()
    else:
        make_older(timedelta(hours=2))
    assert "evaluate-product-clauses" in run_round(setup)
    assert RepositoryScan.objects.get().tip == setup.work.tip("main")


def test_unreadable_forge_makes_only_clauses_about_the_product_unknown(
    setup: ForgeSetup, supplier: FakeSupplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_round(setup)
    with as_role("owner"):
        ClauseState.objects.create(
            repository=setup.repository,
            clause="review.two-reviewers",
            state=ClauseResult.MET,
            changed_at=timezone.now(),
        )
    make_older(timedelta(hours=2))

    def fail(connected: object, forge: Forge) -> None:
        raise ForgeError(ForgeCode.UNREACHABLE, "the forge cannot be reached", "Try again.")

    monkeypatch.setattr(product_clauses, "_evaluate_newest_commit", fail)
    run_round(setup)
    row = ClauseState.objects.get(clause="secrets.rotated")
    assert (ClauseResult(row.state), row.reason) == (ClauseResult.UNKNOWN, "The forge cannot be reached. Try again.")
    assert state("review.two-reviewers") is ClauseResult.MET
    assert run_round(setup) == []
    make_older(timedelta(minutes=3))
    assert run_round(setup) == ["evaluate-product-clauses"]


def test_ended_connection_and_retired_product_are_not_read(setup: ForgeSetup, supplier: FakeSupplier) -> None:
    with as_role("owner"):
        setup.product.retired_at = timezone.now()
        setup.product.save()
    assert run_round(setup) == []

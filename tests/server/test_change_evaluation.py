"""Evaluation of changes of plain git repositories by the worker: once for each state, with no outdated decision."""

import tomllib
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.vault_facts import SecretAge
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.changes import product_standing, tasks
from muniment.server.changes.branch_evaluation import evaluate_open_branch
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.product_standing import digest_fact_states
from muniment.server.people.models import Account, Person
from muniment.server.policies.models import MonitoringPeriod, PolicyException, PolicyTrial, PolicyVersion
from muniment.server.products.models import ClauseResult, ClauseState, Product, Repository, RepositoryScan
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.postgres_store import POLICY
from muniment.server.requests.models import Request
from muniment.server.secrets.models import VaultWatch
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.reevaluation import Agreement, reevaluate_record
from tests.support.repos import Repo
from tests.support.service import as_role, browser, person, place_records, post, product

pytestmark = pytest.mark.usefixtures("service")

BOB = "Bob <bob@example.test>"
CLAUSE = "review.two-reviewers"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """main by ada, topic by bob."""
    found = Repo(tmp_path / "shop")
    base = found.commit({"app.py": "x = 1\n"})
    found.commit({"app.py": "x = 2\n"}, on="topic", parents=[base], author=BOB)
    return found


@pytest.fixture
def shop(repo: Repo) -> Repository:
    product("shop", str(repo.path / ".git"))
    for name in ("ada", "bob"):
        with as_role("owner"):
            found = person(name, Role.DEVELOPER)
            Account.objects.create(person=found, kind="email", value=f"{name}@example.test", verification="email-code")
    return Repository.objects.get()


def evaluate_change(shop: Repository, ref: str = "refs/heads/topic") -> bool:
    with as_role("worker"):
        return evaluate_open_branch(Repository.objects.select_related("product").get(pk=shop.pk), ref)


def evaluate_history(shop: Repository) -> RepositoryScan:
    with as_role("worker"):
        tasks.evaluate_history_task(shop.pk)
    return RepositoryScan.objects.get(repository=shop)


def state(clause: str) -> ClauseResult:
    return ClauseResult(ClauseState.objects.get(clause=clause).state)


def test_open_change_is_evaluated_recorded_and_shown(shop: Repository) -> None:
    assert evaluate_change(shop)
    change = Change.objects.get()
    assert change.decision is not None
    assert not change.decision.allowed
    page = browser(Person.objects.get(slug="ada")).get(f"/changes/{change.pk}").content.decode()
    assert "0 of 2 required approvals" in page
    assert "Bob" in page
    assert Record.objects.get(kind="decision-preview").decision == change.decision


def test_unchanged_head_is_evaluated_once_and_new_head_again(shop: Repository, repo: Repo) -> None:
    assert evaluate_change(shop)
    assert not evaluate_change(shop)
    assert Decision.objects.count() == 1
    repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
    assert evaluate_change(shop)
    assert Decision.objects.count() == 2
    assert Change.objects.count() == 1


def test_merged_branch_is_no_open_change(shop: Repository, repo: Repo) -> None:
    evaluate_change(shop)
    assert Change.objects.get().state == Change.State.OPEN
    repo.commit({"app.py": "x = 2\n"}, on="main", parents=["main", "topic"])
    repo.branch("unrelated", repo.commit({"new.py": "y\n"}, on="", parents=["main"]))
    evaluate_change(shop)
    evaluate_change(shop, "refs/heads/unrelated")
    states = dict(Change.objects.values_list("name", "state"))
    assert states == {"refs/heads/topic": Change.State.CLOSED, "refs/heads/unrelated": Change.State.OPEN}


def test_recorded_decision_is_reproducible(shop: Repository) -> None:
    evaluate_change(shop)
    place_records()
    row = Record.objects.get(kind="decision-preview")
    assert row.position is not None
    again = reevaluate_record(open_store(), row.position, record_kinds.decode_record(bytes(row.data), row.position))
    assert (again.agreement, again.explanation) == (Agreement.AGREES, "")


def test_unreadable_change_has_no_decision(shop: Repository, repo: Repo) -> None:
    evaluate_change(shop)
    repo.path.rename(repo.path.parent / "gone")
    with pytest.raises(Exception, match="is not a folder"):
        evaluate_change(shop)
    assert Change.objects.get().decision is None


def test_deleted_branch_is_no_open_change(shop: Repository, repo: Repo) -> None:
    evaluate_change(shop)
    repo.git("branch", "-D", "topic")
    assert not evaluate_change(shop)
    assert Change.objects.get().state == "closed"


def test_evaluation_of_history_sets_clause_results(shop: Repository, repo: Repo) -> None:
    reading = evaluate_history(shop)
    assert (reading.evaluated_count, reading.change_count, reading.problem) == (1, 1, "")
    assert state("review.two-reviewers") is ClauseResult.VIOLATED
    assert state("history.protected") is ClauseResult.MET
    assert state("secrets.in-vault") is ClauseResult.UNKNOWN
    assert Record.objects.filter(kind="replay").count() == 1
    since = {row.clause: row.changed_at for row in ClauseState.objects.all()}
    evaluate_history(shop)
    assert Record.objects.filter(kind="replay").count() == 1
    repo.commit({"app.py": "x = 9\n"})
    evaluate_history(shop)
    assert Record.objects.filter(kind="replay").count() == 2
    assert {row.clause: row.changed_at for row in ClauseState.objects.all()} == since
    assert Decision.objects.count() == 2


def test_unreadable_repository_makes_every_clause_unknown(shop: Repository, repo: Repo) -> None:
    evaluate_history(shop)
    repo.path.rename(repo.path.parent / "gone")
    reading = evaluate_history(shop)
    assert "is not a folder" in reading.problem
    assert {row.state for row in ClauseState.objects.all()} == {ClauseResult.UNKNOWN}
    page = browser(Person.objects.get(slug="ada")).get("/products/shop").content.decode()
    assert "is not a folder" in page


def test_repository_that_was_never_read_is_listed_on_overview(shop: Repository, repo: Repo) -> None:
    repo.path.rename(repo.path.parent / "gone")
    evaluate_history(shop)
    assert state("review.two-reviewers") is ClauseResult.UNKNOWN
    page = browser(Person.objects.get(slug="ada")).get("/").content.decode()
    assert "Could not be checked" in page
    assert "is not a folder" in page
    assert "Not evaluated yet." not in page
    repo.path.parent.joinpath("gone").rename(repo.path)
    evaluate_history(shop)
    assert "Could not be checked" not in browser(Person.objects.get(slug="ada")).get("/").content.decode()


def test_unknown_author_makes_clause_unknown(shop: Repository) -> None:
    with as_role("owner"):
        Account.objects.filter(person__slug="bob").delete()
    evaluate_change(shop)
    page = browser(Person.objects.get(slug="ada")).get(f"/changes/{Change.objects.get().pk}").content.decode()
    assert "bob@example.test" in page
    assert not Decision.objects.get().allowed


def test_approved_exception_covers_its_clause(shop: Repository) -> None:
    dev, sam = browser(Person.objects.get(slug="ada")), browser(person("sam", Role.SECURITY))
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "head": "",
        "days": "3",
    }
    post(dev, "/exceptions/request", **fields, reason="The site is down.")
    post(sam, f"/requests/{Request.objects.get().pk}", answer="agree")
    evaluate_change(shop)
    change = Change.objects.get()
    assert change.decision is not None
    assert change.decision.allowed
    page = dev.get(f"/changes/{change.pk}").content.decode()
    assert "An exception covers 1 of" in page
    assert "Exception until" in page
    post(browser(Person.objects.get(slug="sam")), f"/exceptions/{PolicyException.objects.get().slug}/end")
    evaluate_change(shop)
    assert not Decision.objects.latest("id").allowed


def test_clause_with_only_excepted_failures_says_so(shop: Repository) -> None:
    dev, sam = browser(Person.objects.get(slug="ada")), browser(person("sam", Role.SECURITY))
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "head": "",
        "days": "3",
    }
    post(dev, "/exceptions/request", **fields, reason="The beginning.")
    post(sam, f"/requests/{Request.objects.get().pk}", answer="agree")
    evaluate_history(shop)
    assert state("review.two-reviewers") is ClauseResult.EXCEPTED
    assert "1 exception" in dev.get("/").content.decode()


def test_exception_with_proof_of_another_object_covers_nothing(shop: Repository) -> None:
    from muniment.server.records.models import ExceptionFile

    dev, sam = browser(Person.objects.get(slug="ada")), browser(person("sam", Role.SECURITY))
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "head": "",
        "days": "3",
    }
    post(dev, "/exceptions/request", **fields, reason="The site is down.")
    post(sam, f"/requests/{Request.objects.get().pk}", answer="agree")
    with as_role("owner"):
        row = ExceptionFile.objects.get()
        row.data = bytes(row.data).replace(b"The site is down.", b"No site is down!!")
        row.save()
    evaluate_change(shop)
    assert not Decision.objects.get().allowed


def test_a_freeze_denies_every_open_change(shop: Repository) -> None:
    sam = browser(person("sam", Role.SECURITY))
    evaluate_change(shop)
    post(sam, "/policy/freeze", reason="A key leaked.")
    assert evaluate_change(shop)
    page = sam.get(f"/changes/{Change.objects.get().pk}").content.decode()
    assert "All merges are stopped" in page


def test_product_roles_count_only_for_their_product(shop: Repository, repo: Repo) -> None:
    from muniment.server.changes.product_rules import ProductRules

    other = product("other")
    person("eve", Role.SECURITY, product=other)
    shops, others = ProductRules(Product.objects.get(slug="shop")).load_people(), ProductRules(other).load_people()
    assert shops.by_id["eve"].roles == ()
    assert others.by_id["eve"].roles == ("security",)


def test_an_evaluation_parses_a_policy_once_and_never_people(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{format_built_in_policy('sec@example.test', 'shop')}# of this evaluation alone\n"
    with as_role("owner"):
        open_store().write_document(POLICY, text.encode())
        shop.product.sensitive_patterns = "app.py"
        shop.product.save()
        until = timezone.now().date() + timedelta(days=9)
        ada = Person.objects.get(slug="ada")
        MonitoringPeriod.objects.create(
            slug="g",
            product=shop.product,
            clause="review.two-reviewers",
            last_day=until,
            reason="r",
            requester=ada,
            approver=ada,
        )
    parsed: list[str] = []
    loads = tomllib.loads

    def counted(document: str) -> object:
        parsed.append(document)
        return loads(document)

    monkeypatch.setattr(tomllib, "loads", counted)
    assert evaluate_change(shop)
    repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
    assert evaluate_change(shop)
    assert parsed == [text]


def test_sensitive_paths_of_product_add_clause(shop: Repository) -> None:
    own = browser(person("own", Role.OWNER))
    post(own, "/products/shop/change", act="change-product", name="Shop", sensitive='app.py\n"odd"\n😀')
    evaluate_history(shop)
    assert state("review.sensitive-of-product") is ClauseResult.VIOLATED


@pytest.mark.parametrize("paths", ["/src", "[ab]", "x" * 201, "\n".join(map(str, range(201)))])
def test_invalid_sensitive_paths_are_refused(shop: Repository, paths: str) -> None:
    own = browser(person("own", Role.OWNER))
    page = post(own, "/products/shop/change", act="change-product", name="Shop", sensitive=paths)
    assert "A path that protects it is wrong" in page or "at most 200 paths" in page
    assert Product.objects.get(slug="shop").sensitive_patterns == ""


def test_repository_scan_enqueues_evaluation_of_new_changes(shop: Repository) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    with as_role("worker"):
        tasks.scan_repository(shop.pk)
        tasks.scan_repository(shop.pk)
    waiting = sorted(ProcrastinateJob.objects.filter(status="todo").values_list("task_name", flat=True))
    assert waiting == ["evaluate-change", "evaluate-history"]


def test_change_of_product_facts_is_evaluated_at_the_next_scan(shop: Repository) -> None:
    """A clause about secrets stays unknown no longer than until the vault is watched, or a secret is set."""
    from procrastinate.contrib.django.models import ProcrastinateJob

    def scan() -> list[str]:
        with as_role("worker"):
            tasks.scan_repository(shop.pk)
        waiting = ProcrastinateJob.objects.filter(status="todo", task_name="evaluate-history")
        found = list(waiting.values_list("task_name", flat=True))
        with as_role("owner"):
            waiting.delete()
        return found

    def note(**values: object) -> None:
        with as_role("worker"):
            RepositoryScan.objects.filter(repository=shop).update(**values)

    evaluate_history(shop)
    note(facts_digest=digest_fact_states())  # all could be read
    assert scan() == []
    with as_role("worker"):
        VaultWatch.objects.create(worker="w", log="audit.log", looked_at=timezone.now())
    assert scan() == ["evaluate-history"]
    note(facts_digest="")  # a supplier failed
    assert scan() == []
    note(finished_at=timezone.now() - tasks._RETRY)
    assert scan() == ["evaluate-history"]


def test_drafted_policy_is_tried_on_recent_changes(shop: Repository, repo: Repo) -> None:
    repo.git(
        "commit",
        "--allow-empty",
        "-qm",
        "now",
        env={
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.test",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.test",
        },
    )
    text = format_built_in_policy("a@example.test", "organisation").replace(
        'control = "independent-review"\nenforce = ["merge"]', 'control = "independent-review"\nenforce = []'
    )
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/propose", text=text, note="")
    with as_role("worker"):
        tasks.replay_policy_task(shop.pk, PolicyVersion.objects.latest("id").pk)
    trial = PolicyTrial.objects.get()
    assert (trial.change_count, trial.allowed_now, trial.problem) == (1, 0, "")
    assert "shop" in sam.get(f"/policy/versions/{PolicyVersion.objects.latest('id').pk}").content.decode()


def test_pipeline_files_of_repository_set_clause_results(shop: Repository, repo: Repo) -> None:
    evaluate_history(shop)
    assert state("pipeline.tests") is ClauseResult.VIOLATED
    assert "has not run" in ClauseState.objects.get(clause="pipeline.tests").reason
    assert state("pipeline.required") is ClauseResult.UNKNOWN
    assert state("secrets.in-vault") is ClauseResult.UNKNOWN
    held = "db-pass" + "word-of-ours"
    repo.commit({".ci/deploy": f"DB_PASSWORD={held} ./migrate\n"})
    evaluate_history(shop)
    row = ClauseState.objects.get(clause="secrets.in-vault")
    assert (ClauseResult(row.state), "DB_PASSWORD is written in plain text" in row.reason) == (
        ClauseResult.VIOLATED,
        True,
    )
    assert held not in row.reason


class FakeSupplier:
    """A fact supplier with the facts that a vault would give."""

    names = ("vault_secrets",)

    def __init__(self) -> None:
        self.ages: tuple[SecretAge, ...] = ()

    def supply_facts(self, product: str, names: Collection[str], now: str) -> dict[str, Fact]:
        assert product == "shop"
        return {"vault_secrets": create_fact(Known(self.ages), "vault", now)}


def test_supplied_facts_change_results_without_replay_of_history(
    shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = FakeSupplier()
    monkeypatch.setattr(product_standing, "fact_suppliers", lambda: (says,))
    evaluate_history(shop)
    assert state("secrets.rotated") is ClauseResult.MET
    says.ages = (SecretAge("production", "KEY", Known("2020-01-01T00:00:00.000000Z")),)
    evaluate_history(shop)
    assert state("secrets.rotated") is ClauseResult.VIOLATED
    assert state("review.two-reviewers") is ClauseResult.VIOLATED
    assert Record.objects.filter(kind="replay").count() == 1

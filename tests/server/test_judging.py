"""Changes of plain git repositories, judged by the worker: once for each state, and a stale yes never stands."""

import tomllib
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.vault import SecretAge
from muniment.ledger import entries
from muniment.policy.pack import pack_text
from muniment.server.changes import standing, tasks
from muniment.server.changes.judging import judge_open
from muniment.server.changes.models import Change, Decision
from muniment.server.people.models import Account, Person
from muniment.server.policies.models import MonitoringPeriod, PolicyException, PolicyTrial, PolicyVersion
from muniment.server.products.models import ClauseResult, ClauseState, Product, Repository, RepositoryScan
from muniment.server.records.installation import store
from muniment.server.records.models import Record
from muniment.server.records.store import POLICY
from muniment.server.requests.models import Request
from muniment.workflows.judge_again import Agreement, judge_again
from muniment.workflows.supplies import fact
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


def judge(shop: Repository, ref: str = "refs/heads/topic") -> bool:
    with as_role("worker"):
        return judge_open(Repository.objects.select_related("product").get(pk=shop.pk), ref)


def study(shop: Repository) -> RepositoryScan:
    with as_role("worker"):
        tasks.judge_past(shop.pk)
    return RepositoryScan.objects.get(repository=shop)


def state(clause: str) -> ClauseResult:
    return ClauseResult(ClauseState.objects.get(clause=clause).state)


def test_an_open_change_is_judged_recorded_and_told(shop: Repository) -> None:
    assert judge(shop)
    change = Change.objects.get()
    assert change.decision is not None
    assert not change.decision.allowed
    page = browser(Person.objects.get(slug="ada")).get(f"/changes/{change.pk}").content.decode()
    assert "0 of 2 required approvals" in page
    assert "Bob" in page
    assert Record.objects.get(kind="decision-preview").decision == change.decision


def test_the_same_is_judged_once_and_something_else_anew(shop: Repository, repo: Repo) -> None:
    assert judge(shop)
    assert not judge(shop)
    assert Decision.objects.count() == 1
    repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
    assert judge(shop)
    assert Decision.objects.count() == 2
    assert Change.objects.count() == 1


def test_a_branch_that_was_merged_is_no_open_change_any_more(shop: Repository, repo: Repo) -> None:
    judge(shop)
    assert Change.objects.get().state == Change.State.OPEN
    repo.commit({"app.py": "x = 2\n"}, on="main", parents=["main", "topic"])
    repo.branch("beside", repo.commit({"new.py": "y\n"}, on="", parents=["main"]))
    judge(shop)
    judge(shop, "refs/heads/beside")
    states = dict(Change.objects.values_list("name", "state"))
    assert states == {"refs/heads/topic": Change.State.CLOSED, "refs/heads/beside": Change.State.OPEN}


def test_a_recorded_decision_can_be_made_again(shop: Repository) -> None:
    judge(shop)
    place_records()
    row = Record.objects.get(kind="decision-preview")
    assert row.position is not None
    again = judge_again(store(), row.position, entries.decode(bytes(row.data), row.position))
    assert (again.agreement, again.explanation) == (Agreement.AGREES, "")


def test_what_cannot_be_read_any_more_has_no_verdict(shop: Repository, repo: Repo) -> None:
    judge(shop)
    repo.path.rename(repo.path.parent / "gone")
    with pytest.raises(Exception, match="is not a folder"):
        judge(shop)
    assert Change.objects.get().decision is None


def test_a_branch_that_is_gone_is_no_open_change(shop: Repository, repo: Repo) -> None:
    judge(shop)
    repo.git("branch", "-D", "topic")
    assert not judge(shop)
    assert Change.objects.get().state == "closed"


def test_the_past_gives_the_clauses_their_states(shop: Repository, repo: Repo) -> None:
    reading = study(shop)
    assert (reading.evaluated_count, reading.change_count, reading.problem) == (1, 1, "")
    assert state("review.two-reviewers") is ClauseResult.VIOLATED
    assert state("history.protected") is ClauseResult.MET
    assert state("secrets.in-vault") is ClauseResult.UNKNOWN
    assert Record.objects.filter(kind="replay").count() == 1
    since = {row.clause: row.changed_at for row in ClauseState.objects.all()}
    study(shop)
    assert Record.objects.filter(kind="replay").count() == 1
    repo.commit({"app.py": "x = 9\n"})
    study(shop)
    assert Record.objects.filter(kind="replay").count() == 2
    assert {row.clause: row.changed_at for row in ClauseState.objects.all()} == since
    assert Decision.objects.count() == 2


def test_a_repository_that_cannot_be_read_makes_everything_unknown(shop: Repository, repo: Repo) -> None:
    study(shop)
    repo.path.rename(repo.path.parent / "gone")
    reading = study(shop)
    assert "is not a folder" in reading.problem
    assert {row.state for row in ClauseState.objects.all()} == {ClauseResult.UNKNOWN}
    page = browser(Person.objects.get(slug="ada")).get("/products/shop").content.decode()
    assert "is not a folder" in page


def test_a_repository_that_never_could_be_read_is_not_known_and_home_says_where(shop: Repository, repo: Repo) -> None:
    repo.path.rename(repo.path.parent / "gone")
    study(shop)
    assert state("review.two-reviewers") is ClauseResult.UNKNOWN
    page = browser(Person.objects.get(slug="ada")).get("/").content.decode()
    assert "What could not be read" in page
    assert "is not a folder" in page
    assert "Nothing was judged yet." not in page
    repo.path.parent.joinpath("gone").rename(repo.path)
    study(shop)
    assert "What could not be read" not in browser(Person.objects.get(slug="ada")).get("/").content.decode()


def test_an_unknown_author_is_unknown_and_not_fine(shop: Repository) -> None:
    with as_role("owner"):
        Account.objects.filter(person__slug="bob").delete()
    judge(shop)
    page = browser(Person.objects.get(slug="ada")).get(f"/changes/{Change.objects.get().pk}").content.decode()
    assert "bob@example.test" in page
    assert not Decision.objects.get().allowed


def test_an_exception_agreed_to_here_covers_its_clause(shop: Repository) -> None:
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
    judge(shop)
    change = Change.objects.get()
    assert change.decision is not None
    assert change.decision.allowed
    assert PolicyException.objects.get().slug in dev.get(f"/changes/{change.pk}").content.decode()
    post(browser(Person.objects.get(slug="sam")), f"/exceptions/{PolicyException.objects.get().slug}/end")
    judge(shop)
    assert not Decision.objects.latest("id").allowed


def test_a_clause_whose_every_failure_is_excepted_says_so(shop: Repository) -> None:
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
    study(shop)
    assert state("review.two-reviewers") is ClauseResult.EXCEPTED
    assert "excepted" in dev.get("/").content.decode()


def test_an_exception_whose_proof_is_of_something_else_covers_nothing(shop: Repository) -> None:
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
    judge(shop)
    assert not Decision.objects.get().allowed


def test_a_freeze_denies_every_open_change(shop: Repository) -> None:
    sam = browser(person("sam", Role.SECURITY))
    judge(shop)
    post(sam, "/policy/freeze", reason="A key leaked.")
    assert judge(shop)
    page = sam.get(f"/changes/{Change.objects.get().pk}").content.decode()
    assert "All merges are stopped" in page


def test_the_roles_of_a_product_count_for_it_alone(shop: Repository, repo: Repo) -> None:
    from muniment.server.changes.rules import ProductRules

    other = product("other")
    person("eve", Role.SECURITY, product=other)
    shops, others = ProductRules(Product.objects.get(slug="shop")).people(), ProductRules(other).people()
    assert shops.by_id["eve"].roles == ()
    assert others.by_id["eve"].roles == ("security",)


def test_an_evaluation_parses_a_policy_once_and_never_people(
    shop: Repository, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{pack_text('sec@example.test', 'shop')}# of this evaluation alone\n"
    with as_role("owner"):
        store().write(POLICY, text.encode())
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
    assert judge(shop)
    repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
    assert judge(shop)
    assert parsed == [text]


def test_sensitive_paths_of_a_product_are_a_clause_more(shop: Repository) -> None:
    own = browser(person("own", Role.OWNER))
    post(own, "/products/shop/change", act="change-product", name="Shop", sensitive='app.py\n"odd"\n😀')
    study(shop)
    assert state("review.sensitive-of-product") is ClauseResult.VIOLATED


@pytest.mark.parametrize("paths", ["/src", "[ab]", "x" * 201, "\n".join(map(str, range(201)))])
def test_sensitive_paths_that_no_policy_could_have_are_refused_when_they_are_given(
    shop: Repository, paths: str
) -> None:
    own = browser(person("own", Role.OWNER))
    page = post(own, "/products/shop/change", act="change-product", name="Shop", sensitive=paths)
    assert "A path that protects it is wrong" in page or "at most 200 paths" in page
    assert Product.objects.get(slug="shop").sensitive_patterns == ""


def test_looking_has_what_is_new_judged(shop: Repository) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    with as_role("worker"):
        tasks.look(shop.pk)
        tasks.look(shop.pk)
    waiting = sorted(ProcrastinateJob.objects.filter(status="todo").values_list("task_name", flat=True))
    assert waiting == ["evaluate-change", "evaluate-history"]


def test_a_proposed_policy_is_tried_on_the_last_days(shop: Repository, repo: Repo) -> None:
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
    text = pack_text("a@example.test", "organisation").replace(
        'control = "independent-review"\nenforce = ["merge"]', 'control = "independent-review"\nenforce = []'
    )
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/propose", text=text, note="")
    with as_role("worker"):
        tasks.replay_policy(shop.pk, PolicyVersion.objects.latest("id").pk)
    trial = PolicyTrial.objects.get()
    assert (trial.change_count, trial.allowed_now, trial.problem) == (1, 0, "")
    assert "shop" in sam.get(f"/policy/versions/{PolicyVersion.objects.latest('id').pk}").content.decode()


def test_what_the_repository_tells_of_its_pipelines_gives_states(shop: Repository, repo: Repo) -> None:
    study(shop)
    assert state("pipeline.tests") is ClauseResult.VIOLATED
    assert "has not run" in ClauseState.objects.get(clause="pipeline.tests").reason
    assert state("pipeline.required") is ClauseResult.UNKNOWN
    assert state("secrets.in-vault") is ClauseResult.UNKNOWN
    held = "db-pass" + "word-of-ours"
    repo.commit({".ci/deploy": f"DB_PASSWORD={held} ./migrate\n"})
    study(shop)
    row = ClauseState.objects.get(clause="secrets.in-vault")
    assert (ClauseResult(row.state), "DB_PASSWORD is written in plain text" in row.reason) == (
        ClauseResult.VIOLATED,
        True,
    )
    assert held not in row.reason


class Says:
    """A supplier of what the vault would say."""

    names = ("vault_secrets",)

    def __init__(self) -> None:
        self.ages: tuple[SecretAge, ...] = ()

    def supply(self, product: str, names: Collection[str], now: str) -> dict[str, Fact]:
        assert product == "shop"
        return {"vault_secrets": fact(Known(self.ages), "vault", now)}


def test_what_suppliers_tell_changes_states_without_judging_the_past_again(
    shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = Says()
    monkeypatch.setattr(standing, "fact_suppliers", lambda: (says,))
    study(shop)
    assert state("secrets.rotated") is ClauseResult.MET
    says.ages = (SecretAge("production", "KEY", Known("2020-01-01T00:00:00.000000Z")),)
    study(shop)
    assert state("secrets.rotated") is ClauseResult.VIOLATED
    assert state("review.two-reviewers") is ClauseResult.VIOLATED
    assert Record.objects.filter(kind="replay").count() == 1

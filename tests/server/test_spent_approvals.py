"""An approval at a forge is spent once the branch takes its head, by whatever change or push it came there."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.decision.account import DecisionReport
from muniment.errors import StoreError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Approval, ReviewAction, Signature
from muniment.git.approvals import PREFIX, ApprovalRef
from muniment.git.history import read as read_commits
from muniment.git.repository import Repository
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.connections import landed_head_records
from muniment.server.connections.models import BranchUpdate, RecordedStatement, TakenHead
from muniment.server.records.models import Record
from muniment.server.records.reading import beside
from tests.support.connected import Town, town
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="town")
def _town(any_town: Town) -> Town:
    return any_town


@pytest.fixture(name="gitea_town")
def _gitea_town(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with town(tmp_path, monkeypatch) as found:
        found.connect()
        yield found


BAD = {"app.py": "x = 666\n"}


def approved(town: Town, number: int, *people: str) -> None:
    for name in people or ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)


def proposed(town: Town, parent: str, branch: str, files: dict[str, str]) -> int:
    """A change by ada that two others approved, on top of some commit."""
    town.work.push("ada", town.work.commit("ada", files, parent), branch)
    number = town.acting.open("ada", branch, "main", f"Change {branch}")
    approved(town, number)
    assert shown(town, number) == "success"
    return number


def shown(town: Town, number: int) -> str:
    return town.shown(town.change(number).head)


def merged(town: Town, number: int, method: str = "squash") -> None:
    town.acting.merge("bob", number, method)
    town.watch()
    town.run()


def reverted(town: Town, before: str) -> None:
    """Main holds again what it held before, by a change of its own."""
    now = town.work.tip("main")
    made = town.work.repo.commit(on="", tree=town.work.repo.tree_of(before), parents=[now], author=town.work.who("ada"))
    town.work.push("ada", made, "revert")
    number = town.acting.open("ada", "revert", "main", "Revert")
    approved(town, number)
    merged(town, number)


def told_of(town: Town, number: int) -> str:
    """The sentences of the decision on a change."""
    decision = town.change(number).decision
    assert decision is not None
    told = beside(decision.explanation_digest, DecisionReport)
    assert isinstance(told, DecisionReport)
    return " ".join(reason.message for result in told.results for reason in result.reasons)


def not_counted(town: Town, number: int) -> set[str]:
    """Why approvals of a change do not count."""
    decision = town.change(number).decision
    assert decision is not None
    told = beside(decision.explanation_digest, DecisionReport)
    assert isinstance(told, DecisionReport)
    return {why for one in told.approvals for why in one.reasons_not_counted}


def stacked(town: Town) -> tuple[int, int, str]:
    """Two approved changes of which the second goes on from the first, and what main was before."""
    before = town.work.tip("main")
    first = proposed(town, before, "topic", BAD)
    second = proposed(town, town.change(first).head, "more", {"more.py": "y = 1\n"})
    return first, second, before


@pytest.mark.parametrize("method", ["squash", "merge"])
def test_a_change_whose_head_another_change_brought_loses_its_approvals(town: Town, method: str) -> None:
    first, second, _ = stacked(town)
    merged(town, second, method)
    assert shown(town, first) == "failure"
    assert "spent" in not_counted(town, first)


def test_a_reverted_change_that_is_still_open_is_not_merged_by_its_old_approvals(town: Town) -> None:
    first, second, before = stacked(town)
    merged(town, second)
    reverted(town, before)
    town.look(first)
    assert shown(town, first) == "failure"
    assert "spent" in not_counted(town, first)


def test_a_change_that_is_approved_anew_is_allowed_again(town: Town) -> None:
    first, second, before = stacked(town)
    merged(town, second)
    reverted(town, before)
    approved(town, first, "bob")
    assert shown(town, first) == "failure"
    approved(town, first, "carol")
    assert shown(town, first) == "success"


def test_what_landed_of_a_stack_leaves_the_rest_its_approvals(town: Town) -> None:
    first, second, _ = stacked(town)
    merged(town, first, "merge")
    town.look(second)
    assert shown(town, second) == "success"


def test_approvals_of_a_merged_change_count_for_no_other(town: Town) -> None:
    before = town.work.tip("main")
    first = proposed(town, before, "topic", BAD)
    head = town.change(first).head
    merged(town, first)
    reverted(town, before)
    town.work.push("ada", head, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert shown(town, number) == "failure"
    assert town.change(number).decision is not None


class Signing:
    """Stands for statements that people sign and put into the repository at the forge."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], str] = {}

    def sign(self, town: Town, head: str, *people: str) -> None:
        """Sign that people approve a head, now, and push it."""
        for name in people:
            self.times.setdefault((head, name), moments.now())
        self.push(town, head, *people)

    def push(self, town: Town, head: str, *people: str) -> None:
        """Push what people signed."""
        there = town.fake.repos[town.acting.path]["git"]
        for name in people:
            there.branch(f"{PREFIX}{head}/{name}", there.tip("main"))

    def read(self, repository: Repository, wanted: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
        """The statements that were signed."""
        return tuple(
            Approval(
                ref_head=one.head,
                ref_person=people.by_handle[one.person].id,
                id=canonical.digest_of((one.head, one.person)),
                digest=canonical.digest_of((one.head, one.person)),
                order=0,
                signature=Signature.VALID,
                repository="shop",
                target="refs/heads/main",
                head=one.head,
                tree=read_commits(repository, [one.head])[0].tree,
                action=ReviewAction.APPROVE,
                time=self.times[one.head, one.person],
            )
            for one in wanted
            if (one.head, one.person) in self.times  # the copy of the repository may be that of an earlier test
        )


@pytest.fixture(name="signing")
def _signing(monkeypatch: pytest.MonkeyPatch) -> Signing:
    signing = Signing()
    monkeypatch.setattr("muniment.forges.collect.approvals.read", signing.read)
    return signing


def test_a_signed_approval_of_a_head_that_landed_counts_for_no_other_change(gitea_town: Town, signing: Signing) -> None:
    town = gitea_town
    before = town.work.tip("main")
    head = town.work.commit("ada", {"app.py": "x = 667\n"}, before)
    signing.sign(town, head, "bob", "carol")
    town.work.push("ada", head, "topic")
    first = town.acting.open("ada", "topic", "main", "Topic")
    town.look(first)
    assert shown(town, first) == "success"
    merged(town, first)
    reverted(town, before)
    town.work.push("ada", head, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert (shown(town, number), not_counted(town, number)) == ("failure", {"spent"})
    signing.sign(town, head, "dave")
    town.look(number)
    assert "1 of 2 required approvals (Dave" in told_of(town, number)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_bypass_spends_a_signed_approval_that_no_decision_saw(
    gitea_town: Town, signing: Signing, hidden: bool
) -> None:
    """One that is `hidden` until the bypass is reverted is of a head that a decision knows."""
    town, repo = gitea_town, gitea_town.work.repo
    before = town.work.tip("main")
    head = town.work.commit("ada", {"app.py": f"x = {668 + hidden}\n"}, before)  # the copy is used by other tests
    signing.sign(town, head, "bob", "carol")
    town.work.push("ada", head, "topic")
    if hidden:
        there = town.fake.repos[town.acting.path]["git"]
        for name in ("bob", "carol"):
            there.git("update-ref", "-d", f"{PREFIX}{head}/{name}")
        town.look(town.acting.open("ada", "topic", "main", "Topic"))
    squashed = repo.commit(on="", tree=repo.tree_of(head), parents=[before], author=town.work.who("ada"))
    town.work.push("ada", squashed, "main")
    town.watch()
    town.run()
    reverted(town, before)
    signing.push(town, head, "bob", "carol")
    number = 1 if hidden else town.acting.open("ada", "topic", "main", "Topic")
    town.look(number)
    assert (shown(town, number), not_counted(town, number)) == ("failure", {"spent"})


def test_a_bypass_spends_reviews_that_no_decision_saw(gitea_town: Town) -> None:
    town = gitea_town
    before, repo = town.work.tip("main"), town.work.repo
    head = town.work.commit("ada", BAD, before)
    town.work.push("ada", head, "topic")
    number = town.acting.open("ada", "topic", "main", "Topic")
    town.look(number)
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    squashed = repo.commit(on="", tree=repo.tree_of(head), parents=[before], author=town.work.who("ada"))
    town.work.push("ada", squashed, "main")
    town.watch()
    reverted(town, before)
    town.look(number)
    assert shown(town, number) == "failure"
    assert "spent" in not_counted(town, number)


@pytest.mark.parametrize("squashed", [False, True])
def test_a_bypass_spends_the_approvals_of_what_it_brought(town: Town, squashed: bool) -> None:
    before = town.work.tip("main")
    number = proposed(town, before, "topic", BAD)
    head, repo = town.change(number).head, town.work.repo
    other = town.work.commit("ada", {"other.py": "z = 1\n"}, before)
    town.work.push("ada", other, "main")
    town.watch()
    tree, parents = repo.merged_tree(other, head), [other] if squashed else [other, head]
    town.work.push("ada", repo.commit(on="", tree=tree, parents=parents, author=town.work.who("ada")), "main")
    town.watch()
    town.run()
    reverted(town, before)
    town.look(number)
    assert "spent" in not_counted(town, number)


def test_a_queue_group_spends_the_approvals_of_each_of_its_changes(town: Town) -> None:
    before, repo = town.work.tip("main"), town.work.repo
    numbers = [proposed(town, before, name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
    base = before
    for number in numbers:
        head = town.change(number).head
        tree = repo.merged_tree(base, head)
        base = repo.commit(on="", tree=tree, parents=[base, head], author=town.work.who("bob"))
    town.work.push("bob", base, "main")
    town.watch()
    assert set(BranchUpdate.objects.exclude(outcome="baseline").values_list("outcome", flat=True)) == {"allowed"}
    town.run()
    for number in numbers:
        assert shown(town, number) != "success"


def test_a_decision_allows_what_it_is_about_once(town: Town) -> None:
    before = town.work.tip("main")
    number = proposed(town, before, "topic", BAD)
    merged(town, number)
    tree = town.work.repo.tree_of(town.work.tip("main"))
    reverted(town, before)
    again = town.work.repo.commit(on="", tree=tree, parents=[town.work.tip("main")], author=town.work.who("ada"))
    town.work.push("ada", again, "main")
    town.watch()
    assert BranchUpdate.objects.get(commit=again).outcome == "bypass"


def test_the_record_of_a_branch_update_names_the_heads_that_it_includes(town: Town) -> None:
    first, second, _ = stacked(town)
    heads = {town.change(first).head, town.change(second).head}
    merged(town, second)
    row = BranchUpdate.objects.get(outcome="allowed")
    entry = entries.decode(bytes(row.record.data), 0)
    assert isinstance(entry, entries.BranchUpdateRecord)
    found = beside(entry.included_heads, objects.IncludedHeads)
    assert isinstance(found, objects.IncludedHeads)
    assert heads | {row.commit} <= set(found.heads)


def test_a_fast_forward_spends_the_approvals_of_what_it_passes(town: Town) -> None:
    first, second, _ = stacked(town)
    town.work.push("bob", town.change(second).head, "main")
    town.watch()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    town.look(first)
    assert "spent" in not_counted(town, first)


def test_an_amended_earlier_head_is_spent_for_another_change_too(town: Town) -> None:
    before = town.work.tip("main")
    first = proposed(town, before, "topic", BAD)
    town.work.push("ada", town.change(first).head, "same")
    other = town.acting.open("ada", "same", "main", "The same")
    approved(town, other)
    town.work.push("ada", town.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(town, first)
    merged(town, first)
    reverted(town, before)
    town.look(other)
    assert shown(town, other) == "failure"
    assert "spent" in not_counted(town, other)


@pytest.mark.parametrize("opened", ["since", "before"])
def test_of_approvals_that_no_decision_saw_before_those_of_a_change_opened_since_count(
    town: Town, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = town.work.tip("main")
    first = proposed(town, before, "topic", BAD)
    town.work.push("ada", town.change(first).head, "same")
    other = town.acting.open("ada", "same", "main", "The same") if opened == "before" else 0
    town.work.push("ada", town.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(town, first)
    merged(town, first)
    reverted(town, before)
    clocks: Any = town.world or town.fake
    clocks.clock = timezone.now() + timedelta(hours=1)  # of the forge: it is after the landing there too
    later = moments.text(timezone.now() + timedelta(hours=3))
    monkeypatch.setattr(moments, "now", lambda: later)
    other = other or town.acting.open("ada", "same", "main", "The same")
    approved(town, other)
    assert shown(town, other) == ("success" if opened == "since" else "failure")
    assert not_counted(town, other) == (set() if opened == "since" else {"spent"})


def test_what_a_rewound_branch_took_stays_spent(town: Town) -> None:
    first, second, before = stacked(town)
    merged(town, second)
    town.work.push("ada", before, "main", force=True)
    town.watch()
    town.run()
    town.look(first)
    assert shown(town, first) == "failure"
    assert "spent" in not_counted(town, first)


def test_what_one_branch_took_spends_nothing_of_another(town: Town) -> None:
    before = town.work.tip("main")
    town.work.push("ada", before, "release/1")
    town.watch()
    first, second, _ = stacked(town)
    town.work.push("ada", town.change(first).head, "backport")
    number = town.acting.open("ada", "backport", "release/1", "Backport")
    approved(town, number)
    merged(town, second)
    town.look(number)
    assert town.shown(town.change(number).head, "muniment/release/1") == "success"
    assert shown(town, first) == "failure"


def test_a_revert_of_the_revert_needs_approvals_of_its_own(town: Town) -> None:
    first, second, before = stacked(town)
    merged(town, second)
    taken = town.work.repo.tree_of(town.work.tip("main"))
    reverted(town, before)
    now = town.work.tip("main")
    again = town.work.repo.commit(on="", tree=taken, parents=[now], author=town.work.who("ada"))
    town.work.push("ada", again, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert shown(town, number) == "failure"
    approved(town, number)
    merged(town, number)
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    town.look(first)
    assert shown(town, first) == "failure"


def spent_change(town: Town) -> int:
    """An open change of which main took the head."""
    first, second, _ = stacked(town)
    merged(town, second)
    town.look(first)
    assert shown(town, first) == "failure"
    return first


def unread(town: Town, number: int) -> None:
    """It is not evaluated, and nothing is green on it."""
    with pytest.raises(StoreError, match="not what the ledger says"):
        town.look(number)
    assert shown(town, number) != "success"


def test_a_taken_head_that_was_changed_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        TakenHead.objects.filter(head=gitea_town.change(number).head).update(head="f" * 40)
    unread(gitea_town, number)


def test_a_taken_head_with_another_record_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        oldest = Record.objects.earliest("pk")
        TakenHead.objects.filter(head=gitea_town.change(number).head).update(record=oldest)
    unread(gitea_town, number)


def test_an_update_of_the_branch_that_was_changed_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        BranchUpdate.objects.filter(outcome="allowed").update(previous_tip="f" * 40)
    landed_head_records._here.__dict__.clear()  # another process
    unread(gitea_town, number)


def test_a_statement_with_a_later_record_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("owner"):
        RecordedStatement.objects.filter(change=gitea_town.change(number)).update(record=Record.objects.latest("pk"))
    unread(gitea_town, number)

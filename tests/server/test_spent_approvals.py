"""Approvals at a forge are spent once the branch takes their head, by whatever change or push."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.decision.report import DecisionReport
from muniment.errors import StoreError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.git.approvals import PREFIX, ApprovalRef
from muniment.git.history import read_commits as read_commits
from muniment.git.repository import Repository
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.connections import landed_head_records
from muniment.server.connections.models import BranchUpdate, RecordedStatement, TakenHead
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
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


def open_approved_change(town: Town, parent: str, branch: str, files: dict[str, str]) -> int:
    """Open a change by ada on top of a commit, approved by two others; its number."""
    town.work.push("ada", town.work.commit("ada", files, parent), branch)
    number = town.acting.open("ada", branch, "main", f"Change {branch}")
    approved(town, number)
    assert shown(town, number) == "success"
    return number


def shown(town: Town, number: int) -> str:
    return town.shown(town.change(number).head)


def merge_pull_request(town: Town, number: int, method: str = "squash") -> None:
    town.acting.merge("bob", number, method)
    town.watch()
    town.run()


def reverted(town: Town, before: str) -> None:
    """Restore the earlier content of main by a change of its own."""
    now = town.work.tip("main")
    made = town.work.repo.commit(on="", tree=town.work.repo.tree_of(before), parents=[now], author=town.work.who("ada"))
    town.work.push("ada", made, "revert")
    number = town.acting.open("ada", "revert", "main", "Revert")
    approved(town, number)
    merge_pull_request(town, number)


def decision_sentences(town: Town, number: int) -> str:
    """Sentences of the decision on a change."""
    decision = town.change(number).decision
    assert decision is not None
    told = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(told, DecisionReport)
    return " ".join(reason.message for result in told.results for reason in result.reasons)


def list_not_counted(town: Town, number: int) -> set[str]:
    """Reasons why approvals of a change do not count."""
    decision = town.change(number).decision
    assert decision is not None
    told = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(told, DecisionReport)
    return {why for one in told.approvals for why in one.reasons_not_counted}


def open_stacked_changes(town: Town) -> tuple[int, int, str]:
    """Open two approved changes, the second on top of the first; both numbers, and the earlier tip of main."""
    before = town.work.tip("main")
    first = open_approved_change(town, before, "topic", BAD)
    second = open_approved_change(town, town.change(first).head, "more", {"more.py": "y = 1\n"})
    return first, second, before


@pytest.mark.parametrize("method", ["squash", "merge"])
def test_change_whose_head_was_merged_by_another_change_loses_its_approvals(town: Town, method: str) -> None:
    first, second, _ = open_stacked_changes(town)
    merge_pull_request(town, second, method)
    assert shown(town, first) == "failure"
    assert "spent" in list_not_counted(town, first)


def test_reverted_change_cannot_be_merged_again_by_its_old_approvals(town: Town) -> None:
    first, second, before = open_stacked_changes(town)
    merge_pull_request(town, second)
    reverted(town, before)
    town.look(first)
    assert shown(town, first) == "failure"
    assert "spent" in list_not_counted(town, first)


def test_change_with_new_approvals_is_allowed_again(town: Town) -> None:
    first, second, before = open_stacked_changes(town)
    merge_pull_request(town, second)
    reverted(town, before)
    approved(town, first, "bob")
    assert shown(town, first) == "failure"
    approved(town, first, "carol")
    assert shown(town, first) == "success"


def test_merging_part_of_a_stack_keeps_approvals_of_the_rest(town: Town) -> None:
    first, second, _ = open_stacked_changes(town)
    merge_pull_request(town, first, "merge")
    town.look(second)
    assert shown(town, second) == "success"


def test_approvals_of_a_merged_change_count_for_no_other_change(town: Town) -> None:
    before = town.work.tip("main")
    first = open_approved_change(town, before, "topic", BAD)
    head = town.change(first).head
    merge_pull_request(town, first)
    reverted(town, before)
    town.work.push("ada", head, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert shown(town, number) == "failure"
    assert town.change(number).decision is not None


class Signing:
    """Statements that people sign and push into the repository at the forge."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], str] = {}

    def sign(self, town: Town, head: str, *people: str) -> None:
        """Sign approvals of a head by these people, now, and push them."""
        for name in people:
            self.times.setdefault((head, name), moments.current_moment())
        self.push(town, head, *people)

    def push(self, town: Town, head: str, *people: str) -> None:
        """Push the signed statements of these people."""
        there = town.fake.repos[town.acting.path]["git"]
        for name in people:
            there.branch(f"{PREFIX}{head}/{name}", there.tip("main"))

    def read(self, repository: Repository, wanted: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
        """Signed statements."""
        return tuple(
            Approval(
                ref_head=one.head,
                ref_person=people.by_handle[one.person].id,
                id=canonical.digest_value((one.head, one.person)),
                digest=canonical.digest_value((one.head, one.person)),
                order=0,
                signature=SignatureResult.VALID,
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
    monkeypatch.setattr("muniment.forges.forge_collector.approvals.read_approvals", signing.read)
    return signing


def test_signed_approval_of_a_merged_head_counts_for_no_other_change(gitea_town: Town, signing: Signing) -> None:
    town = gitea_town
    before = town.work.tip("main")
    head = town.work.commit("ada", {"app.py": "x = 667\n"}, before)
    signing.sign(town, head, "bob", "carol")
    town.work.push("ada", head, "topic")
    first = town.acting.open("ada", "topic", "main", "Topic")
    town.look(first)
    assert shown(town, first) == "success"
    merge_pull_request(town, first)
    reverted(town, before)
    town.work.push("ada", head, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert (shown(town, number), list_not_counted(town, number)) == ("failure", {"spent"})
    signing.sign(town, head, "dave")
    town.look(number)
    assert "1 of 2 required approvals (Dave" in decision_sentences(town, number)


@pytest.mark.parametrize("hidden", [False, True])
def test_bypass_spends_signed_approvals_without_a_decision(gitea_town: Town, signing: Signing, hidden: bool) -> None:
    """With `hidden`, the approval is absent until the bypass is reverted, and a decision knows its head."""
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
    assert (shown(town, number), list_not_counted(town, number)) == ("failure", {"spent"})


def test_bypass_spends_reviews_without_a_decision(gitea_town: Town) -> None:
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
    assert "spent" in list_not_counted(town, number)


@pytest.mark.parametrize("squashed", [False, True])
def test_bypass_spends_approvals_of_the_included_heads(town: Town, squashed: bool) -> None:
    before = town.work.tip("main")
    number = open_approved_change(town, before, "topic", BAD)
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
    assert "spent" in list_not_counted(town, number)


def test_merge_queue_group_spends_approvals_of_each_of_its_changes(town: Town) -> None:
    before, repo = town.work.tip("main"), town.work.repo
    numbers = [open_approved_change(town, before, name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
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


def test_decision_allows_its_change_only_once(town: Town) -> None:
    before = town.work.tip("main")
    number = open_approved_change(town, before, "topic", BAD)
    merge_pull_request(town, number)
    tree = town.work.repo.tree_of(town.work.tip("main"))
    reverted(town, before)
    again = town.work.repo.commit(on="", tree=tree, parents=[town.work.tip("main")], author=town.work.who("ada"))
    town.work.push("ada", again, "main")
    town.watch()
    assert BranchUpdate.objects.get(commit=again).outcome == "bypass"


def test_branch_update_record_names_the_included_heads(town: Town) -> None:
    first, second, _ = open_stacked_changes(town)
    heads = {town.change(first).head, town.change(second).head}
    merge_pull_request(town, second)
    row = BranchUpdate.objects.get(outcome="allowed")
    entry = record_kinds.decode_record(bytes(row.record.data), 0)
    assert isinstance(entry, record_kinds.BranchUpdateRecord)
    found = read_details(entry.included_heads, record_objects.IncludedHeads)
    assert isinstance(found, record_objects.IncludedHeads)
    assert heads | {row.commit} <= set(found.heads)


def test_fast_forward_spends_approvals_of_intermediate_heads(town: Town) -> None:
    first, second, _ = open_stacked_changes(town)
    town.work.push("bob", town.change(second).head, "main")
    town.watch()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    town.look(first)
    assert "spent" in list_not_counted(town, first)


def test_amended_earlier_head_is_spent_for_another_change_too(town: Town) -> None:
    before = town.work.tip("main")
    first = open_approved_change(town, before, "topic", BAD)
    town.work.push("ada", town.change(first).head, "same")
    other = town.acting.open("ada", "same", "main", "The same")
    approved(town, other)
    town.work.push("ada", town.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(town, first)
    merge_pull_request(town, first)
    reverted(town, before)
    town.look(other)
    assert shown(town, other) == "failure"
    assert "spent" in list_not_counted(town, other)


@pytest.mark.parametrize("opened", ["since", "before"])
def test_undecided_approvals_count_only_if_their_change_was_opened_after_the_merge(
    town: Town, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = town.work.tip("main")
    first = open_approved_change(town, before, "topic", BAD)
    town.work.push("ada", town.change(first).head, "same")
    other = town.acting.open("ada", "same", "main", "The same") if opened == "before" else 0
    town.work.push("ada", town.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(town, first)
    merge_pull_request(town, first)
    reverted(town, before)
    clocks: Any = town.world or town.fake
    clocks.clock = timezone.now() + timedelta(hours=1)  # of the forge: it is after the landing there too
    later = moments.format_moment(timezone.now() + timedelta(hours=3))
    monkeypatch.setattr(moments, "current_moment", lambda: later)
    other = other or town.acting.open("ada", "same", "main", "The same")
    approved(town, other)
    assert shown(town, other) == ("success" if opened == "since" else "failure")
    # the copy of the repository may be that of an earlier test, with statements that nobody can read
    assert ("spent" in list_not_counted(town, other)) == (opened == "before")


def test_head_stays_spent_after_the_branch_was_rewound(town: Town) -> None:
    first, second, before = open_stacked_changes(town)
    merge_pull_request(town, second)
    town.work.push("ada", before, "main", force=True)
    town.watch()
    town.run()
    town.look(first)
    assert shown(town, first) == "failure"
    assert "spent" in list_not_counted(town, first)


def test_merge_into_one_branch_spends_nothing_for_another_branch(town: Town) -> None:
    before = town.work.tip("main")
    town.work.push("ada", before, "release/1")
    town.watch()
    first, second, _ = open_stacked_changes(town)
    town.work.push("ada", town.change(first).head, "backport")
    number = town.acting.open("ada", "backport", "release/1", "Backport")
    approved(town, number)
    merge_pull_request(town, second)
    town.look(number)
    assert town.shown(town.change(number).head, "muniment/release/1") == "success"
    assert shown(town, first) == "failure"


def test_revert_of_a_revert_needs_its_own_approvals(town: Town) -> None:
    first, second, before = open_stacked_changes(town)
    merge_pull_request(town, second)
    taken = town.work.repo.tree_of(town.work.tip("main"))
    reverted(town, before)
    now = town.work.tip("main")
    again = town.work.repo.commit(on="", tree=taken, parents=[now], author=town.work.who("ada"))
    town.work.push("ada", again, "again")
    number = town.acting.open("ada", "again", "main", "Again")
    town.look(number)
    assert shown(town, number) == "failure"
    approved(town, number)
    merge_pull_request(town, number)
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    town.look(first)
    assert shown(town, first) == "failure"


def spent_change(town: Town) -> int:
    """Open change whose head main took."""
    first, second, _ = open_stacked_changes(town)
    merge_pull_request(town, second)
    town.look(first)
    assert shown(town, first) == "failure"
    return first


def assert_evaluation_fails(town: Town, number: int) -> None:
    """Assert that the change cannot be evaluated and has no successful status."""
    with pytest.raises(StoreError, match="not what the ledger says"):
        town.look(number)
    assert shown(town, number) != "success"


def test_taken_head_altered_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        TakenHead.objects.filter(head=gitea_town.change(number).head).update(head="f" * 40)
    assert_evaluation_fails(gitea_town, number)


def test_taken_head_with_another_record_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        oldest = Record.objects.earliest("pk")
        TakenHead.objects.filter(head=gitea_town.change(number).head).update(record=oldest)
    assert_evaluation_fails(gitea_town, number)


def test_branch_update_altered_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("worker"):
        BranchUpdate.objects.filter(outcome="allowed").update(previous_tip="f" * 40)
    landed_head_records._here.__dict__.clear()  # another process
    assert_evaluation_fails(gitea_town, number)


def test_statement_with_a_later_record_in_the_database_denies(gitea_town: Town) -> None:
    number = spent_change(gitea_town)
    with as_role("owner"):
        RecordedStatement.objects.filter(change=gitea_town.change(number)).update(record=Record.objects.latest("pk"))
    assert_evaluation_fails(gitea_town, number)

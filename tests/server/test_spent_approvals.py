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
from tests.support.forge_setup import ForgeSetup, start_setup
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="setup")
def _setup(any_setup: ForgeSetup) -> ForgeSetup:
    return any_setup


@pytest.fixture(name="gitea_setup")
def _gitea_setup(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeSetup]:
    with start_setup(tmp_path, monkeypatch) as found:
        found.connect()
        yield found


BAD = {"app.py": "x = 666\n"}


def approved(setup: ForgeSetup, number: int, *people: str) -> None:
    for name in people or ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)


def open_approved_change(setup: ForgeSetup, parent: str, branch: str, files: dict[str, str]) -> int:
    """Open a change by ada on top of a commit, approved by two others; its number."""
    setup.work.push("ada", setup.work.commit("ada", files, parent), branch)
    number = setup.acting.open("ada", branch, "main", f"Change {branch}")
    approved(setup, number)
    assert read_status(setup, number) == "success"
    return number


def read_status(setup: ForgeSetup, number: int) -> str:
    return setup.get_status(setup.load_change(number).head)


def merge_pull_request(setup: ForgeSetup, number: int, method: str = "squash") -> None:
    setup.acting.merge("bob", number, method)
    setup.read_updates()
    setup.run_queue()


def reverted(setup: ForgeSetup, before: str) -> None:
    """Restore the earlier content of main by a change of its own."""
    now = setup.work.tip("main")
    made = setup.work.repo.commit(
        on="", tree=setup.work.repo.tree_of(before), parents=[now], author=setup.work.who("ada")
    )
    setup.work.push("ada", made, "revert")
    number = setup.acting.open("ada", "revert", "main", "Revert")
    approved(setup, number)
    merge_pull_request(setup, number)


def decision_sentences(setup: ForgeSetup, number: int) -> str:
    """Sentences of the decision on a change."""
    decision = setup.load_change(number).decision
    assert decision is not None
    details = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(details, DecisionReport)
    return " ".join(reason.message for result in details.results for reason in result.reasons)


def list_not_counted(setup: ForgeSetup, number: int) -> set[str]:
    """Reasons why approvals of a change do not count."""
    decision = setup.load_change(number).decision
    assert decision is not None
    details = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(details, DecisionReport)
    return {why for one in details.approvals for why in one.reasons_not_counted}


def open_stacked_changes(setup: ForgeSetup) -> tuple[int, int, str]:
    """Open two approved changes, the second on top of the first; both numbers, and the earlier tip of main."""
    before = setup.work.tip("main")
    first = open_approved_change(setup, before, "topic", BAD)
    second = open_approved_change(setup, setup.load_change(first).head, "more", {"more.py": "y = 1\n"})
    return first, second, before


@pytest.mark.parametrize("method", ["squash", "merge"])
def test_change_whose_head_was_merged_by_another_change_loses_its_approvals(setup: ForgeSetup, method: str) -> None:
    first, second, _ = open_stacked_changes(setup)
    merge_pull_request(setup, second, method)
    assert read_status(setup, first) == "failure"
    assert "spent" in list_not_counted(setup, first)


def test_reverted_change_cannot_be_merged_again_by_its_old_approvals(setup: ForgeSetup) -> None:
    first, second, before = open_stacked_changes(setup)
    merge_pull_request(setup, second)
    reverted(setup, before)
    setup.evaluate(first)
    assert read_status(setup, first) == "failure"
    assert "spent" in list_not_counted(setup, first)


def test_change_with_new_approvals_is_allowed_again(setup: ForgeSetup) -> None:
    first, second, before = open_stacked_changes(setup)
    merge_pull_request(setup, second)
    reverted(setup, before)
    approved(setup, first, "bob")
    assert read_status(setup, first) == "failure"
    approved(setup, first, "carol")
    assert read_status(setup, first) == "success"


def test_merging_part_of_a_stack_keeps_approvals_of_the_rest(setup: ForgeSetup) -> None:
    first, second, _ = open_stacked_changes(setup)
    merge_pull_request(setup, first, "merge")
    setup.evaluate(second)
    assert read_status(setup, second) == "success"


def test_approvals_of_a_merged_change_count_for_no_other_change(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    first = open_approved_change(setup, before, "topic", BAD)
    head = setup.load_change(first).head
    merge_pull_request(setup, first)
    reverted(setup, before)
    setup.work.push("ada", head, "again")
    number = setup.acting.open("ada", "again", "main", "Again")
    setup.evaluate(number)
    assert read_status(setup, number) == "failure"
    assert setup.load_change(number).decision is not None


class Signing:
    """Statements that people sign and push into the repository at the forge."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], str] = {}

    def sign(self, setup: ForgeSetup, head: str, *people: str) -> None:
        """Sign approvals of a head by these people, now, and push them."""
        for name in people:
            self.times.setdefault((head, name), moments.current_moment())
        self.push(setup, head, *people)

    def push(self, setup: ForgeSetup, head: str, *people: str) -> None:
        """Push the signed statements of these people."""
        there = setup.fake.repos[setup.acting.path]["git"]
        for name in people:
            there.branch(f"{PREFIX}{head}/{name}", there.tip("main"))

    def read(self, repository: Repository, wanted: Iterable[ApprovalRef], people: People) -> tuple[Approval, ...]:
        """Read signed statements that count for every wanted approval."""
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


def test_signed_approval_of_a_merged_head_counts_for_no_other_change(gitea_setup: ForgeSetup, signing: Signing) -> None:
    setup = gitea_setup
    before = setup.work.tip("main")
    head = setup.work.commit("ada", {"app.py": "x = 667\n"}, before)
    signing.sign(setup, head, "bob", "carol")
    setup.work.push("ada", head, "topic")
    first = setup.acting.open("ada", "topic", "main", "Topic")
    setup.evaluate(first)
    assert read_status(setup, first) == "success"
    merge_pull_request(setup, first)
    reverted(setup, before)
    setup.work.push("ada", head, "again")
    number = setup.acting.open("ada", "again", "main", "Again")
    setup.evaluate(number)
    assert (read_status(setup, number), list_not_counted(setup, number)) == ("failure", {"spent"})
    signing.sign(setup, head, "dave")
    setup.evaluate(number)
    assert "1 of 2 required approvals (Dave" in decision_sentences(setup, number)


@pytest.mark.parametrize("hidden", [False, True])
def test_bypass_spends_signed_approvals_without_a_decision(
    gitea_setup: ForgeSetup, signing: Signing, hidden: bool
) -> None:
    """With `hidden`, the approval is absent until the bypass is reverted, and a decision knows its head."""
    setup, repo = gitea_setup, gitea_setup.work.repo
    before = setup.work.tip("main")
    head = setup.work.commit("ada", {"app.py": f"x = {668 + hidden}\n"}, before)  # the copy is used by other tests
    signing.sign(setup, head, "bob", "carol")
    setup.work.push("ada", head, "topic")
    if hidden:
        there = setup.fake.repos[setup.acting.path]["git"]
        for name in ("bob", "carol"):
            there.git("update-ref", "-d", f"{PREFIX}{head}/{name}")
        setup.evaluate(setup.acting.open("ada", "topic", "main", "Topic"))
    squashed = repo.commit(on="", tree=repo.tree_of(head), parents=[before], author=setup.work.who("ada"))
    setup.work.push("ada", squashed, "main")
    setup.read_updates()
    setup.run_queue()
    reverted(setup, before)
    signing.push(setup, head, "bob", "carol")
    number = 1 if hidden else setup.acting.open("ada", "topic", "main", "Topic")
    setup.evaluate(number)
    assert (read_status(setup, number), list_not_counted(setup, number)) == ("failure", {"spent"})


def test_bypass_spends_reviews_without_a_decision(gitea_setup: ForgeSetup) -> None:
    setup = gitea_setup
    before, repo = setup.work.tip("main"), setup.work.repo
    head = setup.work.commit("ada", BAD, before)
    setup.work.push("ada", head, "topic")
    number = setup.acting.open("ada", "topic", "main", "Topic")
    setup.evaluate(number)
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    squashed = repo.commit(on="", tree=repo.tree_of(head), parents=[before], author=setup.work.who("ada"))
    setup.work.push("ada", squashed, "main")
    setup.read_updates()
    reverted(setup, before)
    setup.evaluate(number)
    assert read_status(setup, number) == "failure"
    assert "spent" in list_not_counted(setup, number)


@pytest.mark.parametrize("squashed", [False, True])
def test_bypass_spends_approvals_of_the_included_heads(setup: ForgeSetup, squashed: bool) -> None:
    before = setup.work.tip("main")
    number = open_approved_change(setup, before, "topic", BAD)
    head, repo = setup.load_change(number).head, setup.work.repo
    other = setup.work.commit("ada", {"other.py": "z = 1\n"}, before)
    setup.work.push("ada", other, "main")
    setup.read_updates()
    tree, parents = repo.merged_tree(other, head), [other] if squashed else [other, head]
    setup.work.push("ada", repo.commit(on="", tree=tree, parents=parents, author=setup.work.who("ada")), "main")
    setup.read_updates()
    setup.run_queue()
    reverted(setup, before)
    setup.evaluate(number)
    assert "spent" in list_not_counted(setup, number)


def test_merge_queue_group_spends_approvals_of_each_of_its_changes(setup: ForgeSetup) -> None:
    before, repo = setup.work.tip("main"), setup.work.repo
    numbers = [open_approved_change(setup, before, name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
    base = before
    for number in numbers:
        head = setup.load_change(number).head
        tree = repo.merged_tree(base, head)
        base = repo.commit(on="", tree=tree, parents=[base, head], author=setup.work.who("bob"))
    setup.work.push("bob", base, "main")
    setup.read_updates()
    assert set(BranchUpdate.objects.exclude(outcome="baseline").values_list("outcome", flat=True)) == {"allowed"}
    setup.run_queue()
    for number in numbers:
        assert read_status(setup, number) != "success"


def test_decision_allows_its_change_only_once(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    number = open_approved_change(setup, before, "topic", BAD)
    merge_pull_request(setup, number)
    tree = setup.work.repo.tree_of(setup.work.tip("main"))
    reverted(setup, before)
    again = setup.work.repo.commit(on="", tree=tree, parents=[setup.work.tip("main")], author=setup.work.who("ada"))
    setup.work.push("ada", again, "main")
    setup.read_updates()
    assert BranchUpdate.objects.get(commit=again).outcome == "bypass"


def test_branch_update_record_names_the_included_heads(setup: ForgeSetup) -> None:
    first, second, _ = open_stacked_changes(setup)
    heads = {setup.load_change(first).head, setup.load_change(second).head}
    merge_pull_request(setup, second)
    row = BranchUpdate.objects.get(outcome="allowed")
    entry = record_kinds.decode_record(bytes(row.record.data), 0)
    assert isinstance(entry, record_kinds.BranchUpdateRecord)
    found = read_details(entry.included_heads, record_objects.IncludedHeads)
    assert isinstance(found, record_objects.IncludedHeads)
    assert heads | {row.commit} <= set(found.heads)


def test_fast_forward_spends_approvals_of_intermediate_heads(setup: ForgeSetup) -> None:
    first, second, _ = open_stacked_changes(setup)
    setup.work.push("bob", setup.load_change(second).head, "main")
    setup.read_updates()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    setup.evaluate(first)
    assert "spent" in list_not_counted(setup, first)


def test_amended_earlier_head_is_spent_for_another_change_too(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    first = open_approved_change(setup, before, "topic", BAD)
    setup.work.push("ada", setup.load_change(first).head, "same")
    other = setup.acting.open("ada", "same", "main", "The same")
    approved(setup, other)
    setup.work.push("ada", setup.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(setup, first)
    merge_pull_request(setup, first)
    reverted(setup, before)
    setup.evaluate(other)
    assert read_status(setup, other) == "failure"
    assert "spent" in list_not_counted(setup, other)


@pytest.mark.parametrize("opened", ["since", "before"])
def test_undecided_approvals_count_only_if_their_change_was_opened_after_the_merge(
    setup: ForgeSetup, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = setup.work.tip("main")
    first = open_approved_change(setup, before, "topic", BAD)
    setup.work.push("ada", setup.load_change(first).head, "same")
    other = setup.acting.open("ada", "same", "main", "The same") if opened == "before" else 0
    setup.work.push("ada", setup.work.commit("ada", {"app.py": "x = 1\n"}, before), "topic", force=True)
    approved(setup, first)
    merge_pull_request(setup, first)
    reverted(setup, before)
    clocks: Any = setup.world or setup.fake
    clocks.clock = timezone.now() + timedelta(hours=1)  # of the forge: it is after the landing there too
    later = moments.format_moment(timezone.now() + timedelta(hours=3))
    monkeypatch.setattr(moments, "current_moment", lambda: later)
    other = other or setup.acting.open("ada", "same", "main", "The same")
    approved(setup, other)
    assert read_status(setup, other) == ("success" if opened == "since" else "failure")
    # the copy of the repository may be that of an earlier test, with statements that nobody can read
    assert ("spent" in list_not_counted(setup, other)) == (opened == "before")


def test_head_stays_spent_after_the_branch_was_rewound(setup: ForgeSetup) -> None:
    first, second, before = open_stacked_changes(setup)
    merge_pull_request(setup, second)
    setup.work.push("ada", before, "main", force=True)
    setup.read_updates()
    setup.run_queue()
    setup.evaluate(first)
    assert read_status(setup, first) == "failure"
    assert "spent" in list_not_counted(setup, first)


def test_merge_into_one_branch_spends_nothing_for_another_branch(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    setup.work.push("ada", before, "release/1")
    setup.read_updates()
    first, second, _ = open_stacked_changes(setup)
    setup.work.push("ada", setup.load_change(first).head, "backport")
    number = setup.acting.open("ada", "backport", "release/1", "Backport")
    approved(setup, number)
    merge_pull_request(setup, second)
    setup.evaluate(number)
    assert setup.get_status(setup.load_change(number).head, "muniment/release/1") == "success"
    assert read_status(setup, first) == "failure"


def test_revert_of_a_revert_needs_its_own_approvals(setup: ForgeSetup) -> None:
    first, second, before = open_stacked_changes(setup)
    merge_pull_request(setup, second)
    taken = setup.work.repo.tree_of(setup.work.tip("main"))
    reverted(setup, before)
    now = setup.work.tip("main")
    again = setup.work.repo.commit(on="", tree=taken, parents=[now], author=setup.work.who("ada"))
    setup.work.push("ada", again, "again")
    number = setup.acting.open("ada", "again", "main", "Again")
    setup.evaluate(number)
    assert read_status(setup, number) == "failure"
    approved(setup, number)
    merge_pull_request(setup, number)
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"
    setup.evaluate(first)
    assert read_status(setup, first) == "failure"


def spent_change(setup: ForgeSetup) -> int:
    """Open change whose head main took."""
    first, second, _ = open_stacked_changes(setup)
    merge_pull_request(setup, second)
    setup.evaluate(first)
    assert read_status(setup, first) == "failure"
    return first


def assert_evaluation_fails(setup: ForgeSetup, number: int) -> None:
    """Assert that the change cannot be evaluated and has no successful status."""
    with pytest.raises(StoreError, match="not what the ledger says"):
        setup.evaluate(number)
    assert read_status(setup, number) != "success"


def test_taken_head_altered_in_the_database_denies(gitea_setup: ForgeSetup) -> None:
    number = spent_change(gitea_setup)
    with as_role("worker"):
        TakenHead.objects.filter(head=gitea_setup.load_change(number).head).update(head="f" * 40)
    assert_evaluation_fails(gitea_setup, number)


def test_taken_head_with_another_record_denies(gitea_setup: ForgeSetup) -> None:
    number = spent_change(gitea_setup)
    with as_role("worker"):
        oldest = Record.objects.earliest("pk")
        TakenHead.objects.filter(head=gitea_setup.load_change(number).head).update(record=oldest)
    assert_evaluation_fails(gitea_setup, number)


def test_branch_update_altered_in_the_database_denies(gitea_setup: ForgeSetup) -> None:
    number = spent_change(gitea_setup)
    with as_role("worker"):
        BranchUpdate.objects.filter(outcome="allowed").update(previous_tip="f" * 40)
    landed_head_records._here.__dict__.clear()  # another process
    assert_evaluation_fails(gitea_setup, number)


def test_statement_with_a_later_record_in_the_database_denies(gitea_setup: ForgeSetup) -> None:
    number = spent_change(gitea_setup)
    with as_role("owner"):
        RecordedStatement.objects.filter(change=gitea_setup.load_change(number)).update(
            record=Record.objects.latest("pk")
        )
    assert_evaluation_fails(gitea_setup, number)

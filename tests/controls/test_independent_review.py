"""Answers of the review controls, case by case."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case, NoParameters, met, violated
from muniment.decision.catalogue import CONTROLS
from muniment.facts import kinds
from muniment.facts.change import (
    ApprovedHead,
    Commit,
    CommitPusher,
    Contributor,
    ContributorRole,
    Pushes,
    UpdateKind,
)
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import ReviewAction, SignatureResult
from tests.support.changes import (
    BASE,
    HEAD,
    NOW,
    PEOPLE,
    REVISION,
    approval,
    commit,
    file,
    hand,
    oid,
    person,
    values,
)


def evaluate_codes(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    """Reason codes of a control's answers."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    return [reason.code for reason in found.evaluate(case)]


def review(**changed: Any) -> code_review.CodeReview:
    return code_review.read_code_review(Case(values(**changed), None, NOW, {}))


def known(*items: Any) -> Known[tuple[Any, ...]]:
    return Known(tuple(items))


TWO = "independent-review"


def test_two_independent_approvals_are_enough() -> None:
    assert evaluate_codes(TWO) == ["reviewed"]
    assert evaluate_codes(TWO, {"reviewers": 3}) == ["too-few-approvals"]


def test_revision_without_commits_needs_no_review() -> None:
    assert evaluate_codes(TWO, commits=known()) == ["nothing-to-review"]


def test_too_few_eligible_reviewers_is_reported() -> None:
    few = Known(People((person("ada"), person("bob")), ()))
    assert evaluate_codes(TWO, people=few) == ["too-few-eligible-reviewers"]


@pytest.mark.parametrize(
    "missing", [kind.name for kind in code_review.NEEDS if kind.name not in ("revision", "commits")]
)
def test_missing_fact_is_unknown(missing: str) -> None:
    assert evaluate_codes(TWO, **{missing: Unknown("gone")}) == ["fact-unknown"]
    sensitive = known(file("auth/a.py"))
    assert evaluate_codes("security-attention", files=sensitive, **{missing: Unknown("gone")}) == ["fact-unknown"]


class TestPushers:
    """The first pusher of a commit is a contributor; the pusher of an unrecorded push is unknown."""

    def pushes(self, *who: Any) -> Known[Pushes]:
        return Known(Pushes(False, tuple(CommitPusher(HEAD.id, w) for w in who), (), ()))

    def test_a_pusher_is_a_contributor(self) -> None:
        found = review(pushes=self.pushes(Known("person:bob")))
        assert found.contributors["person:bob"] == (code_review.RoleInCommit(HEAD.id, ContributorRole.PUSHER),)
        assert list(found.counted) == ["sue"]

    @pytest.mark.parametrize("who", [(), (Unknown("the server did not say"),)])
    def test_an_unknown_pusher_denies(self, who: tuple[Any, ...]) -> None:
        assert "undetermined-contributor" in evaluate_codes(TWO, pushes=self.pushes(*who))

    def test_an_attested_pusher_is_known(self) -> None:
        result = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"})
        found = review(pushes=self.pushes(), approvals=known(approval("bob"), approval("carol"), result))
        assert (found.unknown_contributors, set(found.counted)) == ((), {"bob", "carol"})

    def test_contradicting_attestations_attest_nothing(self) -> None:
        people = Known(structs.replace(PEOPLE, persons=(*PEOPLE.persons, person("sam", roles=("security",)))))
        found = [
            approval(name, action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": who})
            for name, who in (("sue", "ada"), ("sam", "bob"))
        ]
        assert review(people=people, pushes=self.pushes(), approvals=known(*found)).unknown_contributors


class TestMachines:
    """A machine's approval never counts; a machine that works on request must name its requester."""

    def head(self, *more: Contributor) -> Known[tuple[Any, ...]]:
        return known(commit(1, hands=(hand("agent"), *more)))

    def test_bot_is_separate_contributor(self) -> None:
        assert list(review(commits=known(commit(1, hands=(hand("bot"),)))).contributors) == ["machine:update-bot"]

    def test_requested_machine_without_requester_denies(self) -> None:
        assert "undetermined-contributor" in evaluate_codes(TWO, commits=self.head())

    def test_requester_is_contributor(self) -> None:
        found = review(commits=self.head(hand("bob", ContributorRole.REQUESTER)))
        assert (found.unknown_contributors, list(found.counted)) == ((), ["sue"])

    def test_requester_can_be_attested(self) -> None:
        result = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "bob"})
        found = review(commits=self.head(), approvals=known(approval("bob"), result))
        assert "person:bob" in found.contributors
        assert not found.counted


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"signature": SignatureResult.BAD}, "bad-signature"),
        ({"repository": "other"}, "other-repository"),
        ({"target": "refs/heads/release/1"}, "other-branch"),
        ({"retargeted": True}, "retargeted"),
        ({"head": oid(9)}, "other-head"),
        ({"tree": oid(9)}, "other-tree"),
        ({"action": ReviewAction.REQUEST_CHANGES}, "changes-requested"),
        ({"action": ReviewAction.WITHDRAW}, "withdrawn"),
        ({"time": "2026-11-24T09:10:00.000001Z"}, "dated-in-the-future"),
    ],
)
def test_approval_with_any_flaw_does_not_count(changed: dict[str, Any], why: str) -> None:
    found = review(approvals=known(approval("bob", **changed)))
    assert [statement.reasons_not_counted for statement in found.statements] == [(why,)]


@pytest.mark.parametrize("proof", [SignatureResult.FORGE, SignatureResult.RECORDED])
def test_a_review_at_a_forge_or_a_recorded_act_counts(proof: SignatureResult) -> None:
    assert evaluate_codes(TWO, approvals=known(approval("bob", signature=proof), approval("sue"))) == ["reviewed"]


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        (SignatureResult.MAY_NOT_WRITE, "too-few-eligible-reviewers"),  # carol is not asked to do what would not count
        (SignatureResult.MACHINE, "too-few-approvals"),
        (SignatureResult.UNKNOWN_PERSON, "too-few-approvals"),
    ],
)
def test_review_without_permission_neither_counts_nor_blocks(flaw: SignatureResult, code: str) -> None:
    refused = approval("carol", signature=flaw, action=ReviewAction.REQUEST_CHANGES)
    found = review(approvals=known(approval("bob"), approval("sue"), refused))
    assert found.blocking_reviewers == ()
    assert found.statements[2].reasons_not_counted == (flaw.value,)
    yes = approval("carol", signature=flaw)
    assert evaluate_codes(TWO, {"reviewers": 3}, approvals=known(approval("bob"), approval("sue"), yes)) == [code]


def test_reviewer_with_write_access_at_forge_counts_without_local_access() -> None:
    people = People((person("ada"), person("bob", write_access=()), person("sue", write_access=())), ())
    by_forge = [approval(name, signature=SignatureResult.FORGE, writer_at_forge=True) for name in ("bob", "sue")]
    assert evaluate_codes(TWO, people=Known(people), approvals=known(*by_forge)) == ["reviewed"]
    without = [approval(name, signature=SignatureResult.FORGE) for name in ("bob", "sue")]
    assert evaluate_codes(TWO, people=Known(people), approvals=known(*without)) == ["too-few-eligible-reviewers"]


def test_forge_as_committer_is_machine_without_declaration() -> None:
    by_forge = commit(1, hands=(hand("ada"), Contributor("forge:github", ContributorRole.COMMITTER)))
    assert set(review(commits=known(by_forge)).contributors) == {"person:ada", "machine:github"}


def test_undetermined_contributor_denies_and_can_be_attested() -> None:
    lost = commit(7, hands=(Contributor("", ContributorRole.AUTHOR),))
    pushes = Known(
        Pushes(
            False,
            (CommitPusher(HEAD.id, Known("person:ada")), CommitPusher(lost.id, Known("person:ada"))),
            (lost.id,),
            (lost,),
        )
    )
    assert evaluate_codes(TWO, pushes=pushes) == ["reviewed", "undetermined-contributor"]
    result = approval(
        "sue", action=ReviewAction.ATTEST, attests={f"commit:{lost.id}": "ada"}, signature=SignatureResult.RECORDED
    )
    found = known(approval("bob"), approval("carol"), result)
    assert evaluate_codes(TWO, pushes=pushes, approvals=found) == ["reviewed"]


def test_only_last_statement_of_person_counts() -> None:
    words = known(approval("bob"), approval("bob", order=1, time=NOW, action=ReviewAction.WITHDRAW))
    assert [statement.counted for statement in review(approvals=words).statements] == [False, False]


def test_changes_requested_by_a_contributor_block() -> None:
    words = known(approval("ada", action=ReviewAction.REQUEST_CHANGES), approval("bob"), approval("sue"))
    assert evaluate_codes(TWO, approvals=words) == ["reviewed", "changes-requested"]


def test_earlier_head_makes_contributors() -> None:
    past = commit(7, hands=(hand("bob"),))
    pushes = Known(Pushes(True, (), (past.id,), (past,)))
    assert list(review(pushes=pushes).counted) == ["sue"]


class TestCarryOver:
    """Approvals of F carry to H only if a machine made the difference."""

    approved = commit(2, tree=50)

    def counted(
        self, own: tuple[Commit, ...], head: Commit, merged: int, *replayed: int, f: tuple[Commit, ...] = ()
    ) -> int:
        commits = f or (self.approved,)
        candidate = ApprovedHead(commits[0].id, commits, oid(merged) if merged else "", tuple(map(oid, replayed)))
        found = review(
            revision=Known(structs.replace(REVISION, head=head.id)),
            commits=Known(own),
            approved_heads=known(candidate),
            approvals=known(*(approval(name, commits[0]) for name in ("bob", "sue"))),
        )
        return len(found.counted)

    def test_approval_carries_over_machine_merge(self) -> None:
        head = commit(1, BASE, self.approved.id, tree=60, hands=(hand("bob"), hand("bob", ContributorRole.COMMITTER)))
        assert self.counted((head, self.approved), head, 60) == 2

    def test_unknown_merger_is_no_contributor(self) -> None:
        by_nobody = (hand("nobody"), hand("nobody", ContributorRole.COMMITTER))
        head = commit(1, BASE, self.approved.id, tree=60, hands=by_nobody)
        candidate = ApprovedHead(self.approved.id, (self.approved,), head.tree, ())
        found = review(commits=known(head, self.approved), approved_heads=known(candidate))
        assert (found.merger, found.unknown_contributors) == ("email:nobody@example.test", ())

    @pytest.mark.parametrize("merged", [0, 61])
    def test_merge_with_other_tree_does_not_carry(self, merged: int) -> None:
        head = commit(1, BASE, self.approved.id, tree=60)
        assert self.counted((head, self.approved), head, merged) == 0

    def test_merge_with_three_parents_does_not_carry(self) -> None:
        head = commit(1, BASE, self.approved.id, oid(8), tree=60)
        assert self.counted((head, self.approved), head, 60) == 0

    def test_commit_on_top_with_same_tree_does_not_carry(self) -> None:
        middle = commit(3, self.approved.id, tree=55)
        head = commit(1, middle.id, tree=50)
        assert self.counted((head, middle, self.approved), head, 50) == 0

    def test_approval_carries_over_squash_and_its_author_is_contributor(self) -> None:
        head = commit(1, tree=60, hands=(hand("carol"), hand("bob", ContributorRole.COMMITTER)))
        assert self.counted((head,), head, 60) == 2

    def test_merge_of_other_commit_does_not_carry(self) -> None:
        head = commit(1, BASE, oid(8), tree=60)
        assert self.counted((head, commit(8)), head, 60) == 0

    def test_approval_carries_over_replay_without_emptied_commits(self) -> None:
        f = (commit(4, oid(3), tree=43), commit(3, oid(2), tree=42), commit(2, tree=41))
        own = (commit(6, oid(5), tree=73), commit(5, tree=71))
        assert self.counted(own, own[0], 73, 70, 71, 71, 73, f=f) == 2
        assert self.counted(own, own[0], 73, 70, 71, 72, 73, f=f) == 0
        assert self.counted(own, own[0], 73, f=f) == 0

    def test_missing_head_carries_nothing(self) -> None:
        assert self.counted((), commit(1, tree=50), 50) == 0


def test_small_changes_control_codes() -> None:
    small = "small-changes"
    assert evaluate_codes(small) == ["small"]
    assert evaluate_codes(small, files=known()) == ["nothing-changed"]
    assert evaluate_codes(small, {"lines": 5}, files=known(file("a", 6))) == ["too-large"]
    assert evaluate_codes(small, {"files": 1}, files=known(file("a"), file("b"))) == ["too-large"]
    generated = known(file("uv.lock", 900), file("a"))
    assert evaluate_codes(small, {"lines": 5, "generated": ("*.lock",)}, files=generated) == ["small"]
    moved = known(structs.replace(file("b.lock", 900), old_path="a.py"))
    assert evaluate_codes(small, {"lines": 5, "generated": ("*.lock",)}, files=moved) == ["too-large"]
    unread = known(structs.replace(file("a"), lines=Unknown("it is not here")))
    assert evaluate_codes(small, files=unread) == ["size-unknown"]
    assert evaluate_codes(small, {"lines": 5}, files=known(file("a", 6)), people=Unknown("x")) == ["fact-unknown"]
    result = known(approval("bob"), approval("sue", answers={"why-large": "a table"}))
    assert evaluate_codes(small, {"lines": 5}, files=known(file("a", 6)), approvals=result) == ["large-with-reason"]
    blank = known(approval("bob"), approval("sue", answers={"why-large": "  "}))
    assert evaluate_codes(small, {"lines": 5}, files=known(file("a", 6)), approvals=blank) == ["too-large"]


def test_security_attention_control_codes() -> None:
    attention = "security-attention"
    files = known(file("src/a.py"), file("Auth/b.py"))
    assert evaluate_codes(attention) == ["nothing-sensitive"]
    assert evaluate_codes(attention, {"sensitive": ("src/**",)}, approvals=known(approval("bob"))) == [
        "no-security-approval"
    ]
    assert evaluate_codes(attention, files=files) == ["guide-unanswered"]
    everything = {f"{topic}": "looked" for topic in ("sensitive",)}
    assert evaluate_codes(attention, {"sensitive": ("auth/**",)}, files=files, approvals=known(approval("bob"))) == [
        "no-security-approval"
    ], everything


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (Known(UpdateKind.FAST_FORWARD), "history-preserved"),
        (Known(UpdateKind.DIVERGED), "history-preserved"),
        (Known(UpdateKind.CREATED), "history-preserved"),
        (Known(UpdateKind.UNCHANGED), "unchanged"),
        (Known(UpdateKind.REWOUND), "rewound"),
        (Known(UpdateKind.DELETED), "deleted"),
        (Unknown("shallow"), "update-unknown"),
    ],
)
def test_protected_history_control_codes(update: Any, code: str) -> None:
    assert evaluate_codes("protected-history", revision=Known(structs.replace(REVISION, update=update))) == [code]


def test_refused_tag_deletion_names_protected_tags() -> None:
    deleted = structs.replace(REVISION, target="refs/tags/v1", update=Known(UpdateKind.DELETED))
    assert evaluate_codes("protected-history", revision=Known(deleted)) == ["tag-deleted"]


def test_moved_tag_is_not_said_to_lose_commits() -> None:
    """The new commit may contain the old one; and nobody can merge onto a tag."""
    moved = structs.replace(REVISION, target="refs/tags/v1", update=Known(UpdateKind.REWOUND))
    assert evaluate_codes("protected-history", revision=Known(moved)) == ["tag-moved"]


def test_long_list_of_names_is_shortened() -> None:
    assert code_review.join_names(("a", "b", "c"), 2) == "a, b or 1 others"


def test_violated_reason_without_remedy_cannot_be_defined() -> None:
    with pytest.raises(ValueError, match="remedy"):
        violated("no", "")
    assert met("yes").remedy == ""


def test_control_cannot_read_unknown_fact() -> None:
    case = Case({"people": Unknown("gone")}, NoParameters(), NOW, {})
    with pytest.raises(KeyError):
        case.get_fact(kinds.PEOPLE)

"""What every control answers, case by case."""

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
    Contributor,
    ContributorRole,
    Push,
    Pushes,
    Update,
)
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import ReviewAction, Signature
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


def answered(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    """The codes that a control answers."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    return [reason.code for reason in found.judge(case)]


def review(**changed: Any) -> code_review.CodeReview:
    return code_review.read(Case(values(**changed), None, NOW, {}))


def known(*items: Any) -> Known[tuple[Any, ...]]:
    return Known(tuple(items))


TWO = "independent-review"


def test_two_others_are_enough() -> None:
    assert answered(TWO) == ["reviewed"]
    assert answered(TWO, {"reviewers": 3}) == ["too-few-approvals"]


def test_no_commit_needs_no_review() -> None:
    assert answered(TWO, commits=known()) == ["nothing-to-review"]


def test_a_company_too_small_is_told_so() -> None:
    few = Known(People((person("ada"), person("bob")), ()))
    assert answered(TWO, people=few) == ["too-few-eligible-reviewers"]


@pytest.mark.parametrize(
    "missing", [kind.name for kind in code_review.NEEDS if kind.name not in ("revision", "commits")]
)
def test_what_was_not_learnt_is_unknown(missing: str) -> None:
    assert answered(TWO, **{missing: Unknown("gone")}) == ["fact-unknown"]
    sensitive = known(file("auth/a.py"))
    assert answered("security-attention", files=sensitive, **{missing: Unknown("gone")}) == ["fact-unknown"]


class TestPushers:
    """Whoever first pushed a commit had a hand in it; a push that nobody recorded is by nobody known."""

    def pushes(self, *who: Any) -> Known[Pushes]:
        return Known(Pushes(False, tuple(Push(HEAD.id, w) for w in who), (), ()))

    def test_a_pusher_is_a_contributor(self) -> None:
        found = review(pushes=self.pushes(Known("person:bob")))
        assert found.contributors["person:bob"] == (code_review.Part(HEAD.id, ContributorRole.PUSHER),)
        assert list(found.counted) == ["sue"]

    @pytest.mark.parametrize("who", [(), (Unknown("the server did not say"),)])
    def test_an_unknown_pusher_denies(self, who: tuple[Any, ...]) -> None:
        assert "undetermined-contributor" in answered(TWO, pushes=self.pushes(*who))

    def test_an_attested_pusher_is_known(self) -> None:
        said = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"})
        found = review(pushes=self.pushes(), approvals=known(approval("bob"), approval("carol"), said))
        assert (found.strangers, set(found.counted)) == ((), {"bob", "carol"})

    def test_two_who_attest_differently_attest_nothing(self) -> None:
        people = Known(structs.replace(PEOPLE, persons=(*PEOPLE.persons, person("sam", roles=("security",)))))
        said = [
            approval(name, action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": who})
            for name, who in (("sue", "ada"), ("sam", "bob"))
        ]
        assert review(people=people, pushes=self.pushes(), approvals=known(*said)).strangers


class TestMachines:
    """A machine never counts; one that people ask must tell who did."""

    def head(self, *more: Contributor) -> Known[tuple[Any, ...]]:
        return known(commit(1, hands=(hand("agent"), *more)))

    def test_a_bot_is_a_contributor_of_its_own(self) -> None:
        assert list(review(commits=known(commit(1, hands=(hand("bot"),)))).contributors) == ["machine:update-bot"]

    def test_an_asked_machine_that_does_not_say_who_asked_denies(self) -> None:
        assert "undetermined-contributor" in answered(TWO, commits=self.head())

    def test_who_asked_is_a_contributor(self) -> None:
        found = review(commits=self.head(hand("bob", ContributorRole.REQUESTER)))
        assert (found.strangers, list(found.counted)) == ((), ["sue"])

    def test_who_asked_can_be_attested(self) -> None:
        said = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "bob"})
        found = review(commits=self.head(), approvals=known(approval("bob"), said))
        assert "person:bob" in found.contributors
        assert not found.counted


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"signature": Signature.BAD}, "bad-signature"),
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
def test_each_flaw_keeps_an_approval_from_counting(changed: dict[str, Any], why: str) -> None:
    found = review(approvals=known(approval("bob", **changed)))
    assert [judged.why_not for judged in found.judged] == [(why,)]


@pytest.mark.parametrize("proof", [Signature.FORGE, Signature.RECORDED])
def test_a_review_at_a_forge_or_a_recorded_act_counts(proof: Signature) -> None:
    assert answered(TWO, approvals=known(approval("bob", signature=proof), approval("sue"))) == ["reviewed"]


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        (Signature.MAY_NOT_WRITE, "too-few-eligible-reviewers"),  # carol is not asked to do what would not count
        (Signature.MACHINE, "too-few-approvals"),
        (Signature.UNKNOWN_PERSON, "too-few-approvals"),
    ],
)
def test_a_review_by_who_may_not_neither_counts_nor_blocks(flaw: Signature, code: str) -> None:
    refused = approval("carol", signature=flaw, action=ReviewAction.REQUEST_CHANGES)
    found = review(approvals=known(approval("bob"), approval("sue"), refused))
    assert found.blocked_by == ()
    assert found.judged[2].why_not == (flaw.value,)
    yes = approval("carol", signature=flaw)
    assert answered(TWO, {"reviewers": 3}, approvals=known(approval("bob"), approval("sue"), yes)) == [code]


def test_whoever_may_write_at_the_forge_counts_without_write_access_here() -> None:
    people = People((person("ada"), person("bob", write_access=()), person("sue", write_access=())), ())
    by_forge = [approval(name, signature=Signature.FORGE, writer_at_forge=True) for name in ("bob", "sue")]
    assert answered(TWO, people=Known(people), approvals=known(*by_forge)) == ["reviewed"]
    without = [approval(name, signature=Signature.FORGE) for name in ("bob", "sue")]
    assert answered(TWO, people=Known(people), approvals=known(*without)) == ["too-few-eligible-reviewers"]


def test_a_forge_that_commits_is_a_machine_that_no_list_needs() -> None:
    by_forge = commit(1, hands=(hand("ada"), Contributor("forge:github", ContributorRole.COMMITTER)))
    assert set(review(commits=known(by_forge)).contributors) == {"person:ada", "machine:github"}


def test_a_hand_that_nobody_can_tell_denies_and_can_be_attested() -> None:
    lost = commit(7, hands=(Contributor("", ContributorRole.AUTHOR),))
    pushes = Known(
        Pushes(False, (Push(HEAD.id, Known("person:ada")), Push(lost.id, Known("person:ada"))), (lost.id,), (lost,))
    )
    assert answered(TWO, pushes=pushes) == ["reviewed", "undetermined-contributor"]
    said = approval(
        "sue", action=ReviewAction.ATTEST, attests={f"commit:{lost.id}": "ada"}, signature=Signature.RECORDED
    )
    found = known(approval("bob"), approval("carol"), said)
    assert answered(TWO, pushes=pushes, approvals=found) == ["reviewed"]


def test_only_the_last_word_counts() -> None:
    words = known(approval("bob"), approval("bob", order=1, time=NOW, action=ReviewAction.WITHDRAW))
    assert [judged.counted for judged in review(approvals=words).judged] == [False, False]


def test_changes_requested_by_a_contributor_block() -> None:
    words = known(approval("ada", action=ReviewAction.REQUEST_CHANGES), approval("bob"), approval("sue"))
    assert answered(TWO, approvals=words) == ["reviewed", "changes-requested"]


def test_an_earlier_head_makes_contributors_too() -> None:
    past = commit(7, hands=(hand("bob"),))
    pushes = Known(Pushes(True, (), (past.id,), (past,)))
    assert list(review(pushes=pushes).counted) == ["sue"]


class TestCarrying:
    """Approvals of F carry to H only over what a machine made."""

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

    def test_a_merge_carries(self) -> None:
        head = commit(1, BASE, self.approved.id, tree=60, hands=(hand("bob"), hand("bob", ContributorRole.COMMITTER)))
        assert self.counted((head, self.approved), head, 60) == 2

    def test_a_merger_whom_nobody_knows_is_no_contributor(self) -> None:
        by_nobody = (hand("nobody"), hand("nobody", ContributorRole.COMMITTER))
        head = commit(1, BASE, self.approved.id, tree=60, hands=by_nobody)
        candidate = ApprovedHead(self.approved.id, (self.approved,), head.tree, ())
        found = review(commits=known(head, self.approved), approved_heads=known(candidate))
        assert (found.merger, found.strangers) == ("email:nobody@example.test", ())

    @pytest.mark.parametrize("merged", [0, 61])
    def test_a_merge_with_another_tree_does_not(self, merged: int) -> None:
        head = commit(1, BASE, self.approved.id, tree=60)
        assert self.counted((head, self.approved), head, merged) == 0

    def test_three_parents_do_not(self) -> None:
        head = commit(1, BASE, self.approved.id, oid(8), tree=60)
        assert self.counted((head, self.approved), head, 60) == 0

    def test_a_commit_on_top_does_not_even_with_the_same_tree(self) -> None:
        middle = commit(3, self.approved.id, tree=55)
        head = commit(1, middle.id, tree=50)
        assert self.counted((head, middle, self.approved), head, 50) == 0

    def test_a_squash_carries_and_its_author_is_a_contributor(self) -> None:
        head = commit(1, tree=60, hands=(hand("carol"), hand("bob", ContributorRole.COMMITTER)))
        assert self.counted((head,), head, 60) == 2

    def test_a_merge_of_something_else_does_not(self) -> None:
        head = commit(1, BASE, oid(8), tree=60)
        assert self.counted((head, commit(8)), head, 60) == 0

    def test_a_replay_carries_also_without_what_became_empty(self) -> None:
        f = (commit(4, oid(3), tree=43), commit(3, oid(2), tree=42), commit(2, tree=41))
        own = (commit(6, oid(5), tree=73), commit(5, tree=71))
        assert self.counted(own, own[0], 73, 70, 71, 71, 73, f=f) == 2
        assert self.counted(own, own[0], 73, 70, 71, 72, 73, f=f) == 0
        assert self.counted(own, own[0], 73, f=f) == 0

    def test_no_head_among_the_commits_carries_nothing(self) -> None:
        assert self.counted((), commit(1, tree=50), 50) == 0


def test_small_changes() -> None:
    small = "small-changes"
    assert answered(small) == ["small"]
    assert answered(small, files=known()) == ["nothing-changed"]
    assert answered(small, {"lines": 5}, files=known(file("a", 6))) == ["too-large"]
    assert answered(small, {"files": 1}, files=known(file("a"), file("b"))) == ["too-large"]
    generated = known(file("uv.lock", 900), file("a"))
    assert answered(small, {"lines": 5, "generated": ("*.lock",)}, files=generated) == ["small"]
    moved = known(structs.replace(file("b.lock", 900), old_path="a.py"))
    assert answered(small, {"lines": 5, "generated": ("*.lock",)}, files=moved) == ["too-large"]
    unread = known(structs.replace(file("a"), lines=Unknown("it is not here")))
    assert answered(small, files=unread) == ["size-unknown"]
    assert answered(small, {"lines": 5}, files=known(file("a", 6)), people=Unknown("x")) == ["fact-unknown"]
    told = known(approval("bob"), approval("sue", answers={"why-large": "a table"}))
    assert answered(small, {"lines": 5}, files=known(file("a", 6)), approvals=told) == ["large-with-reason"]
    blank = known(approval("bob"), approval("sue", answers={"why-large": "  "}))
    assert answered(small, {"lines": 5}, files=known(file("a", 6)), approvals=blank) == ["too-large"]


def test_security_attention() -> None:
    attention = "security-attention"
    files = known(file("src/a.py"), file("Auth/b.py"))
    assert answered(attention) == ["nothing-sensitive"]
    assert answered(attention, {"sensitive": ("src/**",)}, approvals=known(approval("bob"))) == ["no-security-approval"]
    assert answered(attention, files=files) == ["guide-unanswered"]
    everything = {f"{topic}": "looked" for topic in ("sensitive",)}
    assert answered(attention, {"sensitive": ("auth/**",)}, files=files, approvals=known(approval("bob"))) == [
        "no-security-approval"
    ], everything


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (Known(Update.FAST_FORWARD), "history-preserved"),
        (Known(Update.DIVERGED), "history-preserved"),
        (Known(Update.CREATED), "history-preserved"),
        (Known(Update.UNCHANGED), "unchanged"),
        (Known(Update.REWOUND), "rewound"),
        (Known(Update.DELETED), "deleted"),
        (Unknown("shallow"), "update-unknown"),
    ],
)
def test_history_kept(update: Any, code: str) -> None:
    assert answered("protected-history", revision=Known(structs.replace(REVISION, update=update))) == [code]


def test_a_refused_deletion_of_a_tag_speaks_of_protected_tags() -> None:
    deleted = structs.replace(REVISION, target="refs/tags/v1", update=Known(Update.DELETED))
    assert answered("protected-history", revision=Known(deleted)) == ["tag-deleted"]


def test_many_names_are_shortened() -> None:
    assert code_review.some(("a", "b", "c"), 2) == "a, b or 1 others"


def test_a_refusal_without_a_remedy_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="remedy"):
        violated("no", "")
    assert met("yes").remedy == ""


def test_a_control_cannot_read_what_was_not_learnt() -> None:
    case = Case({"people": Unknown("gone")}, NoParameters(), NOW, {})
    with pytest.raises(KeyError):
        case.get(kinds.PEOPLE)

"""Who counts as contributor, reviewer and merger: one test for each condition that other tests do not notice."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review, reviewed_by_others
from muniment.controls.control import Case, Reason, Status
from muniment.controls.review_statements import ALL_PUSHERS, WhyNot
from muniment.facts.change import ApprovedHead, Commit, Contributor, ContributorRole, Push, Pushes
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import ReviewAction, Signature
from tests.support.changes import (
    BASE,
    EARLIER,
    HEAD,
    NOW,
    PEOPLE,
    REVISION,
    approval,
    commit,
    hand,
    oid,
    person,
    values,
)

APPROVED = commit(2, tree=50)


def review(**changed: Any) -> code_review.CodeReview:
    return code_review.read(Case(values(**changed), None, NOW, {}))


def people(*more: Any) -> Known[Any]:
    return Known(structs.replace(PEOPLE, persons=(*PEOPLE.persons, *more)))


def ladder(steps: int = 60) -> tuple[Commit, ...]:
    """A history of so many merges of two sides, newest first: 2 ** steps ways lead through it."""
    sides = [commit(100)]
    for step in range(1, steps):
        first = sides[0].id
        left, right = commit(100 + 3 * step, first), commit(101 + 3 * step, first)
        sides = [commit(102 + 3 * step, left.id, right.id), left, right, *sides]
    return tuple(sides)


def carried(head: Commit, *others: Commit, approved: Commit = APPROVED) -> code_review.CodeReview:
    """The review of a head that a machine made of an approved one."""
    return review(
        revision=Known(structs.replace(REVISION, head=head.id)),
        commits=Known((head, *others)),
        approved_heads=Known((ApprovedHead(approved.id, (approved,), head.tree, ()),)),
        approvals=Known((approval("bob", approved), approval("sue", approved))),
    )


def test_who_attests_is_not_named_as_one_who_could_approve() -> None:
    said = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"})
    found = review(pushes=Known(Pushes(False, (), (), ())), approvals=Known((said,)))
    assert found.could_approve == ("bob", "carol")


def test_who_may_not_write_here_is_not_named_and_blocks_nothing() -> None:
    elsewhere = person("dan", write_access=("docs",))
    words = Known((approval("bob"), approval("dan", action=ReviewAction.REQUEST_CHANGES)))
    found = review(people=people(elsewhere), approvals=words)
    assert found.could_approve == ("carol", "sue")
    assert (found.requesting, found.blocked_by) == (("dan",), ())


def test_who_may_write_at_the_forge_without_a_role_here_blocks_and_is_named() -> None:
    elsewhere = people(person("dan", write_access=("docs",)))
    asked = approval("dan", action=ReviewAction.REQUEST_CHANGES, writer_at_forge=True)
    found = review(people=elsewhere, approvals=Known((approval("bob"), asked)))
    assert found.blocked_by == ("dan",)
    assert found.could_approve == ("carol", "sue", "dan")


def test_who_left_is_not_named_and_blocks_nothing() -> None:
    words = Known((approval("bob"), approval("dan", action=ReviewAction.REQUEST_CHANGES)))
    found = review(people=people(person("dan", active=False)), approvals=words)
    assert found.could_approve == ("carol", "sue")
    assert found.blocked_by == ()


def test_the_author_of_a_squash_is_a_contributor_and_its_committer_is_the_merger() -> None:
    hands = (hand("carol"), hand("bob", ContributorRole.COMMITTER), hand("bob", ContributorRole.SIGNER))
    found = carried(commit(1, tree=60, hands=hands))
    assert (set(found.contributors), found.merger) == ({"person:ada", "person:carol"}, "person:bob")


def test_the_author_of_a_machine_merge_is_its_merger_alone() -> None:
    hands = (hand("bob"), hand("bob", ContributorRole.COMMITTER), hand("bob", ContributorRole.SIGNER))
    found = carried(commit(1, BASE, APPROVED.id, tree=60, hands=hands), APPROVED)
    assert (set(found.contributors), set(found.counted)) == ({"person:ada"}, {"bob", "sue"})


def test_a_co_author_of_a_machine_merge_is_a_contributor() -> None:
    hands = (hand("bob", ContributorRole.COMMITTER), hand("sue", ContributorRole.CO_AUTHOR))
    found = carried(commit(1, BASE, APPROVED.id, tree=60, hands=hands), APPROVED)
    assert (set(found.contributors), set(found.counted)) == ({"person:ada", "person:sue"}, {"bob"})


def test_who_signs_an_ordinary_commit_is_a_contributor() -> None:
    signed = commit(1, hands=(hand("ada"), hand("bob", ContributorRole.SIGNER)))
    assert set(review(commits=Known((signed,))).contributors) == {"person:ada", "person:bob"}


def test_nobody_merged_what_no_machine_made() -> None:
    assert review().merger == ""


def test_the_merger_is_the_committer_of_what_a_machine_made_not_of_what_it_merged() -> None:
    by_carol = commit(2, tree=50, hands=(hand("carol"), hand("carol", ContributorRole.COMMITTER)))
    made = commit(1, BASE, by_carol.id, tree=60, hands=(hand("bob"), hand("bob", ContributorRole.COMMITTER)))
    assert carried(made, by_carol, approved=by_carol).merger == "person:bob"


def test_what_a_machine_made_without_a_committer_has_no_merger() -> None:
    head = commit(1, BASE, APPROVED.id, tree=60, hands=(hand("bob"),))
    assert carried(head, APPROVED).merger == ""


def test_an_identity_that_nobody_has_is_not_called_lost() -> None:
    (stranger,) = review(commits=Known((commit(1, hands=(hand("nobody"),)),))).strangers
    assert (stranger.subject, stranger.why) == ("account:nobody@example.test", "")
    (lost,) = review(commits=Known((commit(1, hands=(Contributor("", ContributorRole.AUTHOR),)),))).strangers
    assert (lost.subject, bool(lost.why)) == (f"commit:{HEAD.id}", True)


@pytest.mark.parametrize(
    ("pushes", "why"),
    [((), "nobody recorded a push"), ((Push(HEAD.id, Unknown("the server did not say")),), "the server did not say")],
)
def test_why_a_pusher_is_unknown_is_told(pushes: tuple[Push, ...], why: str) -> None:
    (stranger,) = review(pushes=Known(Pushes(False, pushes, (), ()))).strangers
    assert stranger.why == why


class TestRequesters:
    """A machine that people ask needs one who asked; another does not, and another hand in the commit is none."""

    def test_a_machine_that_nobody_asks_is_determined(self) -> None:
        assert review(commits=Known((commit(1, hands=(hand("bot"),)),))).strangers == ()

    def test_a_co_author_did_not_ask_for_it(self) -> None:
        made = commit(1, hands=(hand("agent"), hand("ada", ContributorRole.CO_AUTHOR)))
        (stranger,) = review(commits=Known((made,))).strangers
        assert stranger.because is ContributorRole.REQUESTER


PAST = commit(7)
SINCE = Known(Pushes(True, (), (PAST.id,), (PAST,)))
UNPUSHED = Known(Pushes(False, (), (), ()))
ADA_PUSHED = Pushes(False, (Push(HEAD.id, Known("person:ada")),), (), ())
LATER = "2026-11-24T08:30:00.000000Z"


def attestation(name: str, on: Commit = HEAD, **more: Any) -> Any:
    return approval(name, on, action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"}, **more)


class TestWords:
    """What a person said elsewhere, earlier or about another head changes nothing here; on a linked head it does."""

    def test_a_statement_for_another_repository_replaces_nothing(self) -> None:
        elsewhere = approval("bob", order=1, repository="other", action=ReviewAction.WITHDRAW)
        assert set(review(approvals=Known((approval("bob"), elsewhere))).counted) == {"bob"}

    @pytest.mark.parametrize(
        "elsewhere",
        [
            {"ref_head": "9" * 40, "head": "9" * 40},
            {"target": "refs/heads/release/1"},
            {"head": "9" * 40},
        ],
        ids=["a head of another change", "another branch", "another head than its name says"],
    )
    def test_changes_requested_elsewhere_block_nothing(self, elsewhere: dict[str, Any]) -> None:
        asked = approval("bob", action=ReviewAction.REQUEST_CHANGES, **elsewhere)
        assert review(approvals=Known((asked,))).requesting == ()

    @pytest.mark.parametrize(
        "elsewhere",
        [{"ref_head": "9" * 40, "head": "9" * 40}, {"target": "refs/heads/release/1"}],
        ids=["a head of another change", "another branch"],
    )
    def test_a_withdrawal_elsewhere_ends_no_approval_here(self, elsewhere: dict[str, Any]) -> None:
        back = approval("bob", order=1, time=LATER, action=ReviewAction.WITHDRAW, **elsewhere)
        assert set(review(approvals=Known((approval("bob"), back))).counted) == {"bob"}

    def test_an_approval_counts_after_the_base_moved(self) -> None:
        assert set(review(approvals=Known((approval("bob", base=oid(9)),))).counted) == {"bob"}

    def test_a_head_that_brings_no_commit_has_no_approval_that_counts(self) -> None:
        assert not review(commits=Known(())).counted

    def test_a_statement_on_a_rewind_to_a_head_replaces_no_approval_of_it(self) -> None:
        rewind = approval("bob", id=oid(98), order=1, time=LATER, action=ReviewAction.REWIND)
        assert set(review(approvals=Known((approval("bob"), rewind))).counted) == {"bob"}

    def test_a_withdrawn_attestation_attests_nothing(self) -> None:
        back = approval("sue", order=1, time=LATER, action=ReviewAction.WITHDRAW)
        found = review(pushes=UNPUSHED, approvals=Known((attestation("sue"), back)))
        assert (found.attesting, bool(found.strangers)) == (frozenset(), True)

    def test_a_retarget_ends_approvals_and_no_objection(self) -> None:
        asked = approval("bob", action=ReviewAction.REQUEST_CHANGES, retargeted=True)
        found = review(approvals=Known((asked, approval("sue", retargeted=True))))
        assert [one.why_not for one in found.judged] == [
            (WhyNot.CHANGES_REQUESTED.value,),
            (WhyNot.RETARGETED.value,),
        ]
        assert found.blocked_by == ("bob",)

    def test_why_an_attestation_is_no_approval_is_told_once(self) -> None:
        (found,) = review(approvals=Known((attestation("sue"),)), pushes=UNPUSHED).judged
        assert found.why_not == (WhyNot.ATTESTED.value,)

    def test_who_attested_on_an_earlier_head_cannot_approve(self) -> None:
        words = Known((attestation("sue", ref_head=PAST.id, head=PAST.id), approval("sue", order=1, time=LATER)))
        found = review(approvals=words, pushes=SINCE)
        assert found.judged[1].why_not == (WhyNot.ATTESTED.value,)

    @pytest.mark.parametrize("name", ["ghost", "dan", "bob"])
    def test_who_is_unknown_left_or_has_no_security_role_attests_nothing(self, name: str) -> None:
        left = people(person("dan", roles=("security",), active=False))
        assert review(people=left, pushes=UNPUSHED, approvals=Known((attestation(name),))).strangers

    def test_a_contributor_attests_nothing(self) -> None:
        by_sue = commit(1, hands=(hand("ada"), hand("sue", ContributorRole.CO_AUTHOR)))
        found = review(
            commits=Known((by_sue,)), pushes=UNPUSHED, approvals=Known((attestation("sue", tree=by_sue.tree),))
        )
        assert (found.attesting, bool(found.strangers)) == (frozenset(), True)

    def test_an_attestation_of_a_developer_is_no_approval(self) -> None:
        (found,) = review(approvals=Known((attestation("bob"),))).judged
        assert found.why_not == (WhyNot.ATTESTED.value,)

    def test_whom_nobody_knows_asks_for_nothing_unless_people_were_erased(self) -> None:
        asked = Known((approval("ghost", action=ReviewAction.REQUEST_CHANGES),))
        assert review(approvals=asked).requesting == ()
        erased = Known(structs.replace(PEOPLE, erased=("f" * 64,)))
        found = review(approvals=asked, people=erased)
        assert (found.requesting, found.blocked_by) == (("ghost",), ("ghost",))

    def test_who_pushed_is_attested_for_every_commit_behind_a_head(self) -> None:
        older, newer = commit(2, tree=40), commit(1, oid(2))
        said = attestation("sue", tree=newer.tree)
        words = Known((structs.replace(said, attests={ALL_PUSHERS: "ada"}),))
        found = review(commits=Known((newer, older)), pushes=UNPUSHED, approvals=words)
        assert (found.strangers, set(found.contributors)) == ((), {"person:ada"})
        sides = (commit(1, oid(2), oid(3)), commit(2, oid(4)), commit(3, oid(4)), commit(4))
        assert review(commits=Known(sides), pushes=UNPUSHED, approvals=words).strangers == ()
        below = commit(5, HEAD.id)
        elsewhere = review(
            revision=Known(structs.replace(REVISION, head=below.id)),
            commits=Known((below, HEAD)),
            pushes=Known(Pushes(False, (), (HEAD.id,), (HEAD,))),
            approvals=words,
        )
        assert [one.subject for one in elsewhere.strangers] == [f"commit:{below.id}"]

    @pytest.mark.parametrize(
        ("own", "pushed", "stranger"),
        [
            (HEAD, Known("login:forge/nobody"), "account:forge/nobody"),
            (commit(1, hands=(Contributor("", ContributorRole.AUTHOR),)), Known("person:ada"), f"commit:{HEAD.id}"),
        ],
        ids=["an account that pushed", "an author who is lost"],
    )
    def test_an_attestation_of_unrecorded_pushers_is_about_nobody_else(
        self, own: Commit, pushed: Known[str], stranger: str
    ) -> None:
        said = structs.replace(attestation("sue"), attests={ALL_PUSHERS: "ada"})
        pushes = structs.replace(ADA_PUSHED, first_pushes=(Push(HEAD.id, pushed),))
        found = review(commits=Known((own,)), pushes=Known(pushes), approvals=Known((said,)))
        assert [one.subject for one in found.strangers] == [stranger]

    def test_who_pushed_a_long_row_of_merges_is_attested_in_one_walk(self) -> None:
        own = ladder()
        said = structs.replace(attestation("sue", own[0], tree=own[0].tree), attests={ALL_PUSHERS: "ada"})
        at = Known(structs.replace(REVISION, head=own[0].id))
        assert review(revision=at, commits=Known(own), pushes=UNPUSHED, approvals=Known((said,))).strangers == ()

    def test_an_identity_may_be_that_of_who_was_erased(self) -> None:
        erased = Known(structs.replace(PEOPLE, erased=("f" * 64,)))
        (stranger,) = review(people=erased, commits=Known((commit(1, hands=(hand("nobody"),)),))).strangers
        assert "erased" in stranger.why

    @pytest.mark.parametrize(
        ("action", "time", "asks"),
        [
            (ReviewAction.APPROVE, LATER, False),
            (ReviewAction.APPROVE, EARLIER, True),
            (ReviewAction.WITHDRAW, LATER, False),
            (ReviewAction.ATTEST, LATER, True),
        ],
    )
    def test_changes_requested_on_an_earlier_head_block_until_taken_back(
        self, action: ReviewAction, time: str, asks: bool
    ) -> None:
        asked = approval("bob", ref_head=PAST.id, head=PAST.id, action=ReviewAction.REQUEST_CHANGES)
        found = review(pushes=SINCE, approvals=Known((asked, approval("bob", order=1, action=action, time=time))))
        assert found.requesting == (("bob",) if asks else ())

    @pytest.mark.parametrize(
        ("action", "time", "counts"),
        [
            (ReviewAction.WITHDRAW, LATER, False),
            (ReviewAction.WITHDRAW, EARLIER, False),
            (ReviewAction.WITHDRAW, "2026-11-24T07:00:00.000000Z", True),
            (ReviewAction.APPROVE, LATER, True),
        ],
    )
    def test_a_later_word_on_a_linked_head_replaces_an_approval(
        self, action: ReviewAction, time: str, counts: bool
    ) -> None:
        word = approval("bob", ref_head=PAST.id, head=PAST.id, order=1, action=action, time=time)
        found = review(pushes=SINCE, approvals=Known((approval("bob"), word)))
        assert found.judged[0].why_not == (() if counts else (WhyNot.REPLACED.value,))

    def test_the_same_word_again_replaces_the_first(self) -> None:
        first, second = review(approvals=Known((approval("bob"), approval("bob", order=1)))).judged
        assert (first.why_not, second.why_not) == ((WhyNot.REPLACED.value,), ())

    def test_an_approval_under_the_name_of_another_head_does_not_count(self) -> None:
        (found,) = review(approvals=Known((approval("bob", ref_head="9" * 40),))).judged
        assert WhyNot.OTHER_HEAD.value in found.why_not

    def test_who_left_or_may_not_write_here_does_not_count(self) -> None:
        more = people(person("dan", active=False), person("eve", write_access=("docs",)))
        found = review(people=more, approvals=Known((approval("dan"), approval("eve"))))
        assert [one.why_not for one in found.judged] == [
            (WhyNot.INACTIVE.value,),
            (WhyNot.MAY_NOT_WRITE.value,),
        ]

    def test_clocks_may_differ_by_ten_minutes_and_no_more(self) -> None:
        (found,) = review(approvals=Known((approval("bob", time="2026-11-24T09:10:00.000000Z"),))).judged
        assert found.why_not == ()


def test_only_persons_with_the_security_role_are_named_for_security() -> None:
    def reviewers(**changed: Any) -> code_review.SecurityReviewers:
        case = Case(values(**changed), None, NOW, {})
        return code_review.security_reviewers(case, code_review.read(case))

    assert reviewers().counted == ("sue",)
    assert reviewers(approvals=Known(())).ask == PEOPLE.labels["sue"]
    assert reviewers().ask == PEOPLE.labels["sue"]
    nobody = Known(structs.replace(PEOPLE, persons=tuple(one for one in PEOPLE.persons if one.id != "sue")))
    assert "no such person is listed" in reviewers(people=nobody).ask


def test_as_many_names_as_are_allowed_are_not_shortened() -> None:
    assert code_review.some(("a", "b"), 2) == "a, b"
    assert code_review.some(("a",), 2) == "a"


@pytest.mark.parametrize(
    "role", [ContributorRole.AUTHOR, ContributorRole.COMMITTER, ContributorRole.CO_AUTHOR, ContributorRole.REQUESTER]
)
def test_a_name_that_anybody_can_write_into_a_commit_lifts_no_objection(role: ContributorRole) -> None:
    named = commit(1, hands=(hand("ada"), hand("carol", role)))
    asked = approval("carol", action=ReviewAction.REQUEST_CHANGES)
    found = review(commits=Known((named,)), pushes=Known(ADA_PUSHED), approvals=Known((asked,)))
    assert found.blocked_by == ("carol",)
    assert "person:carol" in found.contributors


@pytest.mark.parametrize("at", [EARLIER, LATER], ids=["at one time", "later"])
def test_an_attestation_lifts_no_objection_of_its_author(at: str) -> None:
    asked = approval("sue", action=ReviewAction.REQUEST_CHANGES)
    said = (asked, attestation("sue", order=1, time=at))
    found = review(pushes=UNPUSHED, approvals=Known((*said, approval("bob"), approval("carol"))))
    assert found.blocked_by == ("sue",)
    back = approval("sue", order=2, time=NOW, action=ReviewAction.WITHDRAW)
    assert review(pushes=UNPUSHED, approvals=Known((*said, back))).blocked_by == ()
    other = approval("sue", commit(7), order=2, time=NOW, action=ReviewAction.REQUEST_CHANGES)
    assert review(pushes=SINCE, approvals=Known((attestation("sue"), other))).blocked_by == ("sue",)


def test_changes_requested_by_who_may_approve_block() -> None:
    asked = approval("carol", action=ReviewAction.REQUEST_CHANGES)
    assert review(approvals=Known((approval("bob"), asked))).blocked_by == ("carol",)


def waits(name: str, identity: str) -> Known[Any]:
    """Everybody, with one more identity of somebody, whose link waits for a second person."""
    changed = [structs.replace(one, unconfirmed=(identity,)) if one.id == name else one for one in PEOPLE.persons]
    return Known(structs.replace(PEOPLE, persons=tuple(changed)))


def test_an_unconfirmed_account_is_nobodys_and_its_owner_a_contributor_all_the_same() -> None:
    own = commit(1, hands=(hand("new"),))
    found = review(people=waits("bob", "email:new@example.test"), commits=Known((own,)))
    assert [(one.subject, one.unconfirmed) for one in found.strangers] == [("account:new@example.test", "bob")]
    assert "person:bob" in found.contributors
    assert "bob" not in found.could_approve
    assert "carol" in found.could_approve


def test_an_unconfirmed_account_waits_no_longer_once_somebody_attests_who_it_was() -> None:
    own = commit(1, hands=(hand("new"),))
    said = approval("sue", own, action=ReviewAction.ATTEST, attests={"account:new@example.test": "carol"})
    found = review(people=waits("bob", "email:new@example.test"), commits=Known((own,)), approvals=Known((said,)))
    assert found.strangers == ()
    assert [who for who in found.contributors if who.startswith("person:")] == ["person:carol"]


def test_a_change_by_an_unconfirmed_account_is_denied_naming_whose_link_waits() -> None:
    own = commit(1, hands=(hand("new"),))
    both = Known((approval("carol", own), approval("sue", own)))
    reasons = judged(people=waits("bob", "email:new@example.test"), commits=Known((own,)), approvals=both)
    assert [one.code for one in reasons] == ["reviewed", "unconfirmed-contributor"]
    assert reasons[1].status is Status.UNKNOWN
    assert reasons[1].details["person"] == "bob"


def test_an_approval_by_an_unconfirmed_account_counts_for_nobody_and_says_why() -> None:
    words = Known((approval("bob", signature=Signature.UNCONFIRMED), approval("carol")))
    reasons = judged(approvals=words)
    assert [one.code for one in reasons] == ["too-few-approvals", "unconfirmed-reviewer"]
    assert (reasons[0].details["count"], reasons[1].details["person"]) == (1, "bob")
    enough = Known((*words.value, approval("sue")))
    assert [one.code for one in judged(approvals=enough)] == ["reviewed"]


@pytest.mark.parametrize(
    ("names", "ask"),
    [
        ((), "somebody else who may write to the repository"),
        (("carol",), "carol or somebody else who may write to the repository"),
    ],
)
def test_where_the_forge_was_not_asked_about_all_others_may_approve_too(names: tuple[str, ...], ask: str) -> None:
    asked = structs.replace(REVISION, possible_reviewers=names, asked_about_all=False)
    (reason,) = judged(revision=Known(asked), approvals=Known(()))
    assert (reason.code, reason.details["ask"]) == ("too-few-approvals", ask)


def judged(**changed: Any) -> tuple[Reason, ...]:
    return reviewed_by_others.judge(Case(values(**changed), reviewed_by_others.Parameters(), NOW, {}))

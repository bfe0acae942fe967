"""Contributors, reviewers and mergers: one test for each condition that other tests do not cover."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review, independent_review
from muniment.controls.control import Case, Reason, ResultStatus
from muniment.controls.review_statements import ALL_PUSHERS, Objection
from muniment.facts.change import ApprovedHead, Commit, CommitPusher, Contributor, ContributorRole, Pushes
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import ReviewAction, SignatureResult
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
    return code_review.read_code_review(Case(values(**changed), None, NOW, {}))


def people(*more: Any) -> Known[Any]:
    return Known(structs.replace(PEOPLE, persons=(*PEOPLE.persons, *more)))


def make_merge_ladder(steps: int = 60) -> tuple[Commit, ...]:
    """A history of so many merges of two sides, newest first: it has 2 ** steps paths."""
    sides = [commit(100)]
    for step in range(1, steps):
        first = sides[0].id
        left, right = commit(100 + 3 * step, first), commit(101 + 3 * step, first)
        sides = [commit(102 + 3 * step, left.id, right.id), left, right, *sides]
    return tuple(sides)


def make_carried_review(head: Commit, *others: Commit, approved: Commit = APPROVED) -> code_review.CodeReview:
    """Review of a head that a machine made of an approved one."""
    return review(
        revision=Known(structs.replace(REVISION, head=head.id)),
        commits=Known((head, *others)),
        approved_heads=Known((ApprovedHead(approved.id, (approved,), head.tree, ()),)),
        approvals=Known((approval("bob", approved), approval("sue", approved))),
    )


def test_attester_is_not_named_as_possible_reviewer() -> None:
    result = approval("sue", action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"})
    found = review(pushes=Known(Pushes(False, (), (), ())), approvals=Known((result,)))
    assert found.eligible_reviewers == ("bob", "carol")


def test_person_without_local_write_access_is_not_named_and_cannot_block() -> None:
    elsewhere = person("dan", write_access=("docs",))
    words = Known((approval("bob"), approval("dan", action=ReviewAction.REQUEST_CHANGES)))
    found = review(people=people(elsewhere), approvals=words)
    assert found.eligible_reviewers == ("carol", "sue")
    assert (found.requesting, found.blocking_reviewers) == (("dan",), ())


def test_forge_writer_without_local_role_can_block_and_is_named() -> None:
    elsewhere = people(person("dan", write_access=("docs",)))
    asked = approval("dan", action=ReviewAction.REQUEST_CHANGES, writer_at_forge=True)
    found = review(people=elsewhere, approvals=Known((approval("bob"), asked)))
    assert found.blocking_reviewers == ("dan",)
    assert found.eligible_reviewers == ("carol", "sue", "dan")


def test_inactive_person_is_not_named_and_cannot_block() -> None:
    words = Known((approval("bob"), approval("dan", action=ReviewAction.REQUEST_CHANGES)))
    found = review(people=people(person("dan", active=False)), approvals=words)
    assert found.eligible_reviewers == ("carol", "sue")
    assert found.blocking_reviewers == ()


def test_the_author_of_a_squash_is_a_contributor_and_its_committer_is_the_merger() -> None:
    hands = (hand("carol"), hand("bob", ContributorRole.COMMITTER), hand("bob", ContributorRole.SIGNER))
    found = make_carried_review(commit(1, tree=60, hands=hands))
    assert (set(found.contributors), found.merger) == ({"person:ada", "person:carol"}, "person:bob")


def test_author_of_machine_merge_is_merger_only() -> None:
    hands = (hand("bob"), hand("bob", ContributorRole.COMMITTER), hand("bob", ContributorRole.SIGNER))
    found = make_carried_review(commit(1, BASE, APPROVED.id, tree=60, hands=hands), APPROVED)
    assert (set(found.contributors), set(found.counted)) == ({"person:ada"}, {"bob", "sue"})


def test_a_co_author_of_a_machine_merge_is_a_contributor() -> None:
    hands = (hand("bob", ContributorRole.COMMITTER), hand("sue", ContributorRole.CO_AUTHOR))
    found = make_carried_review(commit(1, BASE, APPROVED.id, tree=60, hands=hands), APPROVED)
    assert (set(found.contributors), set(found.counted)) == ({"person:ada", "person:sue"}, {"bob"})


def test_signer_of_ordinary_commit_is_contributor() -> None:
    signed = commit(1, hands=(hand("ada"), hand("bob", ContributorRole.SIGNER)))
    assert set(review(commits=Known((signed,))).contributors) == {"person:ada", "person:bob"}


def test_head_not_made_by_machine_has_no_merger() -> None:
    assert review().merger == ""


def test_merger_is_committer_of_machine_made_commit() -> None:
    by_carol = commit(2, tree=50, hands=(hand("carol"), hand("carol", ContributorRole.COMMITTER)))
    made = commit(1, BASE, by_carol.id, tree=60, hands=(hand("bob"), hand("bob", ContributorRole.COMMITTER)))
    assert make_carried_review(made, by_carol, approved=by_carol).merger == "person:bob"


def test_machine_made_commit_without_committer_has_no_merger() -> None:
    head = commit(1, BASE, APPROVED.id, tree=60, hands=(hand("bob"),))
    assert make_carried_review(head, APPROVED).merger == ""


def test_unlinked_identity_differs_from_undetermined_contributor() -> None:
    (stranger,) = review(commits=Known((commit(1, hands=(hand("nobody"),)),))).unknown_contributors
    assert (stranger.subject, stranger.why) == ("account:nobody@example.test", "")
    (lost,) = review(commits=Known((commit(1, hands=(Contributor("", ContributorRole.AUTHOR),)),))).unknown_contributors
    assert (lost.subject, bool(lost.why)) == (f"commit:{HEAD.id}", True)


@pytest.mark.parametrize(
    ("pushes", "why"),
    [
        ((), "nobody recorded a push"),
        ((CommitPusher(HEAD.id, Unknown("the server did not say")),), "the server did not say"),
    ],
)
def test_reason_for_unknown_pusher_is_given(pushes: tuple[CommitPusher, ...], why: str) -> None:
    (stranger,) = review(pushes=Known(Pushes(False, pushes, (), ()))).unknown_contributors
    assert stranger.why == why


class TestRequesters:
    """A machine that works on request needs a requester; another machine does not, and a co-author is no requester."""

    def test_autonomous_machine_needs_no_requester(self) -> None:
        assert review(commits=Known((commit(1, hands=(hand("bot"),)),))).unknown_contributors == ()

    def test_co_author_is_not_requester(self) -> None:
        made = commit(1, hands=(hand("agent"), hand("ada", ContributorRole.CO_AUTHOR)))
        (stranger,) = review(commits=Known((made,))).unknown_contributors
        assert stranger.role is ContributorRole.REQUESTER


PAST = commit(7)
SINCE = Known(Pushes(True, (), (PAST.id,), (PAST,)))
UNPUSHED = Known(Pushes(False, (), (), ()))
ADA_PUSHED = Pushes(False, (CommitPusher(HEAD.id, Known("person:ada")),), (), ())
LATER = "2026-11-24T08:30:00.000000Z"


def attestation(name: str, on: Commit = HEAD, **more: Any) -> Any:
    return approval(name, on, action=ReviewAction.ATTEST, attests={f"commit:{HEAD.id}": "ada"}, **more)


class TestStatements:
    """Statements elsewhere, earlier or on another head have no effect here; on a linked head they have."""

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
    def test_requested_changes_on_other_change_or_branch_do_not_block(self, elsewhere: dict[str, Any]) -> None:
        asked = approval("bob", action=ReviewAction.REQUEST_CHANGES, **elsewhere)
        assert review(approvals=Known((asked,))).requesting == ()

    @pytest.mark.parametrize(
        "elsewhere",
        [{"ref_head": "9" * 40, "head": "9" * 40}, {"target": "refs/heads/release/1"}],
        ids=["a head of another change", "another branch"],
    )
    def test_withdrawal_on_other_change_or_branch_ends_no_approval(self, elsewhere: dict[str, Any]) -> None:
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
        assert (found.attesting, bool(found.unknown_contributors)) == (frozenset(), True)

    def test_retarget_ends_approvals_but_not_requested_changes(self) -> None:
        asked = approval("bob", action=ReviewAction.REQUEST_CHANGES, retargeted=True)
        found = review(approvals=Known((asked, approval("sue", retargeted=True))))
        assert [one.reasons_not_counted for one in found.statements] == [
            (Objection.CHANGES_REQUESTED.value,),
            (Objection.RETARGETED.value,),
        ]
        assert found.blocking_reviewers == ("bob",)

    def test_reason_why_attestation_is_no_approval_is_given_once(self) -> None:
        (found,) = review(approvals=Known((attestation("sue"),)), pushes=UNPUSHED).statements
        assert found.reasons_not_counted == (Objection.ATTESTED.value,)

    def test_attester_on_earlier_head_cannot_approve(self) -> None:
        words = Known((attestation("sue", ref_head=PAST.id, head=PAST.id), approval("sue", order=1, time=LATER)))
        found = review(approvals=words, pushes=SINCE)
        assert found.statements[1].reasons_not_counted == (Objection.ATTESTED.value,)

    @pytest.mark.parametrize("name", ["ghost", "dan", "bob"])
    def test_unknown_inactive_or_non_security_person_attests_nothing(self, name: str) -> None:
        left = people(person("dan", roles=("security",), active=False))
        assert review(people=left, pushes=UNPUSHED, approvals=Known((attestation(name),))).unknown_contributors

    def test_a_contributor_attests_nothing(self) -> None:
        by_sue = commit(1, hands=(hand("ada"), hand("sue", ContributorRole.CO_AUTHOR)))
        found = review(
            commits=Known((by_sue,)), pushes=UNPUSHED, approvals=Known((attestation("sue", tree=by_sue.tree),))
        )
        assert (found.attesting, bool(found.unknown_contributors)) == (frozenset(), True)

    def test_an_attestation_of_a_developer_is_no_approval(self) -> None:
        (found,) = review(approvals=Known((attestation("bob"),))).statements
        assert found.reasons_not_counted == (Objection.ATTESTED.value,)

    def test_changes_requested_by_unknown_person_block_only_after_erasures(self) -> None:
        asked = Known((approval("ghost", action=ReviewAction.REQUEST_CHANGES),))
        assert review(approvals=asked).requesting == ()
        erased = Known(structs.replace(PEOPLE, erased=("f" * 64,)))
        found = review(approvals=asked, people=erased)
        assert (found.requesting, found.blocking_reviewers) == (("ghost",), ("ghost",))

    def test_attested_pusher_applies_to_all_commits_of_head(self) -> None:
        older, newer = commit(2, tree=40), commit(1, oid(2))
        result = attestation("sue", tree=newer.tree)
        words = Known((structs.replace(result, attests={ALL_PUSHERS: "ada"}),))
        found = review(commits=Known((newer, older)), pushes=UNPUSHED, approvals=words)
        assert (found.unknown_contributors, set(found.contributors)) == ((), {"person:ada"})
        sides = (commit(1, oid(2), oid(3)), commit(2, oid(4)), commit(3, oid(4)), commit(4))
        assert review(commits=Known(sides), pushes=UNPUSHED, approvals=words).unknown_contributors == ()
        below = commit(5, HEAD.id)
        elsewhere = review(
            revision=Known(structs.replace(REVISION, head=below.id)),
            commits=Known((below, HEAD)),
            pushes=Known(Pushes(False, (), (HEAD.id,), (HEAD,))),
            approvals=words,
        )
        assert [one.subject for one in elsewhere.unknown_contributors] == [f"commit:{below.id}"]

    @pytest.mark.parametrize(
        ("own", "pushed", "stranger"),
        [
            (HEAD, Known("login:forge/nobody"), "account:forge/nobody"),
            (commit(1, hands=(Contributor("", ContributorRole.AUTHOR),)), Known("person:ada"), f"commit:{HEAD.id}"),
        ],
        ids=["an account that pushed", "an author who is lost"],
    )
    def test_attestation_of_unrecorded_pushers_changes_no_recorded_pusher(
        self, own: Commit, pushed: Known[str], stranger: str
    ) -> None:
        result = structs.replace(attestation("sue"), attests={ALL_PUSHERS: "ada"})
        pushes = structs.replace(ADA_PUSHED, first_pushes=(CommitPusher(HEAD.id, pushed),))
        found = review(commits=Known((own,)), pushes=Known(pushes), approvals=Known((result,)))
        assert [one.subject for one in found.unknown_contributors] == [stranger]

    def test_attested_pusher_of_many_merges_is_found_in_one_walk(self) -> None:
        own = make_merge_ladder()
        result = structs.replace(attestation("sue", own[0], tree=own[0].tree), attests={ALL_PUSHERS: "ada"})
        at = Known(structs.replace(REVISION, head=own[0].id))
        assert (
            review(revision=at, commits=Known(own), pushes=UNPUSHED, approvals=Known((result,))).unknown_contributors
            == ()
        )

    def test_unknown_identity_may_belong_to_erased_person(self) -> None:
        erased = Known(structs.replace(PEOPLE, erased=("f" * 64,)))
        (stranger,) = review(people=erased, commits=Known((commit(1, hands=(hand("nobody"),)),))).unknown_contributors
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
    def test_changes_requested_on_earlier_head_block_until_withdrawn(
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
    def test_later_statement_on_linked_head_replaces_approval(
        self, action: ReviewAction, time: str, counts: bool
    ) -> None:
        word = approval("bob", ref_head=PAST.id, head=PAST.id, order=1, action=action, time=time)
        found = review(pushes=SINCE, approvals=Known((approval("bob"), word)))
        assert found.statements[0].reasons_not_counted == (() if counts else (Objection.REPLACED.value,))

    def test_repeated_statement_replaces_first(self) -> None:
        first, second = review(approvals=Known((approval("bob"), approval("bob", order=1)))).statements
        assert (first.reasons_not_counted, second.reasons_not_counted) == ((Objection.REPLACED.value,), ())

    def test_approval_at_ref_of_other_head_does_not_count(self) -> None:
        (found,) = review(approvals=Known((approval("bob", ref_head="9" * 40),))).statements
        assert Objection.OTHER_HEAD.value in found.reasons_not_counted

    def test_inactive_person_or_person_without_write_access_does_not_count(self) -> None:
        more = people(person("dan", active=False), person("eve", write_access=("docs",)))
        found = review(people=more, approvals=Known((approval("dan"), approval("eve"))))
        assert [one.reasons_not_counted for one in found.statements] == [
            (Objection.INACTIVE.value,),
            (Objection.MAY_NOT_WRITE.value,),
        ]

    def test_accepts_clock_skew_of_ten_minutes_at_most(self) -> None:
        (found,) = review(approvals=Known((approval("bob", time="2026-11-24T09:10:00.000000Z"),))).statements
        assert found.reasons_not_counted == ()


def test_only_security_role_holders_are_named_for_security_review() -> None:
    def reviewers(**changed: Any) -> code_review.SecurityReviewers:
        case = Case(values(**changed), None, NOW, {})
        return code_review.find_security_reviewers(case, code_review.read_code_review(case))

    assert reviewers().counted == ("sue",)
    assert reviewers(approvals=Known(())).ask == PEOPLE.labels["sue"]
    assert reviewers().ask == PEOPLE.labels["sue"]
    nobody = Known(structs.replace(PEOPLE, persons=tuple(one for one in PEOPLE.persons if one.id != "sue")))
    assert "no such person is listed" in reviewers(people=nobody).ask


def test_list_of_names_at_limit_is_not_shortened() -> None:
    assert code_review.join_names(("a", "b"), 2) == "a, b"
    assert code_review.join_names(("a",), 2) == "a"


@pytest.mark.parametrize(
    "role", [ContributorRole.AUTHOR, ContributorRole.COMMITTER, ContributorRole.CO_AUTHOR, ContributorRole.REQUESTER]
)
def test_unverified_name_in_commit_does_not_lift_requested_changes(role: ContributorRole) -> None:
    named = commit(1, hands=(hand("ada"), hand("carol", role)))
    asked = approval("carol", action=ReviewAction.REQUEST_CHANGES)
    found = review(commits=Known((named,)), pushes=Known(ADA_PUSHED), approvals=Known((asked,)))
    assert found.blocking_reviewers == ("carol",)
    assert "person:carol" in found.contributors


@pytest.mark.parametrize("at", [EARLIER, LATER], ids=["at one time", "later"])
def test_attestation_does_not_lift_requested_changes_of_its_author(at: str) -> None:
    asked = approval("sue", action=ReviewAction.REQUEST_CHANGES)
    result = (asked, attestation("sue", order=1, time=at))
    found = review(pushes=UNPUSHED, approvals=Known((*result, approval("bob"), approval("carol"))))
    assert found.blocking_reviewers == ("sue",)
    back = approval("sue", order=2, time=NOW, action=ReviewAction.WITHDRAW)
    assert review(pushes=UNPUSHED, approvals=Known((*result, back))).blocking_reviewers == ()
    other = approval("sue", commit(7), order=2, time=NOW, action=ReviewAction.REQUEST_CHANGES)
    assert review(pushes=SINCE, approvals=Known((attestation("sue"), other))).blocking_reviewers == ("sue",)


def test_changes_requested_by_eligible_reviewer_block() -> None:
    asked = approval("carol", action=ReviewAction.REQUEST_CHANGES)
    assert review(approvals=Known((approval("bob"), asked))).blocking_reviewers == ("carol",)


def waits(name: str, identity: str) -> Known[Any]:
    """All people, with one more identity of a person whose link a second person has not confirmed."""
    changed = [structs.replace(one, unconfirmed=(identity,)) if one.id == name else one for one in PEOPLE.persons]
    return Known(structs.replace(PEOPLE, persons=tuple(changed)))


def test_unconfirmed_account_is_unlinked_and_its_owner_still_contributor() -> None:
    own = commit(1, hands=(hand("new"),))
    found = review(people=waits("bob", "email:new@example.test"), commits=Known((own,)))
    assert [(one.subject, one.unconfirmed) for one in found.unknown_contributors] == [
        ("account:new@example.test", "bob")
    ]
    assert "person:bob" in found.contributors
    assert "bob" not in found.eligible_reviewers
    assert "carol" in found.eligible_reviewers


def test_attestation_resolves_unconfirmed_account() -> None:
    own = commit(1, hands=(hand("new"),))
    result = approval("sue", own, action=ReviewAction.ATTEST, attests={"account:new@example.test": "carol"})
    found = review(people=waits("bob", "email:new@example.test"), commits=Known((own,)), approvals=Known((result,)))
    assert found.unknown_contributors == ()
    assert [who for who in found.contributors if who.startswith("person:")] == ["person:carol"]


def test_change_by_unconfirmed_account_is_denied_and_names_unconfirmed_person() -> None:
    own = commit(1, hands=(hand("new"),))
    both = Known((approval("carol", own), approval("sue", own)))
    reasons = list_reasons(people=waits("bob", "email:new@example.test"), commits=Known((own,)), approvals=both)
    assert [one.code for one in reasons] == ["reviewed", "unconfirmed-contributor"]
    assert reasons[1].status is ResultStatus.UNKNOWN
    assert reasons[1].details["person"] == "bob"


def test_approval_by_unconfirmed_account_does_not_count_with_reason() -> None:
    words = Known((approval("bob", signature=SignatureResult.UNCONFIRMED), approval("carol")))
    reasons = list_reasons(approvals=words)
    assert [one.code for one in reasons] == ["too-few-approvals", "unconfirmed-reviewer"]
    assert (reasons[0].details["count"], reasons[1].details["person"]) == (1, "bob")
    enough = Known((*words.value, approval("sue")))
    assert [one.code for one in list_reasons(approvals=enough)] == ["reviewed"]


@pytest.mark.parametrize(
    ("names", "ask"),
    [
        ((), "somebody else who may write to the repository"),
        (("carol",), "carol or somebody else who may write to the repository"),
    ],
)
def test_incomplete_access_list_leaves_other_reviewers_possible(names: tuple[str, ...], ask: str) -> None:
    asked = structs.replace(REVISION, possible_reviewers=names, asked_about_all=False)
    (reason,) = list_reasons(revision=Known(asked), approvals=Known(()))
    assert (reason.code, reason.details["ask"]) == ("too-few-approvals", ask)


def list_reasons(**changed: Any) -> tuple[Reason, ...]:
    return independent_review.evaluate_case(Case(values(**changed), independent_review.Parameters(), NOW, {}))


def test_reviewer_whose_approval_the_forge_refused_is_not_asked_again() -> None:
    asked = structs.replace(REVISION, possible_reviewers=("bob", "carol"))
    refused = approval("bob", signature=SignatureResult.MAY_NOT_WRITE)
    found = review(revision=Known(asked), approvals=Known((refused,)))
    assert found.eligible_reviewers == ("carol",)


def test_contributor_whom_the_forge_lists_as_writer_is_not_asked() -> None:
    asked = structs.replace(REVISION, possible_reviewers=("ada", "carol"))
    assert review(revision=Known(asked), approvals=Known(())).eligible_reviewers == ("carol",)


def test_requested_changes_of_a_person_whom_the_forge_refuses_block_nothing() -> None:
    requested = approval("bob", action=ReviewAction.REQUEST_CHANGES)
    refused = approval("bob", signature=SignatureResult.MAY_NOT_WRITE, order=1)
    assert review(approvals=Known((requested,))).blocking_reviewers == ("bob",)
    assert review(approvals=Known((requested, refused))).blocking_reviewers == ()


def test_unconfirmed_account_is_not_said_to_belong_to_an_erased_person() -> None:
    erased = Known(structs.replace(waits("bob", "email:new@example.test").value, erased=("f" * 64,)))
    (stranger,) = review(people=erased, commits=Known((commit(1, hands=(hand("new"),)),))).unknown_contributors
    assert (stranger.unconfirmed, stranger.why) == ("bob", "")

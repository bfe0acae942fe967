"""A reading and a repository become the facts of plain git: every hand is there, and what is not known is Unknown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review, reviewed_by_others
from muniment.controls.control import Case
from muniment.decision.decision import sentences
from muniment.facts import kinds
from muniment.facts.change import Commit, ContributorRole, Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People
from muniment.facts.pipeline import Runs
from muniment.facts.statements import Approval, ReviewAction, Signature
from muniment.forges.collect import ForgeCollector
from muniment.forges.shapes import (
    Account,
    Change,
    Check,
    ForgeCommit,
    ForgeHand,
    Merging,
    Move,
    Reading,
    Retarget,
    Review,
    Said,
    State,
)
from muniment.git import approvals
from muniment.git.repository import Repository
from tests.support.changes import MAIN, NOW, approval, person
from tests.support.repos import Repo

NAMES = ("ada", "bob", "carol", "dave")
ACCOUNTS = {name: Account(str(number), name) for number, name in enumerate(NAMES, 1)}
PEOPLE = People(tuple(person(name, accounts=(f"hub/{name}",)) for name in NAMES), ())
DAVE = "D <dave@example.test>"
FORGE = "Hub <noreply@hub.example>"
T = "2026-11-24T08:00:00.000000Z"


class World:
    """A repository with a topic, and what a forge would say of it."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo(path)
        self.base = self.repo.commit({"a": "1\n"})
        self.head = self.repo.commit({"a": "2\n"}, on="topic", parents=["main"])

    def change(self, **more: Any) -> Change:
        fields: dict[str, Any] = {
            "number": 1,
            "title": "",
            "text": "",
            "state": State.OPEN,
            "draft": False,
            "opener": ACCOUNTS["ada"],
            "target": MAIN,
            "base": self.base,
            "source": "refs/heads/topic",
            "source_repository": "shop/api",
            "head": self.head,
            "labels": (),
            "opened": T,
            "updated": T,
            "url": "",
        }
        return Change(**(fields | more))

    def reading(self, **more: Any) -> Reading:
        moves = (Move(self.base, self.head, (self.head,), False, Known(ACCOUNTS["ada"]), T),)
        fields: dict[str, Any] = {
            "change": self.change(),
            "read_at": T,
            "moves": Known(moves),
            "retargets": Known(()),
            "reviews": Known(tuple(self.approval(name) for name in ("bob", "carol"))),
            "hands": Known(()),
            "own_commits": Known(()),
            "writers": Known({account.id: True for account in ACCOUNTS.values()}),
            "checks": Known(()),
            "merging": Known(Merging(False, Unknown("nobody"), "")),
        }
        return Reading(**(fields | more))

    def approval(self, name: str, commit: str = "") -> Review:
        return Review(f"{name}{commit[:4]}", ACCOUNTS[name], Said.APPROVED, commit or self.head, T)

    def facts(
        self,
        reading: Reading,
        head: str = "",
        statements: Iterable[Approval] = (),
        people: People = PEOPLE,
        may_write: bool = True,
    ) -> dict[str, Maybe[Any]]:
        with Repository.open(str(self.repo.path)) as git:
            collector = ForgeCollector(
                "hub",
                reading,
                git,
                people,
                NOW,
                noreply=("noreply.hub",),
                statements=statements,
                may_write=lambda account: may_write,
            )
            revision = collector.revision("shop", MAIN, self.base, head or reading.change.head)
            wanted = [kind.name for kind in code_review.NEEDS]
            found = collector.collect(revision, wanted, {"people": Known(people)})
            return {kind.name: found.get(kind) for kind in code_review.NEEDS}

    def review(
        self,
        reading: Reading,
        head: str = "",
        statements: Iterable[Approval] = (),
        people: People = PEOPLE,
        may_write: bool = True,
    ) -> code_review.CodeReview:
        return code_review.read(Case(self.facts(reading, head, statements, people, may_write), None, NOW, {}))


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path / "shop")


def roles(review: code_review.CodeReview, name: str) -> set[ContributorRole]:
    return {part.because for part in review.contributors.get(f"person:{name}", ())}


def test_an_author_who_opened_and_pushed_it_and_two_who_approved(world: World) -> None:
    review = world.review(world.reading())
    assert roles(review, "ada") == {
        ContributorRole.AUTHOR,
        ContributorRole.COMMITTER,
        ContributorRole.OPENER,
        ContributorRole.PUSHER,
    }
    assert set(review.counted) == {"bob", "carol"}
    assert review.strangers == ()


@pytest.mark.parametrize(
    ("part", "facts"),
    [
        ("moves", {"pushes"}),
        ("retargets", {"approvals"}),
        ("reviews", {"approvals", "approved_heads", "pushes"}),
        ("hands", {"commits", "approved_heads", "pushes", "approvals"}),
        ("writers", {"approvals"}),
    ],
)
def test_each_part_that_could_not_be_read_makes_its_facts_unknown(world: World, part: str, facts: set[str]) -> None:
    found = world.facts(world.reading(**{part: Unknown("the forge is down")}))
    assert {name for name, fact in found.items() if isinstance(fact, Unknown)} == facts


def test_who_opened_what_another_wrote_is_a_contributor(world: World) -> None:
    review = world.review(world.reading(change=world.change(opener=ACCOUNTS["bob"])))
    assert roles(review, "bob") == {ContributorRole.OPENER}
    assert set(review.counted) == {"carol"}


def test_who_pushed_what_another_wrote_is_a_contributor(world: World) -> None:
    move = Move("", world.head, (), False, Known(ACCOUNTS["carol"]), T)
    assert set(world.review(world.reading(moves=Known((move,)))).counted) == {"bob"}


def test_only_the_first_push_of_a_commit_tells_who_brought_it(world: World) -> None:
    first = Move("", world.head, (), False, Known(ACCOUNTS["ada"]), T)
    again = Move(world.base, world.head, (), True, Known(ACCOUNTS["bob"]), T)
    review = world.review(world.reading(moves=Known((first, again))))
    assert roles(review, "bob") == set()


@pytest.mark.parametrize("who", [Unknown("not told"), Known(Account("77", "stranger"))])
def test_a_pusher_nobody_knows_is_a_stranger(world: World, who: Maybe[Account]) -> None:
    review = world.review(world.reading(moves=Known((Move("", world.head, (), False, who, T),))))
    assert [stranger.because for stranger in review.strangers] == [ContributorRole.PUSHER]


def test_a_commit_that_no_push_reached_has_a_pusher_nobody_knows(world: World) -> None:
    review = world.review(world.reading(moves=Known(())))
    assert [stranger.commit for stranger in review.strangers] == [world.head]


def test_what_was_pushed_away_still_makes_contributors(world: World) -> None:
    away = world.repo.commit({"a": "3\n"}, on="away", parents=["main"], author="Bob <bob@example.test>")
    moves = (
        Move("", away, (away,), False, Known(ACCOUNTS["carol"]), T),
        Move(away, world.head, (world.head,), True, Known(ACCOUNTS["ada"]), T),
    )
    review = world.review(world.reading(moves=Known(moves)))
    assert roles(review, "bob") == {ContributorRole.AUTHOR, ContributorRole.COMMITTER}
    assert roles(review, "carol") == {ContributorRole.PUSHER}
    assert review.counted == {}


def test_an_earlier_head_that_is_gone_has_a_hand_that_nobody_can_tell(world: World) -> None:
    gone = "d" * 40
    moves = (
        Move("", gone, (gone,), False, Known(ACCOUNTS["ada"]), T),
        Move(gone, world.head, (world.head,), True, Known(ACCOUNTS["ada"]), T),
    )
    review = world.review(world.reading(moves=Known(moves)))
    assert [(stranger.subject, stranger.because) for stranger in review.strangers] == [
        (f"commit:{gone}", ContributorRole.AUTHOR)
    ]


def test_whoever_a_forge_says_applied_a_suggestion_is_a_contributor(world: World) -> None:
    told = (
        ForgeHand(world.head, ACCOUNTS["bob"], ContributorRole.SUGGESTION_APPLIER),
        ForgeHand("", ACCOUNTS["carol"], ContributorRole.RESOLVER),
    )
    assert world.review(world.reading(hands=Known(told))).counted == {}


def test_only_whom_the_forge_lets_write_could_approve_where_it_was_asked(world: World) -> None:
    facts = world.facts(world.reading(reviews=Known(())))
    named = [person.id for person in PEOPLE.persons if person.id != "ada"]
    assert list(code_review.read(Case(facts, None, NOW, {})).could_approve) == named
    for asked in ((), ("bob",), ("ada", "bob", "nobody")):
        revision = structs.replace(facts["revision"].value, possible_reviewers=asked)  # type: ignore[union-attr]
        review = code_review.read(Case({**facts, "revision": Known(revision)}, None, NOW, {}))
        assert review.could_approve == (("bob",) if asked else ())


def test_where_the_forge_did_not_tell_it_of_everybody_nobody_is_said_to_be_missing(world: World) -> None:
    facts = world.facts(world.reading(reviews=Known(())))
    told = {}
    for asked, known in (((), True), ((), False), (("bob",), False)):
        base: Revision = facts["revision"].value  # type: ignore[union-attr]
        revision = structs.replace(base, possible_reviewers=asked, asked_about_all=known)
        case = Case({**facts, "revision": Known(revision)}, reviewed_by_others.Parameters(), NOW, {})
        (reason,) = reviewed_by_others.CONTROL.judge(case)
        told[asked, known] = sentences(reviewed_by_others.Reasons, reason)
    assert "Other eligible reviewers: 0" in told[(), True][0]
    assert told[(), False][1] == "Ask somebody else who may write to the repository to review and approve it."
    assert "bob or somebody else who may write to the repository" in told[("bob",), False][1]


AGENT = Account("50", "agent")
WITH_AGENT = People(
    PEOPLE.persons, (Machine("agent", ("agent@example.test",), (), ("hub/agent",), needs_requester=True),)
)


def asked_agent(world: World, *told: ForgeHand, pushed: str = T, opener: str = "ada") -> code_review.CodeReview:
    """The review of what a machine wrote that people ask, pushed at that moment."""
    made = world.repo.commit({"a": "5\n"}, on="machine", parents=["main"], author="Agent <agent@example.test>")
    world.head = made
    moves = (Move(world.base, made, (made,), False, Known(AGENT), pushed),)
    reading = world.reading(moves=Known(moves), hands=Known(told), change=world.change(opener=ACCOUNTS[opener]))
    return world.review(reading, people=WITH_AGENT)


def test_whoever_asked_a_declared_machine_cannot_approve_and_without_one_nobody_can_tell(world: World) -> None:
    assert [one.because for one in asked_agent(world).strangers] == [ContributorRole.REQUESTER]
    told = ForgeHand("", ACCOUNTS["bob"], ContributorRole.REQUESTER, AGENT)
    review = asked_agent(world, told)
    assert (review.strangers, set(review.counted)) == ((), {"carol"})
    by_name = ForgeHand("", ACCOUNTS["carol"], ContributorRole.REQUESTER, Account("", "Agent"))
    assert set(asked_agent(world, told, by_name).counted) == set()


def test_what_was_pushed_before_a_comment_was_not_asked_for_by_it(world: World) -> None:
    told = ForgeHand("", ACCOUNTS["bob"], ContributorRole.REQUESTER, AGENT, "2026-11-24T07:59:59.000000Z")
    assert asked_agent(world, told).strangers == ()
    for at in (T, "2026-11-24T09:00:00.000000Z"):
        review = asked_agent(world, structs.replace(told, at=at))
        assert [one.because for one in review.strangers] == [ContributorRole.REQUESTER], at


def test_asking_a_person_or_a_machine_that_did_nothing_makes_nobody_a_contributor(world: World) -> None:
    told = (
        ForgeHand("", ACCOUNTS["bob"], ContributorRole.REQUESTER, ACCOUNTS["ada"]),
        ForgeHand("", ACCOUNTS["carol"], ContributorRole.REQUESTER, AGENT),
    )
    assert set(world.review(world.reading(hands=Known(told)), people=WITH_AGENT).counted) == {"bob", "carol"}


@pytest.mark.parametrize("verified", [True, False])
def test_a_commit_of_the_forge_is_a_machines_only_if_it_verified_it(world: World, verified: bool) -> None:
    head = world.repo.commit({"a": "4\n"}, on="topic", parents=["topic"], committer=FORGE)
    own = (ForgeCommit(head, "noreply@hub.example"),) if verified else ()
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    reviews = tuple(world.approval(name, head) for name in ("bob", "carol"))
    reading = world.reading(
        change=world.change(head=head), own_commits=Known(own), moves=Known(moves), reviews=Known(reviews)
    )
    review = world.review(reading)
    assert ("machine:hub" in review.contributors) is verified
    assert [stranger.subject for stranger in review.strangers] == ([] if verified else ["account:noreply@hub.example"])


def test_a_noreply_author_is_the_account_whose_id_it_carries(world: World) -> None:
    head = world.repo.commit({"a": "5\n"}, on="topic", parents=["topic"], author="B <2+ada@noreply.hub>")
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    reviews = tuple(world.approval(name, head) for name in ("bob", "carol"))
    reading = world.reading(change=world.change(head=head), moves=Known(moves), reviews=Known(reviews))
    assert set(world.review(reading).counted) == {"carol"}


def test_an_approval_of_another_head_does_not_count(world: World) -> None:
    head = world.repo.commit({"a": "6\n"}, on="topic", parents=["topic"])
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    assert world.review(world.reading(change=world.change(head=head), moves=Known(moves))).counted == {}


def test_an_approval_carries_over_a_merge_of_the_target_by_machine(world: World) -> None:
    world.base = world.repo.commit({"b": "1\n"}, on="main")
    tree = world.repo.merged_tree("topic", "main")
    head = world.repo.commit(on="topic", parents=["topic", "main"], tree=tree, author="Bob <bob@example.test>")
    moves = (
        Move("", world.head, (), False, Known(ACCOUNTS["ada"]), T),
        Move(world.head, head, (), False, Known(ACCOUNTS["bob"]), T),
    )
    reading = world.reading(change=world.change(head=head), moves=Known(moves))
    assert set(world.review(reading).counted) == {"bob", "carol"}
    smuggled = world.repo.commit({"c": "x\n"}, on="worse", parents=["topic"])
    reading = world.reading(change=world.change(head=smuggled), moves=Known(moves))
    assert world.review(reading).counted == {}


def test_what_a_merge_made_is_by_whoever_merged_and_nothing_else_is(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"}, on="main", author="Ada <ada@example.test>", committer="D <dave@example.test>"
    )
    change = world.change(state=State.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    reading = world.reading(change=change)
    review = world.review(reading, squashed)
    assert set(review.counted) == {"bob", "carol"}
    assert review.merger == "person:dave"
    lost = structs.replace(reading, moves=Known(()))
    assert [stranger.commit for stranger in world.review(lost, squashed).strangers] == [world.head]


def test_an_approver_whom_a_squash_message_names_as_co_author_is_a_contributor(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"}, on="main", message="A topic\n\nCo-authored-by: Bob <bob@example.test>\n", committer=DAVE
    )
    change = world.change(state=State.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    review = world.review(world.reading(change=change), squashed)
    assert roles(review, "bob") == {ContributorRole.CO_AUTHOR}
    assert set(review.counted) == {"carol"}


def test_a_co_author_trailer_takes_no_contributor_away(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"},
        on="main",
        author=DAVE,
        message="A topic\n\nCo-authored-by: D <dave@example.test>\n",
        committer=DAVE,
    )
    change = world.change(state=State.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    review = world.review(world.reading(change=change), squashed)
    assert {ContributorRole.AUTHOR, ContributorRole.OPENER} <= roles(review, "ada")
    assert ContributorRole.AUTHOR in roles(review, "dave")


def test_an_approval_on_our_own_page_ends_when_the_change_is_pointed_away_and_back(world: World) -> None:
    retargets = (
        Retarget(MAIN, "refs/heads/old", Unknown("who"), "2026-11-24T08:20:00.000000Z"),
        Retarget("refs/heads/old", MAIN, Unknown("who"), "2026-11-24T08:25:00.000000Z"),
    )
    stated = [
        approval(
            name,
            Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ()),
            signature=Signature.RECORDED,
            time=f"2026-11-24T08:{minute}:00.000000Z",
        )
        for name, minute in (("bob", 10), ("carol", 30))
    ]
    reading = world.reading(reviews=Known(()), retargets=Known(retargets))
    assert set(world.review(reading, statements=stated).counted) == {"carol"}


NO_ROLES = People(tuple(person(name, accounts=(f"hub/{name}",), write_access=()) for name in NAMES), ())


def test_whoever_may_write_at_the_forge_approves_without_a_role_here(world: World) -> None:
    review = world.review(world.reading(), people=NO_ROLES)
    assert set(review.counted) == {"bob", "carol"}
    assert all("may-not-write" not in judged.why_not for judged in review.judged)


def test_whoever_may_not_write_at_the_forge_does_not_approve(world: World) -> None:
    reading = world.reading(writers=Known({ACCOUNTS["bob"].id: False, ACCOUNTS["carol"].id: True}))
    assert set(world.review(reading, people=NO_ROLES).counted) == {"carol"}


def test_changes_requested_by_a_writer_at_the_forge_without_a_role_here_block(world: World) -> None:
    requested = structs.replace(world.approval("dave"), said=Said.CHANGES_REQUESTED)
    assert world.review(world.reading(reviews=Known((requested,))), people=NO_ROLES).blocked_by == ("dave",)


@pytest.mark.parametrize("may", [True, False])
def test_an_approval_on_our_own_page_counts_by_what_the_forge_says_now(world: World, may: bool) -> None:
    commit = Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ())
    stated = [approval("bob", commit, signature=Signature.RECORDED)]
    review = world.review(world.reading(reviews=Known(())), statements=stated, people=NO_ROLES, may_write=may)
    assert set(review.counted) == ({"bob"} if may else set())


@pytest.mark.parametrize("signature", [Signature.VALID, Signature.RECORDED])
def test_whoever_has_no_account_at_the_forge_approves_nothing_there_whatever_their_roles(
    world: World, monkeypatch: pytest.MonkeyPatch, signature: Signature
) -> None:
    """They cannot write to the repository now: roles here give nobody access at the forge."""
    commit = Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ())
    given = approval("bob", commit, signature=signature)
    signed = signature is Signature.VALID
    if signed:
        world.repo.git("update-ref", f"{approvals.PREFIX}{world.head}/bob", world.head)
        monkeypatch.setattr("muniment.forges.collect.approvals.read", lambda *_: (given,))
    people = People(tuple(structs.replace(one, accounts=()) if one.id == "bob" else one for one in PEOPLE.persons), ())
    found = world.review(world.reading(reviews=Known(())), statements=() if signed else (given,), people=people)
    assert not found.counted
    assert [one.why_not for one in found.judged] == [("no-forge-account",)]


def test_each_fact_says_where_it_came_from_and_when(world: World) -> None:
    with Repository.open(str(world.repo.path)) as git:
        collector = ForgeCollector("hub", world.reading(), git, PEOPLE, NOW)
        revision = collector.revision("shop", MAIN, world.base, world.head)
        found = collector.collect(revision, [kinds.APPROVALS.name, kinds.REVISION.name], {}).items()
    assert found["approvals"].source == f"hub, read {T}"
    assert found["approvals"].read_at == NOW
    assert found["revision"].source == "git"


def test_the_forges_checks_are_runs_of_exactly_the_head_that_was_read(world: World) -> None:
    check = Check("tests", "success", Account("app:1", "actions"), "", "", T)
    reading = world.reading(checks=Known((check,)))
    with Repository.open(str(world.repo.path)) as git:
        collector = ForgeCollector("hub", reading, git, PEOPLE, NOW)

        def runs(head: str, told: ForgeCollector) -> Maybe[Runs]:
            revision = told.revision("shop", MAIN, world.base, head)
            return told.collect(revision, [kinds.TEST_RUNS.name], {}).get(kinds.TEST_RUNS)

        found = runs(world.head, collector)
        assert isinstance(found, Known)
        assert [(run.pipeline, run.runner, run.passed) for run in found.value.head] == [
            ("tests", "app:hub/actions", Known(True))
        ]
        assert runs(world.base, collector) == Known(Runs((), ()))
        unread = ForgeCollector("hub", world.reading(checks=Unknown("rate limited")), git, PEOPLE, NOW)
        assert isinstance(runs(world.head, unread), Unknown)


@pytest.mark.parametrize(("writes", "blocked"), [(True, ("dave",)), (False, ())])
def test_changes_requested_by_signature_on_an_earlier_head_block_where_the_person_may_write(
    world: World, monkeypatch: pytest.MonkeyPatch, writes: bool, blocked: tuple[str, ...]
) -> None:
    earlier = world.repo.commit({"a": "3\n"}, on="earlier", parents=["main"])
    world.repo.git("update-ref", f"{approvals.PREFIX}{earlier}/dave", earlier)
    asked = approval("dave", ref_head=earlier, head=earlier, action=ReviewAction.REQUEST_CHANGES)

    def read(repository: Repository, wanted: Iterable[approvals.ApprovalRef], people: People) -> tuple[Approval, ...]:
        return tuple(asked for reference in wanted if reference.head == earlier)

    monkeypatch.setattr("muniment.forges.collect.approvals.read", read)
    without_roles = People(tuple(structs.replace(one, write_access=()) for one in PEOPLE.persons), ())
    ada = Known(ACCOUNTS["ada"])
    moves = (
        Move(world.base, earlier, (earlier,), False, ada, T),
        Move(earlier, world.head, (world.head,), True, ada, T),
    )
    review = world.review(world.reading(moves=Known(moves)), people=without_roles, may_write=writes)
    assert review.blocked_by == blocked

"""Facts from a forge's reading and a repository: every contributor is listed, and missing information is Unknown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review, independent_review
from muniment.controls.control import Case
from muniment.decision.decision import format_sentences
from muniment.facts import kinds
from muniment.facts.change import Commit, ContributorRole, Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People
from muniment.facts.pipeline import PipelineRuns
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.forges.forge_collector import ForgeCollector
from muniment.forges.shapes import (
    Account,
    Change,
    ChangeState,
    Check,
    ForgeCommit,
    ForgeContributor,
    Move,
    PendingMerge,
    Reading,
    Retarget,
    Review,
    ReviewState,
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
    """A repository with a branch `topic`, and the answers of a forge about it."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo(path)
        self.base = self.repo.commit({"a": "1\n"})
        self.head = self.repo.commit({"a": "2\n"}, on="topic", parents=["main"])

    def change(self, **more: Any) -> Change:
        fields: dict[str, Any] = {
            "number": 1,
            "title": "",
            "text": "",
            "state": ChangeState.OPEN,
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
            "contributors": Known(()),
            "own_commits": Known(()),
            "writers": Known({account.id: True for account in ACCOUNTS.values()}),
            "checks": Known(()),
            "merging": Known(PendingMerge(False, Unknown("nobody"), "")),
        }
        return Reading(**(fields | more))

    def approval(self, name: str, commit: str = "") -> Review:
        return Review(f"{name}{commit[:4]}", ACCOUNTS[name], ReviewState.APPROVED, commit or self.head, T)

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
                can_write=lambda account: may_write,
            )
            revision = collector.make_revision("shop", MAIN, self.base, head or reading.change.head)
            wanted = [kind.name for kind in code_review.NEEDS]
            found = collector.collect_facts(revision, wanted, {"people": Known(people)})
            return {kind.name: found.get(kind) for kind in code_review.NEEDS}

    def review(
        self,
        reading: Reading,
        head: str = "",
        statements: Iterable[Approval] = (),
        people: People = PEOPLE,
        may_write: bool = True,
    ) -> code_review.CodeReview:
        return code_review.read_code_review(
            Case(self.facts(reading, head, statements, people, may_write), None, NOW, {})
        )


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path / "shop")


def roles(review: code_review.CodeReview, name: str) -> set[ContributorRole]:
    return {part.role for part in review.contributors.get(f"person:{name}", ())}


def test_change_by_one_author_has_two_counted_approvals(world: World) -> None:
    review = world.review(world.reading())
    assert roles(review, "ada") == {
        ContributorRole.AUTHOR,
        ContributorRole.COMMITTER,
        ContributorRole.OPENER,
        ContributorRole.PUSHER,
    }
    assert set(review.counted) == {"bob", "carol"}
    assert review.unknown_contributors == ()


@pytest.mark.parametrize(
    ("part", "facts"),
    [
        ("moves", {"pushes"}),
        ("retargets", {"approvals"}),
        ("reviews", {"approvals", "approved_heads", "pushes"}),
        ("contributors", {"commits", "approved_heads", "pushes", "approvals"}),
        ("writers", {"approvals"}),
    ],
)
def test_unreadable_part_makes_its_facts_unknown(world: World, part: str, facts: set[str]) -> None:
    found = world.facts(world.reading(**{part: Unknown("the forge is down")}))
    assert {name for name, fact in found.items() if isinstance(fact, Unknown)} == facts


def test_opener_of_another_authors_change_is_contributor(world: World) -> None:
    review = world.review(world.reading(change=world.change(opener=ACCOUNTS["bob"])))
    assert roles(review, "bob") == {ContributorRole.OPENER}
    assert set(review.counted) == {"carol"}


def test_pusher_of_another_authors_commit_is_contributor(world: World) -> None:
    move = Move("", world.head, (), False, Known(ACCOUNTS["carol"]), T)
    assert set(world.review(world.reading(moves=Known((move,)))).counted) == {"bob"}


def test_only_first_push_of_commit_determines_its_pusher(world: World) -> None:
    first = Move("", world.head, (), False, Known(ACCOUNTS["ada"]), T)
    again = Move(world.base, world.head, (), True, Known(ACCOUNTS["bob"]), T)
    review = world.review(world.reading(moves=Known((first, again))))
    assert roles(review, "bob") == set()


@pytest.mark.parametrize("who", [Unknown("not read"), Known(Account("77", "stranger"))])
def test_unlinked_pusher_is_unknown_contributor(world: World, who: Maybe[Account]) -> None:
    review = world.review(world.reading(moves=Known((Move("", world.head, (), False, who, T),))))
    assert [stranger.role for stranger in review.unknown_contributors] == [ContributorRole.PUSHER]


def test_commit_without_recorded_push_has_unknown_pusher(world: World) -> None:
    review = world.review(world.reading(moves=Known(())))
    assert [stranger.commit for stranger in review.unknown_contributors] == [world.head]


def test_commits_removed_by_force_push_still_make_contributors(world: World) -> None:
    away = world.repo.commit({"a": "3\n"}, on="away", parents=["main"], author="Bob <bob@example.test>")
    moves = (
        Move("", away, (away,), False, Known(ACCOUNTS["carol"]), T),
        Move(away, world.head, (world.head,), True, Known(ACCOUNTS["ada"]), T),
    )
    review = world.review(world.reading(moves=Known(moves)))
    assert roles(review, "bob") == {ContributorRole.AUTHOR, ContributorRole.COMMITTER}
    assert roles(review, "carol") == {ContributorRole.PUSHER}
    assert review.counted == {}


def test_missing_earlier_head_has_undetermined_contributor(world: World) -> None:
    gone = "d" * 40
    moves = (
        Move("", gone, (gone,), False, Known(ACCOUNTS["ada"]), T),
        Move(gone, world.head, (world.head,), True, Known(ACCOUNTS["ada"]), T),
    )
    review = world.review(world.reading(moves=Known(moves)))
    assert [(stranger.subject, stranger.role) for stranger in review.unknown_contributors] == [
        (f"commit:{gone}", ContributorRole.AUTHOR)
    ]


def test_account_that_applied_suggestion_is_contributor(world: World) -> None:
    result = (
        ForgeContributor(world.head, ACCOUNTS["bob"], ContributorRole.SUGGESTION_APPLIER),
        ForgeContributor("", ACCOUNTS["carol"], ContributorRole.RESOLVER),
    )
    assert world.review(world.reading(contributors=Known(result))).counted == {}


def test_only_accounts_with_write_access_are_possible_reviewers(world: World) -> None:
    facts = world.facts(world.reading(reviews=Known(())))
    named = [person.id for person in PEOPLE.persons if person.id != "ada"]
    assert list(code_review.read_code_review(Case(facts, None, NOW, {})).eligible_reviewers) == named
    for asked in ((), ("bob",), ("ada", "bob", "nobody")):
        revision = structs.replace(facts["revision"].value, possible_reviewers=asked)  # type: ignore[union-attr]
        review = code_review.read_code_review(Case({**facts, "revision": Known(revision)}, None, NOW, {}))
        assert review.eligible_reviewers == (("bob",) if asked else ())


def test_incomplete_access_list_reports_no_shortage_of_reviewers(world: World) -> None:
    facts = world.facts(world.reading(reviews=Known(())))
    content = {}
    for asked, known in (((), True), ((), False), (("bob",), False)):
        base: Revision = facts["revision"].value  # type: ignore[union-attr]
        revision = structs.replace(base, possible_reviewers=asked, asked_about_all=known)
        case = Case({**facts, "revision": Known(revision)}, independent_review.Parameters(), NOW, {})
        (reason,) = independent_review.CONTROL.evaluate(case)
        content[asked, known] = format_sentences(independent_review.Reasons, reason)
    assert "Other eligible reviewers: 0" in content[(), True][0]
    assert content[(), False][1] == "Ask somebody else who may write to the repository to review and approve it."
    assert "bob or somebody else who may write to the repository" in content[("bob",), False][1]


AGENT = Account("50", "agent")
WITH_AGENT = People(
    PEOPLE.persons, (Machine("agent", ("agent@example.test",), (), ("hub/agent",), needs_requester=True),)
)


def review_of_requested_machine_work(
    world: World, *text: ForgeContributor, pushed: str = T, opener: str = "ada"
) -> code_review.CodeReview:
    """Review of a change that an agent wrote at the request of a person, pushed at that moment."""
    made = world.repo.commit({"a": "5\n"}, on="machine", parents=["main"], author="Agent <agent@example.test>")
    world.head = made
    moves = (Move(world.base, made, (made,), False, Known(AGENT), pushed),)
    reading = world.reading(moves=Known(moves), contributors=Known(text), change=world.change(opener=ACCOUNTS[opener]))
    return world.review(reading, people=WITH_AGENT)


def test_requester_of_machine_cannot_approve_and_missing_requester_is_unknown(world: World) -> None:
    assert [one.role for one in review_of_requested_machine_work(world).unknown_contributors] == [
        ContributorRole.REQUESTER
    ]
    result = ForgeContributor("", ACCOUNTS["bob"], ContributorRole.REQUESTER, AGENT)
    review = review_of_requested_machine_work(world, result)
    assert (review.unknown_contributors, set(review.counted)) == ((), {"carol"})
    by_name = ForgeContributor("", ACCOUNTS["carol"], ContributorRole.REQUESTER, Account("", "Agent"))
    assert set(review_of_requested_machine_work(world, result, by_name).counted) == set()


def test_comment_after_push_does_not_make_requester(world: World) -> None:
    result = ForgeContributor("", ACCOUNTS["bob"], ContributorRole.REQUESTER, AGENT, "2026-11-24T07:59:59.000000Z")
    assert review_of_requested_machine_work(world, result).unknown_contributors == ()
    for at in (T, "2026-11-24T09:00:00.000000Z"):
        review = review_of_requested_machine_work(world, structs.replace(result, at=at))
        assert [one.role for one in review.unknown_contributors] == [ContributorRole.REQUESTER], at


def test_mention_of_person_or_idle_machine_makes_no_contributor(world: World) -> None:
    result = (
        ForgeContributor("", ACCOUNTS["bob"], ContributorRole.REQUESTER, ACCOUNTS["ada"]),
        ForgeContributor("", ACCOUNTS["carol"], ContributorRole.REQUESTER, AGENT),
    )
    assert set(world.review(world.reading(contributors=Known(result)), people=WITH_AGENT).counted) == {"bob", "carol"}


@pytest.mark.parametrize("verified", [True, False])
def test_forge_commit_counts_as_machine_made_only_if_verified(world: World, verified: bool) -> None:
    head = world.repo.commit({"a": "4\n"}, on="topic", parents=["topic"], committer=FORGE)
    own = (ForgeCommit(head, "noreply@hub.example"),) if verified else ()
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    reviews = tuple(world.approval(name, head) for name in ("bob", "carol"))
    reading = world.reading(
        change=world.change(head=head), own_commits=Known(own), moves=Known(moves), reviews=Known(reviews)
    )
    review = world.review(reading)
    assert ("machine:hub" in review.contributors) is verified
    assert [stranger.subject for stranger in review.unknown_contributors] == (
        [] if verified else ["account:noreply@hub.example"]
    )


def test_noreply_author_is_account_with_its_id(world: World) -> None:
    head = world.repo.commit({"a": "5\n"}, on="topic", parents=["topic"], author="B <2+ada@noreply.hub>")
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    reviews = tuple(world.approval(name, head) for name in ("bob", "carol"))
    reading = world.reading(change=world.change(head=head), moves=Known(moves), reviews=Known(reviews))
    assert set(world.review(reading).counted) == {"carol"}


def test_an_approval_of_another_head_does_not_count(world: World) -> None:
    head = world.repo.commit({"a": "6\n"}, on="topic", parents=["topic"])
    moves = (Move("", head, (), False, Known(ACCOUNTS["ada"]), T),)
    assert world.review(world.reading(change=world.change(head=head), moves=Known(moves))).counted == {}


def test_approval_carries_over_machine_merge_of_target_branch(world: World) -> None:
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


def test_merger_is_attributed_only_for_commit_made_by_merge(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"}, on="main", author="Ada <ada@example.test>", committer="D <dave@example.test>"
    )
    change = world.change(state=ChangeState.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    reading = world.reading(change=change)
    review = world.review(reading, squashed)
    assert set(review.counted) == {"bob", "carol"}
    assert review.merger == "person:dave"
    lost = structs.replace(reading, moves=Known(()))
    assert [stranger.commit for stranger in world.review(lost, squashed).unknown_contributors] == [world.head]


def test_approver_named_as_co_author_of_squash_is_contributor(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"}, on="main", message="A topic\n\nCo-authored-by: Bob <bob@example.test>\n", committer=DAVE
    )
    change = world.change(state=ChangeState.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    review = world.review(world.reading(change=change), squashed)
    assert roles(review, "bob") == {ContributorRole.CO_AUTHOR}
    assert set(review.counted) == {"carol"}


def test_co_author_trailer_removes_no_contributor(world: World) -> None:
    squashed = world.repo.commit(
        {"a": "2\n"},
        on="main",
        author=DAVE,
        message="A topic\n\nCo-authored-by: D <dave@example.test>\n",
        committer=DAVE,
    )
    change = world.change(state=ChangeState.MERGED, merged=squashed, merged_by=Known(ACCOUNTS["dave"]), merged_at=T)
    review = world.review(world.reading(change=change), squashed)
    assert {ContributorRole.AUTHOR, ContributorRole.OPENER} <= roles(review, "ada")
    assert ContributorRole.AUTHOR in roles(review, "dave")


def test_approval_on_web_page_ends_after_retarget_and_return(world: World) -> None:
    retargets = (
        Retarget(MAIN, "refs/heads/old", Unknown("who"), "2026-11-24T08:20:00.000000Z"),
        Retarget("refs/heads/old", MAIN, Unknown("who"), "2026-11-24T08:25:00.000000Z"),
    )
    stated = [
        approval(
            name,
            Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ()),
            signature=SignatureResult.RECORDED,
            time=f"2026-11-24T08:{minute}:00.000000Z",
        )
        for name, minute in (("bob", 10), ("carol", 30))
    ]
    reading = world.reading(reviews=Known(()), retargets=Known(retargets))
    assert set(world.review(reading, statements=stated).counted) == {"carol"}


NO_ROLES = People(tuple(person(name, accounts=(f"hub/{name}",), write_access=()) for name in NAMES), ())


def test_approval_counts_by_write_access_at_forge_without_local_role(world: World) -> None:
    review = world.review(world.reading(), people=NO_ROLES)
    assert set(review.counted) == {"bob", "carol"}
    assert all("may-not-write" not in one.reasons_not_counted for one in review.statements)


def test_approval_without_write_access_at_forge_does_not_count(world: World) -> None:
    reading = world.reading(writers=Known({ACCOUNTS["bob"].id: False, ACCOUNTS["carol"].id: True}))
    assert set(world.review(reading, people=NO_ROLES).counted) == {"carol"}


def test_changes_requested_by_forge_writer_without_local_role_block(world: World) -> None:
    requested = structs.replace(world.approval("dave"), state=ReviewState.CHANGES_REQUESTED)
    assert world.review(world.reading(reviews=Known((requested,))), people=NO_ROLES).blocking_reviewers == ("dave",)


@pytest.mark.parametrize("may", [True, False])
def test_approval_on_web_page_counts_by_current_access_at_forge(world: World, may: bool) -> None:
    commit = Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ())
    stated = [approval("bob", commit, signature=SignatureResult.RECORDED)]
    review = world.review(world.reading(reviews=Known(())), statements=stated, people=NO_ROLES, may_write=may)
    assert set(review.counted) == ({"bob"} if may else set())


@pytest.mark.parametrize("signature", [SignatureResult.VALID, SignatureResult.RECORDED])
def test_person_without_forge_account_cannot_approve_despite_local_roles(
    world: World, monkeypatch: pytest.MonkeyPatch, signature: SignatureResult
) -> None:
    """Persons without an account at the forge cannot write to the repository: local roles give no access there."""
    commit = Commit(world.head, world.repo.git("rev-parse", f"{world.head}^{{tree}}"), (), ())
    given = approval("bob", commit, signature=signature)
    signed = signature is SignatureResult.VALID
    if signed:
        world.repo.git("update-ref", f"{approvals.PREFIX}{world.head}/bob", world.head)
        monkeypatch.setattr("muniment.forges.forge_collector.approvals.read_approvals", lambda *_: (given,))
    people = People(tuple(structs.replace(one, accounts=()) if one.id == "bob" else one for one in PEOPLE.persons), ())
    found = world.review(world.reading(reviews=Known(())), statements=() if signed else (given,), people=people)
    assert not found.counted
    assert [one.reasons_not_counted for one in found.statements] == [("no-forge-account",)]


def test_each_fact_names_its_source_and_time(world: World) -> None:
    with Repository.open(str(world.repo.path)) as git:
        collector = ForgeCollector("hub", world.reading(), git, PEOPLE, NOW)
        revision = collector.make_revision("shop", MAIN, world.base, world.head)
        found = collector.collect_facts(revision, [kinds.APPROVALS.name, kinds.REVISION.name], {}).items()
    assert found["approvals"].source == f"hub, read {T}"
    assert found["approvals"].read_at == NOW
    assert found["revision"].source == "git"


def test_forge_checks_become_test_runs_of_read_head_only(world: World) -> None:
    check = Check("tests", "success", Account("app:1", "actions"), "", "", T)
    reading = world.reading(checks=Known((check,)))
    with Repository.open(str(world.repo.path)) as git:
        collector = ForgeCollector("hub", reading, git, PEOPLE, NOW)

        def runs(head: str, text: ForgeCollector) -> Maybe[PipelineRuns]:
            revision = text.make_revision("shop", MAIN, world.base, head)
            return text.collect_facts(revision, [kinds.TEST_RUNS.name], {}).get(kinds.TEST_RUNS)

        found = runs(world.head, collector)
        assert isinstance(found, Known)
        assert [(run.pipeline, run.runner, run.passed) for run in found.value.head] == [
            ("tests", "app:hub/actions", Known(True))
        ]
        assert runs(world.base, collector) == Known(PipelineRuns((), ()))
        unread = ForgeCollector("hub", world.reading(checks=Unknown("rate limited")), git, PEOPLE, NOW)
        assert isinstance(runs(world.head, unread), Unknown)


@pytest.mark.parametrize(("writes", "blocked"), [(True, ("dave",)), (False, ())])
def test_signed_request_for_changes_on_earlier_head_blocks_if_person_may_write(
    world: World, monkeypatch: pytest.MonkeyPatch, writes: bool, blocked: tuple[str, ...]
) -> None:
    earlier = world.repo.commit({"a": "3\n"}, on="earlier", parents=["main"])
    world.repo.git("update-ref", f"{approvals.PREFIX}{earlier}/dave", earlier)
    asked = approval("dave", ref_head=earlier, head=earlier, action=ReviewAction.REQUEST_CHANGES)

    def read(repository: Repository, wanted: Iterable[approvals.ApprovalRef], people: People) -> tuple[Approval, ...]:
        return tuple(asked for reference in wanted if reference.head == earlier)

    monkeypatch.setattr("muniment.forges.forge_collector.approvals.read_approvals", read)
    without_roles = People(tuple(structs.replace(one, write_access=()) for one in PEOPLE.persons), ())
    ada = Known(ACCOUNTS["ada"])
    moves = (
        Move(world.base, earlier, (earlier,), False, ada, T),
        Move(earlier, world.head, (world.head,), True, ada, T),
    )
    review = world.review(world.reading(moves=Known(moves)), people=without_roles, may_write=writes)
    assert review.blocking_reviewers == blocked

"""GitHub, read: a reading is whole, or says which part is not and what is missing; nothing is made up for it."""

from functools import partial
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.shapes import Ability, Account, Repo, Said, State
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Fault
from tests.support.forges.whole_change import story, value

GITHUB = "noreply@github.com"


_story = partial(story, objection_last=True)


@pytest.fixture(name="repository")
def _repository(hub: Forge) -> Repo:
    return hub.reader.repository("shop/api").repository


def test_what_stands_behind_a_connection(hub: Forge) -> None:
    about = hub.reader.about()
    assert (about.version, about.tier, about.ours) == (
        "3.17.1",
        "enterprise-server",
        Account("app:77", "muniment[bot]", True),
    )
    assert "checks:write" in about.scopes
    (listed,) = hub.reader.repositories()
    assert listed == hub.reader.repository("shop/api")
    assert (listed.repository.path, listed.missing_abilities) == ("shop/api", ())


@pytest.mark.parametrize(
    ("taken", "missing"),
    [
        ("checks", (Ability.STATUS,)),
        ("administration", (Ability.RULES, Ability.PROTECT)),
        ("contents", (Ability.READ, Ability.PROPOSE)),
        ("pull_requests", (Ability.READ, Ability.COMMENT, Ability.PROPOSE)),
    ],
)
def test_a_permission_that_the_app_lacks_is_told(
    github: FakeGitHub, hub: Forge, taken: str, missing: tuple[Ability, ...]
) -> None:
    del github.permissions[taken]
    assert hub.reader.repositories()[0].missing_abilities == missing


def test_an_installation_token_is_used_until_shortly_before_its_end(github: FakeGitHub, hub: Forge) -> None:
    for _ in range(3):
        hub.reader.repository("shop/api")
    assert github.calls.count("token") == 1
    github.lifetime = 299.0
    other = ours.github(github)
    for _ in range(2):
        other.reader.repository("shop/api")
    assert github.calls.count("token") == 5  # each of its uses takes a new one


def test_a_reading_tells_who_pushed_and_every_head_there_was(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    reading = hub.reader.read(repository, _story(github))
    moves = value(reading.moves)
    assert [value(move.who).login for move in moves] == ["ada", "bob", "dave"]
    assert [move.forced for move in moves] == [False, False, True]
    assert moves[0].old == ""
    assert moves[-1].new == reading.change.head
    assert reading.change.opener.login == "ada"
    assert value(reading.checks)[0].context == "build"
    assert value(reading.writers) == {str(github.world.users[name].id): True for name in ("carol", "bob")}
    assert value(reading.hands) == ()


def test_a_review_is_bound_to_its_commit(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    reading = hub.reader.read(repository, _story(github))
    first, second, third = value(reading.reviews)
    assert first.commit != reading.change.head
    assert (second.commit, second.said) == (reading.change.head, Said.APPROVED)
    assert (third.by.login, third.said) == ("bob", Said.CHANGES_REQUESTED)


def test_a_dismissed_review_says_what_it_had_said_and_who_dismissed_it(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    github.world.dismiss("ada", number, "bob")
    github.world.ask("ada", number, "carol")
    reviews = value(hub.reader.read(repository, number).reviews)
    assert (reviews[2].dismissed, reviews[2].said, value(reviews[2].dismissed_by).login) == (
        True,
        Said.CHANGES_REQUESTED,
        "ada",
    )
    assert reviews[1].asked_again > reviews[1].at
    assert reviews[2].asked_again == ""


def test_a_retarget_is_told(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    github.world.repo.branch("release", github.world.base)
    github.world.retarget("ada", number, "release")
    (retarget,) = value(hub.reader.read(repository, number).retargets)
    assert (retarget.old, retarget.new, value(retarget.who).login) == ("refs/heads/main", "refs/heads/release", "ada")


def test_only_a_verified_commit_with_githubs_own_address_is_githubs(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    world = github.world
    own = world.commit({"a": "1"}, committer=f"GitHub <{GITHUB}>")
    forged = world.commit({"b": "1"}, own, committer=f"GitHub <{GITHUB}>")
    codespace = world.commit({"c": "1"}, forged, committer="Ada <ada@example.test>")
    world.signed |= {own, codespace}
    world.move("ada", "topic", codespace)
    reading = hub.reader.read(repository, world.open("ada", "topic"))
    assert [(one.id, one.committer) for one in value(reading.own_commits)] == [(own, GITHUB)]


def test_whoever_asked_a_machine_had_a_hand_in_it(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    world = github.world
    world.user("helper[bot]", "write", bot=True)
    world.push("helper[bot]", "topic", {"a.py": "1\n"})
    number = world.open("helper[bot]", "topic")
    world.assign("bob", number, "helper[bot]")
    world.comment("carol", number, "@helper please make it faster")
    world.comment("dave", number, "I like it")
    hands = value(hub.reader.read(repository, number).hands)
    assert [(hand.by.login, hand.because) for hand in hands] == [
        ("bob", ContributorRole.REQUESTER),
        ("carol", ContributorRole.REQUESTER),
    ]


def test_no_comment_is_read_where_no_machine_had_a_hand(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    github.world.comment("carol", number, "@ada please make it faster")
    assert value(hub.reader.read(repository, number).hands) == ()
    assert "comments" not in github.calls


def test_all_who_may_write_are_listed_at_once(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    world = github.world
    world.user("zoe", "read")
    found = hub.reader.writers(repository)
    assert found == {str(user.id) for user in world.users.values() if world.writes(user.login)}
    assert str(world.users["zoe"].id) not in found
    github.page = 1
    assert hub.reader.writers(repository) == found


def test_long_lists_are_read_to_their_end(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    whole = hub.reader.read(repository, number)
    github.page = 1
    assert ours.github(github).reader.read(repository, number) == whole


def test_how_a_change_is_to_be_merged_is_told(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    github.world.changes[number].automatic = github.world.users["ada"]
    github.world.changes[number].queued = "f" * 40
    merging = value(hub.reader.read(repository, number).merging)
    assert (merging.automatic, value(merging.asked_by).login, merging.method) == (True, "ada", "squash")
    assert (merging.queued, merging.group) == (True, "f" * 40)


# Pushes that are not told


def test_a_push_that_is_missing_in_the_list_is_nobodys(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    lost = next(move for move in github.world.moves if move.by.login == "bob")
    github.world.moves.remove(lost)
    moves = value(hub.reader.read(repository, number).moves)
    gaps = [move for move in moves if isinstance(move.who, Unknown)]
    assert [(gap.old, gap.new) for gap in gaps] == [(lost.old, lost.new)]


def test_what_was_there_before_the_list_begins_is_not_the_first_pushers(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    first = github.world.moves.pop(0)
    moves = value(hub.reader.read(repository, number).moves)
    assert (moves[0].old, moves[0].new) == ("", first.new)
    assert isinstance(moves[0].who, Unknown)


def test_a_fork_that_is_not_shown_leaves_the_force_pushes(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    github.fail("activity", Fault.NOT_FOUND)
    reading = hub.reader.read(repository, number)
    moves = value(reading.moves)
    known = [value(move.who).login for move in moves if isinstance(move.who, Known)]
    assert known == ["dave"]
    assert all("Contents: read" in move.who.reason for move in moves if isinstance(move.who, Unknown))
    assert moves[-1].new == reading.change.head


def test_a_branch_that_was_made_anew_brings_no_strangers_pushes(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    world = github.world
    world.push("eve", "topic", {"old.py": "1\n"})
    world.move("eve", "topic", "")
    world.repo.git("update-ref", "-d", "refs/heads/topic")
    world.push("ada", "topic", {"a.py": "1\n"})
    moves = value(hub.reader.read(repository, world.open("ada", "topic")).moves)
    assert [value(move.who).login for move in moves] == ["ada"]


# Failures: each makes a part Unknown, and none makes it smaller

PARTS = ("moves", "retargets", "reviews", "hands", "own_commits", "writers", "checks", "merging")
SILENT = (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED, Fault.LIMITED, Fault.LIMITED_OTHERWISE)
BROKEN = (Fault.FAILED, Fault.SLOW, Fault.CUT, Fault.MALFORMED, Fault.ELSEWHERE)
FAILING = [
    ("graphql", PARTS, "Checks and Commit statuses: read"),
]


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
@pytest.mark.parametrize(("call", "unknown", "why"), FAILING)
def test_a_call_that_fails_makes_what_it_tells_unknown(
    github: FakeGitHub, repository: Repo, fault: Fault, call: str, unknown: tuple[str, ...], why: str
) -> None:
    number = _story(github)
    reader = ours.github(github, seconds=ours.patience(fault)).reader
    reader.repository("shop/api")
    whole = reader.read(repository, number)
    github.fail(call, fault)
    reading = reader.read(repository, number)
    for part in PARTS:
        found = getattr(reading, part)
        assert isinstance(found, Unknown) is (part in unknown), part
        assert part in unknown or found == getattr(whole, part)
    told = [getattr(reading, part).reason for part in unknown]
    assert all("could not be read" in one for one in told)
    if fault in (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED):
        assert all(why in one for one in told)


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
def test_a_change_that_cannot_be_read_is_an_error(github: FakeGitHub, repository: Repo, fault: Fault) -> None:
    number = _story(github)
    reader = ours.github(github, seconds=ours.patience(fault)).reader
    reader.repository("shop/api")
    github.fail("pull", fault)
    with pytest.raises(ForgeError):
        reader.read(repository, number)


@pytest.mark.parametrize(
    ("field", "unknown"),
    [
        ("commits", ("own_commits",)),
        ("reviews", ("reviews", "writers", "hands")),
        ("events", ("moves", "retargets", "reviews", "writers", "hands")),
        ("tip", ("checks",)),
        ("mergeQueueEntry", ("merging",)),
    ],
)
def test_a_part_that_graphql_refuses_is_unknown_and_the_rest_is_not(
    github: FakeGitHub, hub: Forge, repository: Repo, field: str, unknown: tuple[str, ...]
) -> None:
    number = _story(github)
    github.refused[field] = "FORBIDDEN"
    reading = hub.reader.read(repository, number)
    assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == set(unknown)


@pytest.mark.parametrize("call", ["graphql", "activity"])
def test_a_page_that_lacks_an_item_is_not_taken(github: FakeGitHub, hub: Forge, repository: Repo, call: str) -> None:
    number = _story(github)
    github.world.ask("ada", number, "carol")
    whole = hub.reader.read(repository, number)
    github.fail(call, Fault.TRUNCATED)
    reader = ours.github(github).reader if call == "activity" else hub.reader  # whoever knew it whole asks no more
    reading = reader.read(repository, number)
    if call == "activity":
        assert any(isinstance(move.who, Unknown) for move in value(reading.moves))
    for part in PARTS:
        assert (
            call == "activity"
            or isinstance(getattr(reading, part), Unknown)
            or getattr(reading, part) == getattr(whole, part)
        )
    assert call == "activity" or isinstance(reading.reviews, Unknown)


def test_what_is_older_than_what_was_seen_is_unknown(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    number = _story(github)
    hub.reader.read(repository, number)
    github.written()
    github.world.dismiss("bob", number, "carol")
    assert value(hub.reader.read(repository, number).reviews)[1].dismissed
    for stale in ("graphql", "pull"):
        github.fail(stale, Fault.STALE)
        reading = hub.reader.read(repository, number)
        assert isinstance(reading.reviews, Unknown), stale
        github.mend()
    assert isinstance(hub.reader.read(repository, number).reviews, Known)


def test_a_change_that_is_touched_while_it_is_read_is_read_again(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    first = hub.reader.read(repository, number)
    github.written()
    github.world.push("eve", "topic", {"e.py": "1\n"})
    github.fail("pull", Fault.STALE)
    reading = ours.github(github).reader.read(repository, number)
    assert reading.change.head == first.change.head
    assert isinstance(reading.reviews, Unknown)


def test_who_may_write_is_told_of_the_account_that_reviewed_as_it_is_now(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    carol = str(github.world.users["carol"].id)
    assert value(hub.reader.read(repository, number).writers)[carol] is True
    github.world.levels["carol"] = "read"
    assert value(hub.reader.read(repository, number).writers)[carol] is False


def test_one_account_may_write_or_not_and_a_login_that_somebody_else_has_now_is_not_it(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    carol = str(github.world.users["carol"].id)
    for account in (Account("", "carol"), Account(carol, "carol")):
        assert hub.reader.may_write(repository, account)
    assert not hub.reader.may_write(repository, Account("", "eve"))
    with pytest.raises(ForgeError, match="another account"):
        hub.reader.may_write(repository, Account("999", "carol"))


# Around it


def test_changes_are_listed_newest_first_back_to_a_moment(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    first = _story(github)
    github.world.push("bob", "other", {"o.py": "1\n"})
    second = github.world.open("bob", "other")
    assert [change.number for change in hub.reader.changes(repository, State.OPEN)] == [second, first]
    since = hub.reader.change(repository, second).updated
    assert [change.number for change in hub.reader.changes(repository, State.OPEN, since)] == [second]
    github.world.merge("carol", first)
    (merged,) = hub.reader.changes(repository, State.MERGED)
    assert (merged.number, merged.merged) == (first, github.world.repo.tip("main"))
    assert value(merged.merged_by).login == "carol"
    assert hub.reader.changes(repository, State.CLOSED) == ()


def test_branches_and_their_tips(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.world.push("ada", "feature/x", {"a": "1"})
    tips = {tip.ref: tip.commit for tip in hub.reader.tips(repository)}
    assert tips["refs/heads/feature/x"] == hub.reader.tip(repository, "refs/heads/feature/x")
    with pytest.raises(ForgeError) as caught:
        hub.reader.tip(repository, "refs/heads/none")
    assert caught.value.code is ForgeCode.NOT_FOUND


def test_a_status_is_told_with_whoever_posted_it(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    head = github.world.base
    github.world.status("eve", head, "muniment/main", "success")
    github.world.status("eve", head, "muniment/main", "failure")
    (check,) = hub.reader.statuses(repository, head)
    assert (check.by.login, check.state) == ("eve", "failure")
    assert check.by != hub.reader.about().ours


def test_a_group_of_the_merge_queue_is_its_members_up_to_it(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    def entry(number: int, head: str, base: str) -> dict[str, Any]:
        pull = {"number": number, "headRefOid": f"{number}" * 40}
        return {"position": number, "headCommit": {"oid": head}, "baseCommit": {"oid": base}, "pullRequest": pull}

    github.queue = [entry(1, "a" * 40, "0" * 40), entry(2, "b" * 40, "a" * 40), entry(3, "c" * 40, "b" * 40)]
    group = hub.reader.group(repository, "refs/heads/main", "b" * 40)
    assert [member.number for member in group.members] == [1, 2]
    assert (group.base, group.head) == ("0" * 40, "b" * 40)
    github.page = 1
    assert hub.reader.group(repository, "refs/heads/main", "b" * 40) == group
    for head in ("d" * 40, "0" * 40):
        with pytest.raises(ForgeError, match="no such group"):
            hub.reader.group(repository, "refs/heads/main", head)
    github.fail("graphql", Fault.TRUNCATED)
    with pytest.raises(ForgeError, match="complete"):
        hub.reader.group(repository, "refs/heads/main", "b" * 40)
    github.mend()
    github.queue = []
    with pytest.raises(ForgeError) as caught:
        hub.reader.group(repository, "refs/heads/main", "b" * 40)
    assert caught.value.code is ForgeCode.UNSUPPORTED


def test_git_opens_the_door_with_the_installations_token(github: FakeGitHub, hub: Forge) -> None:
    assert hub.reader.fetch_header()["Authorization"].startswith("Basic ")
    assert hub.reader.change_ref(7) == "refs/pull/7/head"
    assert not any(token in repr(hub) for token in github.tokens)


def test_a_warm_reading_takes_one_request_that_counts(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.tagged = True
    number = _story(github)
    first = hub.reader.read(repository, number)
    github.calls.clear()
    assert hub.reader.read(repository, number) == first
    assert sorted(github.calls) == ["graphql", "pull"]
    assert github.unchanged == 1  # GitHub does not count it


def test_a_reading_that_a_delivery_asked_for_takes_no_second_witness(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    first = hub.reader.read(repository, number)
    github.calls.clear()
    assert hub.reader.read(repository, number, first.change.updated) == first
    assert sorted(github.calls) == ["graphql"]


def test_a_reading_older_than_what_a_delivery_told_of_is_unknown(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    number = _story(github)
    hub.reader.read(repository, number)
    github.written()
    github.world.dismiss("bob", number, "carol")
    heard = hub.reader.change(repository, number).updated
    github.fail("graphql", Fault.STALE)
    for reader in (hub.reader, ours.github(github).reader):
        reading = reader.read(repository, number, heard)
        assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == set(PARTS)
    github.mend()
    assert value(hub.reader.read(repository, number, heard).reviews)[1].dismissed

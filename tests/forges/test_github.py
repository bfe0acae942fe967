"""GitHub's reader: a reading is complete, or names the part that is unknown and what is missing."""

from functools import partial
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.shapes import Ability, Account, ChangeState, ForgeRepository, ReviewState
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Fault
from tests.support.forges.whole_change import story, value

GITHUB = "noreply@github.com"


_story = partial(story, objection_last=True)


@pytest.fixture(name="repository")
def _repository(hub: Forge) -> ForgeRepository:
    return hub.reader.read_repository("shop/api").repository


def test_connection_reports_version_account_scopes_and_repositories(hub: Forge) -> None:
    about = hub.reader.describe_forge()
    assert (about.version, about.tier, about.ours) == (
        "3.17.1",
        "enterprise-server",
        Account("app:77", "muniment[bot]", True),
    )
    assert "checks:write" in about.scopes
    (listed,) = hub.reader.list_repositories()
    assert listed == hub.reader.read_repository("shop/api")
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
def test_missing_app_permission_is_named(
    github: FakeGitHub, hub: Forge, taken: str, missing: tuple[Ability, ...]
) -> None:
    del github.permissions[taken]
    assert hub.reader.list_repositories()[0].missing_abilities == missing


def test_installation_token_is_reused_until_shortly_before_expiry(github: FakeGitHub, hub: Forge) -> None:
    for _ in range(3):
        hub.reader.read_repository("shop/api")
    assert github.calls.count("token") == 1
    github.lifetime = 299.0
    other = ours.github(github)
    for _ in range(2):
        other.reader.read_repository("shop/api")
    assert github.calls.count("token") == 5  # each of its uses takes a new one


def test_reading_lists_pushers_and_all_heads(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    reading = hub.reader.read_full_change(repository, _story(github))
    moves = value(reading.moves)
    assert [value(move.who).login for move in moves] == ["ada", "bob", "dave"]
    assert [move.forced for move in moves] == [False, False, True]
    assert moves[0].old == ""
    assert moves[-1].new == reading.change.head
    assert reading.change.opener.login == "ada"
    assert value(reading.checks)[0].context == "build"
    assert value(reading.writers) == {str(github.world.users[name].id): True for name in ("carol", "bob")}
    assert value(reading.contributors) == ()


def test_a_review_is_bound_to_its_commit(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    reading = hub.reader.read_full_change(repository, _story(github))
    first, second, third = value(reading.reviews)
    assert first.commit != reading.change.head
    assert (second.commit, second.state) == (reading.change.head, ReviewState.APPROVED)
    assert (third.by.login, third.state) == ("bob", ReviewState.CHANGES_REQUESTED)


def test_dismissed_review_keeps_its_state_and_names_who_dismissed_it(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    github.world.dismiss("ada", number, "bob")
    github.world.ask("ada", number, "carol")
    reviews = value(hub.reader.read_full_change(repository, number).reviews)
    assert (reviews[2].dismissed, reviews[2].state, value(reviews[2].dismissed_by).login) == (
        True,
        ReviewState.CHANGES_REQUESTED,
        "ada",
    )
    assert reviews[1].asked_again > reviews[1].at
    assert reviews[2].asked_again == ""


def test_retarget_is_listed(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    number = _story(github)
    github.world.repo.branch("release", github.world.base)
    github.world.retarget("ada", number, "release")
    (retarget,) = value(hub.reader.read_full_change(repository, number).retargets)
    assert (retarget.old, retarget.new, value(retarget.who).login) == ("refs/heads/main", "refs/heads/release", "ada")


def test_commit_is_made_by_github_only_if_verified_with_its_address(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    world = github.world
    own = world.commit({"a": "1"}, committer=f"GitHub <{GITHUB}>")
    forged = world.commit({"b": "1"}, own, committer=f"GitHub <{GITHUB}>")
    codespace = world.commit({"c": "1"}, forged, committer="Ada <ada@example.test>")
    world.signed |= {own, codespace}
    world.move("ada", "topic", codespace)
    reading = hub.reader.read_full_change(repository, world.open("ada", "topic"))
    assert [(one.id, one.committer) for one in value(reading.own_commits)] == [(own, GITHUB)]


def test_requester_of_machine_is_contributor(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    world = github.world
    world.user("helper[bot]", "write", bot=True)
    world.push("helper[bot]", "topic", {"a.py": "1\n"})
    number = world.open("helper[bot]", "topic")
    world.assign("bob", number, "helper[bot]")
    world.comment("carol", number, "@helper please make it faster")
    world.comment("dave", number, "I like it")
    hands = value(hub.reader.read_full_change(repository, number).contributors)
    assert [(hand.by.login, hand.role) for hand in hands] == [
        ("bob", ContributorRole.REQUESTER),
        ("carol", ContributorRole.REQUESTER),
    ]


def test_comments_are_not_read_without_machine_contributor(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    github.world.comment("carol", number, "@ada please make it faster")
    assert value(hub.reader.read_full_change(repository, number).contributors) == ()
    assert "comments" not in github.calls


def test_accounts_with_write_access_are_listed_in_one_request(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    world = github.world
    world.user("zoe", "read")
    found = hub.reader.list_writers(repository)
    assert found == {str(user.id) for user in world.users.values() if world.writes(user.login)}
    assert str(world.users["zoe"].id) not in found
    github.page = 1
    assert hub.reader.list_writers(repository) == found


def test_long_lists_are_read_to_their_end(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    number = _story(github)
    whole = hub.reader.read_full_change(repository, number)
    github.page = 1
    assert ours.github(github).reader.read_full_change(repository, number) == whole


def test_reading_reports_merge_method(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    number = _story(github)
    github.world.changes[number].automatic = github.world.users["ada"]
    github.world.changes[number].queued = "f" * 40
    merging = value(hub.reader.read_full_change(repository, number).merging)
    assert (merging.automatic, value(merging.asked_by).login, merging.method) == (True, "ada", "squash")
    assert (merging.queued, merging.group) == (True, "f" * 40)


# Pushes that are unknown


def test_push_missing_from_list_has_unknown_pusher(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    number = _story(github)
    lost = next(move for move in github.world.moves if move.by.login == "bob")
    github.world.moves.remove(lost)
    moves = value(hub.reader.read_full_change(repository, number).moves)
    gaps = [move for move in moves if isinstance(move.who, Unknown)]
    assert [(gap.old, gap.new) for gap in gaps] == [(lost.old, lost.new)]


def test_commits_before_first_listed_push_have_unknown_pusher(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    first = github.world.moves.pop(0)
    moves = value(hub.reader.read_full_change(repository, number).moves)
    assert (moves[0].old, moves[0].new) == ("", first.new)
    assert isinstance(moves[0].who, Unknown)


def test_hidden_fork_leaves_only_force_pushes_known(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    github.fail("activity", Fault.NOT_FOUND)
    reading = hub.reader.read_full_change(repository, number)
    moves = value(reading.moves)
    known = [value(move.who).login for move in moves if isinstance(move.who, Known)]
    assert known == ["dave"]
    assert all("Contents: read" in move.who.reason for move in moves if isinstance(move.who, Unknown))
    assert moves[-1].new == reading.change.head


def test_recreated_branch_excludes_pushes_to_deleted_branch(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    world = github.world
    world.push("eve", "topic", {"old.py": "1\n"})
    world.move("eve", "topic", "")
    world.repo.git("update-ref", "-d", "refs/heads/topic")
    world.push("ada", "topic", {"a.py": "1\n"})
    moves = value(hub.reader.read_full_change(repository, world.open("ada", "topic")).moves)
    assert [value(move.who).login for move in moves] == ["ada"]


# Failures: each makes a part Unknown, and none makes it smaller

PARTS = ("moves", "retargets", "reviews", "contributors", "own_commits", "writers", "checks", "merging")
SILENT = (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED, Fault.LIMITED, Fault.LIMITED_OTHERWISE)
BROKEN = (Fault.FAILED, Fault.SLOW, Fault.CUT, Fault.MALFORMED, Fault.ELSEWHERE)
FAILING = [
    ("graphql", PARTS, "Checks and Commit statuses: read"),
]


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
@pytest.mark.parametrize(("call", "unknown", "why"), FAILING)
def test_failing_call_makes_its_part_unknown(
    github: FakeGitHub, repository: ForgeRepository, fault: Fault, call: str, unknown: tuple[str, ...], why: str
) -> None:
    number = _story(github)
    reader = ours.github(github, seconds=ours.time_limit(fault)).reader
    reader.read_repository("shop/api")
    whole = reader.read_full_change(repository, number)
    github.fail(call, fault)
    reading = reader.read_full_change(repository, number)
    for part in PARTS:
        found = getattr(reading, part)
        assert isinstance(found, Unknown) is (part in unknown), part
        assert part in unknown or found == getattr(whole, part)
    listed = [getattr(reading, part).reason for part in unknown]
    assert all("could not be read" in one for one in listed)
    if fault in (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED):
        assert all(why in one for one in listed)


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
def test_unreadable_change_is_error(github: FakeGitHub, repository: ForgeRepository, fault: Fault) -> None:
    number = _story(github)
    reader = ours.github(github, seconds=ours.time_limit(fault)).reader
    reader.read_repository("shop/api")
    github.fail("pull", fault)
    with pytest.raises(ForgeError):
        reader.read_full_change(repository, number)


@pytest.mark.parametrize(
    ("field", "unknown"),
    [
        ("commits", ("own_commits",)),
        ("reviews", ("reviews", "writers", "contributors")),
        ("events", ("moves", "retargets", "reviews", "writers", "contributors")),
        ("tip", ("checks",)),
        ("mergeQueueEntry", ("merging",)),
    ],
)
def test_part_refused_by_graphql_is_unknown_and_rest_known(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository, field: str, unknown: tuple[str, ...]
) -> None:
    number = _story(github)
    github.refused[field] = "FORBIDDEN"
    reading = hub.reader.read_full_change(repository, number)
    assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == set(unknown)


@pytest.mark.parametrize("call", ["graphql", "activity"])
def test_refuses_page_with_missing_item(github: FakeGitHub, hub: Forge, repository: ForgeRepository, call: str) -> None:
    number = _story(github)
    github.world.ask("ada", number, "carol")
    whole = hub.reader.read_full_change(repository, number)
    github.fail(call, Fault.TRUNCATED)
    reader = ours.github(github).reader if call == "activity" else hub.reader  # whoever knew it whole asks no more
    reading = reader.read_full_change(repository, number)
    if call == "activity":
        assert any(isinstance(move.who, Unknown) for move in value(reading.moves))
    for part in PARTS:
        assert (
            call == "activity"
            or isinstance(getattr(reading, part), Unknown)
            or getattr(reading, part) == getattr(whole, part)
        )
    assert call == "activity" or isinstance(reading.reviews, Unknown)


def test_answer_older_than_previous_reading_is_unknown(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    hub.reader.read_full_change(repository, number)
    github.written()
    github.world.dismiss("bob", number, "carol")
    assert value(hub.reader.read_full_change(repository, number).reviews)[1].dismissed
    for stale in ("graphql", "pull"):
        github.fail(stale, Fault.STALE)
        reading = hub.reader.read_full_change(repository, number)
        assert isinstance(reading.reviews, Unknown), stale
        github.mend()
    assert isinstance(hub.reader.read_full_change(repository, number).reviews, Known)


def test_change_updated_during_reading_is_read_again(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    first = hub.reader.read_full_change(repository, number)
    github.written()
    github.world.push("eve", "topic", {"e.py": "1\n"})
    github.fail("pull", Fault.STALE)
    reading = ours.github(github).reader.read_full_change(repository, number)
    assert reading.change.head == first.change.head
    assert isinstance(reading.reviews, Unknown)


def test_write_access_is_current_access_of_reviewing_account(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    carol = str(github.world.users["carol"].id)
    assert value(hub.reader.read_full_change(repository, number).writers)[carol] is True
    github.world.levels["carol"] = "read"
    assert value(hub.reader.read_full_change(repository, number).writers)[carol] is False


def test_write_access_of_account_refuses_login_taken_by_another_account(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    carol = str(github.world.users["carol"].id)
    for account in (Account("", "carol"), Account(carol, "carol")):
        assert hub.reader.can_write(repository, account)
    assert not hub.reader.can_write(repository, Account("", "eve"))
    with pytest.raises(ForgeError, match="another account"):
        hub.reader.can_write(repository, Account("999", "carol"))


# Around it


def test_changes_are_listed_newest_first_since_given_time(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    first = _story(github)
    github.world.push("bob", "other", {"o.py": "1\n"})
    second = github.world.open("bob", "other")
    assert [change.number for change in hub.reader.list_changes(repository, ChangeState.OPEN)] == [second, first]
    since = hub.reader.read_change(repository, second).updated
    assert [change.number for change in hub.reader.list_changes(repository, ChangeState.OPEN, since)] == [second]
    github.world.merge("carol", first)
    (merged,) = hub.reader.list_changes(repository, ChangeState.MERGED)
    assert (merged.number, merged.merged) == (first, github.world.repo.tip("main"))
    assert value(merged.merged_by).login == "carol"
    assert hub.reader.list_changes(repository, ChangeState.CLOSED) == ()


def test_lists_branches_with_their_tips(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    github.world.push("ada", "feature/x", {"a": "1"})
    tips = {tip.ref: tip.commit for tip in hub.reader.list_branches(repository)}
    assert tips["refs/heads/feature/x"] == hub.reader.read_branch_tip(repository, "refs/heads/feature/x")
    with pytest.raises(ForgeError) as caught:
        hub.reader.read_branch_tip(repository, "refs/heads/none")
    assert caught.value.code is ForgeCode.NOT_FOUND


def test_status_names_account_that_posted_it(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    head = github.world.base
    github.world.status("eve", head, "muniment/main", "success")
    github.world.status("eve", head, "muniment/main", "failure")
    (check,) = hub.reader.list_statuses(repository, head)
    assert (check.by.login, check.state) == ("eve", "failure")
    assert check.by != hub.reader.describe_forge().ours


def test_merge_queue_group_lists_members_up_to_its_position(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    def entry(number: int, head: str, base: str) -> dict[str, Any]:
        pull = {"number": number, "headRefOid": f"{number}" * 40}
        return {"position": number, "headCommit": {"oid": head}, "baseCommit": {"oid": base}, "pullRequest": pull}

    github.queue = [entry(1, "a" * 40, "0" * 40), entry(2, "b" * 40, "a" * 40), entry(3, "c" * 40, "b" * 40)]
    group = hub.reader.read_merge_group(repository, "refs/heads/main", "b" * 40)
    assert [member.number for member in group.members] == [1, 2]
    assert (group.base, group.head) == ("0" * 40, "b" * 40)
    github.page = 1
    assert hub.reader.read_merge_group(repository, "refs/heads/main", "b" * 40) == group
    for head in ("d" * 40, "0" * 40):
        with pytest.raises(ForgeError, match="no such group"):
            hub.reader.read_merge_group(repository, "refs/heads/main", head)
    github.fail("graphql", Fault.TRUNCATED)
    with pytest.raises(ForgeError, match="complete"):
        hub.reader.read_merge_group(repository, "refs/heads/main", "b" * 40)
    github.mend()
    github.queue = []
    with pytest.raises(ForgeError) as caught:
        hub.reader.read_merge_group(repository, "refs/heads/main", "b" * 40)
    assert caught.value.code is ForgeCode.UNSUPPORTED


def test_git_fetch_uses_installation_token(github: FakeGitHub, hub: Forge) -> None:
    assert hub.reader.fetch_header()["Authorization"].startswith("Basic ")
    assert hub.reader.change_ref(7) == "refs/pull/7/head"
    assert not any(token in repr(hub) for token in github.tokens)


def test_cached_reading_takes_one_rate_limited_request(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.tagged = True
    number = _story(github)
    first = hub.reader.read_full_change(repository, number)
    github.calls.clear()
    assert hub.reader.read_full_change(repository, number) == first
    assert sorted(github.calls) == ["graphql", "pull"]
    assert github.unchanged == 1  # GitHub does not count it


def test_reading_triggered_by_delivery_needs_one_request(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    number = _story(github)
    first = hub.reader.read_full_change(repository, number)
    github.calls.clear()
    assert hub.reader.read_full_change(repository, number, first.change.updated) == first
    assert sorted(github.calls) == ["graphql", "pull"]  # a delivery saves no question


def test_delivery_of_a_middle_state_does_not_make_a_stale_answer_fresh(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    """The web stores deliveries: it can invent one of the state that the forge's slower answer shows."""
    number = _story(github)
    hub.reader.read_full_change(repository, number)
    github.world.label(number, "middle")
    middle = hub.reader.read_change(repository, number).updated
    github.written()
    github.world.dismiss("bob", number, "carol")
    github.fail("graphql", Fault.STALE)
    reading = ours.github(github).reader.read_full_change(repository, number, middle)
    assert isinstance(reading.reviews, Unknown)


def test_delivery_of_the_future_denies_only_its_own_reading(hub: Forge, github: FakeGitHub) -> None:
    number = _story(github)
    place = hub.reader.read_repository("shop/api").repository
    assert isinstance(hub.reader.read_full_change(place, number, "2999-01-01T00:00:00.000000Z").reviews, Unknown)
    assert isinstance(hub.reader.read_full_change(place, number).reviews, Known)


def test_reading_older_than_delivery_is_unknown(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    number = _story(github)
    hub.reader.read_full_change(repository, number)
    github.written()
    github.world.dismiss("bob", number, "carol")
    delivered_at = hub.reader.read_change(repository, number).updated
    github.fail("graphql", Fault.STALE)
    for reader in (hub.reader, ours.github(github).reader):
        reading = reader.read_full_change(repository, number, delivered_at)
        assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == set(PARTS)
    github.mend()
    assert value(hub.reader.read_full_change(repository, number, delivered_at).reviews)[1].dismissed

"""GitLab's reader: a reading is complete or names its unknown part; approvals are bound to the head at their time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Unknown
from muniment.forges import forge_connection
from muniment.forges.forge import Forge
from muniment.forges.gitlab import client, connect, wire
from muniment.forges.gitlab.protection import matches_pattern
from muniment.forges.shapes import NOT_READ, Ability, Account, ChangeState, ForgeRepository, ReviewState, Vendor
from tests.support.forges import ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault, Faulty, Reply, Request, Route
from tests.support.forges.gitlab_requests import OURS
from tests.support.forges.whole_change import story, value

GITLAB = "noreply@gitlab.com"


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> ForgeRepository:
    return lab.reader.read_repository("shop/api").repository


def test_connection_reports_version_account_scopes_and_repositories(gitlab: FakeGitLab, lab: Forge) -> None:
    about = lab.reader.describe_forge()
    ours_there = gitlab.world.users[OURS]
    assert (about.version, about.ours) == ("18.5.1-ee", Account(str(ours_there.id), OURS, machine=True))
    assert about.scopes == ("api",)
    (listed,) = lab.reader.list_repositories()
    assert listed == lab.reader.read_repository("shop/api")
    assert listed.missing_abilities == ()


def test_missing_access_of_our_account_is_named(gitlab: FakeGitLab, lab: Forge) -> None:
    gitlab.world.levels[OURS] = "write"
    (listed,) = lab.reader.list_repositories()
    assert listed.missing_abilities == (Ability.RULES, Ability.PROTECT, Ability.HOOKS)


def test_reading_lists_pushers_and_all_heads(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    reading = lab.reader.read_full_change(repository, story(gitlab))
    moves = value(reading.moves)
    assert [value(move.who).login for move in moves] == ["ada", "bob", "dave"]
    assert moves[-1].new == reading.change.head
    assert reading.checks == NOT_READ
    assert lab.reader.list_statuses(repository, reading.change.head)[0].context == "build"
    assert value(reading.writers) == {str(gitlab.world.users[name].id): True for name in ("carol", "bob")}
    assert value(reading.contributors) == ()
    assert value(reading.retargets) == ()


def test_approval_is_bound_to_head_at_its_time(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    reading = lab.reader.read_full_change(repository, number)
    objection, approval = value(reading.reviews)
    assert (objection.by.login, objection.state) == ("bob", ReviewState.CHANGES_REQUESTED)
    assert (approval.by.login, approval.commit) == ("carol", reading.change.head)
    gitlab.world.push("eve", "topic", {"e.py": "1\n"})
    after = lab.reader.read_full_change(repository, number)
    assert value(after.reviews)[1].commit == reading.change.head != after.change.head


def test_approval_without_time_counts_if_head_is_five_minutes_old(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    gitlab.dated = False
    number = story(gitlab)
    approvals = [value(lab.reader.read_full_change(repository, number).reviews)[0]]
    for _ in range(3):
        gitlab.world.comment("ada", number, "please look")
    gitlab.world.review("carol", number, "approved")
    reading = lab.reader.read_full_change(repository, number)
    approvals += [review for review in value(reading.reviews) if review.state is ReviewState.APPROVED]
    assert [approval.commit == reading.change.head for approval in approvals] == [False, True]


def test_withdrawn_or_reset_approval_is_not_listed(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    gitlab.world.dismiss("carol", number, "carol")
    assert [review.by.login for review in value(lab.reader.read_full_change(repository, number).reviews)] == ["bob"]
    gitlab.world.review("carol", number, "approved")
    gitlab.resets = True
    gitlab.world.push("ada", "topic", {"f.py": "1\n"})
    assert [review.by.login for review in value(lab.reader.read_full_change(repository, number).reviews)] == ["bob"]


def test_requested_changes_stay_until_their_reviewer_approves(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = story(gitlab)
    gitlab.world.ask("ada", number, "bob")
    objection = value(lab.reader.read_full_change(repository, number).reviews)[0]
    assert (objection.by.login, objection.dismissed) == ("bob", False)
    gitlab.world.dismiss("bob", number, "bob")
    assert value(lab.reader.read_full_change(repository, number).reviews)[0] == objection, "a comment is no approval"


def test_renewed_review_request_concerns_only_its_reviewer(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = story(gitlab)
    gitlab.world.user("carol.b", "write")
    gitlab.world.ask("ada", number, "carol.b")
    assert value(lab.reader.read_full_change(repository, number).reviews)[1].asked_again == ""
    gitlab.world.ask("ada", number, "carol")
    again = value(lab.reader.read_full_change(repository, number).reviews)[1]
    assert again.asked_again > again.at


def test_retarget_is_listed_and_unparsable_retarget_is_unknown(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = story(gitlab)
    gitlab.world.repo.branch("release", gitlab.world.base)
    gitlab.world.retarget("ada", number, "release")
    (retarget,) = value(lab.reader.read_full_change(repository, number).retargets)
    assert (retarget.old, retarget.new, value(retarget.who).login) == ("refs/heads/main", "refs/heads/release", "ada")
    gitlab.world.changes[number].events[-1].what = "changed target branch in some new way"
    assert isinstance(lab.reader.read_full_change(repository, number).retargets, Unknown)


def test_user_comment_is_not_system_note(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    before = lab.reader.read_full_change(repository, number)
    for text in ("approved this merge request", "requested changes", "changed target branch from `main` to `x`"):
        gitlab.world.comment("eve", number, text)
    after = lab.reader.read_full_change(repository, number)
    assert (after.reviews, after.retargets) == (before.reviews, before.retargets)


def test_commit_is_made_by_gitlab_only_with_its_address_and_signature(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    world = gitlab.world
    own = world.commit({"a": "1"}, committer=f"GitLab <{GITLAB}>")
    forged = world.commit({"b": "1"}, own, committer=f"GitLab <{GITLAB}>")
    other = world.commit({"c": "1"}, forged, committer="Ada <ada@example.test>")
    world.signed |= {own, other}
    world.move("ada", "topic", other)
    reading = lab.reader.read_full_change(repository, world.open("ada", "topic"))
    assert [(one.id, one.committer) for one in value(reading.own_commits)] == [(own, GITLAB)]
    assert gitlab.calls.count("signature") == 2


def test_accounts_with_write_access_are_listed_in_one_request(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    world = gitlab.world
    world.user("zoe", "read")
    found = lab.reader.list_writers(repository)
    assert found == {str(user.id) for user in world.users.values() if world.writes(user.login)}
    assert str(world.users["zoe"].id) not in found


def test_requester_of_machine_is_contributor(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    world, bot = gitlab.world, "project_9_bot_00ff"
    world.user(bot, "write", bot=True)
    world.push(bot, "topic", {"a.py": "1\n"})
    number = world.open(bot, "topic")
    world.assign("bob", number, bot)
    world.comment("carol", number, f"@{bot} please make it faster")
    world.comment("dave", number, "I like it")
    hands = value(lab.reader.read_full_change(repository, number).contributors)
    assert [(hand.by.login, hand.role) for hand in hands] == [
        ("bob", ContributorRole.REQUESTER),
        ("carol", ContributorRole.REQUESTER),
    ]


@pytest.mark.parametrize(
    ("login", "machine"),
    [
        ("project_12_bot", True),
        ("group_3_bot_9a8b7c6d", True),
        ("service_account_group_1_2", True),
        ("ghost", True),
        ("my_project_1_bot", False),
        ("ada", False),
    ],
)
def test_token_accounts_are_machines(login: str, machine: bool) -> None:
    assert client.convert_account(wire.User(1, login)).machine is machine


def test_long_lists_are_read_to_their_end(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    whole = lab.reader.read_full_change(repository, number)
    gitlab.page = 1
    assert ours.gitlab(gitlab).reader.read_full_change(repository, number) == whole


def test_merge_train_lists_members_up_to_position(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    first = story(gitlab)
    gitlab.world.push("bob", "other", {"o.py": "1\n"})
    second = gitlab.world.open("bob", "other")
    gitlab.project["merge_trains_enabled"] = True
    gitlab.train = [
        {"merge_request": {"iid": first}, "pipeline": {"sha": "a" * 40}},
        {"merge_request": {"iid": second}, "pipeline": {"sha": "b" * 40}},
    ]
    group = lab.reader.read_merge_group(repository, "refs/heads/main", "b" * 40)
    assert [member.number for member in group.members] == [first, second]
    assert group.members[0].head == gitlab.world.changes[first].head
    merging = value(lab.reader.read_full_change(repository, second).merging)
    assert (merging.queued, merging.group) == (True, "b" * 40)
    with pytest.raises(ForgeError, match="no longer contains it"):
        lab.reader.read_merge_group(repository, "refs/heads/main", "c" * 40)


# Pushes that are unknown


def test_pusher_without_event_is_read_from_version_note(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = story(gitlab)
    whole = ours.gitlab(gitlab).reader.read_full_change(repository, number)
    gitlab.fail("events", Fault.FORBIDDEN)
    moves = value(lab.reader.read_full_change(repository, number).moves)
    assert [value(move.who).login for move in moves[1:]] == ["bob", "dave"]
    assert isinstance(moves[0].who, Unknown)
    assert [move.new for move in moves] == [move.new for move in value(whole.moves)]


def test_bulk_push_before_opening_has_unknown_pusher(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = story(gitlab)
    first = gitlab.world.moves.pop(0)
    moves = value(lab.reader.read_full_change(repository, number).moves)
    assert (moves[0].old, moves[0].new) == ("", first.new)
    assert isinstance(moves[0].who, Unknown)


# Around it


def test_changes_are_listed_newest_first_since_given_time(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    first = story(gitlab)
    gitlab.world.push("bob", "other", {"o.py": "1\n"})
    second = gitlab.world.open("bob", "other")
    assert [change.number for change in lab.reader.list_changes(repository, ChangeState.OPEN)] == [second, first]
    since = lab.reader.read_change(repository, second).updated
    assert [change.number for change in lab.reader.list_changes(repository, ChangeState.OPEN, since)] == [second]
    gitlab.world.merge("carol", first)
    (merged,) = lab.reader.list_changes(repository, ChangeState.MERGED)
    assert (merged.number, merged.merged) == (first, gitlab.world.repo.tip("main"))
    assert value(merged.merged_by).login == "carol"


def test_reads_write_access_of_one_account(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    carol = str(gitlab.world.users["carol"].id)
    assert lab.reader.can_write(repository, Account("", "carol"))
    assert lab.reader.can_write(repository, Account(carol, "carol"))
    for nobody in (Account("", "eve"), Account("", "nobody"), Account("999999", "carol")):
        assert not lab.reader.can_write(repository, nobody)
    gitlab.fail("member", Fault.FAILED)
    with pytest.raises(ForgeError):
        lab.reader.can_write(repository, Account("", "carol"))


def test_lists_branches_with_their_tips(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    gitlab.world.push("ada", "feature/x", {"a": "1"})
    tips = {tip.ref: tip.commit for tip in lab.reader.list_branches(repository)}
    assert tips["refs/heads/feature/x"] == lab.reader.read_branch_tip(repository, "refs/heads/feature/x")


def test_git_fetch_uses_token(lab: Forge) -> None:
    assert lab.reader.fetch_header()["Authorization"].startswith("Basic ")
    assert lab.reader.change_ref(7) == "refs/merge-requests/7/head"


@pytest.mark.parametrize(
    ("pattern", "branch", "fitting"),
    [
        ("main", "main", True),
        ("main", "maint", False),
        ("release/*", "release/1/2", True),
        ("*-stable", "1.0-stable", True),
        ("ma.n", "main", False),
        ("*", "anything/else", True),
        ("a*b*c", "a/b/b/c", True),
        ("a*b*c", "ac", False),
        ("a*ba", "aba", True),
        ("ab*ba", "aba", False),
        ("*a" * 20 + "b", "a" * 200, False),
    ],
)
def test_branch_pattern_matches_like_gitlab(pattern: str, branch: str, fitting: bool) -> None:
    assert matches_pattern(pattern, branch) is fitting


# OAuth


@pytest.fixture(name="written")
def _kept() -> list[dict[str, str]]:
    return []


def _make_oauth_token(
    gitlab: FakeGitLab, stored: list[dict[str, str]], expires: str, clock: float
) -> connect.OAuthToken:
    names = ("client_id", "client_secret", "access_token")
    credential = {**{name: f"fake-{name}" for name in names}, "refresh_token": "first", "expires": expires}
    return connect.OAuthToken(gitlab.url, credential, lambda new: stored.append(dict(new)), clock=lambda: clock)


def test_token_is_renewed_before_expiry_and_stored_before_use(
    gitlab: FakeGitLab, written: list[dict[str, str]]
) -> None:
    token = _make_oauth_token(gitlab, written, "1000200", 1_000_000)
    forge = connect.connect_gitlab("gitlab", gitlab.url, token, lambda: ours.NOW)
    forge.reader.read_repository("shop/api")
    forge.reader.read_repository("shop/api")
    assert gitlab.calls == ["renew", "project", "project"]
    assert [(one["access_token"], one["refresh_token"], one["expires"]) for one in written] == [
        ("token first+", "first+", "1007200")
    ]
    assert "first" not in repr(token)


def test_valid_token_is_not_renewed(gitlab: FakeGitLab, written: list[dict[str, str]]) -> None:
    assert _make_oauth_token(gitlab, written, "1000301", 1_000_000)() == "fake-access_token"
    assert gitlab.calls == []


def test_token_that_cannot_be_renewed_or_stored_is_not_used(
    gitlab: FakeGitLab, written: list[dict[str, str]], tmp_path: Path
) -> None:
    gitlab.refresh = "another"
    with pytest.raises(ForgeError) as caught:
        _make_oauth_token(gitlab, written, "0", 1_000_000)()
    assert caught.value.code is ForgeCode.REFUSED
    assert written == []
    gitlab.refresh = "first"

    def full(new: object) -> None:
        raise OSError("no space")

    token = connect.OAuthToken(gitlab.url, {"access_token": "a", "refresh_token": "first"}, full)
    with pytest.raises(OSError, match="no space"):
        token()


def test_application_credential_of_vault_is_renewed_and_stored(
    gitlab: FakeGitLab, written: list[dict[str, str]]
) -> None:
    credential = {"client_id": "a", "client_secret": "b", "access_token": "c", "refresh_token": "first", "expires": "0"}
    connection = forge_connection.Connection(Vendor.GITLAB, gitlab.url, "gitlab")
    forge = forge_connection.open_forge(
        connection, credential, lambda: ours.NOW, store_credential=lambda fresh: written.append(dict(fresh))
    )
    assert forge.reader.read_repository("shop/api").repository.default == "refs/heads/main"
    assert [one["refresh_token"] for one in written] == ["first+"]


def _make_version_handler(code: int) -> Callable[[Any, Request], Reply]:
    return lambda fake, request: Reply(code, {"version": "1.25"})


@pytest.mark.parametrize(
    ("answers", "vendor"),
    [
        ({"/api/v4/metadata": 401}, Vendor.GITLAB),
        ({"/api/v3/meta": 200}, Vendor.GITHUB),
        ({"/api/v3/meta": 401}, Vendor.GITHUB),
        ({"/api/v1/version": 200}, Vendor.GITEA),
    ],
)
def test_detects_forge_vendor_from_address(answers: dict[str, int], vendor: Vendor) -> None:
    class Somebody(Faulty):
        routes = tuple(Route("GET", path, path, _make_version_handler(code)) for path, code in answers.items())

    with Somebody() as there:
        assert forge_connection.find_forge(f"{there.url}/shop/api") == (vendor, there.url, "shop/api")
        page = "-/merge_requests/3" if vendor is Vendor.GITLAB else "pulls/3"
        assert forge_connection.find_forge(f"{there.url}/shop/api/{page}") == (vendor, there.url, "shop/api")
    with pytest.raises(ForgeError):
        forge_connection.find_forge(f"{there.url}/shop/api")


def test_each_forge_has_url_for_diff_of_branch_update() -> None:
    def page(vendor: Vendor, base: str) -> str:
        there = forge_connection.Connection(vendor, "https://forge.test", "forge")
        return there.diff_url("https://forge.test/shop/api/", base, "b2")

    assert page(Vendor.GITLAB, "a1") == "https://forge.test/shop/api/-/compare/a1...b2"
    assert page(Vendor.GITLAB, "") == "https://forge.test/shop/api/-/commit/b2"
    for vendor in (Vendor.GITHUB, Vendor.GITEA, Vendor.FORGEJO):
        assert page(vendor, "a1") == "https://forge.test/shop/api/compare/a1...b2"
        assert page(vendor, "") == "https://forge.test/shop/api/commit/b2"

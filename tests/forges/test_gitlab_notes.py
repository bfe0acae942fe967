"""GitLab's system notes: each known sentence is parsed, and unknown sentences change nothing."""

import pytest

from muniment.errors import ForgeError
from muniment.forges.gitlab import notes, wire
from muniment.forges.shapes import ReviewState

ADA, BOB = wire.User(7, "ada"), wire.User(8, "bob")
VERSIONS = (
    wire.MergeRequestVersion(1, "a" * 40, "2026-11-02T09:00:00Z"),
    wire.MergeRequestVersion(2, "b" * 40, "2026-11-02T09:30:00Z"),
)


def _note(
    body: str, at: str = "09:00:00", by: wire.User | None = ADA, *, system: bool = True, action: str = "", id: int = 0
) -> wire.DiscussionNote:
    return wire.DiscussionNote(id or int(at.replace(":", "")), body, by, f"2026-11-02T{at}Z", system, action)


def _approvals(at: str | None) -> wire.Approvals:
    return wire.Approvals([wire.Approval(BOB, f"2026-11-02T{at}Z" if at else None)])


def test_approval_just_after_push_is_bound_to_previous_head() -> None:
    moments = {
        "2026-11-02T08:59:00.000000Z": "a" * 40,
        "2026-11-02T09:00:01.000000Z": "a" * 40,
        "2026-11-02T09:30:09.000000Z": "a" * 40,
        "2026-11-02T09:30:10.000000Z": "b" * 40,
    }
    assert {when: notes.find_head_at(VERSIONS, when) for when in moments} == moments


@pytest.mark.parametrize("action", ["", "branch"])
@pytest.mark.parametrize(
    ("body", "ends"),
    [
        ("changed target branch from `main` to `release/1`", [("main", "release/1")]),
        ("deleted the `topic` branch. This merge request now targets the `main` branch", [("topic", "main")]),
        ("restored target branch `main`", []),
        ("deleted source branch `topic`", []),
    ],
)
def test_parses_every_known_retarget_note(body: str, ends: list[tuple[str, str]], action: str) -> None:
    found = notes.parse_retargets((_note(body, action=action),))
    assert [(one.old, one.new) for one in found] == [(f"refs/heads/{a}", f"refs/heads/{b}") for a, b in ends]


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ("changed title from **changed target branch from `a` to `b`** to **x**", "title"),
        ("mentioned in !2", "cross_reference"),
        ("added 1 commit", "commit"),
    ],
)
def test_other_system_note_is_no_retarget(body: str, action: str) -> None:
    assert notes.parse_retargets((_note(body), _note(body, action=action))) == ()


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ("changed target branch from `a` to `b` and more", ""),
        ("changed the target branch", ""),
        ("changed automatically target branch to `main` because `topic` was deleted", ""),
        ("deleted the `a` branch. All is well", ""),
        ("changed target branch from `a` b` to `c`", ""),
        ("pointed this elsewhere", "branch"),
        ("restored target branch `main` and pointed it elsewhere", "branch"),
    ],
)
def test_unknown_note_about_branches_is_not_ignored(body: str, action: str) -> None:
    with pytest.raises(ForgeError, match="not understood"):
        notes.parse_retargets((_note(body, action=action),))


def test_retarget_time_is_end_of_its_second() -> None:
    (retarget,) = notes.parse_retargets((_note("changed target branch from `a` to `b`", "09:00:07"),))
    assert retarget.at == "2026-11-02T09:00:07.999999Z"


def _pushed(version: int, by: wire.User, title: str = "x") -> wire.DiscussionNote:
    link = f"/shop/api/-/merge_requests/1/diffs?diff_id={version}&start_sha={'0' * 40}"
    return _note(f"added 1 commit\n\n<ul><li>ab - {title}</li></ul>\n\n[Compare with previous version]({link})", by=by)


def test_pusher_of_version_comes_from_its_note_not_from_title() -> None:
    result = notes.parse_pushers(
        [_pushed(11, ADA), _pushed(12, BOB, "?diff_id=11"), _note("added 2 designs?diff_id=13")]
    )
    assert result == {11: ADA, 12: BOB}


def test_contradicting_notes_leave_pusher_of_version_unknown() -> None:
    assert notes.parse_pushers([_pushed(11, ADA), _pushed(11, BOB), _pushed(12, ADA), _pushed(12, ADA)]) == {12: ADA}


# Approvals


def test_approval_time_is_approval_not_later_note() -> None:
    noted = (_note("approved this merge request", "09:45:00", BOB),)
    (given,) = notes.make_reviews(_approvals("09:29:00.250"), (), noted, VERSIONS)
    assert (given.commit, given.at) == ("a" * 40, "2026-11-02T09:29:00.250000Z")


@pytest.mark.parametrize(("noted", "head"), [("09:35:09", "a"), ("09:35:10", "b")])
def test_approval_time_known_from_note_alone_is_assumed_late(noted: str, head: str) -> None:
    (given,) = notes.make_reviews(_approvals(None), (), (_note("approved this merge request", noted, BOB),), VERSIONS)
    assert given.commit == head * 40


def test_refuses_approval_without_any_time() -> None:
    with pytest.raises(ForgeError, match="when bob approved"):
        notes.make_reviews(_approvals(None), (), (_note("approved this merge request", by=ADA),), VERSIONS)


@pytest.mark.parametrize("withdrew", ["09:40:00", "09:40:01"])
def test_refuses_approval_withdrawn_later_or_in_same_second(withdrew: str) -> None:
    result = (_note("unapproved this merge request", withdrew, BOB),)
    with pytest.raises(ForgeError, match="withdrew"):
        notes.make_reviews(_approvals("09:40:00.900"), (), result, VERSIONS)


@pytest.mark.parametrize(
    ("body", "at", "ends"),
    [
        ("requested review from @bob", "09:40:00", True),
        ("requested review from @ada and @bob", "09:41:00", True),
        ("requested review from @bob and removed approval", "09:41:00", True),
        ("requested review from @bob", "09:39:59", False),
        ("requested review from @bob.b", "09:41:00", False),
        ("requested review from @ada and removed review request for @bob", "09:41:00", False),
    ],
)
def test_renewed_review_request_ends_approval(body: str, at: str, ends: bool) -> None:
    (given,) = notes.make_reviews(_approvals("09:40:00.900"), (), (_note(body, at),), VERSIONS)
    assert bool(given.asked_again) is ends


# Changes requested


@pytest.mark.parametrize(
    "since", ["left review comments", "requested review from @bob", "unapproved this merge request"]
)
def test_only_approval_lifts_requested_changes(since: str) -> None:
    result = (_note("requested changes", "09:40:00", BOB), _note(since, "09:41:00", BOB))
    (objection,) = notes.make_reviews(wire.Approvals([]), (wire.Reviewer(BOB, "reviewed"),), result, VERSIONS)
    assert (objection.state, objection.dismissed) == (ReviewState.CHANGES_REQUESTED, False)
    assert objection.at == "2026-11-02T09:40:00.999999Z"


def test_requested_changes_are_read_from_note_or_state() -> None:
    reviewer = wire.Reviewer(BOB, "requested_changes", "2026-11-02T09:10:00Z")
    (objection,) = notes.make_reviews(wire.Approvals([]), (reviewer,), (), VERSIONS)
    assert objection.by.login == "bob"
    with pytest.raises(ForgeError, match="when bob requested"):
        notes.make_reviews(wire.Approvals([]), (wire.Reviewer(BOB, "requested_changes"),), (), VERSIONS)

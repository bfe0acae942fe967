"""Parses GitLab's own notes on a merge request: pushes of versions, retargets, approvals, requests for changes.

Only notes that GitLab marks as its own are read, and only whole sentences that it is known to write: a title or a
branch's name within one is untrusted. An unknown note about branches makes the target unknown.

Sources, in GitLab's own repository: `app/services/system_notes/merge_requests_service.rb` (branches, approvals,
changes requested), `commit_service.rb` (pushes) and `issuables_service.rb` (reviewers) in the same folder, their specs;
`app/services/merge_requests/` `update_reviewer_state_service.rb` (only an approval takes back what was requested),
`request_review_service.rb` and `approval_service.rb`; and `app/workers/merge_requests/create_approval_note_worker.rb`:
the note on an approval is written by a worker, at any time after it.
"""

import re
from collections.abc import Iterable, Sequence

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.forges.gitlab.client import (
    convert_account,
    convert_known_account,
    convert_moment,
    second_end,
    truncate_to_second,
)
from muniment.forges.gitlab.wire import Approval, Approvals, DiscussionNote, MergeRequestVersion, Reviewer, User
from muniment.forges.shapes import Retarget, Review, ReviewState

# GitLab does not say which commit an approval is of, only when it was given; and it shows a new version some moments
# after the push. Whoever approves within these seconds saw, most likely, the version before.
VERSION_DELAY_SECONDS = 10
# An older one does not even say when: its note on the approval is then taken to be late by so many seconds.
NOTE_DELAY_SECONDS = 300

_APPROVED = "approved this merge request"
_WITHDREW = "unapproved this merge request"
_OBJECTED = "requested changes"
_ASKED = "requested review from "
_OF_REVIEWS = (_APPROVED, _WITHDREW, _OBJECTED, "left review comments")
_PUSHED = re.compile(r"added [0-9]+ commits?\n.*[?&]diff_id=(?P<version>[0-9]+)", re.DOTALL)
_RETARGETED = (
    re.compile(r"changed target branch from `(?P<old>[^ `]+)` to `(?P<new>[^ `]+)`"),
    re.compile(r"deleted the `(?P<old>[^ `]+)` branch\. This merge request now targets the `(?P<new>[^ `]+)` branch"),
)
_OF_TARGETS = re.compile(r"changed (?:automatically )?(?:the )?target|deleted the `")
_ELSEWHERE = re.compile(r"(?:restored|deleted) (?:source|target) branch `[^ `]+`")
_BRANCHES = "branch"  # how GitLab calls notes on branches, where it tells


def select_system_notes(notes: tuple[DiscussionNote, ...]) -> tuple[DiscussionNote, ...]:
    """Notes by GitLab itself, oldest first."""
    found = (note for note in notes if note.system)
    return tuple(sorted(found, key=lambda note: (convert_moment(note.created_at), note.id)))


def select_branch_notes(notes: Iterable[DiscussionNote]) -> list[tuple[int, str]]:
    """Notes that may concern pushes, or times without known pushes: all but those about reviews."""
    return [
        (note.id, note.body)
        for note in notes
        if note.body.strip() not in _OF_REVIEWS and not note.body.startswith(_ASKED)
    ]


def parse_pushers(notes: Iterable[DiscussionNote]) -> dict[int, User | None]:
    """Account that pushed each version of which a note tells; none if two notes name two (pushed twice at once)."""
    authors: dict[int, dict[int, User | None]] = {}
    for note in notes:
        if found := _PUSHED.match(note.body):
            authors.setdefault(int(found["version"]), {})[note.author.id if note.author else 0] = note.author
    return {version: next(iter(who.values())) for version, who in authors.items() if len(who) == 1}


def parse_retargets(notes: tuple[DiscussionNote, ...]) -> tuple[Retarget, ...]:
    """Each change of the target branch. Raises if a sentence about it is not understood."""
    return tuple(_parse_retarget(note) for note in notes if _is_about_target(note))


def _is_about_target(note: DiscussionNote) -> bool:
    about_target = note.action == _BRANCHES or _OF_TARGETS.match(note.body) is not None
    return about_target and not _ELSEWHERE.fullmatch(note.body.strip())


def _parse_retarget(note: DiscussionNote) -> Retarget:
    for form in _RETARGETED:
        found = form.fullmatch(note.body.strip())
        if found:
            old, new = (f"refs/heads/{found[name]}" for name in ("old", "new"))
            return Retarget(old, new, convert_known_account(note.author), _note_second_end(note))
    raise ForgeError(
        ForgeCode.MALFORMED,
        "what GitLab says about the target branch is not understood",
        "Look at the merge request's activity, and report it with GitLab's version.",
    )


def find_head_at(versions: Sequence[MergeRequestVersion], when: str) -> str:
    """Head that an account which acted at `when` could see. `versions` oldest first, at least one."""
    seen = [
        version
        for version in versions
        if moments.add_time(convert_moment(version.created_at), seconds=VERSION_DELAY_SECONDS) <= when
    ]
    return (seen[-1] if seen else versions[0]).head_commit_sha


def make_reviews(
    approvals: Approvals,
    reviewers: Sequence[Reviewer],
    notes: Sequence[DiscussionNote],
    versions: Sequence[MergeRequestVersion],
) -> tuple[Review, ...]:
    """Approvals and requests for changes. Raises if one cannot be bound to a commit."""
    if not versions:
        raise _unbound_error("no version of the merge request is returned")
    idle = {one.user.id for one in reviewers if one.state == "unreviewed"}
    found = [_make_approval(one, one.user.id in idle, notes, versions) for one in approvals.approved_by]
    found += _make_change_requests(reviewers, notes, versions)
    return tuple(sorted(found, key=lambda review: (review.at, review.id)))


def _make_approval(
    given: Approval, idle: bool, notes: Sequence[DiscussionNote], versions: Sequence[MergeRequestVersion]
) -> Review:
    """Review of an approval.

    `idle`: a review was requested again since, and GitLab keeps the older approval all the same.
    """
    user = given.user
    noted = _find_last_note(notes, user.id, _APPROVED)
    approved = convert_moment(given.approved_at) if given.approved_at else noted and convert_moment(noted.created_at)
    if not approved:
        raise _unbound_error(f"when {user.username} approved is unknown")
    withdrew = _find_last_note(notes, user.id, _WITHDREW)
    if withdrew and not _is_surely_before(withdrew, approved):
        raise _unbound_error(f"{user.username} withdrew the approval that GitLab still shows")
    when = approved if given.approved_at else moments.add_time(approved, seconds=-NOTE_DELAY_SECONDS)
    return Review(
        id=f"approval-{user.id}",
        by=convert_account(user),
        state=ReviewState.APPROVED,
        commit=find_head_at(versions, when),
        at=when,
        asked_again=_find_rerequest(user, when, notes) or (when if idle else ""),
    )


def _make_change_requests(
    reviewers: Iterable[Reviewer], notes: Sequence[DiscussionNote], versions: Sequence[MergeRequestVersion]
) -> Iterable[Review]:
    """Changes requested, until that person approves.

    Read from the notes, because GitLab drops its state of them as soon as a review is requested again, or the reviewer
    comments.
    """
    by = {note.author.id: note.author for note in notes if note.author and note.body.strip() == _OBJECTED}
    standing = {one.user.id: one for one in reviewers if one.state == "requested_changes"}
    for user in ({id: one.user for id, one in standing.items()} | by).values():
        noted, there = _find_last_note(notes, user.id, _OBJECTED), standing.get(user.id)
        when = (
            _note_second_end(noted) if noted else convert_moment(there.created_at) if there and there.created_at else ""
        )
        if not when:
            raise _unbound_error(f"when {user.username} requested changes is unknown")
        yield Review(
            id=f"changes-{user.id}",
            by=convert_account(user),
            state=ReviewState.CHANGES_REQUESTED,
            commit=find_head_at(versions, when),
            at=when,
        )


def _find_last_note(notes: Iterable[DiscussionNote], user: int, sentence: str) -> DiscussionNote | None:
    """The last note with that sentence about an account. `notes` oldest first."""
    matching = [note for note in notes if note.author and note.author.id == user and note.body.strip() == sentence]
    return matching[-1] if matching else None


def _note_second_end(note: DiscussionNote) -> str:
    """End of the second in which a note was written: GraphQL returns no fractions."""
    return second_end(convert_moment(note.created_at))


def _is_surely_before(note: DiscussionNote, when: str) -> bool:
    return truncate_to_second(convert_moment(note.created_at)) < truncate_to_second(when)


def _find_rerequest(user: User, when: str, notes: Iterable[DiscussionNote]) -> str:
    name = _mention_pattern(user.username)
    asked = [
        _note_second_end(note)
        for note in notes
        if note.body.startswith(_ASKED)
        and not _is_surely_before(note, when)
        and name.search(note.body.partition(" and removed ")[0])
    ]
    return min(asked, default="")


def _mention_pattern(username: str) -> re.Pattern[str]:
    return re.compile(rf"@{re.escape(username)}(?![\w.-]*\w)", re.IGNORECASE)


def _unbound_error(what: str) -> ForgeError:
    return ForgeError(
        ForgeCode.TRUNCATED, f"{what}, and so not what was approved", "Ask for the approval to be given again."
    )

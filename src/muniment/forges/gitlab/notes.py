"""What GitLab's own notes say of a merge request: who pushed which version, pointed it elsewhere, approved, objected.

Only notes that GitLab marks as its own are read, and only whole sentences that it is known to write: a title or a
branch's name within one is an attacker's. One about branches that is not known makes the target unknown.

Sources, in GitLab's own repository: `app/services/system_notes/merge_requests_service.rb` (branches, approvals,
changes requested), `commit_service.rb` (pushes) and `issuables_service.rb` (reviewers) beside it, their specs;
`app/services/merge_requests/` `update_reviewer_state_service.rb` (only an approval takes back what was requested),
`request_review_service.rb` and `approval_service.rb`; and `app/workers/merge_requests/create_approval_note_worker.rb`:
the note on an approval is written by a worker, at any time after it.
"""

import re
from collections.abc import Iterable, Sequence

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.forges.gitlab.client import account, ended, known, moment, second
from muniment.forges.gitlab.wire import Approval, Approvals, Note, Reviewer, User, Version
from muniment.forges.shapes import Retarget, Review, Said

# GitLab does not say which commit an approval is of, only when it was given; and it shows a new version some moments
# after the push. Whoever approves within these seconds saw, most likely, the version before.
GRACE = 10
# An older one does not even say when: its note on the approval is then taken to be late by so many seconds.
LATE = 300

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


def own(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    """Those by GitLab itself, oldest first."""
    found = (note for note in notes if note.system)
    return tuple(sorted(found, key=lambda note: (moment(note.created_at), note.id)))


def of_branch(notes: Iterable[Note]) -> list[tuple[int, str]]:
    """Those that may tell of pushes, or of a time in which nobody told of them: all but what is surely of reviews."""
    return [
        (note.id, note.body)
        for note in notes
        if note.body.strip() not in _OF_REVIEWS and not note.body.startswith(_ASKED)
    ]


def pushers(notes: Iterable[Note]) -> dict[int, User | None]:
    """Who pushed each version that a note tells of: nobody, if two notes tell of two (it was pushed twice at once)."""
    told: dict[int, dict[int, User | None]] = {}
    for note in notes:
        if found := _PUSHED.match(note.body):
            told.setdefault(int(found["version"]), {})[note.author.id if note.author else 0] = note.author
    return {version: next(iter(who.values())) for version, who in told.items() if len(who) == 1}


def retargets(notes: tuple[Note, ...]) -> tuple[Retarget, ...]:
    """Each time that the change was pointed elsewhere. Raises if a sentence about it is not understood."""
    return tuple(_retarget(note) for note in notes if _of_target(note))


def _of_target(note: Note) -> bool:
    told = note.action == _BRANCHES or _OF_TARGETS.match(note.body) is not None
    return told and not _ELSEWHERE.fullmatch(note.body.strip())


def _retarget(note: Note) -> Retarget:
    for form in _RETARGETED:
        found = form.fullmatch(note.body.strip())
        if found:
            old, new = (f"refs/heads/{found[name]}" for name in ("old", "new"))
            return Retarget(old, new, known(note.author), _ended(note))
    raise ForgeError(
        ForgeCode.MALFORMED,
        "what GitLab says about the target branch is not understood",
        "Look at the merge request's activity, and report it with GitLab's version.",
    )


def head_at(versions: Sequence[Version], when: str) -> str:
    """The head that somebody who acted at `when` had before them. `versions` oldest first, at least one."""
    seen = [version for version in versions if moments.later(moment(version.created_at), seconds=GRACE) <= when]
    return (seen[-1] if seen else versions[0]).head_commit_sha


def reviews(
    approvals: Approvals, reviewers: Sequence[Reviewer], notes: Sequence[Note], versions: Sequence[Version]
) -> tuple[Review, ...]:
    """The reviews that say something. Raises if one cannot be bound to a commit."""
    if not versions:
        raise _unbound("no version of the merge request is returned")
    idle = {one.user.id for one in reviewers if one.state == "unreviewed"}
    found = [_approval(one, one.user.id in idle, notes, versions) for one in approvals.approved_by]
    found += _objections(reviewers, notes, versions)
    return tuple(sorted(found, key=lambda review: (review.at, review.id)))


def _approval(given: Approval, idle: bool, notes: Sequence[Note], versions: Sequence[Version]) -> Review:
    """`idle`: they are to review, and have not since somebody asked: GitLab keeps their older approval all the same."""
    user = given.user
    noted = _last(notes, user.id, _APPROVED)
    told = moment(given.approved_at) if given.approved_at else noted and moment(noted.created_at)
    if not told:
        raise _unbound(f"when {user.username} approved is not told")
    withdrew = _last(notes, user.id, _WITHDREW)
    if withdrew and not _surely_before(withdrew, told):
        raise _unbound(f"GitLab tells that {user.username} withdrew the approval that it still shows")
    when = told if given.approved_at else moments.later(told, seconds=-LATE)
    return Review(
        id=f"approval-{user.id}",
        by=account(user),
        said=Said.APPROVED,
        commit=head_at(versions, when),
        at=when,
        asked_again=_asked_again(user, when, notes) or (when if idle else ""),
    )


def _objections(reviewers: Iterable[Reviewer], notes: Sequence[Note], versions: Sequence[Version]) -> Iterable[Review]:
    """Changes requested, until that person approves: by the notes, for GitLab forgets its state of them as soon as
    anybody asks for the review again, or they comment."""
    by = {note.author.id: note.author for note in notes if note.author and note.body.strip() == _OBJECTED}
    standing = {one.user.id: one for one in reviewers if one.state == "requested_changes"}
    for user in ({id: one.user for id, one in standing.items()} | by).values():
        noted, there = _last(notes, user.id, _OBJECTED), standing.get(user.id)
        when = _ended(noted) if noted else moment(there.created_at) if there and there.created_at else ""
        if not when:
            raise _unbound(f"when {user.username} requested changes is not told")
        yield Review(
            id=f"changes-{user.id}",
            by=account(user),
            said=Said.CHANGES_REQUESTED,
            commit=head_at(versions, when),
            at=when,
        )


def _last(notes: Iterable[Note], user: int, sentence: str) -> Note | None:
    """The last note in which GitLab tells that of that account. `notes` oldest first."""
    said = [note for note in notes if note.author and note.author.id == user and note.body.strip() == sentence]
    return said[-1] if said else None


def _ended(note: Note) -> str:
    """The end of the second in which a note was written: GraphQL tells no more of its moment."""
    return ended(moment(note.created_at))


def _surely_before(note: Note, when: str) -> bool:
    return second(moment(note.created_at)) < second(when)


def _asked_again(user: User, when: str, notes: Iterable[Note]) -> str:
    name = _mention(user.username)
    asked = [
        _ended(note)
        for note in notes
        if note.body.startswith(_ASKED)
        and not _surely_before(note, when)
        and name.search(note.body.partition(" and removed ")[0])
    ]
    return min(asked, default="")


def _mention(username: str) -> re.Pattern[str]:
    return re.compile(rf"@{re.escape(username)}(?![\w.-]*\w)", re.IGNORECASE)


def _unbound(what: str) -> ForgeError:
    return ForgeError(
        ForgeCode.TRUNCATED, f"{what}, and so not what was approved", "Ask for the approval to be given again."
    )

"""What GitLab's own notes say of a merge request: who pushed which version, pointed it elsewhere, approved, objected.

Only notes that GitLab marks as its own are read, and only whole sentences that it is known to write: a title or a
branch's name within one is an attacker's. A sentence about the target that is not known makes the target unknown.
Sources: GitLab's `SystemNotes`, https://docs.gitlab.com/user/project/merge_requests/reviews/.
"""

import datetime
import re
from collections.abc import Iterable, Sequence

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitlab.client import account, known, moment
from muniment.forges.gitlab.wire import Approval, Approvals, Note, Reviewer, User, Version
from muniment.forges.shapes import Account, Retarget, Review, Said

# GitLab does not say which commit an approval is of, only when it was given; and it shows a new version some moments
# after the push. Whoever approves within these seconds saw, most likely, the version before.
GRACE = 10

_APPROVED = "approved this merge request"
_WITHDREW = "unapproved this merge request"
_OBJECTED = "requested changes"
_TOOK_BACK = ("left review comments without approving", "left review comments", "reviewed")
_ASKED = "requested review from "
_PUSHED = re.compile(r"added [0-9]+ (?:new )?commits?\b.*[?&]diff_id=(?P<version>[0-9]+)", re.DOTALL)
_RETARGETED = (
    re.compile(r"changed target branch from `(?P<old>[^ `]+)` to `(?P<new>[^ `]+)`"),
    re.compile(r"deleted the `(?P<old>[^ `]+)` branch\. This merge request now targets the `(?P<new>[^ `]+)` branch"),
    re.compile(r"changed automatically target branch to `(?P<new>[^ `]+)` because `(?P<old>[^ `]+)` was deleted"),
)
_OF_TARGETS = re.compile(r"(?:changed (?:automatically )?(?:the )?target|deleted the `[^`]*` branch)")


def own(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    """Those by GitLab itself, oldest first."""
    found = (note for note in notes if note.system)
    return tuple(sorted(found, key=lambda note: (moment(note.created_at), note.id)))


def of_branch(notes: Iterable[Note]) -> list[Note]:
    """Those that may tell of pushes, or of a time in which nobody told of them: all but what is surely of reviews."""
    of_reviews = (_APPROVED, _WITHDREW, _OBJECTED, *_TOOK_BACK)
    return [note for note in notes if note.body.strip() not in of_reviews and not note.body.startswith(_ASKED)]


def pushers(notes: Iterable[Note]) -> dict[int, User | None]:
    """Who pushed each version that a note tells of."""
    return {int(found["version"]): note.author for note in notes if (found := _PUSHED.match(note.body))}


def retargets(notes: tuple[Note, ...]) -> tuple[Retarget, ...]:
    """Each time that the change was pointed elsewhere. Raises if a sentence about it is not understood."""
    return tuple(_retarget(note) for note in notes if _OF_TARGETS.match(note.body))


def _retarget(note: Note) -> Retarget:
    for form in _RETARGETED:
        found = form.fullmatch(note.body.strip())
        if found:
            old, new = (f"refs/heads/{found[name]}" for name in ("old", "new"))
            return Retarget(old, new, known(note.author), moment(note.created_at))
    raise ForgeError(
        ForgeCode.MALFORMED,
        "what GitLab says about the target branch is not understood",
        "Look at the merge request's activity, and tell us its GitLab's version.",
    )


def head_at(versions: Sequence[Version], when: str) -> str:
    """The head that somebody who acted at `when` had before them. `versions` oldest first, at least one."""
    seen = [version for version in versions if _later(version.created_at) <= when]
    return (seen[-1] if seen else versions[0]).head_commit_sha


def _later(created: str) -> str:
    return moments.text(moments.parse(moment(created)) + datetime.timedelta(seconds=GRACE))


def reviews(
    approvals: Approvals, reviewers: Sequence[Reviewer], notes: Sequence[Note], versions: Sequence[Version]
) -> tuple[Review, ...]:
    """The reviews that say something. Raises if one cannot be bound to a commit."""
    if not versions:
        raise _unbound("no version of the merge request is told")
    idle = {one.user.id for one in reviewers if one.state == "unreviewed"}
    found = [_approval(one, one.user.id in idle, notes, versions) for one in approvals.approved_by]
    found += _objections(reviewers, notes, versions)
    return tuple(sorted(found, key=lambda review: (review.at, review.id)))


def _approval(given: Approval, idle: bool, notes: Sequence[Note], versions: Sequence[Version]) -> Review:
    """`idle`: they are to review, and have not since somebody asked: GitLab keeps their older approval all the same."""
    user = given.user
    when = moment(given.approved_at) if given.approved_at else _last(notes, user.id, (_APPROVED,))
    if not when:
        raise _unbound(f"when {user.username} approved is not told")
    if _last(notes, user.id, (_WITHDREW,)) > when:
        raise _unbound(f"GitLab tells that {user.username} withdrew the approval that it still shows")
    return Review(
        id=f"approval-{user.id}",
        by=account(user),
        said=Said.APPROVED,
        commit=head_at(versions, when),
        at=when,
        asked_again=_asked_again(user, when, notes) or (when if idle else ""),
    )


def _objections(reviewers: Iterable[Reviewer], notes: Sequence[Note], versions: Sequence[Version]) -> Iterable[Review]:
    """Changes requested: by the notes, for GitLab forgets them as soon as anybody asks for the review again."""
    by: dict[int, User] = {}
    for note in notes:
        if note.body.strip() == _OBJECTED and note.author:
            by[note.author.id] = note.author
    standing = {one.user.id: one for one in reviewers if one.state == "requested_changes"}
    for one in standing.values():
        by.setdefault(one.user.id, one.user)
    for user in by.values():
        there = standing.get(user.id)
        when = _last(notes, user.id, (_OBJECTED,)) or (moment(there.created_at) if there and there.created_at else "")
        if not when:
            raise _unbound(f"when {user.username} requested changes is not told")
        back = "" if there else _last(notes, user.id, _TOOK_BACK)
        taken = back > when
        yield Review(
            id=f"changes-{user.id}",
            by=account(user),
            said=Said.CHANGES_REQUESTED,
            commit=head_at(versions, when),
            at=when,
            dismissed=taken,
            dismissed_by=_who(user) if taken else Unknown("it was not taken back"),
            dismissed_at=back if taken else "",
        )


def _who(user: User) -> Maybe[Account]:
    return Known(account(user))


def _last(notes: Iterable[Note], user: int, sentences: tuple[str, ...]) -> str:
    """When that account last did what GitLab tells in one of these sentences; "" for never."""
    said = [note for note in notes if note.author and note.author.id == user and note.body.strip() in sentences]
    return max((moment(note.created_at) for note in said), default="")


def _asked_again(user: User, when: str, notes: Iterable[Note]) -> str:
    name = re.compile(rf"@{re.escape(user.username)}(?![\w.-]*\w)", re.IGNORECASE)
    asked = [
        moment(note.created_at)
        for note in notes
        if note.body.startswith(_ASKED) and name.search(note.body.partition(" and removed ")[0])
    ]
    return max((one for one in asked if one > when), default="")


def _unbound(what: str) -> ForgeError:
    return ForgeError(
        ForgeCode.TRUNCATED, f"{what}, and so not what was approved", "Ask for the approval to be given again."
    )

"""The parts of a merge request that stay what they are: versions, pushes, GitLab's own commits; and who had a hand.

What the head, the versions or GitLab's notes show to be as it was is not asked again.
"""

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitlab import moves, notes, wire
from muniment.forges.gitlab.client import Lab, account, at, moment, request_at
from muniment.forges.shapes import Change, ForgeCommit, ForgeHand, Move, Repo

_DAYS_BEFORE = 30  # how long before a change was opened its first push is looked for


class Made(Struct, frozen=True):
    """GitLab's own commits in a change. `settled`: no other one claims to be, and the head is among the commits."""

    own: tuple[ForgeCommit, ...]
    settled: bool


def versions(lab: Lab, repository: Repo, found: Change, own: tuple[wire.Note, ...]) -> tuple[wire.Version, ...]:
    """All versions, oldest first; the newest has to be the head. There are no others until a note tells so."""
    listed = lab.kept.once(
        tuple[wire.Version, ...],
        ("versions", repository.id, str(found.number)),
        (found.head, notes.of_branch(own)),
        lambda: lab.many(wire.Version, f"{request_at(repository, found.number)}/versions"),
        lambda told: any(one.head_commit_sha == found.head for one in told),
    )
    ordered = tuple(sorted(listed, key=lambda version: version.id))
    if not ordered or ordered[-1].head_commit_sha != found.head:
        raise ForgeError(
            ForgeCode.CHANGED_MEANWHILE, "GitLab has not made a version of the head yet", "It is read again."
        )
    return ordered


def moved(
    lab: Lab, repository: Repo, found: Change, told: tuple[wire.Version, ...], own: tuple[wire.Note, ...]
) -> tuple[Move, ...]:
    """All pushes. A whole chain stays what it is while the head, the versions and the notes on pushes do."""
    where = (found.source_repository, found.source, found.head, found.opened)
    return lab.kept.once(
        tuple[Move, ...],
        ("moves", repository.id, str(found.number)),
        (where, told, notes.of_branch(own)),
        lambda: moves.of_change(found, _events(lab, found), told, notes.pushers(own)),
        lambda chain: all(isinstance(move.who, Known) for move in chain),
    )


def _events(lab: Lab, found: Change) -> Maybe[tuple[wire.Event, ...]]:
    if not found.source_repository:
        return Unknown("the fork is gone, and who pushed with it")
    day = moments.day(moments.later(found.opened, days=-_DAYS_BEFORE)).isoformat()
    try:
        listed = lab.many(
            wire.Event,
            f"{at(found.source_repository)}/events",
            until=lambda event: moves.created(event, found),
            action="pushed",
            sort="desc",
            after=day,
        )
    except ForgeError as error:
        return Unknown(f"who pushed could not be read: {error.message} (Reporter in the source project)")
    return Known(listed)


def own_commits(lab: Lab, repository: Repo, request: wire.MergeRequest) -> tuple[ForgeCommit, ...]:
    """Commits with GitLab's own address, where its own signature is on them: they stay so if all of them are."""
    since = request.diff_refs.base_sha if request.diff_refs else None
    made = lab.kept.once(
        Made,
        ("commits", repository.id, str(request.iid)),
        (request.target_branch, since, request.sha),
        lambda: _made(lab, repository, request),
        lambda made: bool(since) and made.settled,
    )
    return made.own


def _made(lab: Lab, repository: Repo, request: wire.MergeRequest) -> Made:
    ours = [f"noreply@{host}" for host in (lab.host, "gitlab.com")]
    listed = lab.many(wire.Commit, f"{request_at(repository, request.iid)}/commits")
    claimed = [ForgeCommit(one.id, one.committer_email) for one in listed if one.committer_email in ours]
    own = tuple(one for one in claimed if _signed_by_gitlab(lab, repository, one.id))
    return Made(own, len(own) == len(claimed) and any(one.id == request.sha for one in listed))


def _signed_by_gitlab(lab: Lab, repository: Repo, commit: str) -> bool:
    path = f"{at(repository)}/repository/commits/{commit}/signature"
    signed = lab.where_it_exists(lambda: lab.one(wire.Signed, path), wire.Signed())
    return signed.verification_status == "verified_system"


def hands(found: Change, said: tuple[wire.Note, ...], chain: tuple[Move, ...]) -> tuple[ForgeHand, ...]:
    """Who asked somebody who opened it or pushed: told them so in a comment, assigned them, or asked for their review.

    What GitLab itself notes of an assignment is for all of the change, a comment for what was pushed after it.
    """
    had = [found.opener, *(move.who.value for move in chain if isinstance(move.who, Known))]
    asked = {one.id: one for one in had if one.id}.values()
    return tuple(
        dict.fromkeys(
            ForgeHand("", by, ContributorRole.REQUESTER, one, "" if note.system else moment(note.created_at))
            for note in said
            for by in ([account(note.author)] if note.author else [])
            for one in asked
            if not by.machine and by.id != one.id and f"@{one.login}".casefold() in note.body.casefold()
        )
    )

"""Parts of a merge request that are cached: versions, pushes, GitLab's own commits; and requests to work on it.

A part is not read again while the head, the versions or GitLab's notes show that it is unchanged.
"""

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitlab import moves, notes, wire
from muniment.forges.gitlab.client import (
    GitLabClient,
    convert_account,
    convert_moment,
    merge_request_path,
    project_path,
)
from muniment.forges.shapes import Change, ForgeCommit, ForgeContributor, ForgeRepository, Move

_DAYS_BEFORE = 30  # how long before a change was opened its first push is looked for


class OwnCommits(Struct, frozen=True):
    """GitLab's own commits in a change. `settled`: no other one claims to be, and the head is among the commits."""

    own: tuple[ForgeCommit, ...]
    settled: bool


def read_versions(
    lab: GitLabClient, repository: ForgeRepository, change: Change, system_notes: tuple[wire.DiscussionNote, ...]
) -> tuple[wire.MergeRequestVersion, ...]:
    """Read all versions, oldest first; the newest has to be the head. A note reports any change of them."""
    listed = lab.answer_cache.read_once(
        tuple[wire.MergeRequestVersion, ...],
        ("versions", repository.id, str(change.number)),
        (change.head, notes.select_branch_notes(system_notes)),
        lambda: lab.read_list(wire.MergeRequestVersion, f"{merge_request_path(repository, change.number)}/versions"),
        lambda versions: any(one.head_commit_sha == change.head for one in versions),
    )
    ordered = tuple(sorted(listed, key=lambda version: version.id))
    if not ordered or ordered[-1].head_commit_sha != change.head:
        raise ForgeError(
            ForgeCode.CHANGED_MEANWHILE, "GitLab has not made a version of the head yet", "It is read again."
        )
    return ordered


def read_moves(
    lab: GitLabClient,
    repository: ForgeRepository,
    change: Change,
    versions: tuple[wire.MergeRequestVersion, ...],
    system_notes: tuple[wire.DiscussionNote, ...],
) -> tuple[Move, ...]:
    """Read all pushes. A whole chain stays valid while the head, the versions and the notes on pushes are unchanged."""
    where = (change.source_repository, change.source, change.head, change.opened)
    return lab.answer_cache.read_once(
        tuple[Move, ...],
        ("moves", repository.id, str(change.number)),
        (where, versions, notes.select_branch_notes(system_notes)),
        lambda: moves.collect_moves(change, _read_events(lab, change), versions, notes.parse_pushers(system_notes)),
        lambda chain: all(isinstance(move.who, Known) for move in chain),
    )


def _read_events(lab: GitLabClient, change: Change) -> Maybe[tuple[wire.ProjectEvent, ...]]:
    if not change.source_repository:
        return Unknown("the fork is gone, and who pushed with it")
    day = moments.utc_date(moments.add_time(change.opened, days=-_DAYS_BEFORE)).isoformat()
    try:
        listed = lab.read_list(
            wire.ProjectEvent,
            f"{project_path(change.source_repository)}/events",
            until=lambda event: moves.is_creation(event, change),
            action="pushed",
            sort="desc",
            after=day,
        )
    except ForgeError as error:
        return Unknown(f"who pushed could not be read: {error.message} (Reporter in the source project)")
    return Known(listed)


def read_own_commits(
    lab: GitLabClient, repository: ForgeRepository, request: wire.MergeRequest
) -> tuple[ForgeCommit, ...]:
    """Commits with GitLab's own address and its own signature; cached if all with that address are signed."""
    since = request.diff_refs.base_sha if request.diff_refs else None
    made = lab.answer_cache.read_once(
        OwnCommits,
        ("commits", repository.id, str(request.iid)),
        (request.target_branch, since, request.sha),
        lambda: _find_own_commits(lab, repository, request),
        lambda made: bool(since) and made.settled,
    )
    return made.own


def _find_own_commits(lab: GitLabClient, repository: ForgeRepository, request: wire.MergeRequest) -> OwnCommits:
    ours = [f"noreply@{host}" for host in (lab.host, "gitlab.com")]
    listed = lab.read_list(wire.ListedCommit, f"{merge_request_path(repository, request.iid)}/commits")
    claimed = [ForgeCommit(one.id, one.committer_email) for one in listed if one.committer_email in ours]
    own = tuple(one for one in claimed if _is_signed_by_gitlab(lab, repository, one.id))
    return OwnCommits(own, len(own) == len(claimed) and any(one.id == request.sha for one in listed))


def _is_signed_by_gitlab(lab: GitLabClient, repository: ForgeRepository, commit: str) -> bool:
    path = f"{project_path(repository)}/repository/commits/{commit}/signature"
    signed = lab.read_or_default(lambda: lab.read_one(wire.CommitSignature, path), wire.CommitSignature())
    return signed.verification_status == "verified_system"


def find_work_requests(
    change: Change, all_notes: tuple[wire.DiscussionNote, ...], all_moves: tuple[Move, ...]
) -> tuple[ForgeContributor, ...]:
    """Requests to accounts that opened the change or pushed, to work on it.

    A request is a comment, an assignment, or a request for review. GitLab's own note of an assignment is for all of the
    change, a comment for later pushes.
    """
    had = [change.opener, *(move.who.value for move in all_moves if isinstance(move.who, Known))]
    asked = {one.id: one for one in had if one.id}.values()
    return tuple(
        dict.fromkeys(
            ForgeContributor(
                "", by, ContributorRole.REQUESTER, one, "" if note.system else convert_moment(note.created_at)
            )
            for note in all_notes
            for by in ([convert_account(note.author)] if note.author else [])
            for one in asked
            if not by.machine and by.id != one.id and f"@{one.login}".casefold() in note.body.casefold()
        )
    )

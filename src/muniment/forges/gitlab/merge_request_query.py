"""An open merge request by one query: all of it, or nothing. Approvers are included, the moments of approvals are not.

- A list that has a further page, or lacks an item that GitLab counted, is TRUNCATED. GitLab leaves out notes that
  mention objects our account may not see: their number is returned.
- A null, or a type, where none may be, is MALFORMED; so is an answer with any error in it.
- The project has to be the one whose id we know: another may have its path by now.

Moments are whole seconds: they are compared with those of REST only by whole seconds.
"""

import re
from typing import Generic, TypeVar

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge_client import decode_answer, malformed_error, moved_repository_error, truncated_error
from muniment.forges.gitlab import queries, wire
from muniment.forges.gitlab.client import GitLabClient
from muniment.forges.shapes import ForgeRepository

T = TypeVar("T")

_WHERE = "graphql"


class QueriedMergeRequest(Struct, frozen=True):
    """A merge request and its parts; `members` are all, or the first of many, by their ids.

    `hidden`: number of notes that exist beyond those returned.
    """

    request: wire.MergeRequest
    notes: tuple[wire.DiscussionNote, ...]
    hidden: int
    approvers: tuple[int, ...]
    reviewers: tuple[wire.Reviewer, ...]
    members: dict[int, wire.ProjectMember]
    all_members: bool


class _More(Struct, frozen=True, rename="camel"):
    has_next_page: bool


class _Part(Struct, Generic[T], frozen=True, rename="camel"):
    nodes: list[T]
    page_info: _More
    count: int | None = None


class _Who(Struct, frozen=True):
    id: str
    username: str
    bot: bool


class _Interaction(Struct, frozen=True, rename="camel"):
    review_state: str


class _Reviewer(_Who, frozen=True, rename="camel"):
    merge_request_interaction: _Interaction


class _Kind(Struct, frozen=True):
    action: str | None


class _Note(Struct, frozen=True, rename="camel"):
    id: str
    body: str
    system: bool
    created_at: str
    author: _Who | None
    system_note_metadata: _Kind | None


class _Label(Struct, frozen=True):
    title: str


class _Refs(Struct, frozen=True, rename="camel"):
    base_sha: str | None
    head_sha: str
    start_sha: str


class _Request(Struct, frozen=True, rename="camel"):
    iid: str
    title: str
    description: str | None
    state: str
    draft: bool
    web_url: str
    author: _Who | None
    source_branch: str
    target_branch: str
    source_project_id: int | None
    target_project_id: int
    diff_head_sha: str
    diff_refs: _Refs | None
    created_at: str
    updated_at: str
    allow_collaboration: bool | None
    auto_merge_enabled: bool
    merge_user: _Who | None
    squash: bool
    labels: _Part[_Label]
    notes: _Part[_Note]
    approved_by: _Part[_Who]
    reviewers: _Part[_Reviewer]


class _Level(Struct, frozen=True, rename="camel"):
    integer_value: int


class _Holder(Struct, frozen=True):
    id: str
    state: str


class _Member(Struct, frozen=True, rename="camel"):
    access_level: _Level
    user: _Holder | None  # nobody yet, but an address that was invited


class _Project(Struct, frozen=True, rename="camel"):
    id: str
    merge_request: _Request
    project_members: _Part[_Member]


def query_merge_request(lab: GitLabClient, repository: ForgeRepository, number: int) -> QueriedMergeRequest | None:
    """The merge request; None if there is none with that number, or it is not open."""
    data = lab.run_query(queries.MERGE_REQUEST_QUERY, path=repository.path, number=str(number))
    project = data.get("project")
    if not isinstance(project, dict):
        return None
    if project.get("id") != f"gid://gitlab/Project/{repository.id}":
        raise moved_repository_error(repository.path)
    request = project.get("mergeRequest")
    if not isinstance(request, dict) or request.get("state") != "opened":
        return None
    return _convert_project(decode_answer(_Project, project, _WHERE))


def _convert_project(project: _Project) -> QueriedMergeRequest:
    found = project.merge_request
    labels, notes = _require_whole(found.labels), _require_whole(found.notes)
    approvers, reviewers = _require_whole(found.approved_by), _require_whole(found.reviewers)
    if _count_hidden(found.labels):
        raise truncated_error(_WHERE, len(labels))
    return QueriedMergeRequest(
        request=_convert_request(
            found, sorted(label.title for label in labels), [_convert_user(one) for one in reviewers]
        ),
        notes=tuple(map(_convert_note, notes)),
        hidden=_count_hidden(found.notes),
        approvers=tuple(sorted(_parse_id("User", one.id) for one in approvers)),
        reviewers=tuple(map(_convert_reviewer, reviewers)),
        members=_convert_members(project.project_members.nodes),
        all_members=not project.project_members.page_info.has_next_page,
    )


def _require_whole(part: _Part[T]) -> list[T]:
    """Items of a list that has no further page."""
    if part.page_info.has_next_page:
        raise truncated_error(_WHERE, len(part.nodes))
    return part.nodes


def _count_hidden(part: _Part[T]) -> int:
    """Number of items that are counted, but not returned."""
    if part.count is None:
        raise malformed_error(_WHERE)
    if part.count < len(part.nodes):
        raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "a list grew while it was read", "It is read again.")
    return part.count - len(part.nodes)


def _parse_id(kind: str, text: str) -> int:
    found = re.fullmatch(rf"gid://gitlab/{kind}/([0-9]+)", text)
    if not found:
        raise malformed_error(_WHERE)
    return int(found[1])


def _convert_user(who: _Who) -> wire.User:
    return wire.User(_parse_id("User", who.id), who.username, who.bot)


def _convert_optional_user(who: _Who | None) -> wire.User | None:
    return _convert_user(who) if who else None


def _convert_note(note: _Note) -> wire.DiscussionNote:
    kind = note.system_note_metadata
    return wire.DiscussionNote(
        id=_parse_id(r"\w*Note", note.id),
        body=note.body,
        author=_convert_optional_user(note.author),
        created_at=note.created_at,
        system=note.system,
        action=(kind.action or "") if kind else "",
    )


def _convert_reviewer(reviewer: _Reviewer) -> wire.Reviewer:
    return wire.Reviewer(_convert_user(reviewer), reviewer.merge_request_interaction.review_state.lower())


def _convert_members(members: list[_Member]) -> dict[int, wire.ProjectMember]:
    """Members by their ids. A member that is listed twice counts with the lower level."""
    found: dict[int, wire.ProjectMember] = {}
    for member in members:
        if member.user is not None:
            id, level = _parse_id("User", member.user.id), member.access_level.integer_value
            there = found.get(id)
            if there is None or level < there.access_level:
                found[id] = wire.ProjectMember(id, "", level, member.user.state)
    return found


def _convert_request(found: _Request, labels: list[str], reviewers: list[wire.User]) -> wire.MergeRequest:
    if not found.iid.isdecimal():
        raise malformed_error(_WHERE)
    refs = found.diff_refs
    return wire.MergeRequest(
        iid=int(found.iid),
        title=found.title,
        state=found.state,
        author=_convert_optional_user(found.author),
        source_branch=found.source_branch,
        target_branch=found.target_branch,
        source_project_id=found.source_project_id,
        target_project_id=found.target_project_id,
        sha=found.diff_head_sha,
        labels=labels,
        created_at=found.created_at,
        updated_at=found.updated_at,
        web_url=found.web_url,
        description=found.description,
        draft=found.draft,
        merge_user=_convert_optional_user(found.merge_user),
        diff_refs=wire.DiffRefs(refs.base_sha, refs.head_sha, refs.start_sha) if refs else None,
        merge_when_pipeline_succeeds=found.auto_merge_enabled,
        squash=found.squash,
        allow_collaboration=found.allow_collaboration,
        reviewers=reviewers,
    )

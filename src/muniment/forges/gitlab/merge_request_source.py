"""Sources of a merge request's parts: one GraphQL query, or a request to REST for each part.

Each part is whole, or raises ForgeError. Parts that the query lacks are read by REST: the moments of approvals, unless
they are cached for the same approvers and the same notes of GitLab; and write access, where there are too many members.
(The moment of GitLab's note on an approval cannot be used: a worker writes it, perhaps long after.)
"""

from collections.abc import Iterable
from typing import Protocol

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import DEVELOPER, GitLabClient, merge_request_path, project_path
from muniment.forges.gitlab.merge_request_query import QueriedMergeRequest
from muniment.forges.shapes import ForgeRepository
from muniment.forges.shared_answers import read_shared


class MergeRequestSource(Protocol):
    """Source of the parts of one merge request."""

    request: wire.MergeRequest

    def read_notes(self) -> tuple[wire.DiscussionNote, ...]:
        """Read all notes, of people and of GitLab itself."""

    def read_standing_approvals(self) -> wire.Approvals:
        """Approvals that stand, with their moments."""

    def read_reviewers(self) -> tuple[wire.Reviewer, ...]:
        """Accounts requested to review, each with the state of the review."""

    def find_writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now."""


class RestSource:
    """Parts of a merge request, each by its own request to REST."""

    def __init__(self, lab: GitLabClient, repository: ForgeRepository, request: wire.MergeRequest) -> None:
        self.request = request
        self._lab = lab
        self._repository = repository
        self._path = merge_request_path(repository, request.iid)

    def read_notes(self) -> tuple[wire.DiscussionNote, ...]:
        return self._lab.read_list(wire.DiscussionNote, f"{self._path}/notes", sort="asc", order_by="created_at")

    def read_standing_approvals(self) -> wire.Approvals:
        return self._lab.read_one(wire.Approvals, f"{self._path}/approvals")

    def read_reviewers(self) -> tuple[wire.Reviewer, ...]:
        """Accounts requested to review, each with its state; no request if the merge request has none."""
        return () if self.request.reviewers == [] else self._lab.read_list(wire.Reviewer, f"{self._path}/reviewers")

    def find_writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now: an account that is no member may not."""
        asked = [id for id in ids if id]
        listed = (
            self._lab.read_list(wire.ProjectMember, f"{project_path(self._repository)}/members/all") if asked else ()
        )
        there = {str(member.id): member for member in listed}
        return {id: can_member_write(there.get(id)) for id in asked}


class QuerySource:
    """Parts of a merge request from one GraphQL query."""

    def __init__(self, lab: GitLabClient, repository: ForgeRepository, queried: QueriedMergeRequest) -> None:
        self.request = queried.request
        self._lab = lab
        self._repository = repository
        self._queried = queried

    def read_notes(self) -> tuple[wire.DiscussionNote, ...]:
        """Read all notes. Raises if some are hidden: REST hides them too, with less of a reason."""
        if self._queried.hidden:
            raise ForgeError(
                ForgeCode.TRUNCATED,
                f"GitLab hides {self._queried.hidden} of them from our account, for they mention what it may not see",
                "Give our account a role where the change is mentioned, for instance by a group's token.",
            )
        return self._queried.notes

    def read_standing_approvals(self) -> wire.Approvals:
        """Approvals that stand, with their moments from REST.

        They are cached until an approver or a note of GitLab's changes.
        """
        who, own = self._queried.approvers, sorted(note.id for note in self._queried.notes if note.system)
        if not who:
            return wire.Approvals([])
        return self._lab.answer_cache.read_once(
            wire.Approvals,
            ("approvals", self._repository.id, str(self.request.iid)),
            (who, self.request.sha, own),
            lambda: self._read_timed_approvals(who),
            lambda _: True,
        )

    def _read_timed_approvals(self, approvers: tuple[int, ...]) -> wire.Approvals:
        found = self._lab.read_one(
            wire.Approvals, f"{merge_request_path(self._repository, self.request.iid)}/approvals"
        )
        if tuple(sorted(one.user.id for one in found.approved_by)) != approvers:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab returned other approvals than a moment ago", "It is read again."
            )
        return found

    def read_reviewers(self) -> tuple[wire.Reviewer, ...]:
        return self._queried.reviewers

    def find_writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now: by the members returned, or else one by one."""
        return {id: can_member_write(self._find_member(id)) for id in ids if id}

    def _find_member(self, id: str) -> wire.ProjectMember | None:
        there = self._queried.members.get(int(id))
        if there is not None or self._queried.all_members:
            return there
        return read_member(self._lab, self._repository, id)


def read_member(lab: GitLabClient, repository: ForgeRepository, id: str) -> wire.ProjectMember | None:
    """Read one member of a project that exists; None if that account is no member."""
    path = f"{project_path(repository)}/members/all/{id}"
    try:
        return read_shared((lab, path), lambda: lab.read_one(wire.ProjectMember, path))
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            return None
        raise


def can_member_write(member: wire.ProjectMember | None) -> bool:
    """Whether a member may push."""
    return member is not None and member.access_level >= DEVELOPER and member.state == "active"

"""The two ways in which GitLab tells of a merge request: by one question, or by a call of REST for each part.

Each part is told whole, or raises ForgeError. What the question does not tell is asked by REST: when an approval was
given, unless it was told before and neither those who approved nor GitLab's own notes have become others; and who may
write, where there are too many members. (The moment of GitLab's note on an approval will not do: a worker writes it,
which may be long after.)
"""

from collections.abc import Iterable
from typing import Protocol

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import DEVELOPER, Lab, at, request_at
from muniment.forges.gitlab.question import Told
from muniment.forges.shapes import Repo


class Telling(Protocol):
    """What is told of one merge request."""

    request: wire.MergeRequest

    def notes(self) -> tuple[wire.Note, ...]:
        """All notes."""

    def approvals(self) -> wire.Approvals:
        """Those that stand."""

    def reviewers(self) -> tuple[wire.Reviewer, ...]:
        """Who is to review, and how each stands."""

    def writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now."""


class ByRest:
    """Each part by its own call."""

    def __init__(self, lab: Lab, repository: Repo, request: wire.MergeRequest) -> None:
        self.request = request
        self._lab = lab
        self._repository = repository
        self._at = request_at(repository, request.iid)

    def notes(self) -> tuple[wire.Note, ...]:
        """All notes."""
        return self._lab.many(wire.Note, f"{self._at}/notes", sort="asc", order_by="created_at")

    def approvals(self) -> wire.Approvals:
        """Those that stand."""
        return self._lab.one(wire.Approvals, f"{self._at}/approvals")

    def reviewers(self) -> tuple[wire.Reviewer, ...]:
        """Who is to review, and how each stands: asked only if the request has any."""
        return () if self.request.reviewers == [] else self._lab.many(wire.Reviewer, f"{self._at}/reviewers")

    def writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now: who is not in the whole list of members may not."""
        asked = [id for id in ids if id]
        listed = self._lab.many(wire.Member, f"{at(self._repository)}/members/all") if asked else ()
        there = {str(member.id): member for member in listed}
        return {id: writes(there.get(id)) for id in asked}


class ByQuestion:
    """All that one question told. `apart` counts what is asked beside it of the same state."""

    def __init__(self, lab: Lab, apart: Lab, repository: Repo, told: Told) -> None:
        self.request = told.request
        self._lab = lab
        self._apart = apart
        self._repository = repository
        self._told = told

    def notes(self) -> tuple[wire.Note, ...]:
        """All notes. Raises if some are hidden: REST would not tell them either, but tell less of why."""
        if self._told.hidden:
            raise ForgeError(
                ForgeCode.TRUNCATED,
                f"GitLab hides {self._told.hidden} of them from our account, for they mention what it may not see",
                "Give our account a role where the change is mentioned, for instance by a group's token.",
            )
        return self._told.notes

    def approvals(self) -> wire.Approvals:
        """Those that stand, with the moments that REST tells: kept while nobody else approved and nothing happened."""
        who, own = self._told.approvers, sorted(note.id for note in self._told.notes if note.system)
        if not who:
            return wire.Approvals([])
        return self._apart.kept.once(
            wire.Approvals,
            ("approvals", self._repository.id, str(self.request.iid)),
            (who, self.request.sha, own),
            lambda: self._timed(who),
            lambda _: True,
        )

    def _timed(self, who: tuple[int, ...]) -> wire.Approvals:
        found = self._apart.one(wire.Approvals, f"{request_at(self._repository, self.request.iid)}/approvals")
        if tuple(sorted(one.user.id for one in found.approved_by)) != who:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab returned other approvals than a moment ago", "It is read again."
            )
        return found

    def reviewers(self) -> tuple[wire.Reviewer, ...]:
        """Who is to review, and how each stands."""
        return self._told.reviewers

    def writers(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these accounts may write now: by the members told, or else one by one."""
        return {id: writes(self._member(id)) for id in ids if id}

    def _member(self, id: str) -> wire.Member | None:
        there = self._told.members.get(int(id))
        if there is not None or self._told.all_members:
            return there
        return member(self._lab, self._repository, id)


def member(lab: Lab, repository: Repo, id: str) -> wire.Member | None:
    """One member of a project that is there; None if that account is none."""
    try:
        return lab.one(wire.Member, f"{at(repository)}/members/all/{id}")
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            return None
        raise


def writes(member: wire.Member | None) -> bool:
    """Whether a member may push."""
    return member is not None and member.access_level >= DEVELOPER and member.state == "active"

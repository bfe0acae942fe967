"""Publishes decisions at GitLab: a commit status on exactly one head, and the external check where the tier has it.

An external check belongs to a merge request, not to a commit: it is answered for each open one with this head and
target. GitLab fails one that stays pending for two minutes, which blocks as well.
"""

import time
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import GitLabClient, branch_name, convert_change, project_path
from muniment.forges.shapes import Change, ChangeEdit, ForgeRepository
from muniment.forges.statuses import Status, StatusState, hide_marker, make_context, shorten_summary

_STATES = {StatusState.PENDING: "pending", StatusState.ALLOWED: "success", StatusState.DENIED: "failed"}
_ANSWERS = {StatusState.PENDING: "pending", StatusState.ALLOWED: "passed", StatusState.DENIED: "failed"}
_LONGEST = 255
_CHECKS_SECONDS = 60.0


class GitLabPublisher:
    """Publishes statuses, comments and merges; see `forges.forge.Publisher`."""

    def __init__(self, lab: GitLabClient) -> None:
        self._lab = lab
        self._checks: dict[str, tuple[float, tuple[wire.ExternalCheck, ...]]] = {}

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        """Publish a decision on exactly that head: first the status that blocks, then the external check."""
        self._post_commit_status(repository, head, status)
        self._answer_checks(repository, head, status)

    def _post_commit_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        body = {
            "state": _STATES[status.saying],
            "name": status.context,
            "description": shorten_summary(status.summary, _LONGEST),
            "target_url": status.url,
        }
        try:
            self._lab.rest.send_json("POST", f"{project_path(repository)}/statuses/{quote(head, safe='')}", body)
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED or not self._has_status(
                repository, head, status.context, body["state"]
            ):
                raise

    def _has_status(self, repository: ForgeRepository, head: str, name: str, state: str) -> bool:
        """Whether our status already has this state: GitLab refuses to repeat one."""
        path = f"{project_path(repository)}/repository/commits/{quote(head, safe='')}/statuses"
        us = self._lab.read_one(wire.User, "user").id
        ours = [
            one
            for one in self._lab.read_list(wire.CommitStatus, path, name=name)
            if one.name == name and one.author and one.author.id == us
        ]
        return bool(ours) and all(one.status == state for one in ours)

    def _answer_checks(self, repository: ForgeRepository, head: str, status: Status) -> None:
        base = project_path(repository)
        ours = [check for check in self._read_external_checks(repository) if check.name == status.context]
        requests = self._find_merge_requests(base, head, status.context) if ours else []
        try:
            for check in ours:
                for number in requests:
                    body = {"sha": head, "external_status_check_id": check.id, "status": _ANSWERS[status.saying]}
                    self._lab.rest.send_json("POST", f"{base}/merge_requests/{number}/status_check_responses", body)
        except ForgeError:
            self._checks.pop(repository.id, None)  # it may be gone
            raise

    def _read_external_checks(self, repository: ForgeRepository) -> tuple[wire.ExternalCheck, ...]:
        """The project's external checks, cached for a moment; a project without them is read once per process.

        A check that was made meanwhile waits for the next decision, and blocks; one that was removed is an error once.
        """
        none: tuple[wire.ExternalCheck, ...] | None = None
        until, known = self._checks.get(repository.id, (0.0, ()))
        if time.monotonic() < until:
            return known
        path = f"{project_path(repository)}/external_status_checks"
        found = self._lab.read_or_default(lambda: self._lab.read_list(wire.ExternalCheck, path), none)
        seconds = _CHECKS_SECONDS if found is not None else float("inf")
        self._checks[repository.id] = time.monotonic() + seconds, found or ()
        return found or ()

    def _find_merge_requests(self, base: str, head: str, context: str) -> list[int]:
        """Merge requests with that head, for the context's branch; with a pattern as context, all of them."""
        path = f"{base}/repository/commits/{quote(head, safe='')}/merge_requests"
        return [
            one.iid
            for one in self._lab.read_list(wire.MergeRequest, path, state="opened")
            if one.sha == head and ("*" in context or make_context(f"refs/heads/{one.target_branch}") == context)
        ]

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        path = f"{project_path(repository)}/merge_requests/{number}/notes"
        us = self._lab.read_one(wire.User, "user").id
        found = [
            note
            for note in self._lab.read_list(wire.DiscussionNote, path, sort="asc", order_by="created_at")
            if not note.system and note.author and note.author.id == us and marker in note.body
        ]
        for surplus in found[1:] if text else found:
            self._lab.rest.send_json("DELETE", f"{path}/{surplus.id}")
        body = {"body": f"{text}\n\n{hide_marker(marker)}"}
        if text and not found:
            self._lab.rest.send_json("POST", path, body)
        elif text and found[0].body != body["body"]:
            self._lab.rest.send_json("PUT", f"{path}/{found[0].id}", body)

    def request_reviews(self, repository: ForgeRepository, number: int, accounts: tuple[str, ...]) -> None:
        """Request reviews in addition to those that are requested already."""
        path = f"{project_path(repository)}/merge_requests/{number}"
        ids = [user.id for user in self._lab.read_one(wire.MergeRequest, path).reviewers or ()]
        for login in accounts:
            found = self._lab.read_list(wire.User, "users", username=login)
            if len(found) != 1:
                raise ForgeError(ForgeCode.NOT_FOUND, f"GitLab shows nobody called {login}", "Check the login.")
            ids.append(found[0].id)
        self._lab.rest.send_json("PUT", path, {"reviewer_ids": list(dict.fromkeys(ids))})

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        """Open a change, unless one of these two branches is open."""
        path = f"{project_path(repository)}/merge_requests"
        ours, theirs = branch_name(source), branch_name(target)
        there = self._lab.read_list(wire.MergeRequest, path, state="opened", source_branch=ours, target_branch=theirs)
        if there:
            return convert_change(there[0])
        body = {"source_branch": ours, "target_branch": theirs, "title": title, "description": text}
        return convert_change(self._lab.rest.send_and_read(wire.MergeRequest, "POST", path, body))

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        """Edit a change; GitLab makes labels that the project does not have."""
        body = {
            "title": edit.title,
            "description": edit.text,
            "add_labels": ",".join(edit.labels),
            "state_event": "close" if edit.closes else "",
        }
        changed = {name: value for name, value in body.items() if value}
        if changed:
            self._lab.rest.send_json("PUT", f"{project_path(repository)}/merge_requests/{number}", changed)

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        """Merge a change if its head is still `head`: GitLab compares.

        The method is set in the project, except squashing.
        """
        path = f"{project_path(repository)}/merge_requests/{number}"
        try:
            self._lab.rest.send_json("PUT", f"{path}/merge", {"sha": head, "squash": method == "squash"})
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED:
                raise
            if self._lab.read_one(wire.MergeRequest, path).sha != head:
                raise ForgeError(
                    ForgeCode.CHANGED_MEANWHILE, "the change has another head by now", "It is evaluated again."
                ) from None
            raise

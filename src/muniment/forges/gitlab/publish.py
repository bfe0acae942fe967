"""Says at GitLab what was decided: a commit status on exactly one head, and where the tier has it the external check.

An external check belongs to a merge request, not to a commit: it is answered for each open one with this head and
target. GitLab fails one that stays pending for two minutes, which blocks as well.
"""

import time
from typing import Any
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import Lab, at, change, decoded, short
from muniment.forges.shapes import Change, Repo
from muniment.forges.statuses import Saying, Status, context_for, describe, hidden

_STATES = {Saying.PENDING: "pending", Saying.ALLOWED: "success", Saying.DENIED: "failed"}
_ANSWERS = {Saying.PENDING: "pending", Saying.ALLOWED: "passed", Saying.DENIED: "failed"}
_LONGEST = 255
_CHECKS_SECONDS = 60.0


class GitLabPublisher:
    """See `forges.forge.Publisher`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._checks: dict[str, tuple[float, tuple[wire.StatusCheck, ...]]] = {}

    def publish(self, repository: Repo, head: str, status: Status) -> None:
        """A verdict on exactly that head. What blocks is said first."""
        self._commit_status(repository, head, status)
        self._answer(repository, head, status)

    def _commit_status(self, repository: Repo, head: str, status: Status) -> None:
        body = {
            "state": _STATES[status.saying],
            "name": status.context,
            "description": describe(status.summary, _LONGEST),
            "target_url": status.url,
        }
        try:
            self._lab.rest.send("POST", f"{at(repository)}/statuses/{quote(head, safe='')}", body)
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED or not self._says_so(repository, head, body):
                raise

    def _says_so(self, repository: Repo, head: str, body: dict[str, Any]) -> bool:
        """GitLab refuses to say the same again; then it already stands there, by us."""
        path = f"{at(repository)}/repository/commits/{quote(head, safe='')}/statuses"
        us = self._lab.one(wire.User, "user").id
        ours = [
            one
            for one in self._lab.many(wire.CommitStatus, path, name=body["name"])
            if one.name == body["name"] and one.author and one.author.id == us
        ]
        return bool(ours) and all(one.status == body["state"] for one in ours)

    def _answer(self, repository: Repo, head: str, status: Status) -> None:
        base = at(repository)
        ours = [check for check in self._external(repository) if check.name == status.context]
        requests = self._with_head(base, head, status.context) if ours else []
        try:
            for check in ours:
                for number in requests:
                    body = {"sha": head, "external_status_check_id": check.id, "status": _ANSWERS[status.saying]}
                    self._lab.rest.send("POST", f"{base}/merge_requests/{number}/status_check_responses", body)
        except ForgeError:
            self._checks.pop(repository.id, None)  # it may be gone
            raise

    def _external(self, repository: Repo) -> tuple[wire.StatusCheck, ...]:
        """The project's external checks, of a moment ago; one without them gets none while we run.

        One that was made meanwhile waits for the next verdict, and blocks; one that was removed is an error once.
        """
        none: tuple[wire.StatusCheck, ...] | None = None
        until, known = self._checks.get(repository.id, (0.0, ()))
        if time.monotonic() < until:
            return known
        path = f"{at(repository)}/external_status_checks"
        found = self._lab.where_it_exists(lambda: self._lab.many(wire.StatusCheck, path), none)
        seconds = _CHECKS_SECONDS if found is not None else float("inf")
        self._checks[repository.id] = time.monotonic() + seconds, found or ()
        return found or ()

    def _with_head(self, base: str, head: str, context: str) -> list[int]:
        """Those for the context's branch; a pattern's is a verdict on all that have the head."""
        path = f"{base}/repository/commits/{quote(head, safe='')}/merge_requests"
        return [
            one.iid
            for one in self._lab.many(wire.MergeRequest, path, state="opened")
            if one.sha == head and ("*" in context or context_for(f"refs/heads/{one.target_branch}") == context)
        ]

    def comment(self, repository: Repo, number: int, marker: str, text: str) -> None:
        """The one comment of ours that has the marker."""
        path = f"{at(repository)}/merge_requests/{number}/notes"
        us = self._lab.one(wire.User, "user").id
        found = [
            note
            for note in self._lab.many(wire.Note, path, sort="asc", order_by="created_at")
            if not note.system and note.author and note.author.id == us and marker in note.body
        ]
        for surplus in found[1:] if text else found:
            self._lab.rest.send("DELETE", f"{path}/{surplus.id}")
        body = {"body": f"{text}\n\n{hidden(marker)}"}
        if text and not found:
            self._lab.rest.send("POST", path, body)
        elif text and found[0].body != body["body"]:
            self._lab.rest.send("PUT", f"{path}/{found[0].id}", body)

    def ask(self, repository: Repo, number: int, accounts: tuple[str, ...]) -> None:
        """Ask these as well as those who are asked already."""
        path = f"{at(repository)}/merge_requests/{number}"
        ids = [user.id for user in self._lab.one(wire.MergeRequest, path).reviewers or ()]
        for login in accounts:
            found = self._lab.many(wire.User, "users", username=login)
            if len(found) != 1:
                raise ForgeError(ForgeCode.NOT_FOUND, f"GitLab shows nobody called {login}", "Check the login.")
            ids.append(found[0].id)
        self._lab.rest.send("PUT", path, {"reviewer_ids": list(dict.fromkeys(ids))})

    def propose(self, repository: Repo, source: str, target: str, title: str, text: str) -> Change:
        """Open a change, unless one of these two branches is open."""
        path = f"{at(repository)}/merge_requests"
        ours, theirs = short(source), short(target)
        there = self._lab.many(wire.MergeRequest, path, state="opened", source_branch=ours, target_branch=theirs)
        if there:
            return change(there[0])
        body = {"source_branch": ours, "target_branch": theirs, "title": title, "description": text}
        return change(decoded(wire.MergeRequest, self._lab.rest.send("POST", path, body), path))

    def merge(self, repository: Repo, number: int, head: str, method: str) -> None:
        """Merge it if its head is still `head`: GitLab compares. How, is set in the project, but for squashing."""
        path = f"{at(repository)}/merge_requests/{number}"
        try:
            self._lab.rest.send("PUT", f"{path}/merge", {"sha": head, "squash": method == "squash"})
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED:
                raise
            if self._lab.one(wire.MergeRequest, path).sha != head:
                raise ForgeError(
                    ForgeCode.CHANGED_MEANWHILE, "the change has another head by now", "It is evaluated again."
                ) from None
            raise

"""Says in Gitea what was decided: a status on one head, one comment, a request for reviews, a proposal, a merge."""

from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitea.client import Gitea, change, needed, place, short
from muniment.forges.http import Proof, malformed
from muniment.forges.shapes import Change, Repo, State
from muniment.forges.statuses import Saying, Status, describe, hidden

_STATES = {Saying.PENDING: "pending", Saying.ALLOWED: "success", Saying.DENIED: "failure"}
_LONGEST = 255  # characters of a description
METHODS = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only")


class GiteaPublisher:
    """See `forges.forge.Publisher`."""

    def __init__(self, gitea: Gitea) -> None:
        self._gitea = gitea
        self._client = gitea.client

    def publish(self, repository: Repo, head: str, status: Status) -> None:
        where = place(repository.path, "statuses", head)
        body = {
            "context": status.context,
            "state": _STATES[status.saying],
            "description": describe(status.summary, _LONGEST),
            "target_url": status.url,
        }
        answer = self._client.send("POST", where, body)
        if needed(answer, "status", str, where) != body["state"] or answer.get("context") != status.context:
            raise malformed(where)

    def comment(self, repository: Repo, number: int, marker: str, text: str) -> None:
        where = place(repository.path, "issues", number, "comments")
        ours = [row for row in self._client.listed(where, Proof.WHOLE) if self._is_ours(row, marker)]
        for row in ours[1:] if text else ours:
            self._client.send("DELETE", place(repository.path, "issues", "comments", int(row["id"])))
        if not text:
            return
        body = {"body": f"{hidden(marker)}\n{text}"}
        if not ours:
            self._client.send("POST", where, body)
        elif ours[0]["body"] != body["body"]:
            self._client.send("PATCH", place(repository.path, "issues", "comments", int(ours[0]["id"])), body)

    def ask(self, repository: Repo, number: int, accounts: tuple[str, ...]) -> None:
        if accounts:
            where = place(repository.path, "pulls", number, "requested_reviewers")
            self._client.send("POST", where, {"reviewers": list(accounts)})

    def propose(self, repository: Repo, source: str, target: str, title: str, text: str) -> Change:
        where = place(repository.path, "pulls")
        for row in self._client.listed(where, Proof.TOTAL, state="open"):
            found = change(row, where)
            same = (found.source, found.target, found.source_repository) == (source, target, repository.path)
            if same and found.state is State.OPEN:
                return found
        body = {"head": short(source), "base": short(target), "title": title, "body": text}
        return change(self._client.send("POST", where, body), where)

    def merge(self, repository: Repo, number: int, head: str, method: str) -> None:
        if method not in METHODS:
            raise ForgeError(
                ForgeCode.UNSUPPORTED, f"{method} is no way to merge here", f"Use one of {', '.join(METHODS)}."
            )
        body: dict[str, Any] = {"Do": method, "head_commit_id": head, "force_merge": False}
        self._client.send("POST", place(repository.path, "pulls", number, "merge"), body)

    def _is_ours(self, row: Any, marker: str) -> bool:
        who = row.get("user") or {}
        return str(who.get("id")) == self._gitea.ours.id and marker in str(row.get("body", ""))

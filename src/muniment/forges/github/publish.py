"""Says at GitHub what was decided: a check run of our App on exactly one head, one comment, a request for review.

A check run that is not completed blocks. It is completed by the verdict; a new reading begins a new one, for GitHub
looks at the newest of a name.
"""

from collections import OrderedDict
from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.github import shaped, wire
from muniment.forges.github.app import Identity
from muniment.forges.github.client import at
from muniment.forges.shapes import Change, Repo
from muniment.forges.statuses import Annotation, Saying, Status, hidden

JUDGE_AGAIN = "judge-again"  # the button that we put there
_AT_ONCE = 50  # annotations that GitHub takes in one request
_LONGEST = 65_000  # characters of a text
_LINE = 250
_KEPT = 4096
_CONCLUSIONS = {Saying.ALLOWED: "success", Saying.DENIED: "failure"}


class GitHubPublisher:
    """Publishes as an installation of our App, which needs Checks: write."""

    def __init__(self, ours: Identity) -> None:
        self._app = ours
        self._hub = ours.hub
        self._open: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def publish(self, repository: Repo, head: str, status: Status) -> None:
        """A verdict on exactly that head: a run that still waits gets it, or a new one is made."""
        key = (repository.id, head, status.context)
        path = f"{at(repository)}/check-runs"
        first, *rest = _pieces(status.annotations)
        waiting = self._open.pop(key, None)
        body = _run(status, first)
        if waiting is None:
            made = self._hub.rest.send("POST", path, {"name": status.context, "head_sha": head, **body})
        else:
            made = self._hub.rest.send("PATCH", f"{path}/{waiting}", body)
        run = wire.decoded(wire.CheckRun, made, path)
        if run.head_sha != head:
            raise ForgeError(ForgeCode.MALFORMED, "GitHub put the verdict on another head", "It is published again.")
        for piece in rest:
            self._hub.rest.send("PATCH", f"{path}/{run.id}", {"output": _output(status, piece)})
        if status.saying is Saying.PENDING:
            self._keep(key, run.id)

    def _keep(self, key: tuple[str, str, str], number: int) -> None:
        self._open[key] = number
        if len(self._open) > _KEPT:
            self._open.popitem(last=False)

    def comment(self, repository: Repo, number: int, marker: str, text: str) -> None:
        """The one comment that has the marker and is ours."""
        us = self._app.account().login
        base = f"{at(repository)}/issues"
        found = [
            comment
            for comment in self._hub.many(wire.Comment, f"{base}/{number}/comments")
            if marker in (comment.body or "") and shaped.account(comment.user).login == us
        ]
        for surplus in found[1:] if text else found:
            self._hub.rest.send("DELETE", f"{base}/comments/{surplus.id}")
        body = {"body": f"{text}\n\n{hidden(marker)}"}
        if text and not found:
            self._hub.rest.send("POST", f"{base}/{number}/comments", body)
        elif text and found[0].body != body["body"]:
            self._hub.rest.send("PATCH", f"{base}/comments/{found[0].id}", body)

    def ask(self, repository: Repo, number: int, accounts: tuple[str, ...]) -> None:
        """Ask these logins to review."""
        path = f"{at(repository)}/pulls/{number}/requested_reviewers"
        self._hub.rest.send("POST", path, {"reviewers": list(accounts)})

    def propose(self, repository: Repo, source: str, target: str, title: str, text: str) -> Change:
        """Open a change, unless one of these two branches is open."""
        path = f"{at(repository)}/pulls"
        head, base = (ref.removeprefix("refs/heads/") for ref in (source, target))
        owner = repository.path.partition("/")[0]
        there = self._hub.many(wire.Pull, path, state="open", head=f"{owner}:{head}", base=base)
        if there:
            return shaped.change(there[0])
        made = self._hub.rest.send("POST", path, {"title": title, "body": text, "head": head, "base": base})
        return shaped.change(wire.decoded(wire.Pull, made, path))

    def merge(self, repository: Repo, number: int, head: str, method: str) -> None:
        """Merge it if its head is still `head`: GitHub compares."""
        path = f"{at(repository)}/pulls/{number}/merge"
        body = {"sha": head, **({"merge_method": method} if method else {})}
        try:
            self._hub.rest.send("PUT", path, body)
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED:
                raise
            now = self._hub.one(wire.Pull, f"{at(repository)}/pulls/{number}")
            if now.head.sha != head:
                raise ForgeError(
                    ForgeCode.CHANGED_MEANWHILE, "the change has another head by now", "It is evaluated again."
                ) from None
            raise


def _pieces(annotations: tuple[Annotation, ...]) -> list[tuple[Annotation, ...]]:
    return [annotations[place : place + _AT_ONCE] for place in range(0, len(annotations), _AT_ONCE)] or [()]


def _run(status: Status, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {"details_url": status.url, "output": _output(status, annotations)}
    if status.saying is Saying.PENDING:
        return {**body, "status": "in_progress"}
    again = {
        "label": "Judge again",
        "description": "Reads the change again and evaluates it",
        "identifier": JUDGE_AGAIN,
    }
    return {**body, "status": "completed", "conclusion": _CONCLUSIONS[status.saying], "actions": [again]}


def _output(status: Status, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    title, _, rest = status.summary.partition("\n")
    output: dict[str, Any] = {"title": title[:_LINE], "summary": (rest or title)[:_LONGEST]}
    if status.details:
        output["text"] = status.details[:_LONGEST]
    if annotations:
        output["annotations"] = [_annotation(one) for one in annotations]
    return output


def _annotation(one: Annotation) -> dict[str, Any]:
    found = {
        "path": one.path,
        "start_line": one.first,
        "end_line": max(one.first, one.last),
        "annotation_level": "failure",
        "message": one.message[:_LONGEST],
    }
    return {**found, "title": one.title[:_LINE]} if one.title else found

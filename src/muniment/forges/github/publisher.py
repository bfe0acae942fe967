"""Publishes decisions at GitHub: a check run of our App on exactly one head, one comment, a request for review.

A check run that is not completed blocks. The decision completes it; a new reading begins a new one, because GitHub
uses the newest of a name.
"""

from collections import OrderedDict

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.github import conversion, wire
from muniment.forges.github.app import GitHubIdentity
from muniment.forges.github.client import repository_path
from muniment.forges.shapes import Change, ChangeEdit, ForgeRepository
from muniment.forges.statuses import Annotation, Status, StatusState, hide_marker

EVALUATE_AGAIN = "evaluate-again"  # identifier of the button on our check run
_AT_ONCE = 50  # annotations that GitHub takes in one request
_LONGEST = 65_000  # characters of a text
_LINE = 250
_MOST_OPEN_RUNS = 4096
_CONCLUSIONS = {StatusState.ALLOWED: "success", StatusState.DENIED: "failure"}


class GitHubPublisher:
    """Publishes as an installation of our App, which needs Checks: write."""

    def __init__(self, identity: GitHubIdentity) -> None:
        self._app = identity
        self._hub = identity.hub
        self._open: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        """Complete a check run that still waits on that head, or create one."""
        key = (repository.id, head, status.context)
        path = f"{repository_path(repository)}/check-runs"
        first, *rest = _split_annotations(status.annotations)
        waiting = self._open.pop(key, None)
        body = _make_run(status, first)
        if waiting is None:
            named = {"name": status.context, "head_sha": head, **body}
            run = self._hub.rest.send_and_read(wire.CheckRun, "POST", path, named)
        else:
            run = self._hub.rest.send_and_read(wire.CheckRun, "PATCH", f"{path}/{waiting}", body)
        if run.head_sha != head:
            raise ForgeError(ForgeCode.MALFORMED, "GitHub put the status on another head", "It is published again.")
        for piece in rest:
            self._hub.rest.send_json("PATCH", f"{path}/{run.id}", {"output": _make_output(status, piece)})
        if status.saying is StatusState.PENDING:
            self._remember_open(key, run.id)

    def _remember_open(self, key: tuple[str, str, str], number: int) -> None:
        self._open[key] = number
        if len(self._open) > _MOST_OPEN_RUNS:
            self._open.popitem(last=False)

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        us = self._app.read_account().login
        base = f"{repository_path(repository)}/issues"
        found = [
            comment
            for comment in self._hub.read_list(wire.Comment, f"{base}/{number}/comments")
            if marker in (comment.body or "") and conversion.convert_account(comment.user).login == us
        ]
        for surplus in found[1:] if text else found:
            self._hub.rest.send_json("DELETE", f"{base}/comments/{surplus.id}")
        body = {"body": f"{text}\n\n{hide_marker(marker)}"}
        if text and not found:
            self._hub.rest.send_json("POST", f"{base}/{number}/comments", body)
        elif text and found[0].body != body["body"]:
            self._hub.rest.send_json("PATCH", f"{base}/comments/{found[0].id}", body)

    def request_reviews(self, repository: ForgeRepository, number: int, accounts: tuple[str, ...]) -> None:
        path = f"{repository_path(repository)}/pulls/{number}/requested_reviewers"
        self._hub.rest.send_json("POST", path, {"reviewers": list(accounts)})

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        """Open a change, unless one of these two branches is open."""
        path = f"{repository_path(repository)}/pulls"
        head, base = (ref.removeprefix("refs/heads/") for ref in (source, target))
        owner = repository.path.partition("/")[0]
        there = self._hub.read_list(wire.Pull, path, state="open", head=f"{owner}:{head}", base=base)
        if there:
            return conversion.convert_change(there[0])
        wanted = {"title": title, "body": text, "head": head, "base": base}
        return conversion.convert_change(self._hub.rest.send_and_read(wire.Pull, "POST", path, wanted))

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        """Edit a change; GitHub makes labels that the repository does not have."""
        base = repository_path(repository)
        if edit.labels:
            self._hub.rest.send_json("POST", f"{base}/issues/{number}/labels", {"labels": list(edit.labels)})
        body = {"title": edit.title, "body": edit.text, "state": "closed" if edit.closes else ""}
        changed = {name: value for name, value in body.items() if value}
        if changed:
            self._hub.rest.send_json("PATCH", f"{base}/pulls/{number}", changed)

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        """Merge a change if its head is still `head`: GitHub compares."""
        path = f"{repository_path(repository)}/pulls/{number}/merge"
        body = {"sha": head, **({"merge_method": method} if method else {})}
        try:
            self._hub.rest.send_json("PUT", path, body)
        except ForgeError as error:
            if error.code is not ForgeCode.REFUSED:
                raise
            now = self._hub.read_one(wire.Pull, f"{repository_path(repository)}/pulls/{number}")
            if now.head.sha != head:
                raise ForgeError(
                    ForgeCode.CHANGED_MEANWHILE, "the change has another head by now", "It is evaluated again."
                ) from None
            raise


def _split_annotations(annotations: tuple[Annotation, ...]) -> list[tuple[Annotation, ...]]:
    return [annotations[place : place + _AT_ONCE] for place in range(0, len(annotations), _AT_ONCE)] or [()]


def _make_run(status: Status, annotations: tuple[Annotation, ...]) -> dict[str, object]:
    body: dict[str, object] = {"details_url": status.url, "output": _make_output(status, annotations)}
    if status.saying is StatusState.PENDING:
        return {**body, "status": "in_progress"}
    again = {
        "label": "Evaluate again",
        "description": "Reads the change again and evaluates it",
        "identifier": EVALUATE_AGAIN,
    }
    return {**body, "status": "completed", "conclusion": _CONCLUSIONS[status.saying], "actions": [again]}


def _make_output(status: Status, annotations: tuple[Annotation, ...]) -> dict[str, object]:
    title, _, rest = status.summary.partition("\n")
    output: dict[str, object] = {"title": title[:_LINE], "summary": (rest or title)[:_LONGEST]}
    if status.details:
        output["text"] = status.details[:_LONGEST]
    if annotations:
        output["annotations"] = [_make_annotation(one) for one in annotations]
    return output


def _make_annotation(one: Annotation) -> dict[str, object]:
    found = {
        "path": one.path,
        "start_line": one.first,
        "end_line": max(one.first, one.last),
        "annotation_level": "failure",
        "message": one.message[:_LONGEST],
    }
    return {**found, "title": one.title[:_LINE]} if one.title else found

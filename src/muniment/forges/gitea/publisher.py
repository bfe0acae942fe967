"""Publishes decisions in Gitea: a status on one head, one comment, a request for reviews, a new change, a merge."""

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge_client import CompletenessProof, malformed_error
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import GiteaClient, api_path, branch_name, convert_account, convert_change
from muniment.forges.shapes import Change, ChangeEdit, ChangeState, ForgeRepository
from muniment.forges.statuses import Status, StatusState, hide_marker, shorten_summary

_STATES = {StatusState.PENDING: "pending", StatusState.ALLOWED: "success", StatusState.DENIED: "failure"}
_LONGEST = 255  # characters of a description
_LABEL_COLOUR = "#0366d6"
MERGE_METHODS = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only")


class GiteaPublisher:
    """Publishes statuses, comments and merges; see `forges.forge.Publisher`."""

    def __init__(self, gitea: GiteaClient) -> None:
        self._gitea = gitea
        self._client = gitea.client

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        where = api_path(repository.path, "statuses", head)
        body = {
            "context": status.context,
            "state": _STATES[status.saying],
            "description": shorten_summary(status.summary, _LONGEST),
            "target_url": status.url,
        }
        answer = self._client.send_and_read(wire.CommitStatus, "POST", where, body)
        if (answer.status, answer.context) != (body["state"], status.context):
            raise malformed_error(where)

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        where = api_path(repository.path, "issues", number, "comments")
        rows = self._client.list_all_items(wire.Comment, where, CompletenessProof.WHOLE)
        ours = [row for row in rows if self._is_ours(row, marker)]
        for row in ours[1:] if text else ours:
            self._client.send_json("DELETE", api_path(repository.path, "issues", "comments", row.id))
        if not text:
            return
        body = {"body": f"{hide_marker(marker)}\n{text}"}
        if not ours:
            self._client.send_json("POST", where, body)
        elif ours[0].body != body["body"]:
            self._client.send_json("PATCH", api_path(repository.path, "issues", "comments", ours[0].id), body)

    def request_reviews(self, repository: ForgeRepository, number: int, accounts: tuple[str, ...]) -> None:
        if accounts:
            where = api_path(repository.path, "pulls", number, "requested_reviewers")
            self._client.send_json("POST", where, {"reviewers": list(accounts)})

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        where = api_path(repository.path, "pulls")
        for row in self._client.list_all_items(wire.PullRequest, where, CompletenessProof.TOTAL, state="open"):
            found = convert_change(row, where)
            same = (found.source, found.target, found.source_repository) == (source, target, repository.path)
            if same and found.state is ChangeState.OPEN:
                return found
        body = {"head": branch_name(source), "base": branch_name(target), "title": title, "body": text}
        return convert_change(self._client.send_and_read(wire.PullRequest, "POST", where, body), where)

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        if edit.labels:
            ids = [self._require_label(repository, name) for name in edit.labels]
            self._client.send_json("POST", api_path(repository.path, "issues", number, "labels"), {"labels": ids})
        body = {"title": edit.title, "body": edit.text, "state": "closed" if edit.closes else ""}
        changed = {name: value for name, value in body.items() if value}
        if changed:
            self._client.send_json("PATCH", api_path(repository.path, "pulls", number), changed)

    def _require_label(self, repository: ForgeRepository, name: str) -> int:
        """Id of a label, which is made if the repository has none of that name."""
        where = api_path(repository.path, "labels")
        for row in self._client.list_all_items(wire.RepositoryLabel, where, CompletenessProof.TOTAL):
            if row.name == name:
                return row.id
        made = {"name": name, "color": _LABEL_COLOUR}
        return self._client.send_and_read(wire.RepositoryLabel, "POST", where, made).id

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        if method not in MERGE_METHODS:
            raise ForgeError(
                ForgeCode.UNSUPPORTED, f"{method} is no way to merge here", f"Use one of {', '.join(MERGE_METHODS)}."
            )
        body = {"Do": method, "head_commit_id": head, "force_merge": False}
        self._client.send_json("POST", api_path(repository.path, "pulls", number, "merge"), body)

    def _is_ours(self, row: wire.Comment, marker: str) -> bool:
        return convert_account(row.user).id == self._gitea.our_account.id and marker in row.body

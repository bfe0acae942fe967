"""Client of GitLab, which converts answers to our types. Lists of REST have their length in a header (`X-Total`)."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import quote, urlsplit

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import checks, forge_client
from muniment.forges.answer_cache import AnswerCache
from muniment.forges.forge_client import (
    UNSHARED_TRANSPORT,
    CompletenessProof,
    ForgeClient,
    QueryValue,
    Transport,
    malformed_error,
)
from muniment.forges.gitlab import wire
from muniment.forges.shapes import UNKNOWN_ACCOUNT, Account, Change, ChangeState, Check, ForgeRepository

T = TypeVar("T")

DEVELOPER, MAINTAINER = 30, 40
_SIZE = 100
_NO_COMMIT = "0" * 40

_SECOND = len("2026-11-24T09:30:00")

convert_moment = partial(forge_client.convert_forge_moment, where="GitLab's answer")
# Names that GitLab gives to the accounts of tokens and services, and to nobody else.
_MACHINE = re.compile(r"(?:project|group)_[0-9]+_bot(?:[0-9]+|_[0-9a-f]+)?|service_account_[a-z0-9_]+|ghost[0-9]*")
_PERMISSION_ERRORS = (
    ForgeCode.NOT_FOUND,
    ForgeCode.FORBIDDEN,
    ForgeCode.NOT_SIGNED_IN,
)  # what missing licences look like
_STATES = {"success": "success", "failed": "failure", "canceled": "error", "skipped": "error"}


class GitLabClient:
    """Client of one GitLab installation, with one token."""

    def __init__(
        self, url: str, token: Callable[[], str], *, transport: Transport = UNSHARED_TRANSPORT, seconds: float = 15
    ) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        self.token = token
        self.rest = ForgeClient(f"{self.url}/api/v4", self._make_headers, transport=transport, seconds=seconds)
        self.answer_cache = AnswerCache(transport.cache)

    def _make_headers(self) -> Mapping[str, str]:
        token = self.token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def read_one(self, kind: type[T], path: str, **query: QueryValue) -> T:
        """Answer at `path`, decoded as `kind`."""
        return self.rest.read_one(kind, path, **query)

    def read_list(
        self, kind: type[T], path: str, *, until: Callable[[T], bool] | None = None, **query: QueryValue
    ) -> tuple[T, ...]:
        """List at `path`, whole or up to the first item for which `until` is true, which is the last."""
        return self.rest.list_all_items(
            kind, path, CompletenessProof.TOTAL, size=_SIZE, sized="per_page", until=until, **query
        )

    def run_query(self, document: str, **variables: str) -> dict[str, object]:
        """Answer of GraphQL to a query, without errors. UNSUPPORTED if this installation refuses the query itself.

        An answer to a query for an unknown field, or for too much, has no `data`.
        """
        address = f"{self.url}/api/graphql"
        answer = self.rest.send_json("POST", address, {"query": document, "variables": variables})
        if not isinstance(answer, dict):
            raise malformed_error(address)
        if answer.get("errors") and "data" not in answer:
            problem = "this GitLab does not answer the question of GraphQL"
            raise ForgeError(ForgeCode.UNSUPPORTED, problem, "It may be too old; what can be is read by REST.")
        data = answer.get("data")
        if not isinstance(data, dict) or answer.get("errors"):
            raise malformed_error(address)
        return data

    def read_or_default(self, read: Callable[[], T], default: T) -> T:
        """Result of `read`, which a tier may lack: `default`, the weaker value, if GitLab refuses it."""
        try:
            return read()
        except ForgeError as error:
            if error.code in _PERMISSION_ERRORS:
                return default
            raise


def project_path(repository: ForgeRepository | str) -> str:
    """Path of a project in the API, by its permanent id."""
    return f"projects/{quote(repository if isinstance(repository, str) else repository.id, safe='')}"


def read_merge_request(lab: GitLabClient, repository: ForgeRepository, number: int) -> wire.MergeRequest:
    """A merge request, read by REST."""
    return lab.read_one(wire.MergeRequest, merge_request_path(repository, number))


def merge_request_path(repository: ForgeRepository, number: int) -> str:
    """Path of a merge request in the API."""
    return f"{project_path(repository)}/merge_requests/{number}"


def read_branch_tip(lab: GitLabClient, repository: ForgeRepository, ref: str) -> str:
    """Commit at which a branch is now."""
    return lab.read_one(
        wire.ListedBranch, f"{project_path(repository)}/repository/branches/{quote(branch_name(ref), safe='')}"
    ).commit.id


def truncate_to_second(moment: str) -> str:
    """Second of a moment: GraphQL returns no fractions."""
    return moment[:_SECOND]


def second_start(moment: str) -> str:
    """Beginning of a moment's second."""
    return f"{truncate_to_second(moment)}.000000Z"


def second_end(moment: str) -> str:
    """End of a moment's second."""
    return f"{truncate_to_second(moment)}.999999Z"


def branch_name(ref: str) -> str:
    """Name of a branch, without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")


def convert_account(user: wire.User | None) -> Account:
    """Account of a user; NOBODY if the user is gone."""
    if user is None:
        return UNKNOWN_ACCOUNT
    machine = user.bot or _MACHINE.fullmatch(user.username) is not None
    return Account(str(user.id), user.username, machine=machine)


def convert_known_account(user: wire.User | None) -> Maybe[Account]:
    """Account of a user; Unknown if the user is gone."""
    return Known(convert_account(user)) if user else Unknown("the account no longer exists at GitLab")


def convert_commit_id(text: str | None) -> str:
    """Id of a commit; "" for none."""
    return "" if text in (None, _NO_COMMIT) else str(text)


def convert_repository(project: wire.Project) -> ForgeRepository:
    """Repository of a project."""
    return ForgeRepository(
        str(project.id),
        project.path_with_namespace,
        f"refs/heads/{project.default_branch}" if project.default_branch else "",
        project.http_url_to_repo,
        project.web_url,
        private=project.visibility != "public",
    )


_MERGE_STATES = {
    "opened": ChangeState.OPEN,
    "locked": ChangeState.OPEN,
    "merged": ChangeState.MERGED,
    "closed": ChangeState.CLOSED,
}


def convert_change(merge_request: wire.MergeRequest) -> Change:
    """Change of a merge request. `source_repository` is the project's id, because a fork's path is missing.

    The moments of opening and update are whole seconds, so that both APIs give the same.
    """
    state = _MERGE_STATES.get(merge_request.state)
    if state is None or not merge_request.sha:
        raise malformed_error("merge_requests")
    merged = state is ChangeState.MERGED
    return Change(
        number=merge_request.iid,
        title=merge_request.title,
        text=merge_request.description or "",
        state=state,
        draft=merge_request.draft,
        opener=convert_account(merge_request.author),
        target=f"refs/heads/{merge_request.target_branch}",
        base=(merge_request.diff_refs.start_sha or "") if merge_request.diff_refs else "",
        source=f"refs/heads/{merge_request.source_branch}",
        source_repository=str(merge_request.source_project_id or ""),
        head=merge_request.sha,
        labels=tuple(merge_request.labels),
        opened=second_start(convert_moment(merge_request.created_at)),
        updated=second_start(convert_moment(merge_request.updated_at)),
        url=merge_request.web_url,
        merged=(merge_request.merge_commit_sha or merge_request.squash_commit_sha or merge_request.sha)
        if merged
        else "",
        merged_by=convert_known_account(merge_request.merge_user) if merged else Unknown("it was not merged"),
        merged_at=convert_moment(merge_request.merged_at) if merge_request.merged_at else "",
        writable_by_target=merge_request.allow_collaboration is True,
    )


def convert_status(status: wire.CommitStatus, until: str = "") -> Check:
    """Check of a commit status as it was at `until` ("" for now): only success has passed."""
    late = status.finished_at is not None and not checks.is_ended(convert_moment(status.finished_at), until)
    when = status.created_at if late else status.finished_at or status.created_at
    return Check(
        status.name,
        "pending" if late else _STATES.get(status.status, "pending"),
        convert_account(status.author),
        status.description or "",
        status.target_url or "",
        convert_moment(when) if when else "",
    )

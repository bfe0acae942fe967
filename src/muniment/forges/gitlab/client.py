"""Asks GitLab, and says what its answers are in our shapes. Lists of REST tell their length (`X-Total`)."""

import copy
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import checks, http
from muniment.forges.gitlab import wire
from muniment.forges.http import ALONE, Client, Proof, Transport, malformed
from muniment.forges.kept import Kept
from muniment.forges.shapes import NOBODY, Account, Change, Check, Repo, State

T = TypeVar("T")

DEVELOPER, MAINTAINER = 30, 40
_SIZE = 100
_NO_COMMIT = "0" * 40

_SECOND = len("2026-11-24T09:30:00")

moment = partial(http.moment, where="GitLab's answer")
# Names that GitLab gives to the accounts of tokens and services, and to nobody else.
_MACHINE = re.compile(r"(?:project|group)_[0-9]+_bot(?:[0-9]+|_[0-9a-f]+)?|service_account_[a-z0-9_]+|ghost[0-9]*")
_NOT_FOR_US = (ForgeCode.NOT_FOUND, ForgeCode.FORBIDDEN, ForgeCode.NOT_SIGNED_IN)  # what missing licences look like
_STATES = {"success": "success", "failed": "failure", "canceled": "error", "skipped": "error"}


class Lab:
    """One installation, spoken to with one token."""

    def __init__(
        self, url: str, token: Callable[[], str], *, transport: Transport = ALONE, seconds: float = 15
    ) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        self.token = token
        self.rest = Client(f"{self.url}/api/v4", self._headers, transport=transport, seconds=seconds)
        self.kept = Kept(transport.cache)
        self.asked = 0  # how often, by this one and not by those apart from it

    def apart(self) -> "Lab":
        """The same, which counts for itself: whoever has it sees whether anything was asked through it."""
        other = copy.copy(self)
        other.asked = 0
        return other

    def _headers(self) -> Mapping[str, str]:
        token = self.token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def one(self, kind: type[T], path: str, **query: Any) -> T:
        """The thing at `path`."""
        self.asked += 1
        return decoded(kind, self.rest.get(path, **query), path)

    def many(
        self, kind: type[T], path: str, *, until: Callable[[T], bool] | None = None, **query: Any
    ) -> tuple[T, ...]:
        """The list at `path`, whole or up to the first item that `until` holds for, which is the last."""

        def last(item: Any) -> bool:
            return until is not None and until(decoded(kind, item, path))

        self.asked += 1
        found = self.rest.listed(path, Proof.TOTAL, size=_SIZE, sized="per_page", until=last, **query)
        return tuple(decoded(kind, item, path) for item in found)

    def question(self, document: str, **variables: str) -> dict[str, Any]:
        """What GraphQL answers to it, without any error. UNSUPPORTED if this installation refuses the question itself.

        One that asks for a field that is not there, or for too much, is answered without any `data`.
        """
        self.asked += 1
        address = f"{self.url}/api/graphql"
        answer = self.rest.send("POST", address, {"query": document, "variables": variables})
        if not isinstance(answer, dict):
            raise malformed(address)
        if answer.get("errors") and "data" not in answer:
            told = "this GitLab does not answer the question of GraphQL"
            raise ForgeError(ForgeCode.UNSUPPORTED, told, "It may be too old; what can be is read by REST.")
        data = answer.get("data")
        if not isinstance(data, dict) or answer.get("errors"):
            raise malformed(address)
        return data

    def where_it_exists(self, read: Callable[[], T], otherwise: T) -> T:
        """What a tier may lack: `otherwise`, which has to be the weaker, if GitLab says that it is not for us."""
        try:
            return read()
        except ForgeError as error:
            if error.code in _NOT_FOR_US:
                return otherwise
            raise


def decoded(kind: type[T], answer: Any, where: str) -> T:
    """`answer` as `kind`. Raises MALFORMED."""
    try:
        return msgspec.convert(answer, kind)
    except (msgspec.ValidationError, TypeError):
        raise malformed(where) from None


def at(repository: Repo | str) -> str:
    """The path of a project in the API, by its lasting id."""
    return f"projects/{quote(repository if isinstance(repository, str) else repository.id, safe='')}"


def request(lab: Lab, repository: Repo, number: int) -> wire.MergeRequest:
    """A merge request, by REST."""
    return lab.one(wire.MergeRequest, request_at(repository, number))


def request_at(repository: Repo, number: int) -> str:
    """Its path in the API."""
    return f"{at(repository)}/merge_requests/{number}"


def tip(lab: Lab, repository: Repo, ref: str) -> str:
    """Where a branch is now."""
    return lab.one(wire.Tip, f"{at(repository)}/repository/branches/{quote(short(ref), safe='')}").commit.id


def second(moment: str) -> str:
    """The second that a moment is in: GraphQL tells no more."""
    return moment[:_SECOND]


def begun(moment: str) -> str:
    """The beginning of that second."""
    return f"{second(moment)}.000000Z"


def ended(moment: str) -> str:
    """The end of that second."""
    return f"{second(moment)}.999999Z"


def short(ref: str) -> str:
    """A branch's name."""
    return ref.removeprefix("refs/heads/")


def account(user: wire.User | None) -> Account:
    """An account; nobody if it is gone."""
    if user is None:
        return NOBODY
    machine = user.bot or _MACHINE.fullmatch(user.username) is not None
    return Account(str(user.id), user.username, machine=machine)


def known(user: wire.User | None) -> Maybe[Account]:
    """An account, or that it is gone."""
    return Known(account(user)) if user else Unknown("the account no longer exists at GitLab")


def commit(text: str | None) -> str:
    """A commit's id; "" for none."""
    return "" if text in (None, _NO_COMMIT) else str(text)


def repo(project: wire.Project) -> Repo:
    """A repository."""
    return Repo(
        str(project.id),
        project.path_with_namespace,
        f"refs/heads/{project.default_branch}" if project.default_branch else "",
        project.http_url_to_repo,
        project.web_url,
        private=project.visibility != "public",
    )


_MERGE_STATES = {"opened": State.OPEN, "locked": State.OPEN, "merged": State.MERGED, "closed": State.CLOSED}


def change(found: wire.MergeRequest) -> Change:
    """A change. `source_repository` is the project's id: a fork's path is not told.

    When it was opened and touched is told in whole seconds, so that both ways of asking tell the same.
    """
    state = _MERGE_STATES.get(found.state)
    if state is None or not found.sha:
        raise malformed("merge_requests")
    merged = state is State.MERGED
    return Change(
        number=found.iid,
        title=found.title,
        text=found.description or "",
        state=state,
        draft=found.draft,
        opener=account(found.author),
        target=f"refs/heads/{found.target_branch}",
        base=(found.diff_refs.start_sha or "") if found.diff_refs else "",
        source=f"refs/heads/{found.source_branch}",
        source_repository=str(found.source_project_id or ""),
        head=found.sha,
        labels=tuple(found.labels),
        opened=begun(moment(found.created_at)),
        updated=begun(moment(found.updated_at)),
        url=found.web_url,
        merged=(found.merge_commit_sha or found.squash_commit_sha or found.sha) if merged else "",
        merged_by=known(found.merge_user) if merged else Unknown("it was not merged"),
        merged_at=moment(found.merged_at) if found.merged_at else "",
        writable_by_target=found.allow_collaboration is True,
    )


def check(found: wire.CommitStatus, until: str = "") -> Check:
    """A commit status as it was at `until` ("" for now): only success has passed."""
    late = found.finished_at is not None and not checks.is_ended(moment(found.finished_at), until)
    when = found.created_at if late else found.finished_at or found.created_at
    return Check(
        found.name,
        "pending" if late else _STATES.get(found.status, "pending"),
        account(found.author),
        found.description or "",
        found.target_url or "",
        moment(when) if when else "",
    )

"""Converts the answers of Gitea's API to our types; an answer without a required field is malformed, not empty."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.answer_cache import AnswerCache
from muniment.forges.forge_client import (
    UNSHARED_TRANSPORT,
    ForgeClient,
    Transport,
    convert_forge_moment,
    malformed_error,
)
from muniment.forges.shapes import Account, Change, ChangeState, Check, ForgeRepository, Vendor

T = TypeVar("T")
DELETED_ACCOUNT = Account("-1", "Ghost")  # an account that was deleted
OLDEST_VERSION = (1, 21)  # of Gitea; Forgejo says which one it is like
_STATES = {"success": "success", "pending": "pending", "failure": "failure", "error": "error", "warning": "failure"}


class GiteaClient:
    """Client of one Gitea or Forgejo installation, with one token."""

    def __init__(
        self, url: str, token: Callable[[], str], *, transport: Transport = UNSHARED_TRANSPORT, seconds: float = 15
    ) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        self._token = token
        self.client = ForgeClient(f"{self.url}/api/v1", self.make_header, transport=transport, seconds=seconds)
        self.answer_cache = AnswerCache(transport.cache)

    def make_header(self) -> Mapping[str, str]:
        """Header with the token; empty without one."""
        token = self._token()
        return {"Authorization": f"token {token}"} if token else {}

    @cached_property
    def version(self) -> str:
        """Version of the installation. Raises ForgeError, UNSUPPORTED for one too old for an evaluation."""
        found = self.client.get_json("version")
        version = found.get("version") if isinstance(found, dict) else None
        if not isinstance(version, str):
            raise malformed_error("version")
        if _parse_version(_gitea_version(version)) < OLDEST_VERSION:
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                f"this is version {version[:40]}, which does not provide all data for an evaluation",
                "Update it to Gitea 1.21 or newer, or Forgejo 7 or newer.",
            )
        return version

    @property
    def vendor(self) -> Vendor:
        """Gitea or Forgejo, by the version."""
        return Vendor.FORGEJO if "+gitea-" in self.version else Vendor.GITEA

    @cached_property
    def our_account(self) -> Account:
        """Our own account, read once."""
        return convert_account(self.client.get_json("user"), "user")

    @cached_property
    def signing_keys(self) -> tuple[str, str]:
        """Keys of the installation that sign commits made in its pages, "" for none: one for OpenPGP, one for SSH."""
        return self._read_key("signing-key.gpg"), " ".join(self._read_key("signing-key.pub").split()[:2])

    def _read_key(self, path: str) -> str:
        try:
            return self.client.fetch_response(path).body.decode("utf-8", "replace").strip()
        except ForgeError as error:
            if error.code is ForgeCode.NOT_FOUND:
                return ""
            raise


def api_path(repository_path: str, *more: str | int) -> str:
    """Path of a resource of a repository in the API."""
    owner, slash, name = repository_path.partition("/")
    if not slash or not owner or not name or "/" in name or ".." in (owner, name):
        raise ForgeError(ForgeCode.NOT_FOUND, "this is no name of a repository", "Write it like owner/name.")
    return "/".join(["repos", quote_segment(owner), quote_segment(name), *(quote_segment(str(part)) for part in more)])


def quote_segment(part: str) -> str:
    """Percent-encode one segment of a path."""
    return quote(part, safe="")


def convert_account(user: Any, where: str) -> Account:
    """Account of a user; a deleted user is a ghost, who is no person."""
    if user is None:
        return DELETED_ACCOUNT
    number, login = require_field(user, "id", int, where), require_field(user, "login", str, where)
    return Account(str(number), login, machine=number < 0)  # a ghost, or the forge's own actions


def convert_repository(answer: Any, where: str) -> ForgeRepository:
    """Repository as our own type."""
    return ForgeRepository(
        id=str(require_field(answer, "id", int, where)),
        path=require_field(answer, "full_name", str, where),
        default=full_branch_ref(require_field(answer, "default_branch", str, where)),
        clone=require_field(answer, "clone_url", str, where),
        url=require_field(answer, "html_url", str, where),
        private=bool(answer.get("private", True)),
    )


def convert_change(answer: Any, where: str) -> Change:
    """Change of a pull request. The base of a merged one is where it had forked off."""
    head, base = require_field(answer, "head", dict, where), require_field(answer, "base", dict, where)
    merged = bool(answer.get("merged"))
    there = head.get("repo")
    return Change(
        number=require_field(answer, "number", int, where),
        title=require_field(answer, "title", str, where),
        text=answer.get("body") or "",
        state=ChangeState.MERGED
        if merged
        else ChangeState.OPEN
        if answer.get("state") == "open"
        else ChangeState.CLOSED,
        draft=bool(answer.get("draft", False)),
        opener=convert_account(answer.get("user"), where),
        target=full_branch_ref(require_field(base, "ref", str, where)),
        base=(answer.get("merge_base") if merged else base.get("sha")) or "",
        source=full_branch_ref(require_field(head, "ref", str, where)),
        source_repository=there.get("full_name", "") if isinstance(there, dict) else "",
        head=require_field(head, "sha", str, where),
        labels=tuple(sorted(label["name"] for label in answer.get("labels") or () if isinstance(label, dict))),
        opened=convert_forge_moment(answer.get("created_at"), where),
        updated=convert_forge_moment(answer.get("updated_at"), where),
        url=answer.get("html_url") or "",
        merged=(answer.get("merge_commit_sha") or "") if merged else "",
        merged_by=_read_merger(answer, where) if merged else Unknown("it was not merged"),
        merged_at=convert_forge_moment(answer.get("merged_at"), where) if merged else "",
        writable_by_target=bool(answer.get("allow_maintainer_edit")),
    )


def convert_status(answer: Any, where: str) -> Check:
    """Check of a commit status."""
    return Check(
        context=require_field(answer, "context", str, where),
        state=_STATES.get(answer.get("status", ""), "error"),
        by=convert_account(answer.get("creator"), where),
        description=answer.get("description") or "",
        url=answer.get("target_url") or "",
        at=convert_forge_moment(answer.get("updated_at") or answer.get("created_at"), where),
    )


def full_branch_ref(name: str) -> str:
    """The full ref of a branch."""
    return name if name.startswith("refs/") else f"refs/heads/{name}"


def branch_name(ref: str) -> str:
    """The name of a branch, without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")


def require_field(answer: object, key: str, field_type: type[T], where: str) -> T:
    """Value of a field that must be present. Raises MALFORMED."""
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, field_type):
        raise malformed_error(where)
    return value


def _read_merger(found: Any, where: str) -> Maybe[Account]:
    if found.get("merged_by") is None:
        return Unknown("the forge does not name who merged it")
    return Known(convert_account(found["merged_by"], where))


def _gitea_version(version: str) -> str:
    return version.partition("+gitea-")[2] or version


def _parse_version(version: str) -> tuple[int, ...]:
    digits = version.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in digits[:2] if part.isdigit())

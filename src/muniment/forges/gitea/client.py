"""Converts the answers of Gitea's API to our types."""

from collections.abc import Callable, Mapping
from functools import cached_property
from urllib.parse import quote, urlsplit

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.answer_cache import AnswerCache
from muniment.forges.forge_client import (
    UNSHARED_TRANSPORT,
    ForgeClient,
    Transport,
    convert_forge_moment,
)
from muniment.forges.gitea import wire
from muniment.forges.shapes import Account, Change, ChangeState, Check, ForgeRepository, Vendor

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
        version = self.client.read_one(wire.InstalledVersion, "version").version
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
        return convert_account(self.client.read_one(wire.User, "user"))

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


def convert_account(user: wire.User | None) -> Account:
    """Account of a user; a deleted user is a ghost, who is no person."""
    if user is None:
        return DELETED_ACCOUNT
    return Account(str(user.id), user.login, machine=user.id < 0)  # a ghost, or the forge's own actions


def convert_repository(found: wire.Repository) -> ForgeRepository:
    """Repository as our own type."""
    return ForgeRepository(
        id=str(found.id),
        path=found.full_name,
        default=full_branch_ref(found.default_branch),
        clone=found.clone_url,
        url=found.html_url,
        private=found.private,
    )


def convert_change(pull: wire.PullRequest, where: str) -> Change:
    """Change of a pull request. The base of a merged one is where it had forked off."""
    state = ChangeState.OPEN if pull.state == "open" else ChangeState.CLOSED
    return Change(
        number=pull.number,
        title=pull.title,
        text=pull.body or "",
        state=ChangeState.MERGED if pull.merged else state,
        draft=pull.draft,
        opener=convert_account(pull.user),
        target=full_branch_ref(pull.base.ref),
        base=(pull.merge_base if pull.merged else pull.base.sha) or "",
        source=full_branch_ref(pull.head.ref),
        source_repository=pull.head.repo.full_name if pull.head.repo else "",
        head=pull.head.sha,
        labels=tuple(sorted(label.name for label in pull.labels or ())),
        opened=convert_forge_moment(pull.created_at, where),
        updated=convert_forge_moment(pull.updated_at, where),
        url=pull.html_url or "",
        merged=(pull.merge_commit_sha or "") if pull.merged else "",
        merged_by=_read_merger(pull) if pull.merged else Unknown("it was not merged"),
        merged_at=convert_forge_moment(pull.merged_at, where) if pull.merged else "",
        writable_by_target=pull.allow_maintainer_edit is True,
    )


def convert_status(status: wire.CommitStatus, where: str) -> Check:
    """Check of a commit status."""
    return Check(
        context=status.context,
        state=_STATES.get(status.status, "error"),
        by=convert_account(status.creator),
        description=status.description or "",
        url=status.target_url or "",
        at=convert_forge_moment(status.updated_at or status.created_at, where),
    )


def full_branch_ref(name: str) -> str:
    """The full ref of a branch."""
    return name if name.startswith("refs/") else f"refs/heads/{name}"


def branch_name(ref: str) -> str:
    """The name of a branch, without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")


def _read_merger(pull: wire.PullRequest) -> Maybe[Account]:
    if pull.merged_by is None:
        return Unknown("the forge does not name who merged it")
    return Known(convert_account(pull.merged_by))


def _gitea_version(version: str) -> str:
    return version.partition("+gitea-")[2] or version


def _parse_version(version: str) -> tuple[int, ...]:
    digits = version.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in digits[:2] if part.isdigit())

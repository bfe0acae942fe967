"""What Gitea's API answers, in our shapes; where an answer lacks what it must have, it is malformed, not empty."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.http import ALONE, Client, Transport, malformed, moment
from muniment.forges.kept import Kept
from muniment.forges.shapes import Account, Change, Check, Repo, State, Vendor

GHOST = Account("-1", "Ghost")  # an account that was deleted
OLDEST = (1, 21)  # of Gitea; Forgejo says which one it is like
_STATES = {"success": "success", "pending": "pending", "failure": "failure", "error": "error", "warning": "failure"}


class Gitea:
    """One installation, spoken to with one token."""

    def __init__(
        self, url: str, token: Callable[[], str], *, transport: Transport = ALONE, seconds: float = 15
    ) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        self._token = token
        self.client = Client(f"{self.url}/api/v1", self.header, transport=transport, seconds=seconds)
        self.kept = Kept(transport.cache)

    def header(self) -> Mapping[str, str]:
        """What opens the door; nothing without a token."""
        token = self._token()
        return {"Authorization": f"token {token}"} if token else {}

    @cached_property
    def version(self) -> str:
        """Its version. Raises ForgeError, UNSUPPORTED if it is too old to tell what a judgement needs."""
        found = self.client.get("version")
        version = found.get("version") if isinstance(found, dict) else None
        if not isinstance(version, str):
            raise malformed("version")
        if _numbers(_like_gitea(version)) < OLDEST:
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                f"this is version {version[:40]}, which does not provide all data for an evaluation",
                "Update it to Gitea 1.21 or newer, or Forgejo 7 or newer.",
            )
        return version

    @property
    def vendor(self) -> Vendor:
        """Forgejo says which Gitea it is like."""
        return Vendor.FORGEJO if "+gitea-" in self.version else Vendor.GITEA

    @cached_property
    def ours(self) -> Account:
        """Our own account."""
        return account(self.client.get("user"), "user")

    @cached_property
    def signing_keys(self) -> tuple[str, str]:
        """Its own keys, "" for none, that sign what is committed in its pages: one for OpenPGP, one for SSH."""
        return self._key("signing-key.gpg"), " ".join(self._key("signing-key.pub").split()[:2])

    def _key(self, path: str) -> str:
        try:
            return self.client.fetch(path).body.decode("utf-8", "replace").strip()
        except ForgeError as error:
            if error.code is ForgeCode.NOT_FOUND:
                return ""
            raise


def place(path: str, *more: str | int) -> str:
    """The API's address of something in a repository."""
    owner, slash, name = path.partition("/")
    if not slash or not owner or not name or "/" in name or ".." in (owner, name):
        raise ForgeError(ForgeCode.NOT_FOUND, "this is no name of a repository", "Write it like owner/name.")
    return "/".join(["repos", quoted(owner), quoted(name), *(quoted(str(part)) for part in more)])


def quoted(part: str) -> str:
    """One step of a path, whatever is in it."""
    return quote(part, safe="")


def account(found: Any, where: str) -> Account:
    """A user. What was deleted is a ghost, whom nobody is."""
    if found is None:
        return GHOST
    number, login = needed(found, "id", int, where), needed(found, "login", str, where)
    return Account(str(number), login, machine=number < 0)  # a ghost, or the forge's own actions


def repository(found: Any, where: str) -> Repo:
    """A repository."""
    return Repo(
        id=str(needed(found, "id", int, where)),
        path=needed(found, "full_name", str, where),
        default=branch(needed(found, "default_branch", str, where)),
        clone=needed(found, "clone_url", str, where),
        url=needed(found, "html_url", str, where),
        private=bool(found.get("private", True)),
    )


def change(found: Any, where: str) -> Change:
    """A pull request. The base of one that was merged is where it had forked off."""
    head, base = needed(found, "head", dict, where), needed(found, "base", dict, where)
    merged = bool(found.get("merged"))
    there = head.get("repo")
    return Change(
        number=needed(found, "number", int, where),
        title=needed(found, "title", str, where),
        text=found.get("body") or "",
        state=State.MERGED if merged else State.OPEN if found.get("state") == "open" else State.CLOSED,
        draft=bool(found.get("draft", False)),
        opener=account(found.get("user"), where),
        target=branch(needed(base, "ref", str, where)),
        base=(found.get("merge_base") if merged else base.get("sha")) or "",
        source=branch(needed(head, "ref", str, where)),
        source_repository=there.get("full_name", "") if isinstance(there, dict) else "",
        head=needed(head, "sha", str, where),
        labels=tuple(sorted(label["name"] for label in found.get("labels") or () if isinstance(label, dict))),
        opened=moment(found.get("created_at"), where),
        updated=moment(found.get("updated_at"), where),
        url=found.get("html_url") or "",
        merged=(found.get("merge_commit_sha") or "") if merged else "",
        merged_by=_merged_by(found, where) if merged else Unknown("it was not merged"),
        merged_at=moment(found.get("merged_at"), where) if merged else "",
        writable_by_target=bool(found.get("allow_maintainer_edit")),
    )


def check(found: Any, where: str) -> Check:
    """A commit status."""
    return Check(
        context=needed(found, "context", str, where),
        state=_STATES.get(found.get("status", ""), "error"),
        by=account(found.get("creator"), where),
        description=found.get("description") or "",
        url=found.get("target_url") or "",
        at=moment(found.get("updated_at") or found.get("created_at"), where),
    )


def branch(name: str) -> str:
    """The full ref of a branch."""
    return name if name.startswith("refs/") else f"refs/heads/{name}"


def short(ref: str) -> str:
    """The name of a branch."""
    return ref.removeprefix("refs/heads/")


def needed(found: Any, key: str, kind: type[Any], where: str) -> Any:
    """A field that must be there. Raises MALFORMED."""
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, kind):
        raise malformed(where)
    return value


def _merged_by(found: Any, where: str) -> Maybe[Account]:
    if found.get("merged_by") is None:
        return Unknown("the forge does not name who merged it")
    return Known(account(found["merged_by"], where))


def _like_gitea(version: str) -> str:
    return version.partition("+gitea-")[2] or version


def _numbers(version: str) -> tuple[int, ...]:
    digits = version.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in digits[:2] if part.isdigit())

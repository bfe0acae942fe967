"""Deliveries of Gitea and Forgejo: genuine before anything is parsed, and then no more than a hint."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.forges.forge_client import malformed_error
from muniment.forges.shapes import UNKNOWN_ACCOUNT, Account

_SIGNATURES = ("x-forgejo-signature", "x-gitea-signature")
_NAMES = ("x-forgejo-event", "x-gitea-event")
_DELIVERIES = ("x-forgejo-delivery", "x-gitea-delivery")
_BRANCHES = ("push", "create", "delete")
_REPOSITORY = ("repository",)


class GiteaListener:
    """Parses webhook deliveries; see `forges.forge.Listener`."""

    def is_genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        given = _find_header(headers, _SIGNATURES)
        if not secret or not given.isascii():
            return False
        right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, given)

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> ForgeEvent:
        name = _find_header(headers, _NAMES)
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed_error("the delivery") from None
        if not isinstance(found, dict):
            raise malformed_error("the delivery")
        repository = _get_table(found, "repository")
        return ForgeEvent(
            delivery=_find_header(headers, _DELIVERIES),
            kind=_find_kind(name, found),
            repository=str(repository.get("full_name", "")),
            repository_id=str(repository.get("id", "")),
            number=_find_number(found),
            ref=_find_ref(name, found),
            # Of a new branch two deliveries tell: the one about the push has its head.
            head="" if name == "create" else str(found.get("sha") or found.get("after") or ""),
            context=str(found.get("context") or ""),
            actor=_find_actor(_get_table(found, "sender")),
        )


def _find_kind(name: str, found: dict[str, object]) -> ForgeEventKind:
    if name.startswith("pull_request") or (name.startswith("issue") and _find_number(found)):
        return ForgeEventKind.CHANGE
    if name in _BRANCHES:
        return ForgeEventKind.BRANCH
    if name == "status":
        return ForgeEventKind.STATUS
    return ForgeEventKind.REPOSITORY if name in _REPOSITORY else ForgeEventKind.NOTHING


def _find_number(found: dict[str, object]) -> int:
    change = _get_table(found, "pull_request")
    issue = _get_table(found, "issue")
    number = change.get("number") or (issue.get("number") if issue.get("pull_request") else 0)
    return number if isinstance(number, int) else 0


def _find_ref(name: str, found: dict[str, object]) -> str:
    ref = str(found.get("ref") or "")
    if name == "push" or ref.startswith("refs/"):
        return ref
    kind = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(str(found.get("ref_type")), "")
    return kind + ref if name in _BRANCHES and kind else ""


def _find_actor(found: dict[str, object]) -> Account:
    number, login = found.get("id"), found.get("login")
    return Account(str(number), login) if isinstance(number, int) and isinstance(login, str) else UNKNOWN_ACCOUNT


def _get_table(found: dict[str, object], key: str) -> dict[str, object]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _find_header(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")

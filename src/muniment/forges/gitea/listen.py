"""Deliveries of Gitea and Forgejo: genuine before anything is parsed, and then no more than a hint."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from muniment.forges.events import Event, Happened
from muniment.forges.http import malformed
from muniment.forges.shapes import NOBODY, Account

_SIGNATURES = ("x-forgejo-signature", "x-gitea-signature")
_NAMES = ("x-forgejo-event", "x-gitea-event")
_DELIVERIES = ("x-forgejo-delivery", "x-gitea-delivery")
_BRANCHES = ("push", "create", "delete")
_REPOSITORY = ("repository",)


class GiteaListener:
    """See `forges.forge.Listener`."""

    def genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        given = _first(headers, _SIGNATURES)
        if not secret or not given.isascii():
            return False
        right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, given)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Event:
        name = _first(headers, _NAMES)
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed("the delivery") from None
        if not isinstance(found, dict):
            raise malformed("the delivery")
        repository = _table(found, "repository")
        return Event(
            delivery=_first(headers, _DELIVERIES),
            happened=_happened(name, found),
            repository=str(repository.get("full_name", "")),
            repository_id=str(repository.get("id", "")),
            number=_number(found),
            ref=_ref(name, found),
            head=str(found.get("sha") or found.get("after") or ""),
            context=str(found.get("context") or ""),
            actor=_actor(_table(found, "sender")),
        )


def _happened(name: str, found: dict[str, Any]) -> Happened:
    if name.startswith("pull_request") or (name.startswith("issue") and _number(found)):
        return Happened.CHANGE
    if name in _BRANCHES:
        return Happened.BRANCH
    if name == "status":
        return Happened.STATUS
    return Happened.REPOSITORY if name in _REPOSITORY else Happened.NOTHING


def _number(found: dict[str, Any]) -> int:
    change = _table(found, "pull_request")
    issue = _table(found, "issue")
    number = change.get("number") or (issue.get("number") if issue.get("pull_request") else 0)
    return number if isinstance(number, int) else 0


def _ref(name: str, found: dict[str, Any]) -> str:
    ref = str(found.get("ref") or "")
    if name == "push" or ref.startswith("refs/"):
        return ref
    kind = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(str(found.get("ref_type")), "")
    return kind + ref if name in _BRANCHES and kind else ""


def _actor(found: dict[str, Any]) -> Account:
    number, login = found.get("id"), found.get("login")
    return Account(str(number), login) if isinstance(number, int) and isinstance(login, str) else NOBODY


def _table(found: dict[str, Any], key: str) -> dict[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")

"""What GitLab's deliveries mean. Each only says where to look again; what it claims is never a fact.

When the change was touched is told where the delivery shows that this very thing touched it: one about an approval
comes with the moment of whatever was before it (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/224849).

A hook carries its secret itself (`X-Gitlab-Token`); an external status check signs its body (`X-Gitlab-Signature`).
Source: https://docs.gitlab.com/user/project/integrations/webhook_events/.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from muniment.errors import ForgeError
from muniment.forges.events import Event, Happened
from muniment.forges.gitlab.client import begun, commit, moment
from muniment.forges.http import malformed
from muniment.forges.shapes import NOBODY, Account

_IDS = ("idempotency-key", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid")


class GitLabListener:
    """See `forges.forge.Listener`."""

    def genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """The hook's own token, or the signature of an external status check."""
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        token = hmac.compare_digest(secret.encode(), _bytes(headers.get("x-gitlab-token", "")))
        signature = hmac.compare_digest(signed.encode(), _bytes(headers.get("x-gitlab-signature", "")))
        return bool(secret) and (token or signature)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Event:
        """What a genuine delivery says."""
        try:
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed("delivery") from None
        if not isinstance(payload, dict):
            raise malformed("delivery")
        project = _table(payload, "project")
        found = _MEANINGS.get(str(payload.get("object_kind") or payload.get("event_name")), _nothing)(payload)
        return Event(
            delivery=next((headers[name] for name in _IDS if headers.get(name)), _digest(body)),
            happened=found.get("happened", Happened.NOTHING),
            repository=str(project.get("path_with_namespace", "")),
            repository_id=str(project.get("id") or payload.get("project_id") or ""),
            number=found.get("number", 0),
            ref=found.get("ref", ""),
            head=found.get("head", ""),
            updated=found.get("updated", ""),
            context=found.get("context", ""),
            actor=_actor(payload),
        )


Found = dict[str, Any]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _digest(body: bytes) -> str:
    """An id for a delivery that came without: the same again is the same."""
    return hashlib.sha256(body).hexdigest()


def _table(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, dict) else {}


def _actor(payload: Mapping[str, Any]) -> Account:
    user = _table(payload, "user")
    number = user.get("id") or payload.get("user_id")
    login = user.get("username") or payload.get("user_username") or ""
    return Account(str(number), str(login)) if isinstance(number, int) else NOBODY


def _nothing(payload: Mapping[str, Any]) -> Found:  # noqa: ARG001 -- one shape for all
    return {}


def _number(table: Mapping[str, Any]) -> int:
    found = table.get("iid")
    if not isinstance(found, int):
        raise malformed("delivery")
    return found


def _change(payload: Mapping[str, Any]) -> Found:
    about, changed = _table(payload, "object_attributes"), _table(_table(payload, "changes"), "updated_at")
    made = about.get("updated_at") if about.get("action") == "open" else changed.get("current")
    return {"happened": Happened.CHANGE, "number": _number(about), "updated": _moment(made)}


def _note(payload: Mapping[str, Any]) -> Found:
    """A note touches its merge request. It counts as a touch where the delivery shows that it was one already."""
    there, given = _table(payload, "merge_request"), _table(payload, "object_attributes")
    touched, said = _moment(there.get("updated_at")), _moment(given.get("created_at"))
    told = touched if said and touched >= said else ""
    return {"happened": Happened.CHANGE, "number": _number(there), "updated": told} if there else {}


def _moment(text: Any) -> str:
    """A moment as deliveries write it, in either of two forms, to the second as changes have it; "" for none."""
    if not isinstance(text, str):
        return ""
    try:
        return begun(moment(text.replace(" UTC", "+00:00")))
    except ForgeError:
        return ""


def _push(payload: Mapping[str, Any]) -> Found:
    ref, after = payload.get("ref"), payload.get("after")
    if not isinstance(ref, str) or not isinstance(after, str):
        raise malformed("delivery")
    return {"happened": Happened.BRANCH, "ref": ref, "head": commit(after)} if ref.startswith("refs/heads/") else {}


def _pipeline(payload: Mapping[str, Any]) -> Found:
    """A status was posted, or a place in a merge train got its pipeline."""
    about, request = _table(payload, "object_attributes"), _table(payload, "merge_request")
    head, ref = str(about.get("sha") or ""), str(about.get("ref") or "")
    if ref.endswith("/train") and request.get("target_branch"):
        return {"happened": Happened.GROUP, "head": head, "ref": f"refs/heads/{request['target_branch']}"}
    return {"happened": Happened.STATUS, "head": head}


def _job(payload: Mapping[str, Any]) -> Found:
    """A job came to another state, which the pipeline may not have."""
    head, name = str(payload.get("sha") or ""), str(payload.get("build_name") or "")
    return {"happened": Happened.STATUS, "head": head, "context": name}


def _rules(payload: Mapping[str, Any]) -> Found:  # noqa: ARG001 -- one shape for all
    return {"happened": Happened.RULES}


def _repository(payload: Mapping[str, Any]) -> Found:  # noqa: ARG001 -- one shape for all
    return {"happened": Happened.REPOSITORY}


_MEANINGS = {
    "build": _job,
    "merge_request": _change,
    "note": _note,
    "push": _push,
    "pipeline": _pipeline,
    "project_create": _repository,
    "project_destroy": _repository,
    "project_rename": _repository,
    "project_transfer": _repository,
    "user_access_request_to_group": _nothing,
    "user_add_to_group": _rules,
    "user_add_to_team": _rules,
    "user_remove_from_group": _rules,
    "user_remove_from_team": _rules,
    "user_update_for_group": _rules,
    "user_update_for_team": _rules,
}
HANDLED = tuple(name for name, meaning in _MEANINGS.items() if meaning is not _nothing)

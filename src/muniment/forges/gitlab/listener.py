"""Parses GitLab's webhook deliveries. Each is a hint to read again; its claims are never facts.

The moment of a change's update is taken only where the delivery shows that its own event was that update: one about an
approval comes with the moment of an earlier update (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/224849).
A webhook sends its secret itself (`X-Gitlab-Token`); an external status check signs its body (`X-Gitlab-Signature`).
Source: https://docs.gitlab.com/user/project/integrations/webhook_events/.
"""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from muniment.errors import ForgeError
from muniment.forges.events import EventFields, ForgeEvent, ForgeEventKind
from muniment.forges.forge_client import malformed_error
from muniment.forges.gitlab.client import convert_commit_id, convert_moment, second_start
from muniment.forges.shapes import UNKNOWN_ACCOUNT, Account

_IDS = ("idempotency-key", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid")


class GitLabListener:
    """Parses webhook deliveries; see `forges.forge.Listener`."""

    def is_genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Check the token of the webhook, or the signature of an external status check."""
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        token = hmac.compare_digest(secret.encode(), _encode_header(headers.get("x-gitlab-token", "")))
        signature = hmac.compare_digest(signed.encode(), _encode_header(headers.get("x-gitlab-signature", "")))
        return bool(secret) and (token or signature)

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> ForgeEvent:
        try:
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed_error("delivery") from None
        if not isinstance(payload, dict):
            raise malformed_error("delivery")
        project = _get_table(payload, "project")
        found = _MEANINGS.get(str(payload.get("object_kind") or payload.get("event_name")), _ignore_delivery)(payload)
        return ForgeEvent(
            delivery=next((headers[name] for name in _IDS if headers.get(name)), _digest_body(body)),
            kind=found.kind,
            repository=str(project.get("path_with_namespace", "")),
            repository_id=str(project.get("id") or payload.get("project_id") or ""),
            number=found.number,
            ref=found.ref,
            head=found.head,
            updated=found.updated,
            context=found.context,
            actor=_find_actor(payload),
        )


def _encode_header(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _digest_body(body: bytes) -> str:
    """Id for a delivery without one: the same body has the same id."""
    return hashlib.sha256(body).hexdigest()


def _get_table(payload: Mapping[str, object], name: str) -> dict[str, object]:
    found = payload.get(name)
    return found if isinstance(found, dict) else {}


def _find_actor(payload: Mapping[str, object]) -> Account:
    user = _get_table(payload, "user")
    number = user.get("id") or payload.get("user_id")
    login = user.get("username") or payload.get("user_username") or ""
    return Account(str(number), str(login)) if isinstance(number, int) else UNKNOWN_ACCOUNT


def _ignore_delivery(payload: Mapping[str, object]) -> EventFields:  # noqa: ARG001 -- one shape for all
    return EventFields()


def _read_number(table: Mapping[str, object]) -> int:
    found = table.get("iid")
    if not isinstance(found, int):
        raise malformed_error("delivery")
    return found


def _parse_change(payload: Mapping[str, object]) -> EventFields:
    about, changed = _get_table(payload, "object_attributes"), _get_table(_get_table(payload, "changes"), "updated_at")
    made = about.get("updated_at") if about.get("action") == "open" else changed.get("current")
    return EventFields(kind=ForgeEventKind.CHANGE, number=_read_number(about), updated=_parse_moment(made))


def _parse_note(payload: Mapping[str, object]) -> EventFields:
    """A note is an update of its merge request, if the delivery's state already contains it."""
    there, given = _get_table(payload, "merge_request"), _get_table(payload, "object_attributes")
    touched, created = _parse_moment(there.get("updated_at")), _parse_moment(given.get("created_at"))
    updated = touched if created and touched >= created else ""
    return (
        EventFields(kind=ForgeEventKind.CHANGE, number=_read_number(there), updated=updated) if there else EventFields()
    )


def _parse_moment(text: object) -> str:
    """A moment as deliveries write it, in either of two forms, to the second; "" for none."""
    if not isinstance(text, str):
        return ""
    try:
        return second_start(convert_moment(text.replace(" UTC", "+00:00")))
    except ForgeError:
        return ""


def _parse_push(payload: Mapping[str, object]) -> EventFields:
    ref, after = payload.get("ref"), payload.get("after")
    if not isinstance(ref, str) or not isinstance(after, str):
        raise malformed_error("delivery")
    return (
        EventFields(kind=ForgeEventKind.BRANCH, ref=ref, head=convert_commit_id(after))
        if ref.startswith("refs/heads/")
        else EventFields()
    )


def _parse_pipeline(payload: Mapping[str, object]) -> EventFields:
    """A status was posted, or a place in a merge train got its pipeline."""
    about, request = _get_table(payload, "object_attributes"), _get_table(payload, "merge_request")
    head, ref = str(about.get("sha") or ""), str(about.get("ref") or "")
    if ref.endswith("/train") and request.get("target_branch"):
        return EventFields(kind=ForgeEventKind.GROUP, head=head, ref=f"refs/heads/{request['target_branch']}")
    return EventFields(kind=ForgeEventKind.STATUS, head=head)


def _parse_job(payload: Mapping[str, object]) -> EventFields:
    """A job changed its state, which the pipeline may not have."""
    head, name = str(payload.get("sha") or ""), str(payload.get("build_name") or "")
    return EventFields(kind=ForgeEventKind.STATUS, head=head, context=name)


def _parse_rules(payload: Mapping[str, object]) -> EventFields:  # noqa: ARG001 -- one shape for all
    return EventFields(kind=ForgeEventKind.RULES)


def _parse_repository(payload: Mapping[str, object]) -> EventFields:  # noqa: ARG001 -- one shape for all
    return EventFields(kind=ForgeEventKind.REPOSITORY)


_MEANINGS = {
    "build": _parse_job,
    "merge_request": _parse_change,
    "note": _parse_note,
    "push": _parse_push,
    "pipeline": _parse_pipeline,
    "project_create": _parse_repository,
    "project_destroy": _parse_repository,
    "project_rename": _parse_repository,
    "project_transfer": _parse_repository,
    "user_access_request_to_group": _ignore_delivery,
    "user_add_to_group": _parse_rules,
    "user_add_to_team": _parse_rules,
    "user_remove_from_group": _parse_rules,
    "user_remove_from_team": _parse_rules,
    "user_update_for_group": _parse_rules,
    "user_update_for_team": _parse_rules,
}
HANDLED_EVENTS = tuple(name for name, meaning in _MEANINGS.items() if meaning is not _ignore_delivery)

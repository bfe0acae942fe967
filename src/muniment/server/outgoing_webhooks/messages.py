"""Bodies of outgoing webhooks: a CloudEvent for programs, a card with a link for chats.

They have codes, numbers, and the names of product, repository and environment: no title, no text that a person wrote,
no name of a person.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.access.actions import Action
from muniment.server.incidents.kinds import INCIDENT_KINDS
from muniment.server.outgoing_webhooks import events
from muniment.server.outgoing_webhooks.models import WebhookFormat
from muniment.server.records.record_writing import action_code

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")
_LONGEST = 150  # characters of a name
_TYPE_PREFIX = "muniment."
JSON, CLOUD_EVENT = "application/json", "application/cloudevents+json"
_FAILING, _PASSING, _NEUTRAL = "#d63939", "#2fb344", "#667382"


class OutgoingMessage(Struct, frozen=True):
    """Event as it is sent. `product` is the id of the product and its name, None for the organisation."""

    identity: str
    event: str
    source: str
    link: str
    product: tuple[str, str] | None
    details: Mapping[str, str]
    happened_at: datetime

    @property
    def page_address(self) -> str:
        """Address of the page that says more."""
        return f"{self.source}{self.link}"


def encode_message(message: OutgoingMessage, form: str) -> tuple[bytes, str]:
    """Body of a message, and its content type."""
    if form == WebhookFormat.CLOUDEVENTS:
        return json.dumps(make_cloud_event(message), separators=(",", ":")).encode(), CLOUD_EVENT
    return json.dumps(_CARDS[WebhookFormat(form)](message)).encode(), JSON


def make_cloud_event(message: OutgoingMessage) -> dict[str, object]:
    """CloudEvent 1.0 in the structured mode of JSON."""
    data: dict[str, object] = {**message.details, "link": message.page_address}
    if message.product is not None:
        data["product"] = message.product[0]
    return {
        "specversion": "1.0",
        "id": message.identity,
        "source": message.source,
        "type": f"{_TYPE_PREFIX}{message.event}",
        "subject": message.link.removeprefix("/"),
        "time": message.happened_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": JSON,
        "data": data,
    }


def make_title(message: OutgoingMessage) -> str:
    """Sentence that says what happened."""
    match message.event:
        case events.CHANGE_DECIDED if message.details.get("decision") == "allow":
            return _("Pull request ready to merge")
        case events.CHANGE_DECIDED:
            return _("Pull request blocked")
        case events.REQUEST_WAITING:
            return _("A request waits for a second person")
        case events.INCIDENT_OPENED:
            return _("Incident opened")
        case events.INCIDENT_CLOSED:
            return _("Incident closed")
        case events.DEPLOYMENT_ENDED:
            return _("Deployment ended")
        case _other:
            return _("Test of an outgoing webhook")


def list_card_facts(message: OutgoingMessage) -> list[tuple[str, str]]:
    """Lines of a card: what each is, and its value."""
    details = message.details
    lines = [(_("Product"), message.product[1] if message.product is not None else "")]
    lines.append((_("Repository"), details.get("repository", "")))
    lines.append((_("Environment"), details.get("environment", "")))
    lines.append((_("State"), details.get("state", "")))
    if details.get("kind") in INCIDENT_KINDS:
        lines.append((_("Kind"), str(INCIDENT_KINDS[details["kind"]].text)))
    action = next((one for one in Action if action_code(one) == details.get("action")), None)
    if action is not None:
        lines.append((_("Action"), action.rule.text))
    return [(name, value[:_LONGEST]) for name, value in lines if value]


def _make_slack_card(message: OutgoingMessage) -> dict[str, object]:
    """Message with blocks, whose text cannot mention anybody."""
    title = _escape_for_slack(make_title(message))
    lines = "\n".join(f"{name}: {_escape_for_slack(value)}" for name, value in list_card_facts(message))
    button = {
        "type": "button",
        "text": {"type": "plain_text", "text": _("Open in Muniment")},
        "url": message.page_address,
    }
    return {
        "text": f"{title} {message.page_address}",
        "unfurl_links": False,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*\n{lines}".strip()}},
            {"type": "actions", "elements": [button]},
        ],
    }


def _make_teams_card(message: OutgoingMessage) -> dict[str, object]:
    """Adaptive card, as a workflow of Teams takes it."""
    facts = [{"title": name, "value": _escape_markdown(value)} for name, value in list_card_facts(message)]
    title = {"type": "TextBlock", "text": make_title(message), "weight": "Bolder", "size": "Medium", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, {"type": "FactSet", "facts": facts}],
        "actions": [{"type": "Action.OpenUrl", "title": _("Open in Muniment"), "url": message.page_address}],
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def _make_mattermost_card(message: OutgoingMessage) -> dict[str, object]:
    """Message attachment, whose fields mention nobody."""
    title = make_title(message)
    fields = [
        {"short": True, "title": name, "value": _escape_markdown(value)} for name, value in list_card_facts(message)
    ]
    attachment = {
        "fallback": f"{title} {message.page_address}",
        "color": _choose_color(message),
        "title": title,
        "title_link": message.page_address,
        "fields": fields,
    }
    return {"attachments": [attachment]}


def _choose_color(message: OutgoingMessage) -> str:
    if message.event == events.INCIDENT_OPENED or message.details.get("decision") == "deny":
        return _FAILING
    return _PASSING if message.details.get("decision") == "allow" else _NEUTRAL


def _escape_for_slack(text: str) -> str:
    """Escape the three signs by which Slack marks links and mentions, and those of formatting."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub("[*_~`]", " ", escaped)


def _escape_markdown(text: str) -> str:
    """Escape signs of Markdown; @ mentions nobody."""
    return _MARKDOWN.sub(r"\\\1", text).replace("@", "@\u200b")


_CARDS: dict[WebhookFormat, Callable[[OutgoingMessage], dict[str, object]]] = {
    WebhookFormat.SLACK: _make_slack_card,
    WebhookFormat.TEAMS: _make_teams_card,
    WebhookFormat.MATTERMOST: _make_mattermost_card,
}

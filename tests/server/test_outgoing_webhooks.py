"""Outgoing webhooks: signed events with codes alone, cards with a link, bounded retries, and secrets in the vault."""

import base64
import hashlib
import hmac
import ipaddress
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import ParseError, VaultCode, VaultError
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.outgoing_webhooks import addresses, delivery, tasks
from muniment.server.outgoing_webhooks.contributions import CONTRIBUTIONS, measure_deliveries
from muniment.server.outgoing_webhooks.delivery import PAUSES, collect_events
from muniment.server.outgoing_webhooks.messages import OutgoingMessage, encode_message
from muniment.server.outgoing_webhooks.models import OutgoingDelivery, OutgoingWebhook, WebhookFormat
from muniment.server.outgoing_webhooks.standard_webhooks import read_signing_key, sign_delivery
from muniment.server.people.models import Person
from muniment.server.records.models import Record
from muniment.server.records.record_writing import action_code
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import GIVE, enough
from tests.support.forge_setup import ForgeSetup
from tests.support.http_servers import Answering, answer
from tests.support.service import as_role, browser, person, place_records, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")

WORD = "-".join(("not", "a", "real", "address"))
KEY = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


class FakeVault:
    """Keeps what is written by path, unless it is `down`."""

    def __init__(self) -> None:
        self.down = False
        self.values: dict[str, dict[str, str]] = {}

    def patch_at(self, mount: str, path: str, values: dict[str, str]) -> None:
        self._require_up()
        self.values[f"{mount}/{path}"] = values

    def read_at(self, mount: str, path: str) -> dict[str, str]:
        self._require_up()
        return self.values[f"{mount}/{path}"]

    def _require_up(self) -> None:
        if self.down:
            raise VaultError(VaultCode.UNREACHABLE, "the vault does not answer", "Start it.")


@pytest.fixture(autouse=True)
def vault(monkeypatch: pytest.MonkeyPatch) -> FakeVault:
    found = FakeVault()
    monkeypatch.setattr(addresses, "open_vault_session", lambda: found)
    monkeypatch.setattr(settings, "OUTGOING_NETWORKS", (ipaddress.ip_network("127.0.0.0/8"),))
    return found


def add_webhook(url: str = "", form: str = "cloudevents", of: str = "", name: str = "chat") -> OutgoingWebhook:
    """Add one as an administrator does, and store its address."""
    admin = browser(Person.objects.filter(slug="amy").first() or person("amy", Role.ADMIN))
    assert "Now store its address" in post(admin, "/outgoing-webhooks/add", name=name, format=form, product=of)
    if url:
        shown = post(admin, f"/outgoing-webhooks/{name}/address", url=url, key=KEY if form == "cloudevents" else "")
        assert "is in the vault" in shown, shown
    return OutgoingWebhook.objects.get(slug=name)


def collect() -> None:
    place_records()
    with as_role("worker"):
        collect_events()


def deliver(webhook: OutgoingWebhook) -> None:
    with as_role("worker"):
        tasks.deliver_outgoing_events(webhook.pk)


def listed() -> list[tuple[str, str, dict[str, str]]]:
    return list(OutgoingDelivery.objects.order_by("pk").values_list("event", "link", "details"))


def incident(of: Any) -> Incident:
    with as_role("worker"):
        return open_incident("bypass", of, f"commit:{'a' * 40}", "Ada Lovelace pushed", link="/x")


def test_cloud_event_is_signed_and_names_no_person() -> None:
    shop = product("shop")
    with Answering(answer(b"", "204 No Content")) as server:
        webhook = add_webhook(f"{server.url}/hook?token={WORD}")
        found = incident(shop)
        collect()
        deliver(webhook)
        (sent,) = server.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert lines[0] == f"POST /hook?token={WORD} HTTP/1.1"
    event = json.loads(body)
    assert event["specversion"] == "1.0"
    assert (event["type"], event["subject"]) == ("muniment.incident.opened", f"incidents/{found.pk}")
    assert event["data"] == {
        "kind": "bypass",
        "link": f"http://localhost:8000/incidents/{found.pk}",
        "product": "shop",
    }
    assert b"Ada" not in body
    assert headers["content-type"] == "application/cloudevents+json"
    stamp = int(headers["webhook-timestamp"])
    assert abs(stamp - timezone.now().timestamp()) < 60
    # As a receiver verifies it, by the specification.
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    (given,) = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("webhook-signature")]
    assert given == f"v1,{expected}"
    assert headers["webhook-id"] == event["id"]
    row = OutgoingDelivery.objects.get()
    assert (row.attempts, row.problem, row.next_attempt_at) == (1, "", None)


def test_signature_is_that_of_the_specification() -> None:
    # The example of the specification's reference libraries.
    key = read_signing_key("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign_delivery(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_short", "no base64!", "whsec_" + "A" * 92])
def test_malformed_signing_key_is_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        read_signing_key(text)
    assert not text or text not in f"{caught.value.message}{caught.value.remedy}"


def test_address_is_in_the_vault_alone(vault: FakeVault) -> None:
    webhook = add_webhook(f"https://hooks.example.com/{WORD}", "slack")
    assert vault.values["muniment-forges/outgoing_chat"]["url"].endswith(WORD)
    admin = browser(Person.objects.get(slug="amy"))
    for page in ("/outgoing-webhooks", f"/outgoing-webhooks/{webhook.slug}"):
        shown = admin.get(page).content.decode()
        assert "chat" in shown
        assert WORD not in shown
        assert "example.com" not in shown
    with as_role("owner"):
        assert WORD not in str(list(OutgoingWebhook.objects.values()))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("", KEY),
        ("http://hooks.example.com/x", KEY),
        ("https://me:word@hooks.example.com/x", KEY),
        ("https://hooks.example.com/x#y", KEY),
        ("unix:/run/docker.sock", KEY),
        ("ftp://hooks.example.com", KEY),
        ("https://hooks.example.com/x", ""),
        ("https://hooks.example.com/x", "whsec_x"),
    ],
)
def test_invalid_address_or_key_is_refused(url: str, key: str, vault: FakeVault) -> None:
    webhook = add_webhook()
    shown = post(
        browser(Person.objects.get(slug="amy")), f"/outgoing-webhooks/{webhook.slug}/address", url=url, key=key
    )
    assert "is in the vault" not in shown
    assert not vault.values
    webhook.refresh_from_db()
    assert webhook.address_set_at is None


def test_internal_network_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTGOING_NETWORKS", ())
    with Answering(answer()) as server:
        webhook = add_webhook(server.url)
        incident(product("shop"))
        collect()
        deliver(webhook)
        assert server.requests == []
    row = OutgoingDelivery.objects.get()
    assert row.problem == "The receiver could not be reached (address)."
    assert row.next_attempt_at is not None


def test_undelivered_event_is_tried_again_and_given_up_in_the_end() -> None:
    with Answering(answer(b"no", "500 Internal Server Error")) as server:
        webhook = add_webhook(server.url)
        incident(product("shop"))
        collect()
        for number in range(len(PAUSES) + 1):
            with as_role("owner"):
                OutgoingDelivery.objects.update(next_attempt_at=timezone.now())
            deliver(webhook)
            row = OutgoingDelivery.objects.get()
            assert row.attempts == number + 1
        assert len({request.lower().partition(b"webhook-id: ")[2][:12] for request in server.requests}) == 1
        row = OutgoingDelivery.objects.get()
        assert row.next_attempt_at is None
        assert row.delivered_at is None
        deliver(webhook)
        assert len(server.requests) == len(PAUSES) + 1
    webhook.refresh_from_db()
    assert webhook.problem == "The receiver answered with status 500."
    assert "Given up" in browser(Person.objects.get(slug="amy")).get("/outgoing-webhooks/chat").content.decode()


def test_address_that_is_gone_is_not_tried_again() -> None:
    with Answering(answer(b"", "410 Gone")) as server:
        webhook = add_webhook(server.url)
        incident(product("shop"))
        collect()
        deliver(webhook)
    assert OutgoingDelivery.objects.get().next_attempt_at is None


def test_redirect_is_not_followed() -> None:
    with Answering(answer(b"", "302 Found", Location="/elsewhere")) as server:
        webhook = add_webhook(server.url)
        incident(product("shop"))
        collect()
        deliver(webhook)
        assert len(server.requests) == 1
    assert "redirect" in OutgoingDelivery.objects.get().problem


def test_event_waits_while_the_vault_is_down(vault: FakeVault) -> None:
    with Answering(answer()) as server:
        webhook = add_webhook(server.url)
        incident(product("shop"))
        collect()
        vault.down = True
        deliver(webhook)
        assert OutgoingDelivery.objects.get().attempts == 0
        vault.down = False
        deliver(webhook)
        assert len(server.requests) == 1


def test_webhook_of_a_product_is_sent_of_no_other() -> None:
    shop, bank = product("shop"), product("bank")
    mine, every = add_webhook("https://h.example/", of="shop"), add_webhook("https://h.example/", name="every")
    incident(shop)
    incident(bank)
    collect()
    collect()
    assert [row.product for row in mine.deliveries.all()] == [shop]
    assert every.deliveries.count() == 2


def test_new_webhook_is_sent_nothing_of_the_past() -> None:
    shop = product("shop")
    incident(shop)
    place_records()
    webhook = add_webhook("https://h.example/")
    collect()
    assert not webhook.deliveries.exists()


def test_request_is_sent_with_its_action_alone() -> None:
    enough()
    add_webhook("https://h.example/")
    person("eve")
    post(browser(Person.objects.get(slug="amy")), "/people/eve/role", **GIVE)
    collect()
    number = Request.objects.get(state="waiting").pk
    assert listed() == [("request.waiting", f"/requests/{number}", {"action": action_code(Action.GRANT_CHANGING_ROLE)})]


def test_incident_is_sent_when_it_is_closed() -> None:
    shop = product("shop")
    add_webhook("https://h.example/")
    found = incident(shop)
    sam = browser(person("sam", Role.SECURITY))
    post(sam, f"/incidents/{found.pk}/handle", act="take-over-incident")
    with as_role("owner"):
        closing = Record.objects.latest("pk")
        Incident.objects.filter(pk=found.pk).update(closing_record=closing, resolution="repaired")
    collect()
    details = {"kind": "bypass", "resolution": "repaired"}
    assert [event for event, _, _ in listed()] == ["incident.opened", "incident.closed"]
    assert OutgoingDelivery.objects.latest("pk").details == details


def test_decision_is_sent_again_only_when_it_differs(setup: ForgeSetup) -> None:
    add_webhook("https://h.example/")
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    setup.acting.approve("bob", number)
    setup.evaluate(number)  # still blocked
    setup.acting.approve("carol", number)
    setup.evaluate(number)
    collect()
    sent = [(event, details["decision"]) for event, _, details in listed() if event == "change.decided"]
    assert sent == [("change.decided", "deny"), ("change.decided", "allow")]
    assert "topic" not in str(listed())


MESSAGE = OutgoingMessage(
    identity="record-1",
    event="change.decided",
    source="https://muniment.example.test",
    link="/changes/7",
    product=("shop", "Shop *<!channel>* [x](https://evil.example) @all"),
    details={"decision": "deny", "repository": "shop", "head": "a" * 40},
    happened_at=datetime(2026, 12, 1, tzinfo=UTC),
)


def test_slack_card_has_a_link_and_mentions_nobody() -> None:
    body, kind = encode_message(MESSAGE, WebhookFormat.SLACK)
    card = json.loads(body)
    assert kind == "application/json"
    assert card["blocks"][1]["elements"][0]["url"] == "https://muniment.example.test/changes/7"
    text = card["blocks"][0]["text"]["text"]
    assert text.startswith("*Pull request blocked*\nProduct: Shop")
    assert "<" not in text
    assert "&lt;!channel&gt;" in text


def test_teams_card_is_an_adaptive_card_with_a_link() -> None:
    card = json.loads(encode_message(MESSAGE, WebhookFormat.TEAMS)[0])
    (attachment,) = card["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    content = attachment["content"]
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
    assert content["actions"][0]["url"] == "https://muniment.example.test/changes/7"
    assert content["body"][1]["facts"][0]["value"].startswith("Shop \\*\\<")


def test_mattermost_card_has_a_link_and_mentions_nobody() -> None:
    card = json.loads(encode_message(MESSAGE, WebhookFormat.MATTERMOST)[0])
    (attachment,) = card["attachments"]
    assert attachment["title_link"] == "https://muniment.example.test/changes/7"
    assert "@all" not in str(attachment["fields"])
    assert "](" not in str(attachment["fields"]).replace("\\\\", "\\").replace("\\]\\(", "")


@pytest.mark.parametrize("form", WebhookFormat)
@pytest.mark.parametrize("event", ["request.waiting", "incident.opened", "incident.closed", "deployment.ended", "test"])
def test_each_event_has_a_card_in_each_format(form: WebhookFormat, event: str) -> None:
    details = {"kind": "bypass", "state": "failed", "environment": "production", "action": "lift-freeze"}
    message = OutgoingMessage("test-1", event, "https://m.example", "/x/1", None, details, MESSAGE.happened_at)
    body, _ = encode_message(message, form)
    assert b"https://m.example/x/1" in body


def test_only_an_administrator_changes_a_webhook() -> None:
    add_webhook("https://h.example/")
    sam = browser(person("sam", Role.SECURITY))
    assert sam.get("/outgoing-webhooks/chat").status_code == 200
    assert "Store address" not in sam.get("/outgoing-webhooks/chat").content.decode()
    for address in ("add", "chat/address", "chat/change"):
        assert sam.post(f"/outgoing-webhooks/{address}", {}).status_code == 403
    assert browser(person("dev", Role.DEVELOPER)).get("/outgoing-webhooks").status_code == 403


def test_ended_webhook_is_sent_nothing() -> None:
    webhook = add_webhook("https://h.example/")
    amy = browser(Person.objects.get(slug="amy"))
    assert "Done" in post(amy, "/outgoing-webhooks/chat/change", act="send-test-event")
    assert "Done" in post(amy, "/outgoing-webhooks/chat/change", act="end-outgoing-webhook")
    incident(product("shop"))
    collect()
    deliver(webhook)
    assert [row.event for row in webhook.deliveries.all()] == ["test"]
    assert webhook.deliveries.get().attempts == 0
    assert "already exists, or did" in post(amy, "/outgoing-webhooks/add", name="chat", format="slack")


def test_program_reads_deliveries_and_no_address() -> None:
    add_webhook(f"https://h.example/{WORD}")
    incident(product("shop"))
    collect()
    amy = Person.objects.get(slug="amy")
    client, bearer = browser(), f"Bearer {token_of(amy)}"

    def get(path: str) -> Any:
        return client.get(f"/api{path}", HTTP_AUTHORIZATION=bearer)

    (shown,) = get("/outgoing-webhooks").json()["items"]
    assert (shown["name"], shown["format"]) == ("chat", "cloudevents")
    (row,) = get("/outgoing-webhooks/chat/deliveries").json()["items"]
    assert row["event"] == "incident.opened"
    assert WORD not in str([shown, row])


def test_deliveries_are_counted_and_deleted_after_their_period() -> None:
    add_webhook("https://h.example/")
    incident(product("shop"))
    collect()
    (metric,) = measure_deliveries()
    assert metric.values == 1
    (rule,) = CONTRIBUTIONS.retention
    with as_role("eraser"):
        assert rule.drop(timezone.now()) == 0
        assert rule.drop(timezone.now() + timedelta(days=31)) == 1


def test_demonstration_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DEMONSTRATION", True)
    assert delivery.find_next_position() >= 0
    add_webhook("https://h.example/")
    incident(product("shop"))
    collect()
    assert not OutgoingDelivery.objects.exists()

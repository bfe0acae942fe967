"""Address and signing key of an outgoing webhook: both secret, in the vault alone, read by the worker alone."""

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext as _

from muniment.errors import HttpError, ParseError, RefusedError
from muniment.http.addresses import parse_server_address
from muniment.server.outgoing_webhooks.models import OutgoingWebhook, WebhookFormat
from muniment.server.outgoing_webhooks.standard_webhooks import read_signing_key
from muniment.server.vault_access import open_vault_session
from muniment.vault import layout

URL, KEY = "url", "key"
SECRET_FIELDS = (URL, KEY)
_LONGEST = 2000


def require_valid_address(form: str, given: Mapping[str, str]) -> dict[str, str]:
    """Address and key to store. Raises RefusedError for an address that is none, or a missing key.

    A chat does not verify signatures: its address alone is the secret.
    """
    url, key = (given.get(name, "").strip() for name in SECRET_FIELDS)
    try:
        address = parse_server_address(url.partition("?")[0])
        if len(url) > _LONGEST or not url.isprintable() or "#" in url or address.socket:
            raise _make_address_error()
    except HttpError:
        raise _make_address_error() from None
    if key or form == WebhookFormat.CLOUDEVENTS:
        try:
            read_signing_key(key)
        except ParseError as error:
            raise RefusedError("signing-key", _(error.message), _(error.remedy)) from None
    return {URL: url, KEY: key}


def store_address(webhook: OutgoingWebhook, values: Mapping[str, str]) -> None:
    """Store both in the vault, in place of earlier ones. Raises VaultError. A demonstration keeps none."""
    if not settings.DEMONSTRATION:
        open_vault_session().patch_at(layout.FORGES, layout.outgoing_webhook_path(webhook.slug), dict(values))


def read_address(webhook: OutgoingWebhook) -> tuple[str, str]:
    """Address and key, for the worker. Raises VaultError."""
    found = open_vault_session().read_at(layout.FORGES, layout.outgoing_webhook_path(webhook.slug))
    return found.get(URL, ""), found.get(KEY, "")


def _make_address_error() -> RefusedError:
    return RefusedError(
        "webhook-address",
        _("The address is not one that events can be sent to. Nothing was stored."),
        _("Write it like https://hooks.example.com/services/…"),
    )

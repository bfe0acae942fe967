"""Public keys of token issuers, read by the worker (OpenID Connect Discovery 1.0); the web only reads the table."""

import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import HttpCode, HttpError, NotCanonicalError
from muniment.facts import canonical
from muniment.http.client import send_request
from muniment.http.deadlines import Deadline
from muniment.server.deployments.issuer_addresses import is_issuer_address
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer
from muniment.server.records import row_checks

_SECONDS, _LARGEST, _MOST_KEYS = 10, 1 << 20, 50  # seconds for all that is read of one issuer
_AGAIN = timedelta(minutes=10)
LONGEST_KEY_SET = timedelta(hours=24)  # that keys are good for without having been read again
_DISCOVERY = "/.well-known/openid-configuration"


def find_due_issuers(now: datetime) -> list[str]:
    """Issuers of pipelines that may deploy, whose keys are due to be read."""
    urls = PipelineIdentity.objects.filter(ended_at=None).exclude(issuer="").values_list("issuer", flat=True).distinct()
    fresh = set(TokenIssuer.objects.filter(read_at__gt=now - _AGAIN, problem="").values_list("url", flat=True))
    return sorted(set(urls) - fresh)


def find_recorded_issuers() -> frozenset[str]:
    """Issuers that two people trusted at some time, as the ledger says. Raises RowsDifferError."""
    rows = PipelineIdentity.objects.exclude(issuer="")
    return row_checks.read_recorded(lambda: frozenset(rows.values_list("issuer", flat=True)), PipelineIdentity)


def read_issuer_keys(url: str) -> None:
    """Read the keys of an issuer. If they cannot be read the old ones are valid for a day, and no longer."""
    row, _ = TokenIssuer.objects.get_or_create(url=url)
    try:
        row.key_set, row.problem, row.read_at = _fetch_key_set(url), "", timezone.now()
    except (HttpError, NotCanonicalError) as error:
        row.problem = f"Its keys could not be read: {error.message}."
        if row.read_at is None or row.read_at < timezone.now() - LONGEST_KEY_SET:
            row.key_set = {}
    row.save()


def _fetch_key_set(url: str) -> dict[str, object]:
    """Fetch the JWK set. Raises HttpError or NotCanonicalError."""
    if not is_issuer_address(url):
        raise _make_keys_error()
    deadline = Deadline(_SECONDS)
    discovered = _fetch_object(url + _DISCOVERY, deadline)
    where = discovered.get("jwks_uri")
    if discovered.get("issuer") != url or not isinstance(where, str) or not _is_equally_secure(where, url):
        raise _make_keys_error()
    found = _fetch_object(where, deadline)
    keys = found.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        raise _make_keys_error()
    return {"keys": keys}


def _is_equally_secure(keys_url: str, url: str) -> bool:
    """Whether the keys are served as securely as the issuer itself: over TLS, or on this machine."""
    parts = urlsplit(keys_url)
    return parts.scheme == "https" or (parts.scheme, parts.netloc) == (urlsplit(url).scheme, urlsplit(url).netloc)


def _fetch_object(url: str, deadline: Deadline) -> dict[str, object]:
    """Fetch the object at an address, whose issuer two people trusted: no redirect leads elsewhere."""
    answer = send_request("GET", url, seconds=_SECONDS, largest=_LARGEST, deadline=deadline)
    if answer.status != 200:
        raise _make_keys_error()
    canonical.refuse_repeated_keys(answer.body)
    found = json.loads(answer.body)
    if not isinstance(found, dict):
        raise _make_keys_error()
    return found


def _make_keys_error() -> HttpError:
    return HttpError(
        HttpCode.MALFORMED,
        _("what it publishes is no set of keys of its own"),
        _("Name the issuer as its OpenID Connect discovery document does."),
    )

"""Public keys of who speaks for pipelines, read by the worker (OpenID Connect Discovery 1.0); the web only looks."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import HttpCode, HttpError, NotCanonicalError
from muniment.facts import canonical
from muniment.http.client import send_request
from muniment.http.deadlines import Deadline
from muniment.server.deployments.issuer_addresses import is_issuer
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer
from muniment.server.records import row_checks

_SECONDS, _LARGEST, _MOST_KEYS = 10, 1 << 20, 50  # seconds for all that is read of one issuer
_AGAIN = timedelta(minutes=10)
LONGEST = timedelta(hours=24)  # that keys are good for without having been read again
_DISCOVERY = "/.well-known/openid-configuration"


def trusted(now: datetime) -> list[str]:
    """Issuers of pipelines that may deploy, whose keys are due to be read."""
    urls = PipelineIdentity.objects.filter(ended_at=None).exclude(issuer="").values_list("issuer", flat=True).distinct()
    fresh = set(TokenIssuer.objects.filter(read_at__gt=now - _AGAIN, problem="").values_list("url", flat=True))
    return sorted(set(urls) - fresh)


def recorded() -> frozenset[str]:
    """Issuers that two people trusted at some time, as the ledger says. Raises RowsDifferError."""
    rows = PipelineIdentity.objects.exclude(issuer="")
    return row_checks.read_recorded(lambda: frozenset(rows.values_list("issuer", flat=True)), PipelineIdentity)


def read(url: str) -> None:
    """Read one's keys. If they cannot be read the old ones are good for a day, and no longer."""
    row, _ = TokenIssuer.objects.get_or_create(url=url)
    try:
        row.key_set, row.problem, row.read_at = _keys(url), "", timezone.now()
    except (HttpError, NotCanonicalError) as error:
        row.problem = f"Its keys could not be read: {error.message}."
        if row.read_at is None or row.read_at < timezone.now() - LONGEST:
            row.key_set = {}
    row.save()


def _keys(url: str) -> dict[str, Any]:
    """The JWK set. Raises HttpError or NotCanonicalError."""
    if not is_issuer(url):
        raise _no_keys()
    deadline = Deadline(_SECONDS)
    told = _fetched(url + _DISCOVERY, deadline)
    where = told.get("jwks_uri")
    if told.get("issuer") != url or not isinstance(where, str) or not _beside(where, url):
        raise _no_keys()
    found = _fetched(where, deadline)
    keys = found.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        raise _no_keys()
    return {"keys": keys}


def _beside(where: str, url: str) -> bool:
    """Whether the keys lie as safely as the issuer itself: over TLS, or on this machine."""
    parts = urlsplit(where)
    return parts.scheme == "https" or (parts.scheme, parts.netloc) == (urlsplit(url).scheme, urlsplit(url).netloc)


def _fetched(url: str, deadline: Deadline) -> dict[str, Any]:
    """The object at an address, whose issuer two people agreed to: no redirect leads elsewhere."""
    answer = send_request("GET", url, seconds=_SECONDS, largest=_LARGEST, deadline=deadline)
    if answer.status != 200:
        raise _no_keys()
    canonical.refuse_repeated_keys(answer.body)
    found = json.loads(answer.body)
    if not isinstance(found, dict):
        raise _no_keys()
    return found


def _no_keys() -> HttpError:
    return HttpError(
        HttpCode.MALFORMED,
        _("what it publishes is no set of keys of its own"),
        _("Name the issuer as its OpenID Connect discovery document does."),
    )

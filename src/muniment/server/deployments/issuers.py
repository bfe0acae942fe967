"""Public keys of who speaks for pipelines, read by the worker (OpenID Connect Discovery 1.0); the web only looks."""

import json
import urllib.request
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from muniment.server.deployments.environments import is_issuer
from muniment.server.deployments.models import Issuer, Pipeline

_SECONDS, _LARGEST, _MOST_KEYS = 10, 1 << 20, 50
_AGAIN = timedelta(minutes=10)
LONGEST = timedelta(hours=24)  # that keys are good for without having been read again
_DISCOVERY = "/.well-known/openid-configuration"


class _Stays(urllib.request.HTTPRedirectHandler):
    """Where an issuer is was agreed to by two people: nothing leads elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Not followed."""


def trusted(now: datetime) -> list[str]:
    """Issuers of pipelines that may deploy, whose keys are due to be read."""
    urls = Pipeline.objects.filter(ended=None).exclude(issuer="").values_list("issuer", flat=True).distinct()
    fresh = set(Issuer.objects.filter(read__gt=now - _AGAIN, problem="").values_list("url", flat=True))
    return sorted(set(urls) - fresh)


def read(url: str) -> None:
    """Read one's keys. If they cannot be read the old ones are good for a day, and no longer."""
    row, _ = Issuer.objects.get_or_create(url=url)
    try:
        row.keys, row.problem, row.read = _keys(url), "", timezone.now()
    except (OSError, ValueError) as error:
        row.problem = f"Its keys could not be read ({type(error).__name__})."
        if row.read is None or row.read < timezone.now() - LONGEST:
            row.keys = {}
    row.save()


def _keys(url: str) -> dict[str, Any]:
    """The JWK set. Raises OSError or ValueError."""
    if not is_issuer(url):
        raise ValueError("no issuer")
    told = _fetched(url + _DISCOVERY)
    where = told.get("jwks_uri")
    if told.get("issuer") != url or not isinstance(where, str) or not _beside(where, url):
        raise ValueError("another issuer's")
    found = _fetched(where)
    keys = found.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        raise ValueError("no keys")
    return {"keys": keys}


def _beside(where: str, url: str) -> bool:
    """Whether the keys lie as safely as the issuer itself: over TLS, or on this machine."""
    parts = urlsplit(where)
    return parts.scheme == "https" or (parts.scheme, parts.netloc) == (urlsplit(url).scheme, urlsplit(url).netloc)


def _fetched(url: str) -> dict[str, Any]:
    with urllib.request.build_opener(_Stays).open(url, timeout=_SECONDS) as answer:
        data = answer.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("too large")
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found

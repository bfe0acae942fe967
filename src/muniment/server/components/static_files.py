"""Addresses of the files that pages use: each has the digest of the content, so that browsers keep it for a year."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.storage import Storage
from django.utils.encoding import filepath_to_uri


class DigestStorage(Storage):
    """Storage that only gives addresses: WhiteNoise serves the files from where they are installed."""

    def url(self, name: str | None) -> str:
        """Address of a file. Raises LookupError for a file that is not there."""
        return _make_address(str(name))


@cache
def _make_address(name: str) -> str:
    place = finders.find(name)
    if not isinstance(place, str):
        raise LookupError(f"no static file {name}")
    digest = hashlib.sha256(Path(place).read_bytes()).hexdigest()[:12]
    return f"{settings.STATIC_URL}{filepath_to_uri(name)}?v={digest}"

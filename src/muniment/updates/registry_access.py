"""Requests to registries, with an answer that is kept for the next attempt of a resolver."""

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from muniment.errors import HttpError
from muniment.http.client import HttpClient, RetryRules
from muniment.updates.registry_proxy import RegistryAnswer

_LARGEST = 128 << 20  # bytes; the largest package documents of npm have about 80 MiB
_LARGEST_CACHE = 1 << 30
_SECONDS = 60
_IDLE_CONNECTIONS = 16


class RegistrySource(Protocol):
    """Registries that answer by host and path."""

    def fetch_path(self, host: str, path: str, accept: str) -> RegistryAnswer:
        """Answer of a host; status 502 if it gives none."""
        ...


class RegistryAccess:
    """Registries over HTTPS. `addresses`: where a host is reached, if not under its name; for mirrors."""

    def __init__(self, addresses: Mapping[str, str] = MappingProxyType({})) -> None:
        self._addresses = addresses
        self._clients: dict[str, HttpClient] = {}
        self._answers: dict[tuple[str, str, str], RegistryAnswer] = {}
        self._size = 0
        self._lock = threading.Lock()

    def fetch_path(self, host: str, path: str, accept: str) -> RegistryAnswer:
        """Answer of a host; status 502 if it gives none. The answer 200 is kept."""
        key = (host, path, accept)
        known = self._answers.get(key)
        if known is not None:
            return known
        try:
            response = self._find_client(host).request(
                "GET", path, headers={"Accept": accept or "*/*"}, retry=RetryRules((0.5, 2.0), 60.0)
            )
        except HttpError as error:
            return RegistryAnswer(502, body=error.message.encode())
        answer = RegistryAnswer(response.status, response.headers.get("content-type", "text/plain"), response.body)
        with self._lock:
            if answer.status == 200 and self._size + len(answer.body) <= _LARGEST_CACHE:
                self._answers[key] = answer
                self._size += len(answer.body)
        return answer

    def _find_client(self, host: str) -> HttpClient:
        with self._lock:
            client = self._clients.get(host)
            if client is None:
                base = self._addresses.get(host, f"https://{host}")
                client = HttpClient(base, seconds=_SECONDS, largest=_LARGEST, redirects=3, reuse=_IDLE_CONNECTIONS)
                self._clients[host] = client
            return client

"""Provides the ages of releases, from the public registries, and the vulnerabilities that are exploited."""

import logging
import math
import threading
import time
from collections.abc import Callable

from django.conf import settings

from muniment.errors import MunimentError
from muniment.updates.dependencies import Dependency
from muniment.updates.exploited import fetch_exploited
from muniment.updates.registry_access import RegistryAccess
from muniment.updates.release_ages import ReleaseAge, ReleaseAges

_MOST_KEPT = 20_000  # ages of one process
_KEPT_SECONDS = 900
_log = logging.getLogger("muniment.work")
_exploited: dict[str, tuple[float, frozenset[str]]] = {}
_ages: dict[tuple[str, str, str], ReleaseAge] = {}
_lock = threading.Lock()


def load_exploited() -> frozenset[str]:
    """Identifiers of exploited vulnerabilities, read again every 15 minutes.

    A catalogue that cannot be read keeps its earlier entries. Without any, fixes wait: a failure makes nothing sooner.
    """
    if not settings.EXPLOITED or settings.DEMONSTRATION:
        return frozenset()
    with _lock:
        read_at, known = _exploited.get(settings.EXPLOITED, (-math.inf, frozenset()))
        if time.monotonic() - read_at < _KEPT_SECONDS:
            return known
        try:
            known = fetch_exploited(settings.EXPLOITED)
        except MunimentError as error:
            _log.warning("exploited vulnerabilities: %s", error.message)
        _exploited[settings.EXPLOITED] = (time.monotonic(), known)
        return known


def provide_ages(now: str) -> Callable[[Dependency], ReleaseAge]:
    """Provide the age of each release. A moment of publication stays, so a known one is not asked for again."""
    ages = ReleaseAges(RegistryAccess(), now)

    def find_age(dependency: Dependency) -> ReleaseAge:
        if settings.DEMONSTRATION:
            return ReleaseAge("", "the demonstration asks no registry")
        key = (dependency.ecosystem.value, dependency.name, dependency.version)
        known = _ages.get(key)
        if known is not None:
            return known
        found = ages.find_age(dependency)
        if found.published:
            with _lock:
                if len(_ages) >= _MOST_KEPT:
                    _ages.clear()
                _ages[key] = found
        return found

    return find_age

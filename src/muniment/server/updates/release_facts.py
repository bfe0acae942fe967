"""Provides the ages of releases to evaluations of changes, from the public registries."""

import threading
from collections.abc import Callable

from django.conf import settings

from muniment.updates.dependencies import Dependency
from muniment.updates.registry_access import RegistryAccess
from muniment.updates.release_ages import ReleaseAge, ReleaseAges

_MOST_KEPT = 20_000  # ages of one process
_ages: dict[tuple[str, str, str], ReleaseAge] = {}
_lock = threading.Lock()


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

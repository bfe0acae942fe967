"""Versions of one secret, at the path of its environment: whoever may only write can choose one, and reads none.

The key-value engine keeps versions of a whole path, and going back to one takes the right to read it. So each value has
a key of its own, `NAME.3`, and `NAME.current` says which counts. No name of a secret has a dot. A name that something
else than Muniment wrote stands there as it is, and has no versions.
"""

import re
from collections.abc import Iterable, Mapping

MOST_VERSIONS = 3  # versions of one secret that are in the vault

_CURRENT = ".current"
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

Changes = dict[str, str | None]


def set_value(name: str, version: int, value: str, dropped: Iterable[int] = ()) -> Changes:
    """The changes that add a version, which counts from then on, and destroy older ones."""
    return {
        name: None,  # as something else wrote it: two values of one name would leave open which counts
        _key(name, version): value,
        name + _CURRENT: str(version),
        **destroy_versions(name, dropped),
    }


def choose_version(name: str, version: int) -> Changes:
    """The changes by which an older version counts. No value is in them."""
    return {name: None, name + _CURRENT: str(version)}


def remove_name(name: str) -> Changes:
    """The changes after which no version counts: no pipeline gets the secret, and `choose_version` brings it back."""
    return {name: None, name + _CURRENT: None}


def destroy_versions(name: str, versions: Iterable[int]) -> Changes:
    """The changes that delete values for good."""
    return {_key(name, version): None for version in versions}


def current_values(stored: Mapping[str, str]) -> dict[str, str]:
    """The values by name that count. One whose current version is missing is missing too, whatever else is there."""
    found = {name: value for name, value in stored.items() if "." not in name}
    for key, version in stored.items():
        name = key.removesuffix(_CURRENT)
        if name == key:
            continue
        found.pop(name, None)
        if _VERSION.fullmatch(version) and f"{name}.{version}" in stored:
            found[name] = stored[f"{name}.{version}"]
    return found


def current_names(keys: Iterable[str]) -> tuple[str, ...]:
    """The names of secrets that count, in order, by the keys of their path."""
    return tuple(sorted({key.removesuffix(_CURRENT) for key in keys if "." not in key or key.endswith(_CURRENT)}))


def _key(name: str, version: int) -> str:
    return f"{name}.{version}"

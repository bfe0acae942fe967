"""Text of a package-lock.json: an update's own changes, in a lock that is otherwise the same byte for byte.

Versions of npm write some entries in other ways (a licence more, a flag less). Therefore the lock that npm writes
without an update is compared with the one that it writes with it, and only the difference goes into the old lock.
"""

import json
import re
from collections.abc import Mapping

from muniment.updates.dependencies import LockFormatError
from muniment.updates.lock_values import decode_lock_json, get_tables_by_name
from muniment.updates.npm_locks import Packages
from muniment.updates.text_comparison import TextComparison

_INDENT = re.compile(rb"\{\r?\n([ \t]+)\"")
_MOST_INDENT = 8
# What follows from the place of a package in the tree; npm computes these anew for packages that do not change.
_FLAGS = frozenset({"dev", "devOptional", "optional", "peer", "extraneous"})


def read_packages(content: bytes) -> Packages:
    """Packages of a lock by folder. Raises LockFormatError."""
    return get_tables_by_name(decode_lock_json(content), "packages")


def write_lock_like(original: bytes, packages: Packages) -> bytes:
    """The original lock with other packages, in its own layout. Raises LockFormatError if that cannot be kept."""
    document = decode_lock_json(original)
    if write_document(original, document) != original:
        raise LockFormatError("its layout is not npm's: write it with npm")
    ordered = {folder: packages[folder] for folder in sorted(packages, key=_order_folder)}
    return write_document(original, {**document, "packages": ordered})


def _order_folder(folder: str) -> tuple[str, ...]:
    """npm sorts folders as its locale does; capitals next to small letters."""
    return (folder.casefold(), folder)


def write_document(original: bytes, document: Mapping[str, object]) -> bytes:
    """Document in the layout of an original: its indentation, and its line end at the end."""
    found = _INDENT.match(original)
    indent = found[1].decode() if found else "  "
    end = "\n" if original.endswith(b"\n") else ""
    return (json.dumps(document, indent=indent[:_MOST_INDENT], ensure_ascii=False) + end).encode()


def merge_changes(original: Packages, without: Packages, after: Packages) -> dict[str, dict[str, object]]:
    """Packages of the original with the changes between the other two, each in the order of the original."""
    merged = dict(original)
    for folder in without.keys() | after.keys():
        if folder not in after:
            merged.pop(folder, None)
        elif folder not in without or _strip_flags(without[folder]) != _strip_flags(after[folder]):
            merged[folder] = after[folder]
        elif folder in original:
            merged[folder] = _change_flags(original[folder], without[folder], after[folder])
    return merged


def _strip_flags(package: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in package.items() if key not in _FLAGS}


def _change_flags(
    original: dict[str, object], without: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, object]:
    """Flags that the update changes, as when a production dependency now requires a development one."""
    changed = [flag for flag in _FLAGS if without.get(flag) != after.get(flag)]
    if not changed:
        return original
    others = {key: value for key, value in original.items() if key not in changed}
    return others | {flag: after[flag] for flag in sorted(changed) if flag in after}


def compare_folders(before: bytes, after: bytes) -> TextComparison:
    """Compare the entries of two locks. One that keeps its version may only change in its flags."""
    old, new = read_packages(before), read_packages(after)
    both = [folder for folder in old if folder in new]
    altered = (
        folder
        for folder in both
        if _strip_flags(old[folder]) != _strip_flags(new[folder])
        and old[folder].get("version") == new[folder].get("version")
    )
    return TextComparison(sum(old[folder] == new[folder] for folder in both), tuple(altered))


def remove_folders(packages: Packages, folders: set[str]) -> dict[str, dict[str, object]]:
    """Packages without some folders, and without what is nested in them."""
    prefixes = tuple(f"{folder}/node_modules/" for folder in folders)
    return {
        folder: package
        for folder, package in packages.items()
        if folder not in folders and not folder.startswith(prefixes)
    }

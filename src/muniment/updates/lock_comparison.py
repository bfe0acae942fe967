"""Comparison of two locks of one project: what an update changed, and what no update may change."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from msgspec import Struct

from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat, Relation, SourceKind

LockedPackage = tuple[Ecosystem, str]

WRITABLE_HEADER = {LockFormat.UV: frozenset({"resolution-markers"})}  # the forks that the new versions need


class VersionChange(Struct, frozen=True):
    """Versions of a package before and after, each sorted; () where the lock did not have it."""

    ecosystem: Ecosystem
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class RefusalCode(StrEnum):
    """Reason why a new lock is not proposed."""

    OTHER_FORMAT = "other-format"
    HEADER_CHANGED = "header-changed"  # settings of the resolution, which no update may write
    MEMBER_VANISHED = "member-vanished"
    MEMBER_ADDED = "member-added"
    PACKAGE_VANISHED = "package-vanished"
    NEW_HOST = "new-host"
    SOURCE_CHANGED = "source-changed"
    CONTENT_CHANGED = "content-changed"  # the same version with other digests, or without
    OUTSIDE_UPDATE = "outside-update"
    NOT_UPDATED = "not-updated"


class LockRefusal(Struct, frozen=True):
    """Reason, and the package, member, host or entry of the header that it is about."""

    code: RefusalCode
    subject: str


class LockComparison(Struct, frozen=True):
    """Changes between two locks. A lock with a refusal is not proposed."""

    changes: tuple[VersionChange, ...]
    refusals: tuple[LockRefusal, ...]


def compare_locks(before: Lock, after: Lock, updated: Collection[LockedPackage]) -> LockComparison:
    """Compare two locks. `updated`: the packages that the update is about.

    Besides these, only packages that a new version of one requires may change or be added, through any number of steps.
    A package may vanish only if nothing but changed packages required it.
    """
    changes = _list_changes(before, after)
    refusals = [
        *_compare_form(before, after),
        *_compare_members(before, after),
        *_compare_hosts(before, after),
        *_compare_content(before, after),
        *_compare_changes(changes, before, after, updated),
    ]
    return LockComparison(changes, tuple(dict.fromkeys(refusals)))


def _compare_form(before: Lock, after: Lock) -> Iterable[LockRefusal]:
    if (before.format, before.format_version) != (after.format, after.format_version):
        yield LockRefusal(RefusalCode.OTHER_FORMAT, f"{after.format.value} {after.format_version}".strip())
    old, new = dict(before.header), dict(after.header)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name) and name not in WRITABLE_HEADER.get(before.format, ()):
            yield LockRefusal(RefusalCode.HEADER_CHANGED, name)


def _compare_members(before: Lock, after: Lock) -> Iterable[LockRefusal]:
    for code, names in (
        (RefusalCode.MEMBER_VANISHED, set(before.members) - set(after.members)),
        (RefusalCode.MEMBER_ADDED, set(after.members) - set(before.members)),
    ):
        yield from (LockRefusal(code, name) for name in sorted(names))


def _compare_hosts(before: Lock, after: Lock) -> Iterable[LockRefusal]:
    """A lock may name several hosts; a new one means another registry, such as the resolver's proxy."""
    old = {each.source.host for each in before.dependencies}
    new = {each.source.host for each in after.dependencies if each.source.host}
    yield from (LockRefusal(RefusalCode.NEW_HOST, host) for host in sorted(new - old))


def _compare_content(before: Lock, after: Lock) -> Iterable[LockRefusal]:
    """The source of a package stays; the same version keeps its digests."""
    sources: dict[LockedPackage, set[tuple[SourceKind, str]]] = {}
    digests: dict[tuple[LockedPackage, str], set[str]] = {}
    for each in before.dependencies:
        sources.setdefault(_make_locked_package(each), set()).add((each.source.kind, each.source.host))
        digests.setdefault((_make_locked_package(each), each.version), set()).update(each.integrity)
    for each in after.dependencies:
        known = sources.get(_make_locked_package(each))
        if known is not None and (each.source.kind, each.source.host) not in known:
            yield LockRefusal(RefusalCode.SOURCE_CHANGED, each.name)
        old = digests.get((_make_locked_package(each), each.version))
        if old is not None and not old & set(each.integrity) and (old or each.integrity):
            yield LockRefusal(RefusalCode.CONTENT_CHANGED, each.key)


def _compare_changes(
    changes: tuple[VersionChange, ...], before: Lock, after: Lock, updated: Collection[LockedPackage]
) -> Iterable[LockRefusal]:
    allowed = _find_required(after, updated)
    unneeded = _find_unneeded(before, changes)
    for each in changes:
        package = (each.ecosystem, each.name)
        if not each.after:
            if package not in unneeded:
                yield LockRefusal(RefusalCode.PACKAGE_VANISHED, each.name)
        elif package not in allowed:
            yield LockRefusal(RefusalCode.OUTSIDE_UPDATE, each.name)
    changed = {(each.ecosystem, each.name) for each in changes}
    for package in updated:
        if package not in changed:
            yield LockRefusal(RefusalCode.NOT_UPDATED, package[1])


def _find_unneeded(before: Lock, changes: tuple[VersionChange, ...]) -> set[LockedPackage]:
    """Packages that only changed ones required, which are still there, or others of this kind."""
    keys = {each.key: _make_locked_package(each) for each in before.dependencies}
    direct = {_make_locked_package(each) for each in before.dependencies if each.relation is Relation.DIRECT}
    requirers: dict[LockedPackage, set[LockedPackage]] = {}
    for each in before.dependencies:
        for key in each.requires:
            if key in keys:
                requirers.setdefault(keys[key], set()).add(_make_locked_package(each))
    explained = {(each.ecosystem, each.name) for each in changes if each.after}
    vanished = {(each.ecosystem, each.name) for each in changes if not each.after} - direct
    found: set[LockedPackage] = set()
    while new := {each for each in vanished - found if requirers.get(each) and requirers[each] <= explained}:
        found |= new
        explained |= new
    return found


def _find_required(lock: Lock, updated: Collection[LockedPackage]) -> set[LockedPackage]:
    """The updated packages, and all that their new versions require."""
    by_key: dict[str, list[Dependency]] = {}
    for each in lock.dependencies:
        by_key.setdefault(each.key, []).append(each)
    found: set[LockedPackage] = set(updated)
    waiting = [each for each in lock.dependencies if _make_locked_package(each) in found]
    while waiting:
        for key in waiting.pop().requires:
            for target in by_key.get(key, ()):
                if _make_locked_package(target) not in found:
                    found.add(_make_locked_package(target))
                    waiting.append(target)
    return found


def _list_changes(before: Lock, after: Lock) -> tuple[VersionChange, ...]:
    old, new = _find_versions(before), _find_versions(after)
    return tuple(
        VersionChange(*package, old.get(package, ()), new.get(package, ()))
        for package in sorted(old.keys() | new.keys())
        if old.get(package) != new.get(package)
    )


def _find_versions(lock: Lock) -> dict[LockedPackage, tuple[str, ...]]:
    found: dict[LockedPackage, set[str]] = {}
    for each in lock.dependencies:
        found.setdefault(_make_locked_package(each), set()).add(each.version)
    return {package: tuple(sorted(versions)) for package, versions in found.items()}


def _make_locked_package(dependency: Dependency) -> LockedPackage:
    return dependency.ecosystem, dependency.name

"""Comparison of locks: what an update may change, and each thing that it may not."""

import msgspec
import pytest

from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat, LockSource, SourceKind
from muniment.updates.lock_comparison import RefusalCode, VersionChange, compare_locks

PYPI = LockSource(SourceKind.PUBLIC_REGISTRY, "pypi.org")
PROXY = LockSource(SourceKind.OTHER_REGISTRY, "proxy.example")
PRIVATE = LockSource(SourceKind.OTHER_REGISTRY, "packages.example.com")


def locked(name: str, version: str, *requires: str, source: LockSource = PYPI, digest: str = "") -> Dependency:
    digest = digest or f"sha256:{name}{version}"
    return Dependency(Ecosystem.PYPI, name, version, source=source, integrity=(digest,), requires=requires)


def build(*dependencies: Dependency) -> Lock:
    return Lock("uv.lock", LockFormat.UV, dependencies, "1.3", ("api", "shop"), (("options", "{}"),))


DJANGO = (Ecosystem.PYPI, "django")
BEFORE = build(locked("django", "4.1", "sqlparse@0.3"), locked("sqlparse", "0.3"), locked("own", "1", source=PRIVATE))
AFTER = build(
    locked("django", "4.2", "sqlparse@0.4", "asgiref@3"),
    locked("sqlparse", "0.4"),
    locked("asgiref", "3"),
    locked("own", "1", source=PRIVATE),
)


def refusals(after: Lock, before: Lock = BEFORE) -> list[tuple[str, str]]:
    return [(each.code.value, each.subject) for each in compare_locks(before, after, [DJANGO]).refusals]


def replace(name: str, dependency: Dependency | None) -> Lock:
    found = [each if each.name != name else dependency for each in AFTER.dependencies]
    return msgspec.structs.replace(AFTER, dependencies=tuple(each for each in found if each is not None))


def test_an_update_changes_its_package_and_what_the_new_version_requires() -> None:
    found = compare_locks(BEFORE, AFTER, [DJANGO])
    assert found.refusals == ()
    assert found.changes == (
        VersionChange(Ecosystem.PYPI, "asgiref", (), ("3",)),
        VersionChange(Ecosystem.PYPI, "django", ("4.1",), ("4.2",)),
        VersionChange(Ecosystem.PYPI, "sqlparse", ("0.3",), ("0.4",)),
    )


@pytest.mark.parametrize(
    ("after", "code", "subject"),
    [
        (replace("own", None), RefusalCode.PACKAGE_VANISHED, "own"),
        (replace("own", locked("own", "2", source=PRIVATE)), RefusalCode.OUTSIDE_UPDATE, "own"),
        (
            replace("own", locked("own", "1", source=PRIVATE, digest="sha256:other")),
            RefusalCode.CONTENT_CHANGED,
            "own@1",
        ),
        (replace("own", locked("own", "1", digest="sha256:own1")), RefusalCode.SOURCE_CHANGED, "own"),
        (replace("asgiref", locked("asgiref", "3", source=PROXY)), RefusalCode.NEW_HOST, "proxy.example"),
        (msgspec.structs.replace(AFTER, members=("shop",)), RefusalCode.MEMBER_VANISHED, "api"),
        (msgspec.structs.replace(AFTER, members=("api", "new", "shop")), RefusalCode.MEMBER_ADDED, "new"),
        (msgspec.structs.replace(AFTER, format_version="1.4"), RefusalCode.OTHER_FORMAT, "uv.lock 1.4"),
        (msgspec.structs.replace(AFTER, format=LockFormat.PYLOCK), RefusalCode.OTHER_FORMAT, "pylock.toml 1.3"),
        (msgspec.structs.replace(AFTER, header=()), RefusalCode.HEADER_CHANGED, "options"),
    ],
)
def test_each_other_change_refuses_the_update(after: Lock, code: RefusalCode, subject: str) -> None:
    assert refusals(after) == [(code.value, subject)]


def test_an_update_that_changes_nothing_is_refused() -> None:
    assert refusals(BEFORE) == [("not-updated", "django")]


def test_digests_that_vanish_are_a_changed_content_and_more_digests_are_not() -> None:
    bare = msgspec.structs.replace(locked("own", "1", source=PRIVATE), integrity=())
    assert refusals(replace("own", bare)) == [("content-changed", "own@1")]
    more = msgspec.structs.replace(bare, integrity=("sha256:own1", "sha256:new-wheel"))
    assert refusals(replace("own", more)) == []


def test_an_emptied_lock_is_refused_for_each_package() -> None:
    assert [subject for code, subject in refusals(build()) if code == "package-vanished"] == [
        "django",
        "own",
        "sqlparse",
    ]

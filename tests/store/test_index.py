"""What the cache of a home says of pushes: which refs became what a push meant, and which heads they took."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.ledger import entries, keys, objects
from muniment.store import durable
from muniment.store.files import FilesStore
from muniment.store.store import LedgerRecord

PLACE, MAIN, NOW = "here", "refs/heads/main", "2026-01-01T00:00:00.000000Z"
OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Iterator[FilesStore]:
    """A home that knows main at OLD."""
    (tmp_path / "ledger").mkdir()
    private, public = keys.generate("muniment/shop")
    durable.write(tmp_path / "keys/ledger.key", private.encode(), 0o600)
    durable.write(tmp_path / "keys/ledger.pub", public.encode(), 0o644)
    home = FilesStore(str(tmp_path))
    there = objects.RefUpdates(PLACE, (objects.RefUpdate(MAIN, "", OLD),), objects.salt())
    digest = canonical.digest_of(there)
    append(home, (entries.BaselineRecord(time=NOW, object=digest, repository_location=PLACE, ref_count=1), (there,)))
    yield home
    home.close()


def append(home: FilesStore, *records: LedgerRecord) -> None:
    with home.exclusive():
        home.append(records)


def push(home: FilesStore, new: str = NEW) -> str:
    """Somebody means main to become this; the digest of the push."""
    meant = objects.Push(
        PLACE, Known("email:ada@example.test"), (objects.RefUpdate(MAIN, OLD, new),), (), objects.salt()
    )
    digest = canonical.digest_of(meant)
    entry = entries.PushRecord(
        time=NOW, object=digest, repository_location=PLACE, pusher="", update_count=1, commit_count=0
    )
    append(home, (entry, (meant,)))
    return digest


def decide(home: FilesStore, trigger: str, outcome: str, *heads: str) -> None:
    """The decision on a push, which included these heads."""
    included = objects.IncludedHeads(heads)
    entry = entries.DecisionRecord(
        time=NOW,
        object=canonical.digest_of(included),
        repository_location=PLACE,
        point="merge",
        repository="shop",
        target=MAIN,
        base=OLD,
        head=NEW,
        outcome=outcome,
        enforced=True,
        policy="",
        facts="",
        results="",
        reason_codes=(),
        omitted_reason_codes=0,
        exceptions=(),
        trigger=trigger,
        included_heads=canonical.digest_of(included),
    )
    append(home, (entry, (included,)))


def settle(home: FilesStore) -> bool:
    """Record that main is at NEW; whether a push meant it."""
    landed, moved = home.index.settle(PLACE, {MAIN: NEW})
    assert len(landed) + len(moved) == 1
    became = objects.RefUpdates(PLACE, (*landed, *moved), objects.salt())
    digest = canonical.digest_of(became)
    entry = entries.RefUpdateRecord(time=NOW, object=digest, repository_location=PLACE, ref_count=1)
    append(home, (entry, (became,)))
    return bool(landed)


def test_a_push_that_git_carries_out_after_the_same_push_was_denied_is_no_bypass(home: FilesStore) -> None:
    decide(home, push(home), "allow", NEW, OTHER)
    decide(home, push(home), "deny", NEW)
    assert settle(home)
    assert home.index.landed(PLACE, MAIN, [NEW, OTHER]).keys() == {NEW, OTHER}


def test_of_two_allowed_pushes_of_one_commit_both_spend_what_they_included(home: FilesStore) -> None:
    decide(home, push(home), "allow", NEW, OTHER)
    decide(home, push(home), "allow", NEW)
    assert settle(home)
    assert home.index.landed(PLACE, MAIN, [NEW, OTHER]).keys() == {NEW, OTHER}
    assert home.index.landed_unknown(PLACE, MAIN) < home.index.landed(PLACE, MAIN, [NEW])[NEW]


@pytest.mark.parametrize("meant", [NEW, OTHER])
def test_what_no_allowed_push_meant_is_a_bypass(home: FilesStore, meant: str) -> None:
    decide(home, push(home, meant), "deny" if meant == NEW else "allow")
    assert home.index.settle(PLACE, {MAIN: NEW})[1]


def test_a_push_allows_nothing_after_the_ref_became_what_it_meant(home: FilesStore) -> None:
    decide(home, push(home), "allow", NEW)
    assert settle(home)
    back = objects.RefUpdates(PLACE, (objects.RefUpdate(MAIN, NEW, OLD),), objects.salt())
    entry = entries.HookBypassRecord(
        time=NOW, object=canonical.digest_of(back), repository_location=PLACE, ref_count=1, included_heads=""
    )
    append(home, (entry, (back,)))
    assert home.index.settle(PLACE, {MAIN: NEW})[1]

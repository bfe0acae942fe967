"""Cached index of pushes of a home: which ref updates a push intended, and which heads they included."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.ledger import ledger_keys, record_kinds, record_objects
from muniment.store import durable_files
from muniment.store.files_store import FilesStore
from muniment.store.store import LedgerRecord

PLACE, MAIN, NOW = "here", "refs/heads/main", "2026-01-01T00:00:00.000000Z"
OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Iterator[FilesStore]:
    """Home that knows main at OLD."""
    (tmp_path / "ledger").mkdir()
    private, public = ledger_keys.generate_key("muniment/shop")
    durable_files.write_file(tmp_path / "keys/ledger.key", private.encode(), 0o600)
    durable_files.write_file(tmp_path / "keys/ledger.pub", public.encode(), 0o644)
    home = FilesStore(str(tmp_path))
    there = record_objects.RefUpdates(PLACE, (record_objects.RefUpdate(MAIN, "", OLD),), record_objects.draw_salt())
    digest = canonical.digest_value(there)
    append(
        home, (record_kinds.BaselineRecord(time=NOW, object=digest, repository_location=PLACE, ref_count=1), (there,))
    )
    yield home
    home.close()


def append(home: FilesStore, *records: LedgerRecord) -> None:
    with home.lock_ledger():
        home.append_records(records)


def push(home: FilesStore, new: str = NEW) -> str:
    """Record that a person means to set main to this commit; the digest of the push."""
    expected = record_objects.Push(
        PLACE,
        Known("email:ada@example.test"),
        (record_objects.RefUpdate(MAIN, OLD, new),),
        (),
        record_objects.draw_salt(),
    )
    digest = canonical.digest_value(expected)
    entry = record_kinds.PushRecord(
        time=NOW, object=digest, repository_location=PLACE, pusher="", update_count=1, commit_count=0
    )
    append(home, (entry, (expected,)))
    return digest


def record_decision(home: FilesStore, trigger: str, outcome: str, *heads: str) -> None:
    """Record the decision on a push that included these heads."""
    included = record_objects.IncludedHeads(heads)
    entry = record_kinds.DecisionRecord(
        time=NOW,
        object=canonical.digest_value(included),
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
        included_heads=canonical.digest_value(included),
    )
    append(home, (entry, (included,)))


def settle(home: FilesStore) -> bool:
    """Record that main is at NEW; whether a push intended it."""
    landed, moved = home.push_index.compare_refs(PLACE, {MAIN: NEW})
    assert len(landed) + len(moved) == 1
    became = record_objects.RefUpdates(PLACE, (*landed, *moved), record_objects.draw_salt())
    digest = canonical.digest_value(became)
    entry = record_kinds.RefUpdateRecord(time=NOW, object=digest, repository_location=PLACE, ref_count=1)
    append(home, (entry, (became,)))
    return bool(landed)


def test_push_executed_after_its_repetition_was_denied_is_no_bypass(home: FilesStore) -> None:
    record_decision(home, push(home), "allow", NEW, OTHER)
    record_decision(home, push(home), "deny", NEW)
    assert settle(home)
    assert home.push_index.find_landed(PLACE, MAIN, [NEW, OTHER]).keys() == {NEW, OTHER}


def test_two_allowed_pushes_of_one_commit_both_spend_their_heads(home: FilesStore) -> None:
    record_decision(home, push(home), "allow", NEW, OTHER)
    record_decision(home, push(home), "allow", NEW)
    assert settle(home)
    assert home.push_index.find_landed(PLACE, MAIN, [NEW, OTHER]).keys() == {NEW, OTHER}
    assert home.push_index.find_newest_unknown(PLACE, MAIN) < home.push_index.find_landed(PLACE, MAIN, [NEW])[NEW]


@pytest.mark.parametrize("expected", [NEW, OTHER])
def test_update_that_no_allowed_push_intended_is_a_bypass(home: FilesStore, expected: str) -> None:
    record_decision(home, push(home, expected), "deny" if expected == NEW else "allow")
    assert home.push_index.compare_refs(PLACE, {MAIN: NEW})[1]


def test_push_allows_no_further_update_after_its_ref_was_set(home: FilesStore) -> None:
    record_decision(home, push(home), "allow", NEW)
    assert settle(home)
    back = record_objects.RefUpdates(PLACE, (record_objects.RefUpdate(MAIN, NEW, OLD),), record_objects.draw_salt())
    entry = record_kinds.HookBypassRecord(
        time=NOW, object=canonical.digest_value(back), repository_location=PLACE, ref_count=1, included_heads=""
    )
    append(home, (entry, (back,)))
    assert home.push_index.compare_refs(PLACE, {MAIN: NEW})[1]

"""Updates of branches are read from canonical objects alone."""

import pytest

from muniment.errors import LedgerError
from muniment.facts import canonical
from muniment.ledger import branch_updates, record_kinds, record_objects

UPDATE = record_objects.BranchUpdate(("c" * 40,), "change 7", record_objects.draw_salt())
RECORD = record_kinds.BranchUpdateRecord(
    time="2026-01-02T03:04:05Z",
    object=canonical.digest_value(UPDATE),
    repository_location="here",
    repository="shop",
    target="refs/heads/main",
    commit="c" * 40,
    previous_commit="b" * 40,
    commit_count=1,
    status="baseline",
    bypass_reason="",
    decision="",
    included_heads="",
)


def test_detail_with_a_duplicate_key_is_not_read() -> None:
    data = canonical.encode(UPDATE)
    (row,) = branch_updates.list_branch_updates([(0, RECORD)], {RECORD.object: data}.get)
    assert row.commits == UPDATE.commits
    twice = data.replace(b'"commits":', b'"commits":[],"commits":')
    with pytest.raises(LedgerError, match="is not what its entry says: it is not in canonical form"):
        list(branch_updates.list_branch_updates([(0, RECORD)], {RECORD.object: twice}.get))

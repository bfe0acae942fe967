"""Approved heads that a ref of a plain git server took already, by its ledger."""

from collections.abc import Iterable, Mapping

from muniment.facts.change import Revision
from muniment.facts.statements import Approval, LandedHead, LandedHeads, StatementRecord
from muniment.git.git_collector import ReadLandedHeads
from muniment.store.push_index import PushIndex


def build_landed_heads(
    index: PushIndex, place: str, ref: str, statements: Iterable[Approval], recorded: Mapping[str, int]
) -> LandedHeads:
    """The fact for `ref` of the repository at `place`; `recorded`: positions of those statements that have one."""
    found = index.find_landed(place, ref, {statement.head for statement in statements})
    return LandedHeads(
        preview=False,
        heads=tuple(LandedHead(head, position) for head, position in sorted(found.items())),
        statements=tuple(StatementRecord(digest, position) for digest, position in sorted(recorded.items())),
        all_before=index.find_newest_unknown(place, ref),
    )


def create_landed_reader(index: PushIndex, place: str) -> ReadLandedHeads | None:
    """Create a reader of the fact for the repository at `place`; None if the ledger does not know that."""
    if not index.has_baseline(place):
        return None

    def read_landed_heads(revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
        recorded = index.find_statements(place, [statement.digest for statement in statements])
        return build_landed_heads(index, place, revision.target, statements, recorded)

    return read_landed_heads

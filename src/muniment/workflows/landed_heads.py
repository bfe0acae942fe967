"""Which approved heads a ref of a plain git server took already, as its ledger tells."""

from collections.abc import Iterable, Mapping

from muniment.facts.change import Revision
from muniment.facts.statements import Approval, LandedHead, LandedHeads, StatementRecord
from muniment.git.collect import ReadLandedHeads
from muniment.store.index import Index


def landed_heads(
    index: Index, place: str, ref: str, statements: Iterable[Approval], recorded: Mapping[str, int]
) -> LandedHeads:
    """The fact for `ref` of the repository at `place`; `recorded`: positions of those statements that have one."""
    found = index.landed(place, ref, {statement.head for statement in statements})
    return LandedHeads(
        preview=False,
        heads=tuple(LandedHead(head, position) for head, position in sorted(found.items())),
        statements=tuple(StatementRecord(digest, position) for digest, position in sorted(recorded.items())),
        all_before=index.landed_unknown(place, ref),
    )


def landed_reader(index: Index, place: str) -> ReadLandedHeads | None:
    """Reads the fact from a ledger that knows the repository at `place`; None if it does not."""
    if not index.has_baseline(place):
        return None

    def read(revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
        recorded = index.statements(place, [statement.digest for statement in statements])
        return landed_heads(index, place, revision.target, statements, recorded)

    return read

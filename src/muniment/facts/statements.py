"""What persons said and signed: approvals of a revision, and exceptions from a clause."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What a statement on a revision says."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request-changes"
    WITHDRAW = "withdraw"
    ATTEST = "attest"


class Signature(StrEnum):
    """What came of verifying a signature against the keys of the person it is said to be by."""

    VALID = "valid"
    RECORDED = "recorded-act"  # said in a signed-in session, and the record has it
    FORGE = "forge-review"  # a review at a forge, whose account may write there now: the forge's word for it
    BAD = "bad-signature"
    OTHER_KEY = "other-key"  # a key that is not this person's
    UNTOUCHED = "security-key-not-touched"
    MALFORMED = "malformed"
    OUT_OF_ORDER = "out-of-order"  # does not follow the statement that it was signed to follow
    UNKNOWN_PERSON = "unknown-person"
    MACHINE = "by-a-machine"
    MAY_NOT_WRITE = "may-not-write"  # the forge says that this account may not write there now


PROVEN = frozenset((Signature.VALID, Signature.RECORDED, Signature.FORGE))


class Approval(Struct, frozen=True):
    """One statement at `refs/muniment/approvals/<ref_head>/<ref_person>`, or one review at a forge.

    `id` is the commit that stores it, or the forge's id of the review; `order` its place in that ref or among all
    reviews (0 is the oldest). The fields after `signature` are what the statement itself says, "" where it is
    malformed; `time` is RFC 3339, UTC, with microseconds. `attests` maps a subject (`account:ada@example.test`,
    `commit:<id>`) to the id of the person it was.
    """

    ref_head: str
    ref_person: str
    id: str
    order: int
    signature: Signature
    repository: str = ""
    target: str = ""
    base: str = ""
    head: str = ""
    tree: str = ""
    verdict: Verdict = Verdict.WITHDRAW
    answers: dict[str, str] = {}
    attests: dict[str, str] = {}
    time: str = ""


class Freeze(Struct, frozen=True):
    """A stop of all merges and deployments that is not lifted. A rehearsal stops nothing.

    `person` is an id; `since` RFC 3339, UTC.
    """

    id: str
    person: str
    reason: str
    since: str
    rehearsal: bool


class Signed(Struct, frozen=True):
    """One person's signature below an exception."""

    person: str
    signature: Signature


class PolicyException(Struct, frozen=True):
    """An exception: leave to proceed in one scope although the control of one clause says no.

    `branch` is a full ref; `head` narrows the scope to one commit, "" means any. Times are RFC 3339, UTC.
    """

    id: str
    clause: str
    repository: str
    branch: str
    head: str
    owner: str
    reason: str
    granted: str
    expires: str
    signatures: tuple[Signed, ...]

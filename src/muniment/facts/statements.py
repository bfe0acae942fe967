"""Statements that persons signed: approvals of a revision, and exceptions from a clause."""

from enum import StrEnum

from msgspec import Struct


class ReviewAction(StrEnum):
    """Action of a statement on a revision."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request-changes"
    WITHDRAW = "withdraw"
    ATTEST = "attest"
    DELETE = "delete"  # approves that the branch or tag is deleted at this tip
    REWIND = "rewind"  # approves that it goes from the tip `base` to this head, and loses what that does not hold


APPROVING_ACTIONS = frozenset((ReviewAction.APPROVE, ReviewAction.DELETE, ReviewAction.REWIND))


class SignatureResult(StrEnum):
    """Result of verifying a signature with the keys of the person that the statement names."""

    VALID = "valid"
    RECORDED = "recorded-act"  # said in a signed-in session, and the record has it
    FORGE = "forge-review"  # a review at a forge, whose account may write there now: the forge's word for it
    BAD = "bad-signature"
    OTHER_KEY = "other-key"  # a key that is not this person's
    UNCONFIRMED = "link-unconfirmed"  # a key or account whose link to this person waits for a second person
    UNTOUCHED = "security-key-not-touched"
    MALFORMED = "malformed"
    OUT_OF_ORDER = "out-of-order"  # does not follow the statement that it was signed to follow
    UNKNOWN_PERSON = "unknown-person"
    MACHINE = "by-a-machine"
    MAY_NOT_WRITE = "may-not-write"  # the forge says that this account may not write there now
    NO_ACCOUNT = "no-forge-account"  # no account at the forge is theirs, so nobody knows that they may write there


PROVEN_SIGNATURES = frozenset((SignatureResult.VALID, SignatureResult.RECORDED, SignatureResult.FORGE))


class Approval(Struct, frozen=True):
    """Statement at `refs/muniment/approvals/<ref_head>/<ref_person>`, or review at a forge.

    `id` is the commit that stores it, or the forge's id of the review; `order` its place in that ref or among all
    reviews (0 is the oldest). The fields after `signature` are what the statement itself says, "" where it is
    malformed; `time` is RFC 3339, UTC, with microseconds. `attests` maps a subject (`account:ada@example.test`,
    `commit:<id>`) to the id of the person it was. `digest` is that of the bytes which were signed, "" where none were:
    anybody can store the same bytes in another commit. `retargeted`: the change was pointed at another branch after it.
    `writer_at_forge`: the forge says that its person may write to the repository now, whatever roles they have here.
    """

    ref_head: str
    ref_person: str
    id: str
    order: int
    signature: SignatureResult
    repository: str = ""
    target: str = ""
    base: str = ""
    head: str = ""
    tree: str = ""
    action: ReviewAction = ReviewAction.WITHDRAW
    answers: dict[str, str] = {}
    attests: dict[str, str] = {}
    time: str = ""
    digest: str = ""
    retargeted: bool = False
    writer_at_forge: bool = False


class LandedHead(Struct, frozen=True):
    """Head that the target branch took. `position` is that of the newest record of a branch update which includes it:
    an approval of the head that was recorded before is spent.
    """

    head: str
    position: int


class StatementRecord(Struct, frozen=True):
    """Position of the first record of a statement (`Approval.digest`, else its id)."""

    statement: str
    position: int


class LandedHeads(Struct, frozen=True):
    """Approved heads that the target branch took already, and the order of the records about it.

    `preview`: no ledger was read, so this is unknown and no approval is assumed to be spent. `all_before`: every
    statement recorded before that position is spent, for the heads that the branch took then are unknown; -1 for none.
    A statement without a record is older than every record.
    """

    preview: bool
    heads: tuple[LandedHead, ...]
    statements: tuple[StatementRecord, ...]
    all_before: int


PEOPLE_TO_LIFT = 2  # who have the security role, to lift a freeze


class Freeze(Struct, frozen=True):
    """Freeze of merges and deployments that is not lifted. A drill stops nothing.

    In force from `since` until just before `until` ("": until it is lifted), both RFC 3339 in UTC. `product` limits it
    to one product, on a plain git server to the repository of that name; `environment` to the deployments to one
    environment of that product; "" limits nothing. `person` is an id.
    """

    id: str
    person: str
    reason: str
    since: str
    drill: bool
    until: str = ""
    product: str = ""
    environment: str = ""


class ExceptionSignature(Struct, frozen=True):
    """Signature of a person on an exception."""

    person: str
    signature: SignatureResult


class PolicyException(Struct, frozen=True):
    """Exception: permission to proceed in one scope although the control of one clause blocks.

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
    signatures: tuple[ExceptionSignature, ...]

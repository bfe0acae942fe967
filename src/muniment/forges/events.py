"""Events of a forge's webhook deliveries: a hint to read again, never a fact."""

from enum import StrEnum

from msgspec import Struct

from muniment.forges.shapes import UNKNOWN_ACCOUNT, Account


class ForgeEventKind(StrEnum):
    """Subject of an event: a hint to read again, never a fact."""

    CHANGE = "change"  # of this number: opened, pushed to, reviewed, labelled, retargeted, closed, merged
    GROUP = "group"  # a merge queue or train is about to merge `head` into `ref`
    BRANCH = "branch"  # a ref moved
    RULES = "rules"  # of branches, or of who may write
    STATUS = "status"  # somebody posted a status or a check named `context` on `head`
    REPOSITORY = "repository"  # renamed, removed, newly seen
    ASKED = "asked"  # somebody pressed the forge's button to evaluate the change again
    NOTHING = "nothing"  # that concerns us


class EventFields(Struct, frozen=True):
    """Fields of a ForgeEvent that depend on the kind of its delivery."""

    kind: ForgeEventKind = ForgeEventKind.NOTHING
    number: int = 0
    ref: str = ""
    head: str = ""
    updated: str = ""
    context: str = ""


class ForgeEvent(Struct, frozen=True):
    """Webhook delivery. `delivery` is the forge's id of it, to detect duplicates; `repository` is the path.

    `updated`: moment of the change's last update when this was sent; "" if unsure. `context`: name of the status or
    check, "" where the delivery is about several.
    """

    delivery: str
    kind: ForgeEventKind
    repository: str = ""
    repository_id: str = ""
    number: int = 0
    ref: str = ""
    head: str = ""
    updated: str = ""
    context: str = ""
    actor: Account = UNKNOWN_ACCOUNT

"""What a forge's delivery says has happened: a hint to read again, never a fact."""

from enum import StrEnum

from msgspec import Struct

from muniment.forges.shapes import NOBODY, Account


class Happened(StrEnum):
    """What an event is about. Whatever it says is a hint to read again, never a fact."""

    CHANGE = "change"  # of this number: opened, pushed to, reviewed, labelled, retargeted, closed, merged
    GROUP = "group"  # a merge queue or train is about to merge `head` into `ref`
    BRANCH = "branch"  # a ref moved
    RULES = "rules"  # of branches, or of who may write
    STATUS = "status"  # somebody posted a status or a check named `context` on `head`
    REPOSITORY = "repository"  # renamed, removed, newly seen
    ASKED = "asked"  # somebody pressed a button at the forge to have it judged again
    NOTHING = "nothing"  # that concerns us


class Event(Struct, frozen=True):
    """One delivery. `delivery` is the forge's id of it, to tell doubles; `repository` the path, and `repository_id`.

    `updated`: the moment at which the change was touched last, when this was told; "" if it is not sure. `context`: the
    name of the status or check, "" where the delivery is of several.
    """

    delivery: str
    happened: Happened
    repository: str = ""
    repository_id: str = ""
    number: int = 0
    ref: str = ""
    head: str = ""
    updated: str = ""
    context: str = ""
    actor: Account = NOBODY

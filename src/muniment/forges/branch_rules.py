"""Branch protection of a forge, the protection that we want, and the plan from one to the other."""

from msgspec import Struct


class BranchTip(Struct, frozen=True):
    """A branch and the commit it is at."""

    ref: str
    commit: str
    protected: bool


class RequiredStatus(Struct, frozen=True):
    """A status that the forge requires before a merge. `by`: id of the only account that may post it, or ""."""

    context: str
    by: str = ""


class BranchRules(Struct, frozen=True):
    """Protection of one branch by the forge itself. Logins and team names in `mergers`, `pushers`, `bypass`.

    `mergers` and `pushers`: the only accounts that may, `("*",)` for every account with write access, empty for none.
    `bypass`: accounts that may set the rules aside. `methods`: allowed merge methods. `stale_dismissed`: a push ends
    native approvals. `unattributed_approval`: commits attributed to no person need one native approval more.
    """

    ref: str
    protected: bool = False
    required_statuses: tuple[RequiredStatus, ...] = ()
    approvals: int = 0
    stale_dismissed: bool = False
    unattributed_approval: bool = False
    rejection_blocks: bool = False
    outdated_blocks: bool = False
    pushers: tuple[str, ...] = ("*",)
    mergers: tuple[str, ...] = ("*",)
    force_push: bool = True
    deletable: bool = True
    bypass: tuple[str, ...] = ("*",)
    queue: bool = False
    methods: tuple[str, ...] = ()
    unread_settings: tuple[str, ...] = ()  # what of this could not be read, in words


class WantedProtection(Struct, frozen=True):
    """Protection that a branch needs. `context` is required, from us alone where the forge can; `approvals` natively.

    `only_we_merge`: where a status does not block, only our account may merge. `break_glass`: accounts that may bypass.
    """

    ref: str
    context: str
    approvals: int = 1
    only_we_merge: bool = False
    break_glass: tuple[str, ...] = ()


class ProtectionStep(Struct, frozen=True):
    """Setting of a forge that a plan changes, in words. Left undone, it `weakens` the protection."""

    setting: str
    previous_value: str
    new_value: str
    weakens: bool = True


class ProtectionPlan(Struct, frozen=True):
    """Changes that protect a branch, and the gaps that remain even then. No steps: nothing has to change."""

    repository: str
    wanted: WantedProtection
    before: BranchRules
    steps: tuple[ProtectionStep, ...]
    remaining_gaps: tuple[str, ...]

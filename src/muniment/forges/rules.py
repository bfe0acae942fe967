"""How a forge itself protects a branch, what we want of it, and the plan that leads from one to the other."""

from msgspec import Struct


class Tip(Struct, frozen=True):
    """A branch and the commit it is at."""

    ref: str
    commit: str
    protected: bool


class Required(Struct, frozen=True):
    """A status that the forge demands before it merges. `by`: the id of the only account that may give it, or ""."""

    context: str
    by: str = ""


class BranchRules(Struct, frozen=True):
    """How the forge itself protects one branch. Logins and team names in `mergers`, `pushers`, `bypass`.

    `mergers` and `pushers`: who alone may, `("*",)` for everybody who may write, empty for nobody. `bypass`: who may
    set the rules aside. `methods`: how a change may be merged. `stale_dismissed`: a push ends native approvals.
    `unattributed_approval`: what is attributed to no person takes one native approval more.
    """

    ref: str
    protected: bool = False
    required_statuses: tuple[Required, ...] = ()
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


class Wanted(Struct, frozen=True):
    """What is to hold on a branch. `context` is required, from us alone where the forge can; `approvals` natively.

    `only_we_merge`: where a status binds nobody, our account alone may merge. `break_glass`: who may bypass.
    """

    ref: str
    context: str
    approvals: int = 1
    only_we_merge: bool = False
    break_glass: tuple[str, ...] = ()


class Step(Struct, frozen=True):
    """One thing that protecting changes, in words. Undone, it `weakens` what binds."""

    setting: str
    previous_value: str
    new_value: str
    weakens: bool = True


class Plan(Struct, frozen=True):
    """What protecting a branch would change, and what even then does not bind (`open_ends`). No steps: it holds."""

    repository: str
    wanted: Wanted
    before: BranchRules
    steps: tuple[Step, ...]
    remaining_gaps: tuple[str, ...]

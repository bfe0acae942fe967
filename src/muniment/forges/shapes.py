"""What a forge says of repositories and changes, in shapes of no vendor. What they mean is decided elsewhere.

Ids of commits are full; refs are full (`refs/heads/main`); moments are text (`facts.moments`). Accounts go by the
forge's lasting id, for a login can be given to somebody else.
"""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Maybe, Unknown


class Vendor(StrEnum):
    """The kinds of forge."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


class Account(Struct, frozen=True):
    """A login at a forge, with the id that it keeps for good. `machine`: the forge says that it is a bot or an app."""

    id: str
    login: str
    machine: bool = False


NOBODY = Account("", "")


class About(Struct, frozen=True):
    """The forge we speak to, and as whom. `tier` is "" where there is but one; `scopes` what the token says it may."""

    vendor: Vendor
    version: str
    tier: str
    ours: Account
    scopes: tuple[str, ...] = ()


class Repo(Struct, frozen=True):
    """A repository: `id` stays when it is renamed, `path` is like `shop/api`, `clone` its HTTP address for git.

    `default` is the full ref of its main branch, "" while it has none.
    """

    id: str
    path: str
    default: str
    clone: str
    url: str
    private: bool = True


class Ability(StrEnum):
    """What Muniment has to be allowed to do in a repository."""

    READ = "read"  # code and changes
    PERMISSIONS = "permissions"  # who may write
    RULES = "rules"  # how branches are protected
    STATUS = "status"  # publish a verdict
    COMMENT = "comment"
    PROTECT = "protect"  # change how branches are protected
    HOOKS = "hooks"  # be told of events
    PROPOSE = "propose"  # push a branch and open a change: a revert, an update


WITHOUT = {
    Ability.READ: "no change can be evaluated",
    Ability.PERMISSIONS: "no approval counts, because write access is unknown",
    Ability.RULES: "whether the verdict binds, and who may bypass it, stays unknown",
    Ability.STATUS: "the verdict is not shown at the change, and does not block it",
    Ability.COMMENT: "a refusal is shown on Muniment's page only",
    Ability.PROTECT: "somebody has to protect the branch manually",
    Ability.HOOKS: "changes are noticed by the reconcile pass only",
    Ability.PROPOSE: "a revert has to be pushed manually",
}


class RefusedRequest(Struct, frozen=True):
    """A kind of request that the forge refused although we need it.

    `permission` is what has to be added to our account or its token, as the forge names it; `cost` what happens
    without.
    """

    request: str
    permission: str
    cost: str


class Listed(Struct, frozen=True):
    """A repository that the connection sees, and what is missing there; `WITHOUT` says what that costs."""

    repository: Repo
    missing_abilities: tuple[Ability, ...]


# A change


class State(StrEnum):
    """What became of a change."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Change(Struct, frozen=True):
    """A pull or merge request as its own page says. `text` and `title` are an attacker's.

    `base`: the tip of `target` as the forge told it, which may be old. `source` is the branch it comes from, in the
    repository `source_repository` ("" if that is gone). `merged` is the commit that the branch took, "" unless merged.
    `updated` moves whenever anything of it does.
    """

    number: int
    title: str
    text: str
    state: State
    draft: bool
    opener: Account
    target: str
    base: str
    source: str
    source_repository: str
    head: str
    labels: tuple[str, ...]
    opened: str
    updated: str
    url: str
    merged: str = ""
    merged_by: Maybe[Account] = Unknown("it was not merged")
    merged_at: str = ""
    writable_by_target: bool = False  # those who may write to the target may push to the fork's branch


class Move(Struct, frozen=True):
    """One push to a change's branch, oldest first in a reading.

    `new` is where the branch stood afterwards, `old` before ("" if the forge does not say, or it was created).
    `commits`, oldest first, are those that the forge lists for this push; empty if git has to tell (`old..new`).
    `ref` is the branch where moves of several are listed, else "".
    """

    old: str
    new: str
    commits: tuple[str, ...]
    forced: bool
    who: Maybe[Account]
    at: str
    ref: str = ""


class Retarget(Struct, frozen=True):
    """The change was pointed at another branch; what was approved before was approved for `old`."""

    old: str
    new: str
    who: Maybe[Account]
    at: str


class Said(StrEnum):
    """What a review says. A comment says nothing, and is left out of readings."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes-requested"


class Review(Struct, frozen=True):
    """One person's review, bound to the commit that they named.

    `dismissed` by `dismissed_by` at `dismissed_at` ("" if not told). `asked_again`: the first moment at which somebody
    asked the same person to look again after it, "" if never.
    """

    id: str
    by: Account
    said: Said
    commit: str
    at: str
    dismissed: bool = False
    dismissed_by: Maybe[Account] = Unknown("it was not dismissed")
    dismissed_at: str = ""
    asked_again: str = ""


class StandingReviews(Struct, frozen=True):
    """The reviews of a change that stand: id, what it says and its commit, of each, sorted.

    `writers`: for ids of their authors, whether they may write now; those that are not there have to be asked for.
    """

    reviews: tuple[tuple[str, str, str], ...]
    writers: dict[str, bool] = {}


class ForgeHand(Struct, frozen=True):
    """A contributor whom only the forge tells: who applied a suggestion, resolved a conflict, asked a machine.

    `commit` is "" where it is the whole change. `asked` is the account that was asked: the request counts only for
    commits of a machine, and, if `at` is not "", for those alone that were pushed after that moment.
    """

    commit: str
    by: Account
    because: ContributorRole
    asked: Account | None = None
    at: str = ""


class ForgeCommit(Struct, frozen=True):
    """A commit that the forge itself made (in its web pages, or by merging), and whose signature the forge verified.

    `committer`: the address, as written in it, that is the forge's and no person's.
    """

    id: str
    committer: str


class Check(Struct, frozen=True):
    """What some system says of a head. `state` is `success`, `failure`, `pending`, or `error`."""

    context: str
    state: str
    by: Account
    description: str
    url: str
    at: str


class Merging(Struct, frozen=True):
    """How a change is on its way. `automatic`: it is merged as soon as the rules allow, as asked by `asked_by`.

    `queued`: it stands in a merge queue or train, as part of the group whose head is `group` ("" if unknown).
    """

    automatic: bool
    asked_by: Maybe[Account]
    method: str
    queued: bool = False
    group: str = ""


class Member(Struct, frozen=True):
    """A change in a group, and the head with which it is there."""

    number: int
    head: str


class Group(Struct, frozen=True):
    """Changes that a merge queue or train is about to merge together into `target`: `base..head`, oldest first.

    `head` is what the branch becomes; its tree is judged, and each member has to be allowed.
    """

    target: str
    base: str
    head: str
    members: tuple[Member, ...]


NOT_ASKED = Unknown("the forge was not asked")


class Reading(Struct, frozen=True):
    """One change, read completely; each part is known whole, or Unknown. `checks` may be NOT_ASKED.

    `moves` begin where the forge's memory does. `writers`: for each account id in reviews, whether it may write now.
    `own_commits`: commits of the change that are the forge's own, verified. `addresses`: whose addresses in its commits
    are, in lower case, as far as the forge has proven them to belong to an account.
    """

    change: Change
    read_at: str
    moves: Maybe[tuple[Move, ...]]
    retargets: Maybe[tuple[Retarget, ...]]
    reviews: Maybe[tuple[Review, ...]]
    hands: Maybe[tuple[ForgeHand, ...]]
    own_commits: Maybe[tuple[ForgeCommit, ...]]
    writers: Maybe[dict[str, bool]]
    checks: Maybe[tuple[Check, ...]]
    merging: Maybe[Merging]
    addresses: Maybe[dict[str, Account]] = NOT_ASKED

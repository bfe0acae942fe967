"""Types for repositories and changes of every forge, without any evaluation.

Ids of commits are full; refs are full (`refs/heads/main`); moments are text (`facts.moments`). Accounts are identified
by the forge's permanent id, because a login can be given to another person.
"""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Maybe, Unknown


class Vendor(StrEnum):
    """Kinds of forge, by their API."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


class Account(Struct, frozen=True):
    """A login at a forge, with its permanent id. `machine`: the forge marks it as a bot or an app."""

    id: str
    login: str
    machine: bool = False


UNKNOWN_ACCOUNT = Account("", "")


class ForgeDescription(Struct, frozen=True):
    """A forge and our account there. `tier` is "" where there is only one; `scopes` are those of the token."""

    vendor: Vendor
    version: str
    tier: str
    ours: Account
    scopes: tuple[str, ...] = ()


class ForgeRepository(Struct, frozen=True):
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
    """Permissions that Muniment needs in a repository."""

    READ = "read"  # code and changes
    PERMISSIONS = "permissions"  # who may write
    RULES = "rules"  # how branches are protected
    STATUS = "status"  # publish a decision
    COMMENT = "comment"
    PROTECT = "protect"  # change how branches are protected
    HOOKS = "hooks"  # receive events
    PROPOSE = "propose"  # push a branch and open a change: a revert, an update


MISSING_ABILITY_EFFECTS = {
    Ability.READ: "no change can be evaluated",
    Ability.PERMISSIONS: "no approval counts, because write access is unknown",
    Ability.RULES: "branch protection is unknown, and so is who may bypass it",
    Ability.STATUS: "the decision is not shown at the change, and does not block it",
    Ability.COMMENT: "a refusal is shown on Muniment's page only",
    Ability.PROTECT: "somebody has to protect the branch manually",
    Ability.HOOKS: "changes are noticed only when they are read again, every 10 minutes",
    Ability.PROPOSE: "a revert has to be pushed manually",
}


class RefusedRequest(Struct, frozen=True):
    """A kind of request that the forge refused although we need it.

    `permission`: what has to be added to our account or its token, as the forge names it; `cost`: the consequence of
    the refusal.
    """

    request: str
    permission: str
    cost: str


class ListedRepository(Struct, frozen=True):
    """A repository that the connection sees, and the permissions that are missing.

    `MISSING_ABILITY_EFFECTS` has their consequences. `topics` are the labels that the forge shows at the repository.
    """

    repository: ForgeRepository
    missing_abilities: tuple[Ability, ...]
    topics: tuple[str, ...] = ()
    archived: bool = False


# A change


class ChangeState(StrEnum):
    """States of a change."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Change(Struct, frozen=True):
    """A pull or merge request as its own page shows it. `text` and `title` are untrusted.

    `base`: tip of `target` as the forge returned it, which may be old. `source` is the branch it comes from, in the
    repository `source_repository` ("" if that is gone). `merged` is the commit that the branch took, "" unless merged.
    `updated` moves with every update.
    """

    number: int
    title: str
    text: str
    state: ChangeState
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


class ChangeEdit(Struct, frozen=True):
    """Edit of a change of ours: new title and text ("" leaves them), labels to add, and whether it is closed."""

    title: str = ""
    text: str = ""
    labels: tuple[str, ...] = ()
    closes: bool = False


class Move(Struct, frozen=True):
    """Push to a change's branch, oldest first in a reading.

    `new` is where the branch stood afterwards, `old` before ("" if unknown, or it was created). `commits`, oldest
    first, are those that the forge lists for this push; empty if git has to list them (`old..new`). `ref` is the branch
    where moves of several are listed, else "".
    """

    old: str
    new: str
    commits: tuple[str, ...]
    forced: bool
    who: Maybe[Account]
    at: str
    ref: str = ""


class Retarget(Struct, frozen=True):
    """A change of the target branch: earlier approvals were given for `old`."""

    old: str
    new: str
    who: Maybe[Account]
    at: str


class ReviewState(StrEnum):
    """States of a review. Comments alone are left out of readings."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes-requested"


class Review(Struct, frozen=True):
    """Review by one person, bound to the commit that they named.

    `dismissed` by `dismissed_by` at `dismissed_at` ("" if unknown). `asked_again`: the first moment after it at which
    another review by the same person was requested, "" if never.
    """

    id: str
    by: Account
    state: ReviewState
    commit: str
    at: str
    dismissed: bool = False
    dismissed_by: Maybe[Account] = Unknown("it was not dismissed")
    dismissed_at: str = ""
    asked_again: str = ""


class StandingReviews(Struct, frozen=True):
    """Reviews of a change that stand: id, state and commit of each, sorted.

    `writers`: for ids of their authors, whether they may write now; those that are missing have to be queried.
    """

    reviews: tuple[tuple[str, str, str], ...]
    writers: dict[str, bool] = {}


class ForgeContributor(Struct, frozen=True):
    """A contributor known only to the forge: applied a suggestion, resolved a conflict, requested work of a machine.

    `commit` is "" for the whole change. `asked` is the account that was requested to work: the request counts only for
    commits of a machine, and, if `at` is not "", only for those pushed after that moment.
    """

    commit: str
    by: Account
    role: ContributorRole
    asked: Account | None = None
    at: str = ""


class ForgeCommit(Struct, frozen=True):
    """A commit that the forge itself made (in its web pages, or by merging), with a signature that the forge verified.

    `committer`: the address, as written in it, that belongs to the forge and to no person.
    """

    id: str
    committer: str


class Check(Struct, frozen=True):
    """Result of an outside system for a head. `state` is `success`, `failure`, `pending`, or `error`."""

    context: str
    state: str
    by: Account
    description: str
    url: str
    at: str


class PendingMerge(Struct, frozen=True):
    """How a change is about to be merged. `automatic`: merged as soon as the rules allow, as `asked_by` requested.

    `queued`: it stands in a merge queue or train, as part of the group whose head is `group` ("" if unknown).
    """

    automatic: bool
    asked_by: Maybe[Account]
    method: str
    queued: bool = False
    group: str = ""


class GroupMember(Struct, frozen=True):
    """A change in a merge group, and the head with which it is there."""

    number: int
    head: str


class MergeGroup(Struct, frozen=True):
    """Changes that a merge queue or train is about to merge together into `target`: `base..head`, oldest first.

    `head` is the new tip of the branch; its tree is evaluated, and each member has to be allowed.
    """

    target: str
    base: str
    head: str
    members: tuple[GroupMember, ...]


NOT_READ = Unknown("the forge was not asked")


class Reading(Struct, frozen=True):
    """Complete reading of one change; each part is Known and whole, or Unknown. `checks` may be NOT_ASKED.

    `moves` begin where the forge's history does. `writers`: for each account id in reviews, whether it may write now.
    `own_commits`: commits of the change that are the forge's own, verified. `addresses`: owners of addresses in its
    commits, in lower case, as far as the forge has verified them.
    """

    change: Change
    read_at: str
    moves: Maybe[tuple[Move, ...]]
    retargets: Maybe[tuple[Retarget, ...]]
    reviews: Maybe[tuple[Review, ...]]
    contributors: Maybe[tuple[ForgeContributor, ...]]
    own_commits: Maybe[tuple[ForgeCommit, ...]]
    writers: Maybe[dict[str, bool]]
    checks: Maybe[tuple[Check, ...]]
    merging: Maybe[PendingMerge]
    addresses: Maybe[dict[str, Account]] = NOT_READ

"""Parts of a change: its revision, its commits and contributors, its files, and the results of machine merges."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Maybe, Unknown


class UpdateKind(StrEnum):
    """Effect on a branch when its tip moves from `base` to `head`."""

    UNCHANGED = "unchanged"  # head is base
    FAST_FORWARD = "fast-forward"  # head descends from base
    DIVERGED = "diverged"  # head and base have parted; the change is still to be merged
    REWOUND = "rewound"  # commits of base are lost
    CREATED = "created"
    DELETED = "deleted"


class Revision(Struct, frozen=True):
    """State of a change. `base` is the tip of `target` (a full ref) when it was read, `head` the proposed commit.

    Ids are full hexadecimal object ids; "" where there is none (the base of a new branch, the head of a deletion).
    `possible_reviewers` are ids of the persons whom the forge lets write to the repository, as far as it was asked:
    only the list of eligible reviewers depends on them. None where no forge was asked, and roles decide.
    `asked_about_all`: the forge was asked about everybody.
    """

    repository: str
    target: str
    base: str
    head: str
    update: Maybe[UpdateKind]
    possible_reviewers: tuple[str, ...] | None = None
    asked_about_all: bool = True


class ContributorRole(StrEnum):
    """Role of a contributor."""

    AUTHOR = "author"
    COMMITTER = "committer"
    CO_AUTHOR = "co-author"
    SIGNER = "signer"
    PUSHER = "pusher"
    REQUESTER = "requester"
    OPENER = "opener"
    SUGGESTION_APPLIER = "suggestion-applier"
    RESOLVER = "resolver"


class Contributor(Struct, frozen=True):
    """Identity that contributed to a commit, with its role. Identities: `facts.people`; "" where it is unknown."""

    identity: str
    role: ContributorRole


class Commit(Struct, frozen=True):
    """Commit as in its object, without replace refs, grafts or mailmap."""

    id: str
    tree: str
    parents: tuple[str, ...]
    contributors: tuple[Contributor, ...]


class File(Struct, frozen=True):
    """Changed path, percent-encoded (`facts.paths`). `old_path` differs only for a rename or copy.

    Modes are git's six octal digits, `000000` where the file is not there. `lines` are added plus deleted; for a
    binary file, its larger size divided by 80 bytes, rounded up.
    """

    path: str
    old_path: str
    old_mode: str
    new_mode: str
    binary: bool
    lines: Maybe[int]


class CommitPusher(Struct, frozen=True):
    """First pusher of a commit, as an identity."""

    commit: str
    pusher: Maybe[str]


class Pushes(Struct, frozen=True):
    """Pushers of the commits, and earlier heads of the change.

    `preview`: no push was recorded, and the commits' own contributors are assumed to have pushed. `earlier_heads` are
    all past heads of this change, `earlier_commits` the commits reachable from those and not from base or head.
    `update_pusher`, as an identity, pushes the update itself: the pusher who deletes or rewinds a branch contributes to
    that.
    """

    preview: bool
    first_pushes: tuple[CommitPusher, ...]
    earlier_heads: tuple[str, ...]
    earlier_commits: tuple[Commit, ...]
    update_pusher: Maybe[str] = Unknown("its pusher was not recorded")


class ApprovedHead(Struct, frozen=True):
    """Head that somebody approved for this branch, and the results of machine merges of it with the base.

    `commits`: reachable from `head` and not from base, newest first. `merged_tree`: tree of the machine merge with the
    base, or "" if there is no clean one. `replayed_trees`: the base's tree, then the trees after each of `commits`,
    oldest first, was replayed by a machine on the one before; empty if that was not clean or the commits are not a
    line.
    """

    head: str
    commits: tuple[Commit, ...]
    merged_tree: str
    replayed_trees: tuple[str, ...]

"""What a change is made of: its revision, its commits and hands, its files, and what a machine makes of it."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Maybe, Unknown


class Update(StrEnum):
    """What becomes of a branch whose tip was `base` when it takes `head`."""

    UNCHANGED = "unchanged"  # head is base
    FAST_FORWARD = "fast-forward"  # head descends from base
    DIVERGED = "diverged"  # head and base have parted; the change is still to be merged
    REWOUND = "rewound"  # commits of base are lost
    CREATED = "created"
    DELETED = "deleted"


class Revision(Struct, frozen=True):
    """One state of a change. `base` is the tip of `target` (a full ref) when it was read, `head` what is proposed.

    Ids are full hexadecimal object ids; "" where there is none (the base of a new branch, the head of a deletion).
    `possible_reviewers` are ids of the persons whom the forge lets write to the repository, as far as it was asked:
    only who could approve is told by them. None where no forge was asked, and roles tell it. `asked_about_all`: the
    forge told it of everybody.
    """

    repository: str
    target: str
    base: str
    head: str
    update: Maybe[Update]
    possible_reviewers: tuple[str, ...] | None = None
    asked_about_all: bool = True


class ContributorRole(StrEnum):
    """What makes somebody a contributor."""

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
    """One identity that had a hand in a commit, and how. Identities: see `facts.people`; "" where nobody can tell."""

    identity: str
    role: ContributorRole


class Commit(Struct, frozen=True):
    """One commit as its object says, untouched by replace refs, grafts or mailmap."""

    id: str
    tree: str
    parents: tuple[str, ...]
    contributors: tuple[Contributor, ...]


class File(Struct, frozen=True):
    """One changed path, percent-encoded (`facts.paths`). `old_path` is the same but for a rename or copy.

    Modes are git's six octal digits, `000000` where the file is not there. `lines` are added plus deleted; for a
    binary file, its larger size divided by 80 bytes, rounded up.
    """

    path: str
    old_path: str
    old_mode: str
    new_mode: str
    binary: bool
    lines: Maybe[int]


class Push(Struct, frozen=True):
    """Who first pushed a commit, as an identity."""

    commit: str
    pusher: Maybe[str]


class Pushes(Struct, frozen=True):
    """Who brought the commits, and what the change was before.

    `preview`: nobody recorded pushes, and they are supposed to be by the commits' own contributors. `earlier_heads`
    are all past heads of this change, `earlier` the commits reachable from those and not from base or head.
    `update_pusher`, as an identity, pushes the update itself: whoever deletes or rewinds a branch contributes to that.
    """

    preview: bool
    first_pushes: tuple[Push, ...]
    earlier_heads: tuple[str, ...]
    earlier_commits: tuple[Commit, ...]
    update_pusher: Maybe[str] = Unknown("nobody recorded who pushes it")


class ApprovedHead(Struct, frozen=True):
    """A head that somebody approved for this branch, and what a machine makes of it on the base.

    `commits`: reachable from `head` and not from base, newest first. `merged`: tree of the machine merge with the
    base, or "" if there is no clean one. `replayed`: the base's tree, then the trees after each of `commits`, oldest
    first, was replayed by a machine on the one before; empty if that was not clean or the commits are not a line.
    """

    head: str
    commits: tuple[Commit, ...]
    merged_tree: str
    replayed_trees: tuple[str, ...]

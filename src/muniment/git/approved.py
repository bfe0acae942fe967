"""Which approved heads could speak for a change, and what a machine makes of each. Nothing is decided here.

Always those inside the change. Of all others only those that a squash or a rebase could have turned into it:
the change is then a line of plain commits, and the approved commits touch every path that it touches.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import ApprovedHead, Commit, File, Revision
from muniment.git import files, machine
from muniment.git.history import History, line, reachable, read
from muniment.git.repository import Repository
from muniment.programs.command import join_lines

LIMIT = 64  # approved heads outside the change
LONGEST_REPLAY = 200  # commits
_PATHS = 1000  # of the change, that others are compared by
_WALK_SECONDS = 60
_WALK = ("--stdin", "--topo-order", "-z", "-r", "-m", "--raw", "--no-renames", "--format==%H %P")


class _Node(Struct):
    """One commit outside the change: its parents, and which of the change's paths it touches, as bits."""

    parents: list[str]
    touched: int = 0


def approved_heads(
    repository: Repository,
    revision: Revision,
    change: History,
    touched: Callable[[], Sequence[File]],
    names: Collection[str],
) -> tuple[ApprovedHead, ...]:
    """The relevant ones of `names` (ids of approved heads, here or not); those inside the change come first.

    `touched` reads the change's files, if they are needed. Raises GitError if something cannot be read, or more than
    LIMIT heads outside the change are relevant.
    """
    inside = [commit.id for commit in change.commits if commit.id in names]
    groups = [reachable(change.commits, [name]) for name in inside]
    elsewhere = set(names).difference(inside, (revision.base, revision.head))
    if elsewhere and len(change.bases) == 1 and line(change.commits):
        there = _commits_of(repository, sorted(elsewhere))
        groups += _others(repository, revision.base, touched(), there) if there else []
    return _made(repository, change, groups)


def _commits_of(repository: Repository, names: Sequence[str]) -> list[str]:
    """Those of `names` that are commits and here."""
    kinds = repository.objects.kinds(names)
    return [name for name, kind in zip(names, kinds, strict=True) if kind == "commit"]


def _made(repository: Repository, change: History, groups: Sequence[tuple[Commit, ...]]) -> tuple[ApprovedHead, ...]:
    """What a machine makes of each group of commits, the first of which is the approved head."""
    onto = change.bases[0] if len(change.bases) == 1 else ""
    trees = {group[0].id: group[0].tree for group in groups if onto and _descends(group, onto)}
    left = [group[0].id for group in groups if onto and group[0].id not in trees]
    merges = machine.merges(repository, [(onto, name) for name in left])
    trees.update(zip(left, merges, strict=True))
    return tuple(
        ApprovedHead(
            head=group[0].id,
            commits=group,
            merged_tree=trees.get(group[0].id, ""),
            replayed_trees=_replayed(repository, onto, change, group),
        )
        for group in groups
    )


def _descends(group: Iterable[Commit], onto: str) -> bool:
    """Whether the group was made on `onto` itself: merging it is then nothing but taking it."""
    return any(onto in commit.parents for commit in group)


def _replayed(repository: Repository, onto: str, change: History, group: Sequence[Commit]) -> tuple[str, ...]:
    own = {commit.id for commit in change.commits}
    if not onto or len(group) > LONGEST_REPLAY or not line(group) or not line(change.commits):
        return ()
    if any(commit.id in own for commit in group):
        return ()
    return machine.replayed(repository, onto, group[::-1])


def _others(
    repository: Repository, base: str, touched: Sequence[File], names: Collection[str]
) -> list[tuple[Commit, ...]]:
    """Commits of each approved head, in neither the change nor the base, that touches all of `touched`."""
    both = sorted({paths.to_bytes(name) for file in touched for name in (file.path, file.old_path)})
    bits = {path: 1 << place for place, path in enumerate(both[:_PATHS])}
    graph = _walk(repository, base, names, bits) if bits else {}
    all_bits = (1 << len(bits)) - 1
    full = {name for name, found in _gathered(graph).items() if found == all_bits}
    kept = [name for name in graph if name in full and name in names]
    if len(kept) > LIMIT:
        raise GitError(
            f"more than {LIMIT} approved heads touch the same files",
            "Delete approvals of what was merged long ago (refs/muniment/approvals/).",
        )
    return [read(repository, _behind(graph, name)) for name in kept]


def _walk(repository: Repository, base: str, names: Collection[str], bits: Mapping[bytes, int]) -> dict[str, _Node]:
    """All commits reachable from `names` and not from `base`, newest first."""
    given = join_lines("git log", [f"^{base}", *names], GitError)
    out = repository.run("log", *_WALK, input=given, timeout=_WALK_SECONDS)
    graph: dict[str, _Node] = {}
    for header, rows in files.diffs(iter(out.split(b"\0"))):  # a merge comes once for each of its parents
        name, *parents = header.decode("ascii").split()
        node = graph.setdefault(name, _Node(parents))
        for row in rows:
            node.touched |= bits.get(row.path, 0)
    return graph


def _gathered(graph: dict[str, _Node]) -> dict[str, int]:
    """For each commit, the paths that it or any commit behind it touches."""
    gathered: dict[str, int] = {}
    for name in reversed(graph):
        node = graph[name]
        gathered[name] = node.touched
        for parent in node.parents:
            gathered[name] |= gathered.get(parent, 0)
    return gathered


def _behind(graph: Mapping[str, _Node], head: str) -> list[str]:
    wanted = {head}
    for name, node in graph.items():
        if name in wanted:
            wanted.update(node.parents)
    return [name for name in graph if name in wanted]

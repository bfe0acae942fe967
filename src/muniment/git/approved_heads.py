"""Approved heads that are relevant for a change, and the trees that a machine makes of them. Nothing is decided here.

Heads inside the change are always relevant. Of all others only those that a squash or a rebase could have turned into
it: the change is then a line of plain commits, and the approved commits touch every path that it touches.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import ApprovedHead, Commit, File, Revision
from muniment.git import changed_files, machine_merges
from muniment.git.history import History, is_linear, read_commits, select_reachable
from muniment.git.repository import Repository
from muniment.programs.command import join_lines

MOST_OUTSIDE_COMMITS = 64  # approved heads outside the change
LONGEST_REPLAY = 200  # commits
_PATHS = 1000  # of the change, that others are compared by
_WALK_SECONDS = 60
_WALK = ("--stdin", "--topo-order", "-z", "-r", "-m", "--raw", "--no-renames", "--format==%H %P")


class _Node(Struct):
    """Commit outside the change: its parents, and which of the change's paths it touches, as bits."""

    parents: list[str]
    touched: int = 0


def find_approved_heads(
    repository: Repository,
    revision: Revision,
    change: History,
    read_files: Callable[[], Sequence[File]],
    names: Collection[str],
) -> tuple[ApprovedHead, ...]:
    """Relevant ones of `names` (ids of approved heads, present or not); those inside the change come first.

    `read_files` reads the change's files, if they are needed. Raises GitError if something cannot be read, or more than
    LIMIT heads outside the change are relevant.
    """
    inside = [commit.id for commit in change.commits if commit.id in names]
    groups = [select_reachable(change.commits, [name]) for name in inside]
    elsewhere = set(names).difference(inside, (revision.base, revision.head))
    if elsewhere and len(change.bases) == 1 and is_linear(change.commits):
        there = _select_commits(repository, sorted(elsewhere))
        groups += _find_outside_groups(repository, revision.base, read_files(), there) if there else []
    return _make_approved_heads(repository, change, groups)


def _select_commits(repository: Repository, names: Sequence[str]) -> list[str]:
    """Names among `names` that are present as commits."""
    kinds = repository.objects.read_kinds(names)
    return [name for name, kind in zip(names, kinds, strict=True) if kind == "commit"]


def _make_approved_heads(
    repository: Repository, change: History, groups: Sequence[tuple[Commit, ...]]
) -> tuple[ApprovedHead, ...]:
    """Approved heads of groups of commits, with the trees that a machine makes of them.

    The first commit of a group is the head.
    """
    onto = change.bases[0] if len(change.bases) == 1 else ""
    trees = {group[0].id: group[0].tree for group in groups if onto and _is_based_on(group, onto)}
    left = [group[0].id for group in groups if onto and group[0].id not in trees]
    merges = machine_merges.merge_pairs(repository, [(onto, name) for name in left])
    trees.update(zip(left, merges, strict=True))
    return tuple(
        ApprovedHead(
            head=group[0].id,
            commits=group,
            merged_tree=trees.get(group[0].id, ""),
            replayed_trees=_replay_group(repository, onto, change, group),
        )
        for group in groups
    )


def _is_based_on(group: Iterable[Commit], onto: str) -> bool:
    """Whether the group was made on `onto` itself: a merge of it is then a fast-forward."""
    return any(onto in commit.parents for commit in group)


def _replay_group(repository: Repository, onto: str, change: History, group: Sequence[Commit]) -> tuple[str, ...]:
    own = {commit.id for commit in change.commits}
    if not onto or len(group) > LONGEST_REPLAY or not is_linear(group) or not is_linear(change.commits):
        return ()
    if any(commit.id in own for commit in group):
        return ()
    return machine_merges.replay_commits(repository, onto, group[::-1])


def _find_outside_groups(
    repository: Repository, base: str, touched: Sequence[File], names: Collection[str]
) -> list[tuple[Commit, ...]]:
    """Commits of each approved head, in neither the change nor the base, that touches all of `touched`."""
    both = sorted({paths.encode_path(name) for file in touched for name in (file.path, file.old_path)})
    bits = {path: 1 << place for place, path in enumerate(both[:_PATHS])}
    graph = _walk_outside(repository, base, names, bits) if bits else {}
    all_bits = (1 << len(bits)) - 1
    full = {name for name, found in _gather_paths(graph).items() if found == all_bits}
    outside = [name for name in graph if name in full and name in names]
    if len(outside) > MOST_OUTSIDE_COMMITS:
        raise GitError(
            f"more than {MOST_OUTSIDE_COMMITS} approved heads touch the same files",
            "Delete approvals of what was merged long ago (refs/muniment/approvals/).",
        )
    return [read_commits(repository, _list_behind(graph, name)) for name in outside]


def _walk_outside(
    repository: Repository, base: str, names: Collection[str], bits: Mapping[bytes, int]
) -> dict[str, _Node]:
    """Walk all commits reachable from `names` and not from `base`, newest first."""
    given = join_lines("git log", [f"^{base}", *names], GitError)
    out = repository.run_git("log", *_WALK, input=given, timeout=_WALK_SECONDS)
    graph: dict[str, _Node] = {}
    for header, rows in changed_files.parse_diffs(iter(out.split(b"\0"))):  # a merge comes once for each of its parents
        name, *parents = header.decode("ascii").split()
        node = graph.setdefault(name, _Node(parents))
        for row in rows:
            node.touched |= bits.get(row.path, 0)
    return graph


def _gather_paths(graph: dict[str, _Node]) -> dict[str, int]:
    """Paths that each commit or any commit behind it touches, as bits."""
    gathered: dict[str, int] = {}
    for name in reversed(graph):
        node = graph[name]
        gathered[name] = node.touched
        for parent in node.parents:
            gathered[name] |= gathered.get(parent, 0)
    return gathered


def _list_behind(graph: Mapping[str, _Node], head: str) -> list[str]:
    wanted = {head}
    for name, node in graph.items():
        if name in wanted:
            wanted.update(node.parents)
    return [name for name in graph if name in wanted]

"""Pushers of a change's commits, and its earlier heads: from the record of pushes and from git."""

from collections.abc import Callable, Collection, Iterable, Mapping

from muniment.errors import ErasedError, GitError
from muniment.facts.change import Commit, CommitPusher, Pushes, Revision
from muniment.git import history
from muniment.git.repository import Repository
from muniment.programs.command import join_lines
from muniment.store.push_index import PushIndex

_WALK_SECONDS = 60
_CHANGES = ("refs/heads/", "refs/tags/")  # where changes are


class PushReader:
    """Reads the fact `pushes` for one repository, from what was recorded before the entry `before`."""

    def __init__(
        self,
        repository: Repository,
        refs: Mapping[str, str],
        index: PushIndex,
        place: str,
        before: int,
        is_protected: Callable[[str], bool],
    ) -> None:
        """`refs` as they were then; `is_protected`: whether a ref is excluded from a change's earlier heads."""
        self._repository = repository
        self._refs = refs
        self._index = index
        self._place = place
        self._before = before
        self._protected = is_protected

    def __call__(self, revision: Revision, own: tuple[Commit, ...], carrying: tuple[Commit, ...]) -> Pushes:
        """The fact `pushes`.

        `own` are the change's commits, `carrying` those of heads with approvals that it keeps; their earlier heads
        belong to the change as well. Raises GitError.
        """
        heads = self._find_earlier_heads((*own, *carrying))
        heads = tuple(head for head in heads if head != revision.head)
        earlier = self._read_earlier_commits(revision, heads)
        ids = dict.fromkeys(commit.id for commit in (*own, *carrying, *earlier))
        first = self._index.find_first_pushers(self._place, ids)
        pusher = self._index.find_pusher_of_entry(self._before - 1)
        return Pushes(False, tuple(CommitPusher(commit, first[commit]) for commit in ids), heads, earlier, pusher)

    def _find_earlier_heads(self, commits: tuple[Commit, ...]) -> tuple[str, ...]:
        """Every value of every ref that held one of these commits which is on no protected branch yet."""
        names = {commit.id for commit in commits}
        landed = [value for ref, value in self._refs.items() if self._protected(ref)]
        ids = self._list_commits_beyond(sorted(names), landed) & names if names else set()
        if not ids:
            return ()
        family = ids | self._find_unrecorded_family(ids)
        return self._index.find_earlier_heads(self._place, family, self._before, lambda ref: not self._protected(ref))

    def _find_unrecorded_family(self, ids: set[str]) -> set[str]:
        """Commits from before the server hook that descend from `ids`.

        Their parents are not recorded, but git has them.
        """
        if not self._index.find_unrecorded(self._place, ids):
            return set()
        refs = {value for ref, value in self._refs.items() if ref.startswith(_CHANGES)}
        asked = join_lines("git rev-list", [*sorted(refs), *(f"^{name}^@" for name in sorted(ids))], GitError)
        options = ("--stdin", "--parents", "--topo-order", "--reverse", f"--max-count={history.MOST_COMMITS + 1}")
        out = self._repository.run_git("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        rows = out.decode("ascii").splitlines()
        if len(rows) > history.MOST_COMMITS:
            raise GitError(
                "too many commits lie behind this change to look for its earlier heads", "Ask who runs this."
            )
        family = set(ids)
        for row in rows:
            commit, *parents = row.split(" ")
            if family.intersection(parents):
                family.add(commit)
        return family

    def _read_earlier_commits(self, revision: Revision, heads: Collection[str]) -> tuple[Commit, ...]:
        """Commits that `heads` reach and base and head do not."""
        if not heads:
            return ()
        kinds = dict(zip(heads, self._repository.objects.read_kinds(list(heads)), strict=True))
        there = [head for head, kind in kinds.items() if kind in ("commit", "tag")]
        gone, more = self._read_gone_commits([head for head, kind in kinds.items() if not kind])
        ids = self._list_commits_beyond([*there, *more], [revision.base, revision.head])
        return (*gone, *history.read_commits(self._repository, sorted(ids)))

    def _read_gone_commits(self, heads: Iterable[str]) -> tuple[list[Commit], list[str]]:
        """Commits that git has deleted, as their pushes recorded them, and their parents that are still present."""
        found: dict[str, Commit] = {}
        there: list[str] = []
        left = list(heads)
        while left:
            at = left.pop()
            if at in found:
                continue
            commit = self._read_recorded(at)
            found[at] = commit
            kinds = self._repository.objects.read_kinds(list(commit.parents)) if commit.parents else []
            for parent, kind in zip(commit.parents, kinds, strict=True):
                (there if kind else left).append(parent)
        return list(found.values()), there

    def _read_recorded(self, commit: str) -> Commit:
        try:
            found = self._index.find_commit(self._place, commit)
        except ErasedError as error:
            raise GitError(f"what was pushed as {commit} was erased, and is not in git either", error.remedy) from error
        if found is None:
            raise GitError(
                f"an earlier head of this change, {commit}, is neither in git nor in the record",
                "Bring the change on a new branch with new commits.",
            )
        return found

    def _list_commits_beyond(self, tips: Iterable[str], known: Iterable[str]) -> set[str]:
        """Ids that `tips` reach and `known` do not."""
        values = [*tips, *(f"^{value}" for value in sorted(set(known)) if value)]
        asked = join_lines("git rev-list", values, GitError)
        options = ("--stdin", f"--max-count={history.MOST_COMMITS + 1}")
        out = self._repository.run_git("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        ids = set(out.decode("ascii").split())
        if len(ids) > history.MOST_COMMITS:
            raise GitError(
                f"more than {history.MOST_COMMITS} commits belong to this change", "Bring it in smaller pieces."
            )
        return ids

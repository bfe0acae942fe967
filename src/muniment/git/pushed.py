"""Who brought a change's commits, and what the change was before: from the record of pushes and from git."""

from collections.abc import Callable, Collection, Iterable, Mapping

from muniment.errors import ErasedError, GitError
from muniment.facts.change import Commit, Push, Pushes, Revision
from muniment.git import history
from muniment.git.repository import Repository
from muniment.programs.command import join_lines
from muniment.store.index import Index

_WALK_SECONDS = 60
_CHANGES = ("refs/heads/", "refs/tags/")  # where changes are


class PushReader:
    """Reads the fact `pushes` for one repository, from what was recorded before the entry `before`."""

    def __init__(
        self,
        repository: Repository,
        refs: Mapping[str, str],
        index: Index,
        place: str,
        before: int,
        protected: Callable[[str], bool],
    ) -> None:
        """`refs` as they were then; `protected`: whether one is no place for a change's earlier heads."""
        self._repository = repository
        self._refs = refs
        self._index = index
        self._place = place
        self._before = before
        self._protected = protected

    def __call__(self, revision: Revision, own: tuple[Commit, ...], carrying: tuple[Commit, ...]) -> Pushes:
        """The fact. `own` are the change's commits, `carrying` those of heads whose approvals it keeps; what these were
        before belongs to the change as well. Raises GitError."""
        heads = self._earlier_heads((*own, *carrying))
        heads = tuple(head for head in heads if head != revision.head)
        earlier = self._earlier(revision, heads)
        ids = dict.fromkeys(commit.id for commit in (*own, *carrying, *earlier))
        first = self._index.first(self._place, ids)
        pusher = self._index.pusher(self._before - 1)
        return Pushes(False, tuple(Push(commit, first[commit]) for commit in ids), heads, earlier, pusher)

    def _earlier_heads(self, commits: tuple[Commit, ...]) -> tuple[str, ...]:
        """Every value of every ref that held one of these commits which is on no protected branch yet."""
        names = {commit.id for commit in commits}
        landed = [value for ref, value in self._refs.items() if self._protected(ref)]
        ids = self._beyond(sorted(names), landed) & names if names else set()
        if not ids:
            return ()
        family = ids | self._older_family(ids)
        return self._index.earlier_heads(self._place, family, self._before, lambda ref: not self._protected(ref))

    def _older_family(self, ids: set[str]) -> set[str]:
        """Commits from before the gate that descend from `ids`: nobody recorded their parents, but git has them."""
        if not self._index.unrecorded(self._place, ids):
            return set()
        refs = {value for ref, value in self._refs.items() if ref.startswith(_CHANGES)}
        asked = join_lines("git rev-list", [*sorted(refs), *(f"^{name}^@" for name in sorted(ids))], GitError)
        options = ("--stdin", "--parents", "--topo-order", "--reverse", f"--max-count={history.LIMIT + 1}")
        out = self._repository.run("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        rows = out.decode("ascii").splitlines()
        if len(rows) > history.LIMIT:
            raise GitError(
                "too many commits lie behind this change to look for its earlier heads", "Ask who runs this."
            )
        family = set(ids)
        for row in rows:
            commit, *parents = row.split(" ")
            if family.intersection(parents):
                family.add(commit)
        return family

    def _earlier(self, revision: Revision, heads: Collection[str]) -> tuple[Commit, ...]:
        """The commits that `heads` reach and base and head do not."""
        if not heads:
            return ()
        kinds = dict(zip(heads, self._repository.objects.kinds(list(heads)), strict=True))
        there = [head for head, kind in kinds.items() if kind in ("commit", "tag")]
        gone, more = self._gone([head for head, kind in kinds.items() if not kind])
        ids = self._beyond([*there, *more], [revision.base, revision.head])
        return (*gone, *history.read(self._repository, sorted(ids)))

    def _gone(self, heads: Iterable[str]) -> tuple[list[Commit], list[str]]:
        """Commits that git has thrown away, as their pushes recorded them, and their parents that are still there."""
        found: dict[str, Commit] = {}
        there: list[str] = []
        left = list(heads)
        while left:
            at = left.pop()
            if at in found:
                continue
            commit = self._recorded(at)
            found[at] = commit
            kinds = self._repository.objects.kinds(list(commit.parents)) if commit.parents else []
            for parent, kind in zip(commit.parents, kinds, strict=True):
                (there if kind else left).append(parent)
        return list(found.values()), there

    def _recorded(self, commit: str) -> Commit:
        try:
            found = self._index.recorded(self._place, commit)
        except ErasedError as error:
            raise GitError(f"what was pushed as {commit} was erased, and is not in git either", error.remedy) from error
        if found is None:
            raise GitError(
                f"an earlier head of this change, {commit}, is neither in git nor in the record",
                "Bring the change on a new branch with new commits.",
            )
        return found

    def _beyond(self, tips: Iterable[str], known: Iterable[str]) -> set[str]:
        """What `tips` reach and `known` do not."""
        values = [*tips, *(f"^{value}" for value in sorted(set(known)) if value)]
        asked = join_lines("git rev-list", values, GitError)
        options = ("--stdin", f"--max-count={history.LIMIT + 1}")
        out = self._repository.run("rev-list", *options, input=asked, timeout=_WALK_SECONDS)
        ids = set(out.decode("ascii").split())
        if len(ids) > history.LIMIT:
            raise GitError(f"more than {history.LIMIT} commits belong to this change", "Bring it in smaller pieces.")
        return ids

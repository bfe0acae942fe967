"""Authors of a branch: names, addresses, numbers of commits, and who brought commits onto the branch themselves."""

from collections.abc import Iterable

from muniment.errors import GitError
from muniment.git.repository import Repository
from muniment.policy.people_draft import Author

_SECONDS = 300
# Of each commit: author's name and address, committer's name and address, the day of the latter, parents.
_FORMAT = "--format=%an%x00%ae%x00%cn%x00%ce%x00%cs%x00%P%x00"
_FIELDS = 6


def read_authors(repository: Repository, tip: str, since: str) -> tuple[Author, ...]:
    """Authors of all commits that `tip` reaches, newest first. Raises GitError.

    Whoever merged or committed on the first-parent line on or after the day `since` brought commits onto the branch.
    """
    found: dict[tuple[str, str], Author] = {}
    brought = set(_list_bringers(_read_rows(repository, tip, "--first-parent"), since))
    for name, email, _, _, day, _ in _read_rows(repository, tip):
        key = (name, email)
        known = found.get(key)
        commits, last = (known.commits + 1, max(known.last_day, day)) if known else (1, day)
        found[key] = Author(name, email, commits, last, brought=key in brought)
    return tuple(sorted(found.values(), key=lambda author: author.last_day, reverse=True))


def _list_bringers(rows: Iterable[list[str]], since: str) -> Iterable[tuple[str, str]]:
    """A forge commits merges in its own name: then the author merged."""
    for author, author_email, committer, committer_email, day, parents in rows:
        if day >= since:
            yield (committer, committer_email)
            if " " in parents:
                yield (author, author_email)


def _read_rows(repository: Repository, tip: str, *options: str) -> list[list[str]]:
    out = repository.run_git("log", *options, _FORMAT, values=(tip,), timeout=_SECONDS)
    words = out.decode("utf-8", "replace").split("\0")
    rows = [words[place : place + _FIELDS] for place in range(0, len(words) - 1, _FIELDS)]
    if any(len(row) != _FIELDS for row in rows):
        raise GitError("git log gave an answer of another form", "Look at the repository with git fsck.")
    return [[row[0].removeprefix("\n"), *row[1:]] for row in rows]

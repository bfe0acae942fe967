"""A push as a receiving hook sees it: its updates, its objects in quarantine, its commits."""

import os
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import Commit
from muniment.facts.maybe import Maybe
from muniment.facts.people import People
from muniment.git import history, published_rules
from muniment.git.repository import Repository
from muniment.programs.command import join_lines

MOST_PUSHED_REFS = history.MOST_COMMITS  # new commits of one push
MOST_REFS = 10_000  # refs of one push
_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_REFUSED = "Push again; if it stays so, ask who runs this server."
_WALK_SECONDS = 60


class PushedRef(Struct, frozen=True):
    """Ref of a push, by its full name (as `facts.paths`), and its value before and after; "" for none."""

    ref: str
    old: str
    new: str


def parse_received_refs(data: bytes) -> tuple[PushedRef, ...]:
    """Refs in the lines that git gives to `pre-receive`. Raises GitError for any other form."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines.pop() or not lines or len(lines) > MOST_REFS:
        raise GitError("git did not list the pushed refs, or the list is too long", "Push fewer refs at once.")
    return tuple(_parse_line(line) for line in lines)


def parse_outgoing_refs(data: bytes) -> tuple[PushedRef, ...]:
    """Refs in the lines that git gives to `pre-push`: names and values here, and there. Raises GitError."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:-1]
    rows = [line.split(" ") for line in lines]
    if any(len(row) != 4 for row in rows):
        raise GitError("git did not list the pushed refs", "Push again, or with --no-verify.")
    return tuple(_parse_line(f"{there} {here} {ref}") for _, here, ref, there in rows)


def find_quarantine(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Folder with the objects of the push that is being received; empty if git stores them with all others."""
    folder = environment.get("GIT_QUARANTINE_PATH", "")
    return (os.path.abspath(folder),) if folder else ()


def read_encoded_refs(repository: Repository) -> dict[str, str]:
    """Value of each ref, by its encoded full name; without the one that only commands at the server write."""
    return {
        encode_ref(name): value for name, value in repository.read_refs().items() if name != published_rules.RULES_REF
    }


def encode_ref(ref: str) -> str:
    """Name of a ref as Muniment writes it, from the one that the file system gives."""
    return paths.decode_path(os.fsencode(ref))


def decode_ref(ref: str) -> str:
    """Name of a ref in the file system, from the one that Muniment writes."""
    return os.fsdecode(paths.encode_path(ref))


def resolve_symbolic_refs(repository: Repository, updates: Iterable[PushedRef]) -> tuple[PushedRef, ...]:
    """Updates of the refs that change: a symbolic ref is only another name for one.

    Raises GitError if two updates would change one ref.
    """
    # Rules go by the name of a branch: a second name for it would be a way past them.
    found = tuple(PushedRef(_find_target_ref(repository, update), update.old, update.new) for update in updates)
    if len({update.ref for update in found}) != len(found):
        raise GitError("a ref is pushed twice at once", _REFUSED)
    return found


def read_new_commits(
    repository: Repository, updates: Iterable[PushedRef], known: Iterable[str], people: Maybe[People]
) -> tuple[Commit, ...]:
    """Commits that none of the values `known` reaches yet, newest first.

    Raises GitError if an object is missing, or there are more than LIMIT.
    """
    tips, there = {update.new for update in updates if update.new}, set(known)
    if not tips - there:
        return ()
    asked = join_lines("git rev-list", [*sorted(tips), *(f"^{value}" for value in sorted(there))], GitError)
    options = ("--topo-order", f"--max-count={MOST_PUSHED_REFS + 1}", "--stdin")
    ids = repository.run_git("rev-list", *options, input=asked, timeout=_WALK_SECONDS).decode("ascii").split()
    if len(ids) > MOST_PUSHED_REFS:
        raise GitError(
            f"the push brings more than {MOST_PUSHED_REFS} new commits",
            "Push in pieces: git push origin OLDER-COMMIT:BRANCH first. To bring in a whole repository, copy it there "
            "and run muniment hook install --home DIR.",
        )
    return history.read_commits(repository, ids, people)


def peel_to_commit(repository: Repository, value: str) -> str:
    """Commit that `value` is or that its tags lead to, "" if they lead to another object. Raises GitError."""
    # A tag may name a tag: without an end, a chain of them would keep the hook busy.
    for _ in range(10):
        found = repository.objects.read_git_object(value)
        if found is None:
            raise GitError(f"the object {value} is missing", _REFUSED)
        if found.kind != "tag":
            return value if found.kind == "commit" else ""
        value = found.data.partition(b"\n")[0].decode("ascii", "replace").removeprefix("object ")
    return ""


def find_merge_base(repository: Repository, head: str, others: Iterable[str]) -> str:
    """Merge base of `head` and the nearest of `others`, "" if there is none."""
    listed = sorted(set(others))
    if not listed:
        return ""
    if head in listed:  # as a release branch is cut from another branch: git need not be asked
        return head
    out = repository.run_git("merge-base", values=(head, *listed), timeout=_WALK_SECONDS, codes=(0, 1))
    return out.decode("ascii").strip()


def _find_target_ref(repository: Repository, update: PushedRef) -> str:
    """Ref that changes. A loose file shows that it is not symbolic; only otherwise git is started."""
    name = decode_ref(update.ref)
    file = os.path.join(repository.git_dir, name)
    try:
        with open(file, "rb") as stream:
            plain = _ID.fullmatch(stream.read(100).decode("ascii", "replace").strip()) and not os.path.islink(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        plain = True  # packed, or new: only a loose ref can be symbolic
    except OSError as error:
        raise GitError(f"the ref {update.ref} cannot be read ({error.strerror})", _REFUSED) from error
    if plain:
        return update.ref
    return (
        encode_ref(
            os.fsdecode(repository.run_in_place("symbolic-ref", "--quiet", values=(name,), codes=(0, 1)).strip())
        )
        or update.ref
    )


def _parse_line(line: str) -> PushedRef:
    old, _, rest = line.partition(" ")
    new, _, ref = rest.partition(" ")
    if not (_ID.fullmatch(old) and _ID.fullmatch(new) and ref.startswith("refs/")) or "\0" in ref:
        raise GitError("git gave a line that names no ref", _REFUSED)
    return PushedRef(encode_ref(ref), "" if not old.strip("0") else old, "" if not new.strip("0") else new)

"""A bare copy of a remote repository: fetched over HTTP, without large files, and evaluated like any other.

- The header with the token goes to git by its environment: into no file, command line or error.
- Only HTTP(S) to that one address is used: no redirect to another host, no helper, no submodule, and no proxy except
  the one that is given.
- Files over a mebibyte are left out (git's partial clone); those that a change touches are fetched when it is read.
- A first copy comes in parts, from the newest commits to the oldest: finished parts stay when one of them is
  interrupted. Until all of it is there, nothing is read of it.
- A commit that was fetched by its id gets a ref of our own, so that it stays after the server deleted it.
"""

import contextlib
import os
import re
import shutil
import ssl
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from muniment.errors import GitError, ParseError
from muniment.git import cached_answers, remote_refs
from muniment.git.git_process import git_error, run_git
from muniment.git.mirror_refs import check_ref, find_conflicting_refs, was_requested
from muniment.git.repository import Repository
from muniment.programs.command import ProgramOption, join_lines
from muniment.programs.credential_hiding import hide_credentials
from muniment.programs.environment import git_environment, git_proxy_configuration
from muniment.programs.process import ProcessLimits
from muniment.programs.repository_addresses import Scheme, parse_repository_address

RETAINED_PREFIX = "refs/muniment/retained-commits/"
PART = 1_000  # commits of each branch, in the first part of a first copy; each one after it brings twice as many
_SCHEMES = (Scheme.HTTPS, Scheme.HTTP)  # a forge in one's own network may have no certificate
_FETCH_SECONDS = 300
_LIMITS = ProcessLimits(seconds=_FETCH_SECONDS)
_LOCKED = b".lock': File exists"
_AT_ONCE = 500  # ids in one request
_PACKS = 20  # outside the index over all packs, before they are packed anew
_OBJECT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_ALL_REFS, _PEELED = "refs/", "^{}"

_CONFIGURATION = """[core]
\trepositoryFormatVersion = 1
\tbare = true
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = "{url}"
\tpromisor = true
\tpartialCloneFilter = blob:limit=1m
[gc]
\tauto = 0
"""


class Mirror:
    """The copy in `folder` of the repository at `url` (http or https, without a name or password in it).

    `header`: HTTP header that the server requires; `proxy`: address of the proxy to it ("" for none).
    """

    def __init__(self, folder: str | Path, url: str, header: Mapping[str, str], proxy: str = "") -> None:
        """Make the folder if it is missing. Raises GitError for an address that is not allowed."""
        _check_address(url)
        self.folder = Path(folder)
        self._url, self._header, self._proxy = url, dict(header), proxy
        known = ssl.get_default_verify_paths().cafile  # SSL_CERT_FILE, as everywhere here
        self._settings = {
            "http.followRedirects": "false",
            **git_proxy_configuration(proxy),
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "60",
            "credential.helper": "",
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "protocol.version": "2",
            "fetch.writeCommitGraph": "false",
            "submodule.recurse": "false",
            **({"http.sslCAInfo": known} if known else {}),
        }
        self._unmoved: dict[str, str] = {}  # refs that the last fetch found here as they are over there
        lines = [f"{name}: {value}" for name, value in header.items()]
        self._secrets = [value for value in header.values() if value]
        if hide_credentials(proxy) != proxy:
            self._secrets.append(proxy)
        if len(lines) > 1 or any("\n" in line for line in lines):
            raise GitError("git takes one header, of one line", "Connect again.")
        if lines:
            self._settings[f"http.{url}.extraHeader"] = lines[0]
        self._initialize_copy()

    def __repr__(self) -> str:
        return f"Mirror({self._url!r})"

    def open_copy(self) -> Repository:
        """The copy, to be evaluated. Close it before the next fetch is to be seen.

        Raises GitError if it is not whole.
        """
        if self._read_shallow():
            raise _incomplete_error()
        return Repository.open_own_copy(os.path.abspath(self.folder))

    def fetch_refs(
        self, refs: Sequence[str], gathered: Sequence[str] = (), commits: Iterable[str] = ()
    ) -> frozenset[str]:
        """Fetch from the server, and return those of `commits` that cannot be had.

        `refs` (full, or all below a folder: `refs/heads/*`) take their values from there, and are deleted when they are
        gone. `gathered` are folders whose refs only grow: the server cannot take back an earlier value. `commits` are
        fetched by their ids, even without a ref, and retained. Raises GitError if a ref cannot be had.
        """
        self._unmoved = {}
        self._resume_first_copy()
        wanted = list(dict.fromkeys(commit for commit in commits if _OBJECT.fullmatch(commit)))
        there = self.list_remote_refs((*refs, *gathered)) if refs or gathered else {}
        with self.open_copy() as repository:
            named = [
                *(ref.removesuffix("*") for ref in (*refs, *gathered)),
                *(RETAINED_PREFIX + commit for commit in wanted),
            ]
            here = repository.read_refs(*named) if named else {}
            missing = _list_absent(repository, [commit for commit in wanted if RETAINED_PREFIX + commit not in here])
            followed = {ref for ref in there if was_requested(ref, refs)}
            old = find_conflicting_refs(repository, followed - here.keys())
        self._delete_refs({*old, *(ref for ref in here if was_requested(ref, refs) and ref not in there)})
        moved = [f"+{ref}:{ref}" for ref in followed if here.get(ref) != there[ref]]
        grown = [f"{ref}:{ref}" for ref in there.keys() - followed if here.get(ref) != there[ref]]
        self._fetch_best_effort(moved, [*grown, *(f"{commit}:{RETAINED_PREFIX}{commit}" for commit in missing)])
        self._unmoved = {ref: here[ref] for ref in followed if here.get(ref) == there[ref]}
        self._retain_commits(
            commit for commit in wanted if commit not in missing and RETAINED_PREFIX + commit not in here
        )
        return frozenset(self._find_missing(missing))

    def find_ref_value(self, ref: str) -> str:
        """Value of a followed ref since the last fetch, "" if there is none."""
        if ref not in self._unmoved:
            with self.open_copy() as repository:
                return repository.read_refs(ref).get(ref, "")
        return self._unmoved[ref]

    def list_remote_refs(self, refs: Sequence[str]) -> dict[str, str]:
        """Refs among these that the server has, with their values."""
        asked = [f"{check_ref(ref[:-2])}/*" if ref.endswith("/*") else check_ref(ref) for ref in refs]
        found = self._list_in_one_request(asked)
        if found is None:
            out = self._run_git("ls-remote", "--refs", values=("origin", *asked)).decode("utf-8", "surrogateescape")
            found = {name: value for value, _, name in (line.partition("\t") for line in out.splitlines())}
        return {name: value for name, value in found.items() if _OBJECT.fullmatch(value) and was_requested(name, asked)}

    def list_all_remote_refs(self) -> dict[str, str]:
        """Every ref that the server has, with its value: of an annotated tag, what it names."""
        found = self._list_in_one_request([_ALL_REFS], peeled=True)
        if found is None:
            rows = self._run_git("ls-remote", values=("origin", f"{_ALL_REFS}*")).decode("utf-8", "surrogateescape")
            listed = {name: value for value, _, name in (line.partition("\t") for line in rows.splitlines())}
            found = {name: listed.get(name + _PEELED, value) for name, value in listed.items()}
        return {
            name: value
            for name, value in found.items()
            if _OBJECT.fullmatch(value) and name.startswith(_ALL_REFS) and not name.endswith(_PEELED)
        }

    def _list_in_one_request(self, asked: Sequence[str], *, peeled: bool = False) -> dict[str, str] | None:
        """Refs by one request; None if git has to list them, as for an hour after a failure."""
        if time.monotonic() < _LISTED_BY_GIT.get(self._url, 0.0):
            return None
        prefixes = [ref.removesuffix("*") for ref in asked]
        found = remote_refs.list_refs(self._url, self._header, self._proxy, prefixes, peeled=peeled)
        if found is None:
            _LISTED_BY_GIT[self._url] = time.monotonic() + _HOUR_SECONDS
        return found

    def fetch_large_files(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Fetch the large files by which the commits of each pair differ. Files that cannot be had stay missing."""
        here = cached_answers.identify_copy(str(self.folder))
        new_ones = [pair for pair in dict.fromkeys(pairs) if pair[0] != pair[1] and (here, *pair) not in _COMPLETE]
        if not new_ones:
            return
        with self.open_copy() as repository:
            differing = {
                pair: found for pair in new_ones if (found := _find_differing_files(repository, *pair)) is not None
            }
            missing = _list_absent(repository, sorted(set().union(*differing.values())))
        for at in range(0, len(missing), _AT_ONCE):
            self._fetch_best_effort((), missing[at : at + _AT_ONCE])
        _note_complete((here, *pair) for pair, ids in differing.items() if ids.isdisjoint(missing))

    def push_commit(self, repository: Repository, commit: str, branch: str, before: str = "") -> None:
        """Push a commit that `repository` (this copy, open) or its throwaway has, as a branch (a full ref) there.

        The branch is a new one, or is at `before`. Raises GitError, also if it is elsewhere.
        """
        borrowed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.path.join(repository.throwaway.path, "objects")}
        values = ("origin", f"{commit}:{check_ref(branch)}")
        self._run_git("push", "--porcelain", f"--force-with-lease={branch}:{before}", values=values, more=borrowed)

    def delete_branch(self, branch: str, before: str) -> None:
        """Delete a branch (a full ref) at the server, if it is at `before`. Raises GitError."""
        values = ("origin", f":{check_ref(branch)}")
        self._run_git("push", "--porcelain", f"--force-with-lease={branch}:{before}", values=values)

    def _find_missing(self, commits: Sequence[str]) -> list[str]:
        if not commits:
            return []
        with self.open_copy() as repository:
            return _list_absent(repository, commits)

    def _delete_refs(self, refs: Iterable[str]) -> None:
        self._update_refs([f"delete {ref}" for ref in refs])

    def _retain_commits(self, commits: Iterable[str]) -> None:
        """Create refs of our own, so that no housekeeping deletes a commit that was once fetched."""
        self._update_refs([f"update {RETAINED_PREFIX}{commit} {commit}" for commit in commits])

    def _update_refs(self, lines: Sequence[str]) -> None:
        if lines:
            self._run_git("update-ref", "--stdin", input=join_lines("git update-ref", lines, GitError))

    def _fetch_best_effort(self, needed: Sequence[str], others: Sequence[str]) -> None:
        """Fetch all at once; if that is refused, the needed ones, and of the others those that can be had."""
        try:
            if needed or others:
                self._fetch_specs([*needed, *others])
        except GitError:
            if not others:
                raise
            if needed:
                self._fetch_specs(needed)
            self._fetch_each(others)

    def _fetch_each(self, specs: Sequence[str]) -> None:
        """Fetch one by one: a server may lack a single one of them, or have taken one back."""
        for spec in specs:
            try:
                self._fetch_specs([spec])
            except GitError:
                continue  # whoever needs it finds it missing, and says so

    def _fetch_specs(self, specs: Sequence[str]) -> None:
        _delete_stale((self.folder / "objects" / "pack").glob("tmp_*"))  # what one that was killed had brought
        first = next((self.folder / "objects" / "pack").glob("*.pack"), None) is None
        self._fetch_part(specs, *((f"--depth={PART}",) if first else ()))
        if not self._deepen_copy(specs):
            raise _incomplete_error()
        self._pack_copy()

    def _fetch_part(self, specs: Sequence[str], *depth: ProgramOption) -> None:
        options = ("--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", "--stdin", *depth)
        self._run_git("fetch", *options, values=("origin",), input=join_lines("git fetch", specs, GitError))

    def _read_shallow(self) -> bytes:
        """Commits whose parents are still to come, as git stores them; empty for a whole copy."""
        file = self.folder / "shallow"
        return file.read_bytes() if file.exists() else b""

    def _deepen_copy(self, specs: Sequence[str]) -> bool:
        """Fetch older commits until none is missing; False if that brings no more. Raises GitError."""
        part = PART
        while before := self._read_shallow():
            self._fetch_part(specs, f"--deepen={part}")
            part *= 2
            if self._read_shallow() == before:
                return False
        return True

    def _resume_first_copy(self) -> None:
        """Continue a first copy that was interrupted, or begin again if it cannot be completed. Raises GitError."""
        if not self._read_shallow():
            return
        here = self._run_git("for-each-ref", "--format=%(refname)").decode("utf-8", "surrogateescape").split()
        there = self.list_remote_refs([ref for ref in here if not ref.startswith(RETAINED_PREFIX)] or ["refs/heads/*"])
        followed = [f"+{ref}:{ref}" for ref in there]
        retained = [f"{ref.removeprefix(RETAINED_PREFIX)}:{ref}" for ref in here if ref.startswith(RETAINED_PREFIX)]
        try:
            whole = bool(followed) and self._deepen_copy([*followed, *retained])
        except GitError:  # the other side may not give out one of them any more
            whole = bool(followed) and self._deepen_copy(followed)
        if not whole:
            self._begin_anew()
            raise _incomplete_error()

    def _begin_anew(self) -> None:
        for name in ("objects", "refs"):
            shutil.rmtree(self.folder / name)
        for file in (self.folder / "shallow", self.folder / "packed-refs", self.folder / "config"):
            file.unlink(missing_ok=True)
        self._initialize_copy()

    def _pack_copy(self) -> None:
        """Pack one index over many packs, and one file for many refs: every git that starts would open each of them."""
        folder = self.folder / "objects" / "pack"
        index = folder / "multi-pack-index"
        since = index.stat().st_mtime_ns if index.exists() else 0
        with os.scandir(folder) as found:
            loose = sum(1 for one in found if one.name.endswith(".pack") and one.stat().st_mtime_ns > since)
        if loose < _PACKS:
            return
        try:
            self._run_git("pack-refs", "--all")
            self._run_git("multi-pack-index", "write")
        except GitError:
            return  # what is there is found without it too, only later

    def _run_git(
        self,
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        input: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        """Run git in the copy itself, whose configuration is ours."""
        given = {"GIT_DIR": str(self.folder), "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES), **more}
        environment = git_environment(given, self._settings)
        finished = run_git(verb, options, environment, values=values, input=input, limits=_LIMITS)
        if finished.code and _LOCKED in finished.err and self._remove_stale_locks():
            finished = run_git(verb, options, environment, values=values, input=input, limits=_LIMITS)
        if finished.code:
            raise self._make_refusal(verb, finished.err)
        return finished.out

    def _remove_stale_locks(self) -> bool:
        """Whether there were locks that no living git holds; they are deleted."""
        return _delete_stale((*self.folder.glob("*.lock"), *(self.folder / "refs").rglob("*.lock")))

    def _make_refusal(self, verb: str, complaints: bytes) -> GitError:
        masked = complaints
        for secret in self._secrets:
            masked = masked.replace(secret.encode(), b"...")
        why = git_error(f"git {verb}", masked).message
        return GitError(why, "Check that the forge answers, and that our account may read the repository.")

    def _initialize_copy(self) -> None:
        for folder in ("objects", "refs"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", _CONFIGURATION.format(url=self._url))):
            file = self.folder / name
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8")


def _check_address(url: str) -> None:
    """Raises GitError for an address that is no forge's."""
    try:
        parse_repository_address(url, _SCHEMES)
    except ParseError as error:
        raise GitError(f"this is no address to fetch from: {error.message}", error.remedy) from None
    if hide_credentials(url) != url:
        raise GitError("this is no address to fetch from: it holds a name or a password", "Write it without them.")


def _list_absent(repository: Repository, ids: Sequence[str]) -> list[str]:
    """Ids among `ids` that are not present."""
    there = repository.objects.read_kinds(ids) if ids else ()
    return [one for one, kind in zip(ids, there, strict=True) if not kind]


def _delete_stale(found: Iterable[Path]) -> bool:
    """Delete files older than any git process can be; whether there were any."""
    swept = False
    for file in found:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            if time.time() - file.stat().st_mtime > 2 * _FETCH_SECONDS:
                file.unlink()
                swept = True
    return swept


def _incomplete_error() -> GitError:
    return GitError("the first copy of the repository is not complete", "The next fetch goes on with it.")


_HOUR_SECONDS = 3_600.0
_LISTED_BY_GIT: dict[str, float] = {}  # addresses whose refs could not be listed in one request, and until when

_Pair = tuple[cached_answers.Copy | None, str, str]  # a copy, and two commits
# Those that have every file by which they differ: a copy forgets nothing.
_COMPLETE: OrderedDict[_Pair, None] = OrderedDict()
_MOST_COMPLETE = 10_000


def _note_complete(found: Iterable[_Pair]) -> None:
    _COMPLETE.update(dict.fromkeys(found))
    while len(_COMPLETE) > _MOST_COMPLETE:
        _COMPLETE.popitem(last=False)


def _find_differing_files(repository: Repository, old: str, new: str) -> frozenset[str] | None:
    """Ids of the files by which two commits differ; None if they cannot be compared."""
    try:
        out = repository.run_git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", values=(old, new))
    except GitError:
        return None
    rows = [word[1:].split(b" ") for word in out.split(b"\0") if word[:1] == b":"]
    ends = [end for old_mode, new_mode, old_id, new_id, _ in rows for end in ((old_mode, old_id), (new_mode, new_id))]
    return frozenset(one.decode("ascii") for mode, one in ends if mode not in (b"000000", b"160000"))

"""Mirrors over HTTP: stored and pruned refs, approvals that a remote cannot remove, and no leaked tokens."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.git import mirror
from muniment.git.changed_files import read_changed_files
from muniment.git.mirror import RETAINED_PREFIX, Mirror
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault, Request
from tests.support.http_servers import ForwardProxy
from tests.support.repos import Repo

APPROVALS = "refs/muniment/approvals/*"


class MirroredRepository:
    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.there: Repo = fake.repos["org/shop"]["git"]
        self.folder = folder
        self.url = f"{fake.url}/org/shop.git"
        self.mirror = self.made()

    def made(self, token: str = "") -> Mirror:
        header = {"Authorization": f"token {token or self.fake.administrator}"}
        return Mirror(self.folder / "mirror", self.url, header)

    def refs(self) -> dict[str, str]:
        with self.mirror.open_copy() as repository:
            return repository.read_refs()


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Iterator[MirroredRepository]:
    with FakeGitea(tmp_path / "forge") as fake:
        headers = {"authorization": f"token {fake.administrator}"}
        fake.make_repo(Request("POST", "", {}, headers, {"name": "shop"}, ("org",)))
        yield MirroredRepository(fake, tmp_path)


def test_fetch_uses_given_proxy_and_stores_no_password(place: MirroredRepository) -> None:
    word, port = "-".join(("not", "a", "word")), int(place.fake.url.rpartition(":")[2])
    credentials = base64.b64encode(f"a d:{word}".encode())
    header = {"Authorization": f"token {place.fake.administrator}"}
    far = "http://forge.example.test/org/shop.git"
    with ForwardProxy(port, credentials=credentials) as proxy:
        through = proxy.url.replace("://", f"://a%20d:{word}@")
        Mirror(place.folder / "mirror", far, header, through).fetch_refs(["refs/heads/*"])
        assert place.refs()
        assert proxy.requests[0].startswith(b"POST http://forge.example.test/org/shop.git/git-upload-pack")
        asked = b"GET http://forge.example.test/org/shop.git/info/refs"  # by git
        assert any(request.startswith(asked) for request in proxy.requests)
        wrong = proxy.url.replace("://", f"://eve:{word}@")
        with pytest.raises(GitError) as caught:
            Mirror(place.folder / "mirror", far, header, wrong).fetch_refs(["refs/heads/*"])
    assert word not in f"{caught.value!r} {caught.value.remedy}"
    assert word not in (place.folder / "mirror" / "config").read_text()


def test_fetch_updates_and_prunes_refs_and_keeps_unreferenced_commits(place: MirroredRepository) -> None:
    topic = place.there.commit({"a": "1\n"}, on="topic", parents=["main"])
    lost = place.there.commit({"a": "2\n"}, on="", parents=["main"])
    gone = place.mirror.fetch_refs(["refs/heads/*"], commits=[lost, topic, "f" * 40, "nonsense"])
    assert gone == {"f" * 40}
    assert place.refs()["refs/heads/topic"] == topic
    place.there.git("update-ref", "-d", "refs/heads/topic")
    moved = place.there.commit({"b": "1\n"}, on="main")
    place.mirror.fetch_refs(["refs/heads/*"], commits=[topic])
    assert place.refs() == {"refs/heads/main": moved, RETAINED_PREFIX + lost: lost, RETAINED_PREFIX + topic: topic}


@pytest.mark.parametrize(("before", "after"), [("release", "release/1"), ("release/1/2", "release/1")])
def test_deleted_branch_does_not_block_nested_branch_name(place: MirroredRepository, before: str, after: str) -> None:
    main = place.there.commit({"a": "1\n"}, on="main")
    place.there.branch(f"refs/heads/{before}", main)
    place.mirror.fetch_refs([f"refs/heads/{before}"])
    place.there.git("update-ref", "-d", f"refs/heads/{before}")
    place.there.branch(f"refs/heads/{after}", main)
    place.mirror.fetch_refs([f"refs/heads/{after}"])
    assert place.refs() == {f"refs/heads/{after}": main}


@pytest.mark.parametrize("lock", ["packed-refs.lock", "refs/heads/main.lock"])
def test_lock_of_dead_process_is_removed_and_live_lock_stays(place: MirroredRepository, lock: str) -> None:
    place.there.branch("refs/heads/topic", place.there.commit({"a": "1\n"}, on="main"))
    place.mirror.fetch_refs(["refs/heads/*"])
    place.there.git("update-ref", "-d", "refs/heads/topic")
    moved = place.there.commit({"a": "2\n"}, on="main")
    left = place.folder / "mirror" / lock
    left.parent.mkdir(parents=True, exist_ok=True)
    left.touch()
    with pytest.raises(GitError):
        place.mirror.fetch_refs(["refs/heads/*"])
    os.utime(left, (1, 1))
    place.mirror.fetch_refs(["refs/heads/*"])
    assert place.refs() == {"refs/heads/main": moved}


def test_leftovers_of_killed_fetch_are_removed(place: MirroredRepository) -> None:
    folder = place.folder / "mirror" / "objects" / "pack"
    folder.mkdir(parents=True)
    for name, age in (("tmp_pack_old", 1), ("tmp_pack_new", None)):
        (folder / name).touch()
        os.utime(folder / name, (age, age) if age else None)
    place.mirror.fetch_refs(["refs/heads/main"])
    assert sorted(path.name for path in folder.glob("tmp_*")) == ["tmp_pack_new"]


def test_remote_cannot_rewind_or_delete_mirrored_approvals(place: MirroredRepository) -> None:
    first = place.there.commit({"s": "1\n"}, on="", parents=[])
    second = place.there.commit({"s": "2\n"}, on="", parents=[first])
    ref = "refs/muniment/approvals/" + "a" * 40 + "/bob"
    place.there.branch(ref, second)
    place.mirror.fetch_refs([], [APPROVALS])
    place.there.branch(ref, first)
    place.mirror.fetch_refs(["refs/heads/main"], [APPROVALS])
    assert place.refs()[ref] == second
    place.there.git("update-ref", "-d", ref)
    place.mirror.fetch_refs(["refs/heads/main"], [APPROVALS])
    assert place.refs()[ref] == second


def test_large_files_are_fetched_only_for_changes_that_touch_them(place: MirroredRepository) -> None:
    large = "x" * (2 << 20)
    base = place.there.commit({"large.bin": large, "small": "1\n"}, on="main")
    head = place.there.commit({"large.bin": large + "y"}, on="topic", parents=["main"])
    place.mirror.fetch_refs(["refs/heads/*"])
    with place.mirror.open_copy() as repository, pytest.raises(GitError):
        read_changed_files(repository, [base], head)
    place.mirror.fetch_large_files([(base, head)])
    with place.mirror.open_copy() as repository:
        assert [file.path for file in read_changed_files(repository, [base], head)] == ["large.bin"]


def test_incomplete_revision_is_completed_later(place: MirroredRepository) -> None:
    large = "x" * (2 << 20)
    base = place.there.commit({"large.bin": large}, on="main")
    head = place.there.commit({"large.bin": large + "y"}, on="topic", parents=["main"])
    place.mirror.fetch_large_files([(base, head)])  # which are not here
    place.mirror.fetch_refs(["refs/heads/*"])
    place.fake.fail("git", Fault.FAILED)
    place.mirror.fetch_large_files([(base, head)])  # whose file cannot be had
    place.fake.mend()
    place.mirror.fetch_large_files([(base, head)])
    with place.mirror.open_copy() as repository:
        assert [file.path for file in read_changed_files(repository, [base], head)] == ["large.bin"]
    before = len(place.fake.calls)
    place.mirror.fetch_large_files([(base, head)])
    assert len(place.fake.calls) == before
    shutil.rmtree(place.folder / "mirror")
    place.mirror = place.made()
    place.mirror.fetch_refs(["refs/heads/*"])
    place.mirror.fetch_large_files([(base, head)])  # a copy that was made anew lacks it
    with place.mirror.open_copy() as repository:
        assert [file.path for file in read_changed_files(repository, [base], head)] == ["large.bin"]


@pytest.mark.parametrize("refused", [False, True], ids=["indexed", "refused"])
def test_many_fetches_share_one_pack_index_and_lose_no_object(place: MirroredRepository, refused: bool) -> None:
    folder = place.folder / "mirror" / "objects" / "pack"
    if refused:
        (folder / "multi-pack-index.lock").mkdir(parents=True)
    brought = [place.there.commit({f"{at}": "1\n"}, on="", parents=["main"]) for at in range(45)]
    for commit in brought:
        assert not place.mirror.fetch_refs([], commits=[commit])
    assert (folder / "multi-pack-index").exists() is not refused
    assert set(place.refs()) == {RETAINED_PREFIX + commit for commit in brought}
    assert len(list(folder.glob("*.pack"))) == 45
    with place.mirror.open_copy() as repository:
        assert repository.objects.read_kinds(brought) == ["commit"] * 45


def test_token_is_in_no_file_or_error(place: MirroredRepository) -> None:
    place.mirror.fetch_refs(["refs/heads/main"])
    token = place.fake.administrator
    found = subprocess.run(["grep", "-r", token, str(place.folder / "mirror")], capture_output=True, check=False)
    assert found.returncode == 1
    other = "-".join(("not", "the", "token"))
    with pytest.raises(GitError) as caught:
        place.made(other).fetch_refs(["refs/heads/main"])
    assert other not in f"{caught.value!r} {caught.value.message} {place.made(other)!r}"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "ssh://host/shop",
        "https://ada:word@host/shop",
        "https:///shop",
        "https://host/shop\n[core]",
        "ext::x",
    ],
)
def test_refuses_non_http_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(GitError, match="no address"):
        Mirror(tmp_path / "mirror", url, {})


@pytest.mark.parametrize("header", [{"a": "1\n2"}, {"a": "1", "b": "2"}])
def test_refuses_multiline_header(tmp_path: Path, header: dict[str, str]) -> None:
    with pytest.raises(GitError, match="one header"):
        Mirror(tmp_path / "mirror", "https://host/shop", header)


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "refs/heads/a b", "refs/heads/../x", "main", "refs/heads/a:refs/heads/b"]
)
def test_refuses_invalid_ref_name(place: MirroredRepository, ref: str) -> None:
    with pytest.raises(GitError, match="no name of a ref"):
        place.mirror.fetch_refs([ref])


def test_push_refuses_to_overwrite_existing_branch(place: MirroredRepository) -> None:
    place.mirror.fetch_refs(["refs/heads/main"])
    tip, other = place.there.tip("main"), place.there.commit({"a": "1\n"}, on="other", parents=["main"])
    place.mirror.fetch_refs(["refs/heads/*"])
    with place.mirror.open_copy() as repository:
        place.mirror.push_commit(repository, tip, "refs/heads/fresh")
        with pytest.raises(GitError):
            place.mirror.push_commit(repository, other, "refs/heads/main")
    assert (place.there.tip("fresh"), place.there.tip("main")) == (tip, tip)


def grow_history(place: MirroredRepository, commits: int) -> str:
    """Add so many merges to the history; return its tip."""
    return [place.there.commit({"log.txt": f"{number}\n"}, on="main") for number in range(commits)][-1]


def packs(place: MirroredRepository) -> set[str]:
    return {file.name for file in (place.folder / "mirror" / "objects" / "pack").glob("*.pack")}


def test_first_clone_in_parts_is_complete(place: MirroredRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    tip = grow_history(place, 9)
    place.mirror.fetch_refs(["refs/heads/main"])
    assert len(packs(place)) > 2
    with place.mirror.open_copy() as repository:
        assert repository.run_git("rev-list", "--count", values=(tip,)).split() == [b"10"]
        assert repository.run_git("rev-parse", "--is-shallow-repository").split() == [b"false"]


def test_interrupted_first_clone_resumes_and_is_unreadable_until_complete(
    place: MirroredRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    tip = grow_history(place, 9)
    with monkeypatch.context() as broken:
        broken.setattr(Mirror, "_deepen_copy", lambda *_: False)
        with pytest.raises(GitError):
            place.mirror.fetch_refs(["refs/heads/main"])
    before = packs(place)
    assert before, "the first part stays"
    with pytest.raises(GitError, match="not complete"):
        place.mirror.open_copy()
    place.made().fetch_refs(["refs/heads/main"])
    assert before <= packs(place), "and is not fetched again"
    with place.mirror.open_copy() as repository:
        assert repository.run_git("rev-list", "--count", values=(tip,)).split() == [b"10"]


def test_first_clone_restarts_if_interrupted_branch_was_deleted(
    place: MirroredRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    grow_history(place, 9)
    with monkeypatch.context() as broken:
        broken.setattr(Mirror, "_deepen_copy", lambda *_: False)
        with pytest.raises(GitError):
            place.mirror.fetch_refs(["refs/heads/main"])
    place.there.branch("other", place.there.tip("main"))
    place.there.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(GitError):
        place.made().fetch_refs(["refs/heads/other"])
    place.made().fetch_refs(["refs/heads/other"])
    assert list(place.refs()) == ["refs/heads/other"]

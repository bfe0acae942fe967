"""A copy over HTTP: what it keeps, what it leaves out, what it does not let others take back, and that it is silent."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.git import mirror
from muniment.git.files import changed
from muniment.git.mirror import RETAINED, Mirror
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault, Request
from tests.support.http_servers import ForwardProxy
from tests.support.repos import Repo

APPROVALS = "refs/muniment/approvals/*"


class Place:
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
        with self.mirror.open() as repository:
            return repository.refs()


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Iterator[Place]:
    with FakeGitea(tmp_path / "forge") as fake:
        headers = {"authorization": f"token {fake.administrator}"}
        fake.make_repo(Request("POST", "", {}, headers, {"name": "shop"}, ("org",)))
        yield Place(fake, tmp_path)


def test_a_fetch_goes_through_the_proxy_that_is_given_and_its_password_is_in_no_file(place: Place) -> None:
    word, port = "-".join(("not", "a", "word")), int(place.fake.url.rpartition(":")[2])
    credentials = base64.b64encode(f"a d:{word}".encode())
    header = {"Authorization": f"token {place.fake.administrator}"}
    far = "http://forge.example.test/org/shop.git"
    with ForwardProxy(port, credentials=credentials) as proxy:
        through = proxy.url.replace("://", f"://a%20d:{word}@")
        Mirror(place.folder / "mirror", far, header, through).fetch(["refs/heads/*"])
        assert place.refs()
        assert proxy.requests[0].startswith(b"POST http://forge.example.test/org/shop.git/git-upload-pack")
        asked = b"GET http://forge.example.test/org/shop.git/info/refs"  # by git
        assert any(request.startswith(asked) for request in proxy.requests)
        wrong = proxy.url.replace("://", f"://eve:{word}@")
        with pytest.raises(GitError) as caught:
            Mirror(place.folder / "mirror", far, header, wrong).fetch(["refs/heads/*"])
    assert word not in f"{caught.value!r} {caught.value.remedy}"
    assert word not in (place.folder / "mirror" / "config").read_text()


def test_refs_follow_and_go_and_commits_without_any_are_kept(place: Place) -> None:
    topic = place.there.commit({"a": "1\n"}, on="topic", parents=["main"])
    lost = place.there.commit({"a": "2\n"}, on="", parents=["main"])
    gone = place.mirror.fetch(["refs/heads/*"], commits=[lost, topic, "f" * 40, "nonsense"])
    assert gone == {"f" * 40}
    assert place.refs()["refs/heads/topic"] == topic
    place.there.git("update-ref", "-d", "refs/heads/topic")
    moved = place.there.commit({"b": "1\n"}, on="main")
    place.mirror.fetch(["refs/heads/*"], commits=[topic])
    assert place.refs() == {"refs/heads/main": moved, RETAINED + lost: lost, RETAINED + topic: topic}


@pytest.mark.parametrize(("before", "after"), [("release", "release/1"), ("release/1/2", "release/1")])
def test_a_branch_that_is_gone_is_not_in_the_way_of_one_below_or_above_it(
    place: Place, before: str, after: str
) -> None:
    main = place.there.commit({"a": "1\n"}, on="main")
    place.there.branch(f"refs/heads/{before}", main)
    place.mirror.fetch([f"refs/heads/{before}"])
    place.there.git("update-ref", "-d", f"refs/heads/{before}")
    place.there.branch(f"refs/heads/{after}", main)
    place.mirror.fetch([f"refs/heads/{after}"])
    assert place.refs() == {f"refs/heads/{after}": main}


@pytest.mark.parametrize("lock", ["packed-refs.lock", "refs/heads/main.lock"])
def test_a_lock_that_the_dead_left_is_taken_away_and_one_of_the_living_is_not(place: Place, lock: str) -> None:
    place.there.branch("refs/heads/topic", place.there.commit({"a": "1\n"}, on="main"))
    place.mirror.fetch(["refs/heads/*"])
    place.there.git("update-ref", "-d", "refs/heads/topic")
    moved = place.there.commit({"a": "2\n"}, on="main")
    left = place.folder / "mirror" / lock
    left.parent.mkdir(parents=True, exist_ok=True)
    left.touch()
    with pytest.raises(GitError):
        place.mirror.fetch(["refs/heads/*"])
    os.utime(left, (1, 1))
    place.mirror.fetch(["refs/heads/*"])
    assert place.refs() == {"refs/heads/main": moved}


def test_what_a_fetch_that_was_killed_had_brought_is_swept_away(place: Place) -> None:
    folder = place.folder / "mirror" / "objects" / "pack"
    folder.mkdir(parents=True)
    for name, age in (("tmp_pack_old", 1), ("tmp_pack_new", None)):
        (folder / name).touch()
        os.utime(folder / name, (age, age) if age else None)
    place.mirror.fetch(["refs/heads/main"])
    assert sorted(path.name for path in folder.glob("tmp_*")) == ["tmp_pack_new"]


def test_what_was_said_here_cannot_be_taken_back_there(place: Place) -> None:
    first = place.there.commit({"s": "1\n"}, on="", parents=[])
    second = place.there.commit({"s": "2\n"}, on="", parents=[first])
    ref = "refs/muniment/approvals/" + "a" * 40 + "/bob"
    place.there.branch(ref, second)
    place.mirror.fetch([], [APPROVALS])
    place.there.branch(ref, first)
    place.mirror.fetch(["refs/heads/main"], [APPROVALS])
    assert place.refs()[ref] == second
    place.there.git("update-ref", "-d", ref)
    place.mirror.fetch(["refs/heads/main"], [APPROVALS])
    assert place.refs()[ref] == second


def test_large_files_stay_there_until_a_change_touches_them(place: Place) -> None:
    large = "x" * (2 << 20)
    base = place.there.commit({"large.bin": large, "small": "1\n"}, on="main")
    head = place.there.commit({"large.bin": large + "y"}, on="topic", parents=["main"])
    place.mirror.fetch(["refs/heads/*"])
    with place.mirror.open() as repository, pytest.raises(GitError):
        changed(repository, [base], head)
    place.mirror.complete([(base, head)])
    with place.mirror.open() as repository:
        assert [file.path for file in changed(repository, [base], head)] == ["large.bin"]


def test_what_was_not_complete_is_looked_at_again(place: Place) -> None:
    large = "x" * (2 << 20)
    base = place.there.commit({"large.bin": large}, on="main")
    head = place.there.commit({"large.bin": large + "y"}, on="topic", parents=["main"])
    place.mirror.complete([(base, head)])  # which are not here
    place.mirror.fetch(["refs/heads/*"])
    place.fake.fail("git", Fault.FAILED)
    place.mirror.complete([(base, head)])  # whose file cannot be had
    place.fake.mend()
    place.mirror.complete([(base, head)])
    with place.mirror.open() as repository:
        assert [file.path for file in changed(repository, [base], head)] == ["large.bin"]
    before = len(place.fake.calls)
    place.mirror.complete([(base, head)])
    assert len(place.fake.calls) == before
    shutil.rmtree(place.folder / "mirror")
    place.mirror = place.made()
    place.mirror.fetch(["refs/heads/*"])
    place.mirror.complete([(base, head)])  # a copy that was made anew lacks it
    with place.mirror.open() as repository:
        assert [file.path for file in changed(repository, [base], head)] == ["large.bin"]


@pytest.mark.parametrize("refused", [False, True], ids=["indexed", "refused"])
def test_many_fetches_leave_one_index_over_their_packs_and_nothing_is_lost(place: Place, refused: bool) -> None:
    folder = place.folder / "mirror" / "objects" / "pack"
    if refused:
        (folder / "multi-pack-index.lock").mkdir(parents=True)
    brought = [place.there.commit({f"{at}": "1\n"}, on="", parents=["main"]) for at in range(45)]
    for commit in brought:
        assert not place.mirror.fetch([], commits=[commit])
    assert (folder / "multi-pack-index").exists() is not refused
    assert set(place.refs()) == {RETAINED + commit for commit in brought}
    assert len(list(folder.glob("*.pack"))) == 45
    with place.mirror.open() as repository:
        assert repository.objects.kinds(brought) == ["commit"] * 45


def test_neither_files_nor_errors_hold_the_token(place: Place) -> None:
    place.mirror.fetch(["refs/heads/main"])
    token = place.fake.administrator
    found = subprocess.run(["grep", "-r", token, str(place.folder / "mirror")], capture_output=True, check=False)
    assert found.returncode == 1
    other = "-".join(("not", "the", "token"))
    with pytest.raises(GitError) as caught:
        place.made(other).fetch(["refs/heads/main"])
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
def test_an_address_that_is_not_plain_http_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(GitError, match="no address"):
        Mirror(tmp_path / "mirror", url, {})


@pytest.mark.parametrize("header", [{"a": "1\n2"}, {"a": "1", "b": "2"}])
def test_a_header_of_several_lines_is_refused(tmp_path: Path, header: dict[str, str]) -> None:
    with pytest.raises(GitError, match="one header"):
        Mirror(tmp_path / "mirror", "https://host/shop", header)


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "refs/heads/a b", "refs/heads/../x", "main", "refs/heads/a:refs/heads/b"]
)
def test_what_is_no_name_of_a_ref_is_not_asked_for(place: Place, ref: str) -> None:
    with pytest.raises(GitError, match="no name of a ref"):
        place.mirror.fetch([ref])


def test_a_branch_that_is_there_is_not_pushed_over(place: Place) -> None:
    place.mirror.fetch(["refs/heads/main"])
    tip, other = place.there.tip("main"), place.there.commit({"a": "1\n"}, on="other", parents=["main"])
    place.mirror.fetch(["refs/heads/*"])
    with place.mirror.open() as repository:
        place.mirror.push(repository, tip, "refs/heads/fresh")
        with pytest.raises(GitError):
            place.mirror.push(repository, other, "refs/heads/main")
    assert (place.there.tip("fresh"), place.there.tip("main")) == (tip, tip)


def grown(place: Place, commits: int) -> str:
    """A history of so many more commits; its tip."""
    return [place.there.commit({"log.txt": f"{number}\n"}, on="main") for number in range(commits)][-1]


def packs(place: Place) -> set[str]:
    return {file.name for file in (place.folder / "mirror" / "objects" / "pack").glob("*.pack")}


def test_a_first_copy_comes_in_parts_and_is_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    tip = grown(place, 9)
    place.mirror.fetch(["refs/heads/main"])
    assert len(packs(place)) > 2
    with place.mirror.open() as repository:
        assert repository.run("rev-list", "--count", values=(tip,)).split() == [b"10"]
        assert repository.run("rev-parse", "--is-shallow-repository").split() == [b"false"]


def test_a_first_copy_that_was_broken_off_is_gone_on_with_and_not_read_until_then(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    tip = grown(place, 9)
    with monkeypatch.context() as broken:
        broken.setattr(Mirror, "_deepen", lambda *_: False)
        with pytest.raises(GitError):
            place.mirror.fetch(["refs/heads/main"])
    before = packs(place)
    assert before, "the first part stays"
    with pytest.raises(GitError, match="not complete"):
        place.mirror.open()
    place.made().fetch(["refs/heads/main"])
    assert before <= packs(place), "and is not fetched again"
    with place.mirror.open() as repository:
        assert repository.run("rev-list", "--count", values=(tip,)).split() == [b"10"]


def test_a_first_copy_of_what_is_there_no_more_is_begun_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PART", 2)
    grown(place, 9)
    with monkeypatch.context() as broken:
        broken.setattr(Mirror, "_deepen", lambda *_: False)
        with pytest.raises(GitError):
            place.mirror.fetch(["refs/heads/main"])
    place.there.branch("other", place.there.tip("main"))
    place.there.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(GitError):
        place.made().fetch(["refs/heads/other"])
    place.made().fetch(["refs/heads/other"])
    assert list(place.refs()) == ["refs/heads/other"]

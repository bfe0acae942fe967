"""Refs of a remote repository in one request; an incomplete list is refused, and git is used instead."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.git import mirror, remote_refs
from muniment.git.mirror import Mirror
from muniment.git.remote_refs import list_refs
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Request
from tests.support.http_servers import Answering, answer
from tests.support.repos import Repo

ONE, OTHER = "1" * 40, "2" * 40
RESULT = "application/x-git-upload-pack-result"


class RemoteRepository:
    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.repo: Repo = fake.repos["org/shop"]["git"]
        self.url = f"{fake.url}/org/shop.git"
        self.header = {"Authorization": f"token {fake.administrator}"}
        self.mirror = Mirror(folder / "mirror", self.url, self.header)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[RemoteRepository]:
    with FakeGitea(tmp_path / "forge") as fake:
        headers = {"authorization": f"token {fake.administrator}"}
        fake.make_repo(Request("POST", "", {}, headers, {"name": "shop"}, ("org",)))
        yield RemoteRepository(fake, tmp_path)


@pytest.fixture(autouse=True)
def _supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_LISTED_BY_GIT", {})


def packets(*lines: bytes, end: bytes = b"0000") -> bytes:
    return b"".join(b"%04x" % (len(line) + 4) + line for line in lines) + end


def ask(body: bytes, status: str = "200 OK", kind: str = RESULT) -> dict[str, str] | None:
    with Answering(answer(body, status, Content_Type=kind)) as server:
        return list_refs(f"{server.url}/shop.git", {"Authorization": "x"}, "", ["refs/heads/main"])


def test_remote_refs_equal_refs_listed_by_git(place: RemoteRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place.repo.commit({"a": "1\n"})
    for ref in ("refs/heads/main2", "refs/heads/b/main", "refs/heads/bä", "refs/pull/1/head", "refs/tags/v1"):
        place.repo.branch(ref, first)
    place.repo.git("tag", "-a", "-m", "x", "v2", first)
    asked = (["refs/heads/main"], ["refs/heads/*", "refs/pull/1/head"], ["refs/tags/*"], ["refs/none/*"])
    listed = [place.mirror.list_remote_refs(refs) for refs in asked]
    assert listed[0] == {"refs/heads/main": place.repo.tip("main")}
    monkeypatch.setattr(remote_refs, "_RESULT", "another")
    assert [place.mirror.list_remote_refs(refs) for refs in asked] == listed


def test_listing_remote_refs_starts_no_program(place: RemoteRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> bytes:
        raise AssertionError("a program is started")

    head = place.repo.commit({"a": "1\n"})
    monkeypatch.setattr(Mirror, "_run_git", refused)
    assert place.mirror.list_remote_refs(["refs/heads/main"]) == {"refs/heads/main": head}


def test_complete_ref_list_is_accepted() -> None:
    lines = (f"{ONE} refs/heads/main\n".encode(), f"{OTHER} refs/heads/main/x\n".encode())
    assert ask(packets(*lines)) == {"refs/heads/main": ONE, "refs/heads/main/x": OTHER}
    assert ask(packets()) == {}


LINE = f"{ONE} refs/heads/main\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        packets(LINE, end=b""),
        packets(LINE)[:-2],
        packets(LINE)[:30],
        packets(LINE, end=b"0001"),
        packets(LINE) + b"0000",
        packets(LINE, b"ERR no\n"),
        packets(f"{ONE} refs/heads/main peeled:{OTHER}\n".encode()),
        packets(b"# service=git-upload-pack\n", end=b"0000") + packets(LINE),
        b"003G" + LINE,
    ],
)
def test_refuses_incomplete_ref_list(body: bytes) -> None:
    assert ask(body) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [("401 No", RESULT), ("429 Slow", RESULT), ("302 Found", RESULT), ("500 Broken", RESULT), ("200 OK", "text/html")],
)
def test_refuses_response_that_is_no_ref_list(status: str, kind: str) -> None:
    assert ask(packets(LINE), status, kind) is None


def test_git_reports_error_if_remote_refs_cannot_be_listed(tmp_path: Path) -> None:
    with Answering(answer(b"no", "403 Forbidden")) as server:
        copy = Mirror(tmp_path / "mirror", f"{server.url}/shop.git", {})
        with pytest.raises(GitError, match="403"):
            copy.list_remote_refs(["refs/heads/main"])
        asked = len(server.requests)
        with pytest.raises(GitError, match="403"):
            copy.list_remote_refs(["refs/heads/main"])
        assert b"POST" not in b"".join(request.split(b" ")[0] for request in server.requests[asked:]), "for an hour"

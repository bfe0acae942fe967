"""Whatever a revision, a ref, a path, an address or a key is: git and ssh-keygen run nothing that it says."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from muniment.cli import keys
from muniment.errors import MunimentError
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.git import approvals, documents, hooks, receiving, runs, signatures, statements
from muniment.git.mirror import Mirror
from muniment.git.receiving import Update
from muniment.git.repository import Repository
from tests.support.hostile import Canary
from tests.support.repos import Repo

OF_COMMANDS = ("a hook's folder",)  # they are given by command lines alone
Use = Callable[[Repository, str, str], object]  # of a repository, its head, and the value
PLACES: dict[str, Use] = {
    "a revision": lambda git, _, value: git.resolve(value),
    "a pattern of refs": lambda git, _, value: git.refs(value, f"refs/heads/{value}"),
    "an object": lambda git, _, value: git.objects.read(value),
    "a folder": lambda git, head, value: git.objects.entries(f"{head}:{value}"),
    "a file": lambda git, head, value: documents.text_at(git, head, value),
    "a commit": lambda git, _, value: documents.at(git, value),
    "revisions": lambda git, head, value: git.run("rev-list", "--max-count=1", values=(head, f"^{value}", value)),
    "a range": lambda git, head, value: git.run("diff", values=(f"{value}...{head}",), paths=(value,)),
    "bases": lambda git, head, value: receiving.merge_base(git, head, [value]),
    "a pushed ref": lambda git, head, value: receiving.followed(git, receiving.read_updates(_pushed(head, value))),
    "a pushed value": lambda git, _, value: receiving.brought(
        git, [Update("refs/heads/x", "", value)], [value], Known(People((), ()))
    ),
    "a ref that is written": lambda git, _, value: statements.write(git, f"refs/muniment/{value}", "", b"{}", "x"),
    "a statement before": lambda git, _, value: statements.write(git, "refs/muniment/x", value, b"{}", "x"),
    "a person": lambda git, head, value: approvals.write(git, head, value, "", b"{}", "x"),
    "a pipeline": lambda git, head, value: runs.write(git, head, value, "", b"{}", "x"),
    "a key to sign with": lambda *given: signatures.sign(b"x", "muniment", given[2]),
    "a namespace": lambda *given: signatures.sign(b"x", given[2], "/nonexistent"),
    "a key of a person": lambda git, _, value: keys.signer(People((), ()), value, git.path),
    "a repository to sign in": lambda *given: keys.signer(People((), ()), None, given[2]),
    "a repository": lambda *given: Repository.open(given[2]).close(),
    "further objects": lambda git, head, value: _read_elsewhere(git, head, value),
    "a forge's address": lambda git, _, value: Mirror(Path(git.git_dir, "mirror"), value, {}).fetch(["refs/heads/*"]),
    "a forge's path": lambda git, _, value: Mirror(
        Path(git.git_dir, "mirror"), f"https://127.0.0.1:9/{value}", {}
    ).listed(["refs/heads/*"]),
    "a ref at a forge": lambda git, _, value: Mirror(Path(git.git_dir, "mirror"), "https://127.0.0.1:9/x", {}).listed(
        [value, f"refs/heads/{value}"]
    ),
    "a branch for a forge": lambda git, head, value: Mirror(
        Path(git.git_dir, "mirror"), "https://127.0.0.1:9/x", {}
    ).push(git, head, f"refs/heads/{value}"),
    "a hook's folder": lambda git, _, value: hooks.install(os.path.join(git.git_dir, value), {"x": "y"}),
}


def _pushed(head: str, ref: str) -> bytes:
    return f"{'0' * 40} {head} refs/heads/{ref}\n".encode("utf-8", "surrogateescape" if ref != "\ud800" else "replace")


def _read_elsewhere(git: Repository, head: str, value: str) -> None:
    with Repository.open(git.path, (value,)) as repository:
        repository.objects.read(head)


@pytest.mark.parametrize("place", PLACES)
def test_a_value_is_refused_or_harmless(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent")
    canary = Canary(tmp_path)
    repo = Repo(tmp_path / "shop")
    head = repo.commit({"a": "1\n"})
    for value in canary.arguments() if place in OF_COMMANDS else canary.values():
        with Repository.open(str(repo.path)) as git, suppress(MunimentError):
            PLACES[place](git, head, value)
        assert not canary.file.exists(), (place, value[:80])
        assert not list(folder.iterdir()), (place, value[:80])
    assert repo.tip("main") == head

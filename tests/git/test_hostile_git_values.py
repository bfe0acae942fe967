"""Hostile revisions, refs, paths, addresses and keys make git and ssh-keygen run nothing."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from muniment.cli import keys
from muniment.errors import MunimentError
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.git import approvals, branch_documents, hooks, received_push, run_statements, signatures, statement_chains
from muniment.git.mirror import Mirror
from muniment.git.received_push import PushedRef
from muniment.git.repository import Repository
from tests.support.hostile import Canary
from tests.support.repos import Repo

OF_COMMANDS = ("a hook's folder",)  # they are given by command lines alone
Use = Callable[[Repository, str, str], object]  # of a repository, its head, and the value
PLACES: dict[str, Use] = {
    "a revision": lambda git, _, value: git.resolve_commit(value),
    "a pattern of refs": lambda git, _, value: git.read_refs(value, f"refs/heads/{value}"),
    "an object": lambda git, _, value: git.objects.read_git_object(value),
    "a folder": lambda git, head, value: git.objects.read_tree(f"{head}:{value}"),
    "a file": lambda git, head, value: branch_documents.read_text_at(git, head, value),
    "a commit": lambda git, _, value: branch_documents.read_documents(git, value),
    "revisions": lambda git, head, value: git.run_git("rev-list", "--max-count=1", values=(head, f"^{value}", value)),
    "a range": lambda git, head, value: git.run_git("diff", values=(f"{value}...{head}",), paths=(value,)),
    "bases": lambda git, head, value: received_push.find_merge_base(git, head, [value]),
    "a pushed ref": lambda git, head, value: received_push.resolve_symbolic_refs(
        git, received_push.parse_received_refs(_pushed(head, value))
    ),
    "a pushed value": lambda git, _, value: received_push.read_new_commits(
        git, [PushedRef("refs/heads/x", "", value)], [value], Known(People((), ()))
    ),
    "a ref that is written": lambda git, _, value: statement_chains.write_statement(
        git, f"refs/muniment/{value}", "", b"{}", "x"
    ),
    "a statement before": lambda git, _, value: statement_chains.write_statement(
        git, "refs/muniment/x", value, b"{}", "x"
    ),
    "a person": lambda git, head, value: approvals.write_approval(git, head, value, "", b"{}", "x"),
    "a pipeline": lambda git, head, value: run_statements.write_run(git, head, value, "", b"{}", "x"),
    "a key to sign with": lambda *given: signatures.make_signature(b"x", "muniment", given[2]),
    "a namespace": lambda *given: signatures.make_signature(b"x", given[2], "/nonexistent"),
    "a key of a person": lambda git, _, value: keys.find_signer(People((), ()), value, git.path),
    "a repository to sign in": lambda *given: keys.find_signer(People((), ()), None, given[2]),
    "a repository": lambda *given: Repository.open(given[2]).close(),
    "further objects": lambda git, head, value: _read_elsewhere(git, head, value),
    "a forge's address": lambda git, _, value: Mirror(Path(git.git_dir, "mirror"), value, {}).fetch_refs(
        ["refs/heads/*"]
    ),
    "a forge's path": lambda git, _, value: Mirror(
        Path(git.git_dir, "mirror"), f"https://127.0.0.1:9/{value}", {}
    ).list_remote_refs(["refs/heads/*"]),
    "a ref at a forge": lambda git, _, value: Mirror(
        Path(git.git_dir, "mirror"), "https://127.0.0.1:9/x", {}
    ).list_remote_refs([value, f"refs/heads/{value}"]),
    "a branch for a forge": lambda git, head, value: Mirror(
        Path(git.git_dir, "mirror"), "https://127.0.0.1:9/x", {}
    ).push_commit(git, head, f"refs/heads/{value}"),
    "a hook's folder": lambda git, _, value: hooks.install_hooks(os.path.join(git.git_dir, value), {"x": "y"}),
}


def _pushed(head: str, ref: str) -> bytes:
    return f"{'0' * 40} {head} refs/heads/{ref}\n".encode("utf-8", "surrogateescape" if ref != "\ud800" else "replace")


def _read_elsewhere(git: Repository, head: str, value: str) -> None:
    with Repository.open(git.path, (value,)) as repository:
        repository.objects.read_git_object(head)


@pytest.mark.parametrize("place", PLACES)
def test_hostile_value_is_refused_or_runs_nothing(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

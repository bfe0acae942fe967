"""Approval refs are written by anybody: whatever is not a statement in its place is malformed, and read as such."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.people import People, Person
from muniment.facts.statements import Approval, Signature, Verdict
from muniment.git import approvals
from muniment.git.repository import Repository
from muniment.git.signatures import sign
from muniment.policy.keys import parse_key
from tests.support.repos import Repo

NOW = "2026-11-24T09:00:00.000000Z"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "bob"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"a": "1\n"})
    return made


def bob(key: Path) -> People:
    public = parse_key(key.with_suffix(".pub").read_text().strip())
    return People((Person("bob", "Bob", (), (public,), (), ("developer",), True, ("*",)),), ())


def signed(repo: Repo, key: Path, previous: str = "", verdict: Verdict = Verdict.APPROVE) -> tuple[bytes, str]:
    head = repo.tip("main")
    said = approvals.Predicate(
        "shop", "refs/heads/main", head, head, repo.tree_of(head), verdict, {"q": "a"}, {}, previous, NOW
    )
    data = approvals.statement(said)
    return data, sign(data, approvals.NAMESPACE, str(key))


def read(repo: Repo, people: People) -> list[Approval]:
    with Repository.open(str(repo.path)) as repository:
        return list(approvals.read(repository, approvals.references(repository.refs(approvals.PREFIX)), people))


def store(repo: Repo, files: dict[str, str | bytes], *parents: str) -> str:
    """A statement commit laid by hand at bob's ref."""
    made = repo.raw_commit(repo.tree(files), parents)
    repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", made)
    return made


def test_what_was_written_is_read(repo: Repo, key: Path) -> None:
    head, previous = repo.tip("main"), ""
    with Repository.open(str(repo.path)) as repository:
        for verdict in (Verdict.APPROVE, Verdict.REQUEST_CHANGES, Verdict.WITHDRAW):
            previous = approvals.write(repository, head, "bob", previous, *signed(repo, key, previous, verdict))
    found = read(repo, bob(key))
    assert [(a.order, a.verdict, a.signature) for a in found] == [
        (0, Verdict.APPROVE, Signature.VALID),
        (1, Verdict.REQUEST_CHANGES, Signature.VALID),
        (2, Verdict.WITHDRAW, Signature.VALID),
    ]
    assert (found[0].head, found[0].answers, found[0].time) == (head, {"q": "a"}, NOW)


def test_a_ref_that_moved_meanwhile_is_not_overwritten(repo: Repo, key: Path) -> None:
    head = repo.tip("main")
    with Repository.open(str(repo.path)) as repository:
        approvals.write(repository, head, "bob", "", *signed(repo, key))
        with pytest.raises(GitError):
            approvals.write(repository, head, "bob", "", *signed(repo, key))


def test_a_person_whom_nobody_knows_is_told(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store(repo, {"statement.json": data, "statement.json.sig": armored})
    assert [a.signature for a in read(repo, People((), ()))] == [Signature.UNKNOWN_PERSON]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data, armored: {"statement.json": data},
        lambda data, armored: {"statement.json": data, "statement.json.sig": armored, "more": "x"},
        lambda data, armored: {"statement.json": b"{}", "statement.json.sig": armored},
        lambda data, armored: {
            "statement.json": data.replace(b"approval/v1", b"other/v1"),
            "statement.json.sig": armored,
        },
        lambda data, armored: {"statement.json": data.replace(b"{", b'{"x":1,', 1), "statement.json.sig": armored},
        lambda data, armored: {"statement.json": data.replace(b".000000Z", b"Z"), "statement.json.sig": armored},
        lambda data, armored: {
            "statement.json": data.replace(b'"name":"shop"', b'"name":"x"'),
            "statement.json.sig": armored,
        },
        lambda data, armored: {"statement.json": data + b" " * 70_000, "statement.json.sig": armored},
        lambda data, armored: {"statement.json": data, "statement.json.sig": b"\xff"},
    ],
    ids=[
        "no-signature",
        "more-files",
        "empty",
        "other-type",
        "more-keys",
        "odd-time",
        "other-subject",
        "huge",
        "binary",
    ],
)
def test_anything_else_is_malformed(
    repo: Repo, key: Path, spoil: Callable[[bytes, str], dict[str, str | bytes]]
) -> None:
    store(repo, spoil(*signed(repo, key)))
    assert [a.signature for a in read(repo, bob(key))] == [Signature.MALFORMED]


def test_an_altered_statement_has_a_bad_signature(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store(repo, {"statement.json": data.replace(b"approve", b"withdraw"), "statement.json.sig": armored})
    assert [a.signature for a in read(repo, bob(key))] == [Signature.BAD]


def test_rubbish_on_top_hides_nothing_below(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    first = store(repo, {"statement.json": data, "statement.json.sig": armored})
    store(repo, {"rubbish": "x"}, first)
    assert [a.signature for a in read(repo, bob(key))] == [Signature.VALID, Signature.MALFORMED]


def test_an_old_statement_on_top_is_out_of_order(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    files: dict[str, str | bytes] = {"statement.json": data, "statement.json.sig": armored}
    store(repo, files, store(repo, files))
    assert [a.signature for a in read(repo, bob(key))] == [Signature.VALID, Signature.OUT_OF_ORDER]


def test_a_ref_to_no_commit_is_malformed(repo: Repo, key: Path) -> None:
    repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", repo.blob("x"))
    assert [a.signature for a in read(repo, bob(key))] == [Signature.MALFORMED]


@pytest.mark.parametrize("name", ["short/bob", "{head}/Bob", "{head}/bob/more"])
def test_a_ref_with_another_name_is_none(repo: Repo, name: str) -> None:
    head = repo.tip("main")
    (repo.git_dir / "packed-refs").write_text(f"{head} {approvals.PREFIX}{name.format(head=head)}\n")
    with Repository.open(str(repo.path)) as repository:
        assert approvals.references(repository.refs(approvals.PREFIX)) == ()


def test_a_missing_object_is_an_error_and_no_verdict(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store(repo, {"statement.json": data, "statement.json.sig": armored})
    repo.forget(repo.blob(data))
    with pytest.raises(GitError):
        read(repo, bob(key))

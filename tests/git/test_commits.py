"""Commit contents: they can only add contributors, and unreadable parts give unknown contributors."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.change import Commit, ContributorRole
from muniment.facts.people import People, Person
from muniment.git import commits
from muniment.git.objects import GitObject
from muniment.git.repository import Repository
from tests.support.repos import Repo

TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
HEADERS = b"author A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n"


def raw(headers: bytes = HEADERS, message: bytes = b"change\n") -> GitObject:
    return GitObject("1" * 40, "commit", b"tree " + TREE.encode() + b"\n" + headers + b"\n" + message)


def because(kind: ContributorRole, commit: Commit) -> list[str]:
    return [hand.identity for hand in commit.contributors if hand.role is kind]


def test_author_and_committer_are_contributors() -> None:
    commit = commits.parse_commit(raw())
    assert (commit.tree, commit.parents) == (TREE, ())
    assert [(hand.identity, hand.role) for hand in commit.contributors] == [
        ("email:a@x", ContributorRole.AUTHOR),
        ("email:c@x", ContributorRole.COMMITTER),
    ]


def test_several_authors_all_count() -> None:
    commit = commits.parse_commit(raw(b"author A <a@x> 1 +0000\nauthor B <b@x> 1 +0000\ncommitter C <C@X> 1 +0000\n"))
    assert because(ContributorRole.AUTHOR, commit) == ["email:a@x", "email:b@x"]
    assert because(ContributorRole.COMMITTER, commit) == ["email:c@x"]


def test_commit_without_author_and_committer_has_unknown_contributors() -> None:
    assert [hand.identity for hand in commits.parse_commit(raw(b"")).contributors] == ["email:<>", "email:<>"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Ada",
        b"ada@example.test",
        b"Ada <ada@example.test> <eve@example.test> 1 +0000",
        b"Ada <ada@example.test 1 +0000",
        b"Ada ada@example.test> 1 +0000",
        b"Ada <<ada@example.test>> 1 +0000",
        b"Ada <ada\xff@example.test> 1 +0000",
        b"Ada <ada\x00@example.test> 1 +0000",
    ],
)
def test_malformed_author_is_unknown_contributor(value: bytes) -> None:
    commit = commits.parse_commit(raw(b"author " + value + b"\ncommitter C <c@x> 1 +0000\n"))
    (author,) = because(ContributorRole.AUTHOR, commit)
    assert author.startswith("email:<")
    author.encode()


@pytest.mark.parametrize(
    "line",
    [
        b"Co-authored-by: B <b@x>",
        b"co-AUTHORED-by:B <B@X>",
        b"   Co-authored-by : B <b@x>",
        b"\tCo-developed-by: B <b@x>",
        b"> Co-authored-by: B <b@x>",
        b"Co-authored-by: b@x",
        b"Co-authored-by: A <a@x>, B <b@x>",
    ],
)
@pytest.mark.parametrize("before", [b"", b"one\n", b"one\r", b"one\r\n", b"one\0", b"one\n\nTwo: 2\n\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n", b"\nnot the last line\n", b"\0"])
def test_a_co_author_counts_on_any_line(line: bytes, before: bytes, after: bytes) -> None:
    commit = commits.parse_commit(raw(message=before + line + after))
    assert "email:b@x" in because(ContributorRole.CO_AUTHOR, commit)


@pytest.mark.parametrize("line", [b"Co-authored-by: Bob", b"Co-authored-by:", b"Co-authored-by: \xff <\xff@x>"])
def test_co_author_without_address_is_unknown_contributor(line: bytes) -> None:
    (found,) = because(ContributorRole.CO_AUTHOR, commits.parse_commit(raw(message=line)))
    assert found.startswith("email:<")


def test_requester_trailer_has_role_of_its_own() -> None:
    message = b"x\n\nRequested-by: B <b@x>\nOn-behalf-of: @org <d@x>\nrequested-by: somebody\n"
    commit = commits.parse_commit(raw(message=message))
    assert because(ContributorRole.REQUESTER, commit) == ["email:b@x", "email:d@x", "email:<somebody>"]
    assert because(ContributorRole.CO_AUTHOR, commit) == []


def test_trailer_text_inside_sentence_is_ignored() -> None:
    commit = commits.parse_commit(raw(message=b"He said Co-authored-by: B <b@x>\n"))
    assert because(ContributorRole.CO_AUTHOR, commit) == []


def test_tree_and_parent_lines_after_headers_are_ignored() -> None:
    parent = b"parent " + b"2" * 40 + b"\n"
    commit = commits.parse_commit(raw(parent + HEADERS + b"tree " + b"3" * 40 + b"\n" + parent.replace(b"2", b"4")))
    assert (commit.tree, commit.parents) == (TREE, ("2" * 40,))


def test_header_inside_continuation_line_is_ignored() -> None:
    commit = commits.parse_commit(raw(HEADERS + b"mergetag object 1\n author E <e@x> 1 +0000\n\tauthor F <f@x>\n"))
    assert because(ContributorRole.AUTHOR, commit) == ["email:a@x"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"parent 1\n\nx", b"author A <a@x> 1 +0000\n\nx"])
def test_refuses_a_commit_without_a_tree(data: bytes) -> None:
    with pytest.raises(GitError, match="has no tree"):
        commits.parse_commit(GitObject("1" * 40, "commit", data))


def test_refuses_tag_in_place_of_commit() -> None:
    with pytest.raises(GitError, match="is a tag"):
        commits.parse_commit(GitObject("1" * 40, "tag", b"object 1\n"))


def test_huge_commit_message_is_read_completely(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    head = repo.commit({"a": "1"}, message="x\n" * 400_000 + "Co-authored-by: B <b@x>\n")
    with Repository.open(str(repo.path)) as repository:
        found = repository.objects.read_git_object(head)
        assert found is not None
        assert because(ContributorRole.CO_AUTHOR, commits.parse_commit(found)) == ["email:b@x"]


# Signatures

Sign = Callable[[str], str]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    made = {name: folder / name for name in ("ada", "eve")}
    for file in made.values():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return made


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


def known(key: Path) -> People:
    return People((Person("ada", "Ada", (), (public(key),), (), (), True, ()),), ())


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_signature_made_by_git_identifies_signer(tmp_path: Path, keys: dict[str, Path], object_format: str) -> None:
    repo = Repo(tmp_path / "shop", object_format=object_format)
    tree = repo.tree({"a": "1\n"})
    settings = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys['ada']}")
    signed = repo.git(*settings, "commit-tree", "-S", "-m", "one\n\ntwo  \n \nthree", tree)
    with Repository.open(str(repo.path)) as repository:
        found = repository.objects.read_git_object(signed)
    assert found is not None
    (hand,) = commits.find_signers([found], known(keys["ada"]))
    assert hand is not None
    assert (hand.identity, hand.role) == (f"key:{public(keys['ada'])}", ContributorRole.SIGNER)
    assert commits.find_signers([found], known(keys["eve"])) == [None], "a key that nobody has"
    forged = GitObject(found.id, "commit", found.data.replace(b"three", b"thrEe"))
    assert commits.find_signers([forged], known(keys["ada"])) == [None], "signed, but not this"


def test_unknown_key_starts_no_program(tmp_path: Path, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repo(tmp_path / "shop")
    settings = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys['ada']}")
    signed = repo.git(*settings, "commit-tree", "-S", "-m", "one", repo.tree({"a": "1\n"}))
    with Repository.open(str(repo.path)) as repository:
        found = repository.objects.read_git_object(signed)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert found is not None
    assert commits.find_signers([found], People((), ())) == [None]


@pytest.mark.parametrize("value", [b"", b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----\n x"])
def test_signatures_of_other_formats_are_ignored(value: bytes, keys: dict[str, Path]) -> None:
    assert commits.find_signers([raw(HEADERS + b"gpgsig " + value + b"\n")], known(keys["ada"])) == [None]

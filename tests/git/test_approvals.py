"""Approval refs are written by anybody: whatever is not a statement in its place is malformed, and read as such."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.people import People, Person
from muniment.facts.statements import Approval, ReviewAction, Signature
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


def signed(
    repo: Repo, key: Path, previous: str = "", verdict: ReviewAction = ReviewAction.APPROVE, time: str = NOW
) -> tuple[bytes, str]:
    head = repo.tip("main")
    said = approvals.Predicate(
        "shop", "refs/heads/main", head, head, repo.tree_of(head), verdict, {"q": "a"}, {}, previous, time
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
        for verdict in (ReviewAction.APPROVE, ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW):
            previous = approvals.write(repository, head, "bob", previous, *signed(repo, key, previous, verdict))
    found = read(repo, bob(key))
    assert [(a.order, a.action, a.signature) for a in found] == [
        (0, ReviewAction.APPROVE, Signature.VALID),
        (1, ReviewAction.REQUEST_CHANGES, Signature.VALID),
        (2, ReviewAction.WITHDRAW, Signature.VALID),
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
        lambda data, armored: {
            "statement.json": data.replace(b'"action":"', b'"action":"withdraw","action":"'),
            "statement.json.sig": armored,
        },
        lambda data, armored: {"statement.json": data.replace(b":", b": ", 1), "statement.json.sig": armored},
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
        "key-twice",
        "not-canonical",
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


def test_a_handle_in_a_ref_and_in_an_attestation_is_resolved_to_the_id_of_its_person(repo: Repo, key: Path) -> None:
    public, head = parse_key(key.with_suffix(".pub").read_text().strip()), repo.tip("main")
    ids = {"bob": "k3f7", "amy": "9xq2"}
    keys = {"bob": (public,), "amy": ()}
    people = People(
        tuple(
            Person(ids[name], name.title(), (), keys[name], (), ("security",), True, ("*",), handle=name)
            for name in ids
        ),
        (),
    )
    attested = {"account:eve@evil.test": "amy", "account:mallory@evil.test": "nobody-here"}
    said = approvals.Predicate(
        *("shop", "refs/heads/main", head, head, repo.tree_of(head), ReviewAction.ATTEST, {}, attested, "", NOW)
    )
    data = approvals.statement(said)
    with Repository.open(str(repo.path)) as repository:
        approvals.write(repository, head, "bob", "", data, sign(data, approvals.NAMESPACE, str(key)))
    (found,) = read(repo, people)
    assert (found.ref_person, found.signature) == (ids["bob"], Signature.VALID)
    assert found.attests == {"account:eve@evil.test": ids["amy"], "account:mallory@evil.test": "nobody-here"}


def test_a_handle_that_came_to_be_anothers_does_not_carry_its_approvals_over(repo: Repo, key: Path) -> None:
    with Repository.open(str(repo.path)) as repository:
        approvals.write(repository, repo.tip("main"), "bob", "", *signed(repo, key))
    later = People((Person("9xq2", "Bob the Younger", (), (), (), (), True, ("*",), handle="bob"),), ())
    (found,) = read(repo, later)
    assert (found.ref_person, found.signature) == ("9xq2", Signature.OTHER_KEY)


class TestSeveralRefsOfOnePerson:
    """A handle and each key name refs of their own; what one person says there is one sequence."""

    FIRST, SECOND = "2026-11-24T09:00:01.000000Z", "2026-11-24T09:00:02.000000Z"

    def own(self, key: Path) -> str:
        return approvals.key_name(parse_key(key.with_suffix(".pub").read_text().strip()))

    def said(self, repo: Repo, key: Path, ref: str, *statements: tuple[ReviewAction, str]) -> list[str]:
        """Statements at one ref; their commits."""
        made: list[str] = []
        with Repository.open(str(repo.path)) as repository:
            for action, time in statements:
                before = made[-1] if made else ""
                data, armored = signed(repo, key, before, action, time)
                made.append(approvals.write(repository, repo.tip("main"), ref, before, data, armored))
        return made

    def valid(self, repo: Repo, key: Path) -> list[ReviewAction]:
        found = [one for one in read(repo, bob(key)) if one.signature is Signature.VALID]
        assert {one.ref_person for one in found} <= {"bob"}
        return [one.action for one in sorted(found, key=lambda one: one.order)]

    def test_the_later_one_is_the_last(self, repo: Repo, key: Path) -> None:
        self.said(repo, key, "bob", (ReviewAction.APPROVE, self.SECOND))
        self.said(repo, key, self.own(key), (ReviewAction.REQUEST_CHANGES, self.FIRST))
        assert self.valid(repo, key) == [ReviewAction.REQUEST_CHANGES, ReviewAction.APPROVE]

    def test_of_the_same_moment_a_yes_is_never_the_last(self, repo: Repo, key: Path) -> None:
        self.said(repo, key, "bob", (ReviewAction.REQUEST_CHANGES, self.FIRST))
        self.said(repo, key, self.own(key), (ReviewAction.APPROVE, self.FIRST))
        assert self.valid(repo, key) == [ReviewAction.APPROVE, ReviewAction.REQUEST_CHANGES]

    def test_another_key_cannot_sign_at_the_name_of_a_key(self, repo: Repo, key: Path, tmp_path: Path) -> None:
        file = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        self.said(repo, file, self.own(key), (ReviewAction.APPROVE, self.FIRST))
        assert [one.signature for one in read(repo, bob(key))] == [Signature.OTHER_KEY]

    @pytest.mark.parametrize("ending", [0, 3])
    def test_a_copy_of_the_beginning_brings_nothing_back(self, repo: Repo, key: Path, ending: int) -> None:
        """The clock of whoever withdrew was behind, so the copy bears the later time."""
        statements = ((ReviewAction.APPROVE, self.SECOND), (ReviewAction.WITHDRAW, self.FIRST))
        at = self.said(repo, key, self.own(key), *statements)[0]
        for _ in range(ending):
            at = repo.raw_commit(repo.tree({"x": "junk"}), [at])
        repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", at)
        assert self.valid(repo, key) == [ReviewAction.APPROVE, ReviewAction.WITHDRAW]

    def test_a_copy_out_of_its_place_hides_no_objection(self, repo: Repo, key: Path) -> None:
        (made,) = self.said(repo, key, self.own(key), (ReviewAction.REQUEST_CHANGES, self.FIRST))
        junk = repo.raw_commit(repo.tree({"x": "junk"}))
        copy = repo.raw_commit(repo.git("rev-parse", f"{made}^{{tree}}"), [junk])
        repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", copy)
        assert self.valid(repo, key) == [ReviewAction.REQUEST_CHANGES]


@pytest.mark.parametrize("ref", ["handle", "key"])
@pytest.mark.parametrize(
    ("action", "signature"),
    [
        (ReviewAction.APPROVE, Signature.UNCONFIRMED),
        (ReviewAction.WITHDRAW, Signature.UNCONFIRMED),
        (ReviewAction.ATTEST, Signature.UNCONFIRMED),
        (ReviewAction.REQUEST_CHANGES, Signature.VALID),
    ],
)
def test_a_key_whose_link_waits_can_block_and_has_no_other_effect(
    repo: Repo, key: Path, ref: str, action: ReviewAction, signature: Signature
) -> None:
    public = parse_key(key.with_suffix(".pub").read_text().strip())
    name = "bob" if ref == "handle" else approvals.key_name(public)
    with Repository.open(str(repo.path)) as repository:
        approvals.write(repository, repo.tip("main"), name, "", *signed(repo, key, verdict=action))
    waiting = People((Person("bob", "Bob", (), (), (), (), True, ("*",), unconfirmed=(f"key:{public}",)),), ())
    (found,) = read(repo, waiting)
    assert (found.ref_person, found.signature) == ("bob", signature)

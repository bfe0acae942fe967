"""Approval refs are writable by anybody: content that is no valid statement for its ref is malformed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.people import People, Person
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.git import approvals
from muniment.git.repository import Repository
from muniment.git.signatures import make_signature
from muniment.policy.ssh_keys import parse_ssh_key
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
    public = parse_ssh_key(key.with_suffix(".pub").read_text().strip())
    return People((Person("bob", "Bob", (), (public,), (), ("developer",), True, ("*",)),), ())


def signed(
    repo: Repo, key: Path, previous: str = "", action: ReviewAction = ReviewAction.APPROVE, time: str = NOW
) -> tuple[bytes, str]:
    head = repo.tip("main")
    approval = approvals.ApprovalPredicate(
        "shop", "refs/heads/main", head, head, repo.tree_of(head), action, {"q": "a"}, {}, previous, time
    )
    data = approvals.encode_approval(approval)
    return data, make_signature(data, approvals.APPROVAL_NAMESPACE, str(key))


def read(repo: Repo, people: People) -> list[Approval]:
    with Repository.open(str(repo.path)) as repository:
        return list(
            approvals.read_approvals(
                repository, approvals.find_approval_refs(repository.read_refs(approvals.PREFIX)), people
            )
        )


def store_statement_commit(repo: Repo, files: dict[str, str | bytes], *parents: str) -> str:
    """Store a hand-made statement commit at bob's ref."""
    made = repo.raw_commit(repo.tree(files), parents)
    repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", made)
    return made


def test_written_statement_is_read_back(repo: Repo, key: Path) -> None:
    head, previous = repo.tip("main"), ""
    with Repository.open(str(repo.path)) as repository:
        for action in (ReviewAction.APPROVE, ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW):
            previous = approvals.write_approval(repository, head, "bob", previous, *signed(repo, key, previous, action))
    found = read(repo, bob(key))
    assert [(a.order, a.action, a.signature) for a in found] == [
        (0, ReviewAction.APPROVE, SignatureResult.VALID),
        (1, ReviewAction.REQUEST_CHANGES, SignatureResult.VALID),
        (2, ReviewAction.WITHDRAW, SignatureResult.VALID),
    ]
    assert (found[0].head, found[0].answers, found[0].time) == (head, {"q": "a"}, NOW)


def test_refuses_to_overwrite_concurrently_moved_ref(repo: Repo, key: Path) -> None:
    head = repo.tip("main")
    with Repository.open(str(repo.path)) as repository:
        approvals.write_approval(repository, head, "bob", "", *signed(repo, key))
        with pytest.raises(GitError):
            approvals.write_approval(repository, head, "bob", "", *signed(repo, key))


def test_statement_by_unknown_person_is_reported(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store_statement_commit(repo, {"statement.json": data, "statement.json.sig": armored})
    assert [a.signature for a in read(repo, People((), ()))] == [SignatureResult.UNKNOWN_PERSON]


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
def test_refuses_malformed_statement(
    repo: Repo, key: Path, spoil: Callable[[bytes, str], dict[str, str | bytes]]
) -> None:
    store_statement_commit(repo, spoil(*signed(repo, key)))
    assert [a.signature for a in read(repo, bob(key))] == [SignatureResult.MALFORMED]


def test_altered_statement_has_invalid_signature(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store_statement_commit(
        repo, {"statement.json": data.replace(b"approve", b"withdraw"), "statement.json.sig": armored}
    )
    assert [a.signature for a in read(repo, bob(key))] == [SignatureResult.BAD]


def test_malformed_commit_on_top_hides_no_earlier_statement(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    first = store_statement_commit(repo, {"statement.json": data, "statement.json.sig": armored})
    store_statement_commit(repo, {"rubbish": "x"}, first)
    assert [a.signature for a in read(repo, bob(key))] == [SignatureResult.VALID, SignatureResult.MALFORMED]


def test_replayed_statement_on_top_is_out_of_order(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    files: dict[str, str | bytes] = {"statement.json": data, "statement.json.sig": armored}
    store_statement_commit(repo, files, store_statement_commit(repo, files))
    assert [a.signature for a in read(repo, bob(key))] == [SignatureResult.VALID, SignatureResult.OUT_OF_ORDER]


def test_ref_to_non_commit_is_malformed(repo: Repo, key: Path) -> None:
    repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", repo.blob("x"))
    assert [a.signature for a in read(repo, bob(key))] == [SignatureResult.MALFORMED]


@pytest.mark.parametrize("name", ["short/bob", "{head}/Bob", "{head}/bob/more"])
def test_ref_with_other_name_is_no_approval(repo: Repo, name: str) -> None:
    head = repo.tip("main")
    (repo.git_dir / "packed-refs").write_text(f"{head} {approvals.PREFIX}{name.format(head=head)}\n")
    with Repository.open(str(repo.path)) as repository:
        assert approvals.find_approval_refs(repository.read_refs(approvals.PREFIX)) == ()


def test_missing_object_is_error(repo: Repo, key: Path) -> None:
    data, armored = signed(repo, key)
    store_statement_commit(repo, {"statement.json": data, "statement.json.sig": armored})
    repo.forget(repo.blob(data))
    with pytest.raises(GitError):
        read(repo, bob(key))


def test_handle_in_ref_and_attestation_resolves_to_person_id(repo: Repo, key: Path) -> None:
    public, head = parse_ssh_key(key.with_suffix(".pub").read_text().strip()), repo.tip("main")
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
    approval = approvals.ApprovalPredicate(
        *("shop", "refs/heads/main", head, head, repo.tree_of(head), ReviewAction.ATTEST, {}, attested, "", NOW)
    )
    data = approvals.encode_approval(approval)
    with Repository.open(str(repo.path)) as repository:
        approvals.write_approval(
            repository, head, "bob", "", data, make_signature(data, approvals.APPROVAL_NAMESPACE, str(key))
        )
    (found,) = read(repo, people)
    assert (found.ref_person, found.signature) == (ids["bob"], SignatureResult.VALID)
    assert found.attests == {"account:eve@evil.test": ids["amy"], "account:mallory@evil.test": "nobody-here"}


def test_reused_handle_does_not_inherit_approvals(repo: Repo, key: Path) -> None:
    with Repository.open(str(repo.path)) as repository:
        approvals.write_approval(repository, repo.tip("main"), "bob", "", *signed(repo, key))
    later = People((Person("9xq2", "Bob the Younger", (), (), (), (), True, ("*",), handle="bob"),), ())
    (found,) = read(repo, later)
    assert (found.ref_person, found.signature) == ("9xq2", SignatureResult.OTHER_KEY)


class TestSeveralRefsOfOnePerson:
    """Refs named by a handle and by keys of one person form one sequence of statements."""

    FIRST, SECOND = "2026-11-24T09:00:01.000000Z", "2026-11-24T09:00:02.000000Z"

    def own(self, key: Path) -> str:
        return approvals.make_key_name(parse_ssh_key(key.with_suffix(".pub").read_text().strip()))

    def write_statements(self, repo: Repo, key: Path, ref: str, *statements: tuple[ReviewAction, str]) -> list[str]:
        """Add statements at one ref and return their commits."""
        made: list[str] = []
        with Repository.open(str(repo.path)) as repository:
            for action, time in statements:
                before = made[-1] if made else ""
                data, armored = signed(repo, key, before, action, time)
                made.append(approvals.write_approval(repository, repo.tip("main"), ref, before, data, armored))
        return made

    def valid(self, repo: Repo, key: Path) -> list[ReviewAction]:
        found = [one for one in read(repo, bob(key)) if one.signature is SignatureResult.VALID]
        assert {one.ref_person for one in found} <= {"bob"}
        return [one.action for one in sorted(found, key=lambda one: one.order)]

    def test_later_statement_is_last(self, repo: Repo, key: Path) -> None:
        self.write_statements(repo, key, "bob", (ReviewAction.APPROVE, self.SECOND))
        self.write_statements(repo, key, self.own(key), (ReviewAction.REQUEST_CHANGES, self.FIRST))
        assert self.valid(repo, key) == [ReviewAction.REQUEST_CHANGES, ReviewAction.APPROVE]

    def test_approval_is_not_last_among_statements_of_same_time(self, repo: Repo, key: Path) -> None:
        self.write_statements(repo, key, "bob", (ReviewAction.REQUEST_CHANGES, self.FIRST))
        self.write_statements(repo, key, self.own(key), (ReviewAction.APPROVE, self.FIRST))
        assert self.valid(repo, key) == [ReviewAction.APPROVE, ReviewAction.REQUEST_CHANGES]

    def test_key_ref_refuses_signature_of_another_key(self, repo: Repo, key: Path, tmp_path: Path) -> None:
        file = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        self.write_statements(repo, file, self.own(key), (ReviewAction.APPROVE, self.FIRST))
        assert [one.signature for one in read(repo, bob(key))] == [SignatureResult.OTHER_KEY]

    @pytest.mark.parametrize("ending", [0, 3])
    def test_copied_earlier_statements_do_not_revive_withdrawn_approval(
        self, repo: Repo, key: Path, ending: int
    ) -> None:
        """The clock of the person who withdrew was slow, so the copy bears the later time."""
        statements = ((ReviewAction.APPROVE, self.SECOND), (ReviewAction.WITHDRAW, self.FIRST))
        at = self.write_statements(repo, key, self.own(key), *statements)[0]
        for _ in range(ending):
            at = repo.raw_commit(repo.tree({"x": "junk"}), [at])
        repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", at)
        assert self.valid(repo, key) == [ReviewAction.APPROVE, ReviewAction.WITHDRAW]

    def test_copied_statement_hides_no_requested_changes(self, repo: Repo, key: Path) -> None:
        (made,) = self.write_statements(repo, key, self.own(key), (ReviewAction.REQUEST_CHANGES, self.FIRST))
        junk = repo.raw_commit(repo.tree({"x": "junk"}))
        copy = repo.raw_commit(repo.git("rev-parse", f"{made}^{{tree}}"), [junk])
        repo.branch(f"{approvals.PREFIX}{repo.tip('main')}/bob", copy)
        assert self.valid(repo, key) == [ReviewAction.REQUEST_CHANGES]


@pytest.mark.parametrize("ref", ["handle", "key"])
@pytest.mark.parametrize(
    ("action", "signature"),
    [
        (ReviewAction.APPROVE, SignatureResult.UNCONFIRMED),
        (ReviewAction.WITHDRAW, SignatureResult.UNCONFIRMED),
        (ReviewAction.ATTEST, SignatureResult.UNCONFIRMED),
        (ReviewAction.REQUEST_CHANGES, SignatureResult.VALID),
    ],
)
def test_key_with_unconfirmed_link_can_only_block(
    repo: Repo, key: Path, ref: str, action: ReviewAction, signature: SignatureResult
) -> None:
    public = parse_ssh_key(key.with_suffix(".pub").read_text().strip())
    name = "bob" if ref == "handle" else approvals.make_key_name(public)
    with Repository.open(str(repo.path)) as repository:
        approvals.write_approval(repository, repo.tip("main"), name, "", *signed(repo, key, action=action))
    waiting = People((Person("bob", "Bob", (), (), (), (), True, ("*",), unconfirmed=(f"key:{public}",)),), ())
    (found,) = read(repo, waiting)
    assert (found.ref_person, found.signature) == ("bob", signature)

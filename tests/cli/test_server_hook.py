"""Server hook as a pusher sees it: real pushes to a bare repository with the hook."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.command_line import run_command_line
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.store.files_store import FilesStore
from tests.support.hooked_remote import APPROVALS, HookedRemote

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
BOB = "Bob <bob@example.test>"


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys)


def push_approvals(remote: HookedRemote, head: str, *people: str) -> None:
    for person in people or ("bob", "carol"):
        remote.approve(person, head)
    assert remote.push("bob", ALL_APPROVALS).code == 0


def test_change_is_accepted_after_two_others_approved_it(remote: HookedRemote) -> None:
    head = remote.commit()
    assert remote.push("ada", "topic").code == 0
    denied = remote.push("ada", "topic:main")
    assert denied.code == 1
    assert "0 of 2 required approvals" in denied.line
    assert "Ask bob, carol, dan, sue" in denied.line
    assert remote.tip() == remote.base
    push_approvals(remote, head, "bob")
    assert "1 of 2 required approvals (bob)" in remote.push("ada", "topic:main").line
    push_approvals(remote, head, "carol")
    assert "allowed" in remote.push("dan", "topic:main").line
    assert remote.tip() == head
    outcomes = [entry.outcome for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord)]
    assert outcomes == ["deny", "deny", "allow"]


def merge(remote: HookedRemote, head: str) -> str:
    return remote.repo.merge(head, on="main", author="Dan <dan@example.test>")


def make_squash(remote: HookedRemote, head: str) -> str:
    tree = remote.repo.merged_tree("main", head)
    return remote.repo.commit(on="main", tree=tree, author="Dan <dan@example.test>")


def make_rebase(remote: HookedRemote, head: str) -> str:
    tree = remote.repo.merged_tree("main", head)
    return remote.repo.commit(on="main", tree=tree, author="Ada <ada@example.test>", committer="Dan <dan@example.test>")


@pytest.mark.parametrize("way", [merge, make_squash, make_rebase])
def test_machine_merge_of_an_approved_head_is_accepted(
    remote: HookedRemote, way: Callable[[HookedRemote, str], str]
) -> None:
    head = remote.commit()
    other = remote.repo.commit({"other.py": "y = 1\n"}, on="other", parents=["main"])
    remote.push("ada", "topic", "other")
    push_approvals(remote, other)
    assert remote.push("ada", "other:main").code == 0
    remote.repo.branch("main", other)
    push_approvals(remote, head)
    made = way(remote, head)
    pushed = remote.push("dan", "main")
    assert pushed.code == 0, pushed.text
    assert remote.tip() == made


def test_merge_with_unreviewed_content_is_denied(remote: HookedRemote) -> None:
    head = remote.commit()
    remote.push("ada", "topic")
    push_approvals(remote, head)
    remote.repo.merge("topic", on="main", files={"evil.py": "evil()\n"}, author="Dan <dan@example.test>")
    assert remote.push("dan", "main").code == 1
    assert remote.tip() == remote.base


def test_approvals_and_merge_in_one_push_are_accepted(remote: HookedRemote) -> None:
    head = remote.commit()
    remote.push("ada", "topic")
    remote.approve("bob", head)
    remote.approve("carol", head)
    assert remote.push("dan", ALL_APPROVALS, "topic:main").code == 0
    assert remote.tip() == head


def test_first_pusher_of_a_commit_is_a_contributor(remote: HookedRemote) -> None:
    head = remote.commit()
    assert remote.push("bob", "topic").code == 0
    push_approvals(remote, head, "bob", "carol")
    denied = remote.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.line


def test_contributors_of_an_earlier_head_count_although_it_is_gone(remote: HookedRemote) -> None:
    remote.commit()
    remote.push("ada", "topic")
    first = remote.repo.tip("topic")
    remote.repo.commit({"lib.py": "x = 3\n"}, on="topic", author=BOB)
    remote.push("bob", "topic")
    remote.repo.branch("topic", first)
    remote.commit(text="x = 4\n")
    head = remote.repo.tip("topic")
    assert remote.push("ada", "--force", "topic").code == 0
    push_approvals(remote, head, "bob", "carol")
    denied = remote.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.line


def test_pushing_a_reviewed_head_makes_nobody_a_contributor(remote: HookedRemote) -> None:
    head = remote.commit()
    remote.push("ada", "topic")
    push_approvals(remote, head)
    assert remote.push("bob", "topic:main").code == 0


def test_pusher_not_named_by_the_server_is_unknown(remote: HookedRemote) -> None:
    head = remote.commit()
    remote.push("", "topic")
    push_approvals(remote, head)
    denied = remote.push("ada", "topic:main", GL_USER="ada", REMOTE_USER="ada")
    assert denied.code == 1
    assert "is unknown: the server named no pusher in MUNIMENT_PUSHER" in denied.line


@pytest.mark.parametrize(("variable", "other"), [("GL_USER", "REMOTE_USER"), ("REMOTE_USER", "GL_USER")])
def test_home_names_the_only_variable_that_identifies_the_pusher(
    remote: HookedRemote, variable: str, other: str
) -> None:
    (remote.home / "home.toml").write_text(f'[server_hook]\npusher_variable = "{variable}"\n')
    head = remote.commit()
    remote.push("bob", "topic", **{variable: "ada", other: "carol"})
    push_approvals(remote, head)
    assert remote.push("", "topic:main", **{variable: "dan"}).code == 0


@pytest.mark.parametrize("refspec", [":main", "+HEAD~0:main"])
def test_protected_branch_can_be_neither_deleted_nor_rewound(remote: HookedRemote, refspec: str) -> None:
    remote.repo.branch("main", remote.repo.commit({"lib.py": "x = 9\n"}, on="", parents=[]))
    assert remote.push("ada", refspec.replace("HEAD~0", remote.repo.tip("main"))).code == 1
    assert remote.tip() == remote.base


def test_new_protected_branch_is_evaluated_against_existing_ones(remote: HookedRemote) -> None:
    assert remote.push("ada", "main:refs/heads/release/1").code == 0
    head = remote.commit()
    denied = remote.push("ada", "topic:refs/heads/release/2")
    assert (denied.code, remote.tip("refs/heads/release/2")) == (1, "")
    remote.approve("bob", head, onto="main")
    unrelated = remote.repo.commit({"a": "a"}, on="", parents=[])
    remote.repo.branch("unrelated", unrelated)
    assert remote.push("ada", "unrelated:refs/heads/release/3").code == 1


def test_one_denied_ref_denies_the_whole_push(remote: HookedRemote) -> None:
    remote.commit()
    denied = remote.push("ada", "topic", "topic:main", "topic:free")
    assert denied.code == 1
    assert (remote.tip("topic"), remote.tip("free"), remote.tip()) == ("", "", remote.base)


def test_push_with_a_wrong_old_tip_is_denied(remote: HookedRemote) -> None:
    """git passes the old tip as the pusher claims it to the hook, and compares it only later."""
    head = remote.commit()
    remote.push("ada", "topic")
    hook = remote.server.path / "hooks" / "pre-receive"
    for old in (head, "0" * 40):
        line = f"{old} {head} refs/heads/main\n"
        done = subprocess.run([hook], input=line, cwd=remote.server.path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another push in the meantime" in " ".join(done.stderr.split())


def test_symbolic_ref_is_evaluated_as_its_target(remote: HookedRemote) -> None:
    remote.server.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    remote.server.git("symbolic-ref", "refs/heads/future", "refs/heads/release/9")
    remote.commit()
    assert remote.push("ada", "topic:alias").code == 1
    assert remote.push("ada", "topic:future").code == 1
    assert (remote.tip(), remote.tip("refs/heads/release/9")) == (remote.base, "")


@pytest.mark.parametrize(
    "ref", ["refs/replace/{base}", "refs/muniment/else", "refs/muniment/approvals/x", "refs/muniment/approvals/{base}"]
)
def test_reserved_refs_are_denied(remote: HookedRemote, ref: str) -> None:
    remote.commit()
    remote.server.git("config", "--unset-all", "transfer.hideRefs")
    name = ref.format(base=remote.base)
    assert remote.push("ada", f"topic:{name}").code == 1
    assert remote.tip(name) == ""


@pytest.mark.parametrize("ref", ["refs/heads/refs/heads/main", "refs/heads/Main", "refs/for/main", "refs/tags/main"])
def test_ref_that_only_resembles_a_protected_one_is_accepted(remote: HookedRemote, ref: str) -> None:
    remote.commit()
    assert remote.push("ada", f"topic:{ref}").code == 0
    assert remote.tip() == remote.base


def test_protected_tag_requires_a_reviewed_commit_and_is_immutable(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = format_built_in_policy("sec@example.test", "shop").replace(
        "[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1
    )
    remote = HookedRemote(tmp_path, keys, policy=policy)
    remote.commit()
    remote.repo.git("tag", "-m", "one", "v1", "main")
    remote.repo.git("tag", "-m", "two", "v2", "topic")
    remote.repo.git("tag", "-m", "tree", "v3", "main^{tree}")
    assert remote.push("ada", "v1").code == 0
    assert remote.push("ada", "v2").code == 1
    assert "no commit" in remote.push("ada", "v3").line
    assert remote.push("ada", "topic:refs/tags/free").code == 0
    assert remote.push("ada", ":v1").code == 1
    assert remote.push("ada", "+v2:v1").code == 1


class TestApprovals:
    @pytest.fixture
    def head(self, remote: HookedRemote) -> str:
        head = remote.commit()
        remote.push("ada", "topic")
        return head

    def ref(self, head: str, person: str) -> str:
        return f"{APPROVALS}{head}/{person}"

    def test_anybody_may_push_a_signed_approval(self, remote: HookedRemote, head: str) -> None:
        remote.approve("bob", head)
        assert "recorded bob" in remote.push("ada", self.ref(head, "bob")).line

    def test_approval_signed_by_another_person_is_denied(self, remote: HookedRemote, head: str) -> None:
        remote.approve("bob", head)
        pushed = remote.push("ada", f"{self.ref(head, 'bob')}:{self.ref(head, 'carol')}")
        assert pushed.code == 1
        assert "not validly signed by carol" in pushed.line

    def test_approval_at_another_head_is_denied(self, remote: HookedRemote, head: str) -> None:
        remote.approve("bob", head)
        assert remote.push("bob", f"{self.ref(head, 'bob')}:{self.ref(remote.base, 'bob')}").code == 1

    def test_approval_can_be_neither_deleted_nor_rewound(self, remote: HookedRemote, head: str) -> None:
        ref = self.ref(head, "bob")
        remote.approve("bob", head)
        first = remote.repo.tip(ref)
        remote.approve("bob", head, "--withdraw")
        assert remote.push("bob", ref).code == 0
        assert "never deleted" in remote.push("bob", f":{ref}").line
        assert "would be lost" in remote.push("bob", f"+{first}:{ref}").line
        assert remote.tip(ref) == remote.repo.tip(ref)

    def test_commit_without_a_statement_is_denied(self, remote: HookedRemote, head: str) -> None:
        assert "malformed" in remote.push("bob", f"topic:{self.ref(head, 'bob')}").line


class TestMissingParts:
    """With a missing or broken part the hook denies, and the branch stays."""

    def denied(self, remote: HookedRemote, *message: str) -> None:
        head = remote.repo.tip("topic") or remote.commit()
        pushed = remote.push("ada", f"{head}:refs/heads/main", f"{head}:refs/heads/free")
        assert pushed.code == 1
        assert (remote.tip(), remote.tip("free")) == (remote.base, "")
        for words in message:
            assert words in pushed.line
        assert "Traceback" not in pushed.line

    @pytest.mark.parametrize("file", ["policy.toml", "people.toml"])
    def test_missing_or_broken_policy_or_people_denies(self, remote: HookedRemote, file: str) -> None:
        (remote.home / file).write_text("schema = ")
        self.denied(remote, file)
        (remote.home / file).unlink()
        self.denied(remote, file)

    def test_broken_home_toml_denies(self, remote: HookedRemote) -> None:
        (remote.home / "home.toml").write_text('[server_hook]\npusher_variable = "USER"\n')
        self.denied(remote, "server_hook.pusher_variable")

    @pytest.mark.parametrize("part", ["keys/ledger.key", "keys/ledger.pub", "ledger/checkpoint", "ledger/tile", "home"])
    def test_missing_ledger_denies(self, remote: HookedRemote, part: str, tmp_path: Path) -> None:
        (remote.home if part == "home" else remote.home / part).rename(tmp_path / "away")
        self.denied(remote)

    def test_missing_objects_deny(self, remote: HookedRemote, tmp_path: Path) -> None:
        (remote.home / "cache").rename(tmp_path / "cache")
        (remote.home / "objects").rename(tmp_path / "away")
        self.denied(remote, "missing")

    def test_lost_cache_is_rebuilt(self, remote: HookedRemote, tmp_path: Path) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        (remote.home / "cache").rename(tmp_path / "cache")
        assert remote.push("ada", "topic:main").code == 0

    def test_damaged_cache_is_rebuilt(self, remote: HookedRemote) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        for file in (remote.home / "cache").iterdir():
            file.unlink() if file.suffix != ".sqlite" else file.write_bytes(b"spoilt" * 1000)
        assert remote.push("ada", "topic:main").code == 0

    def test_older_ledger_denies(self, remote: HookedRemote, tmp_path: Path) -> None:
        subprocess.run(["cp", "-a", remote.home / "ledger", tmp_path / "old"], check=True)
        remote.push("ada", "main:refs/heads/else")
        (remote.home / "ledger").rename(tmp_path / "new")
        (tmp_path / "old").rename(remote.home / "ledger")
        self.denied(remote, "is not the one that this home had before")

    def test_ledger_lock_over_the_timeout_denies(self, remote: HookedRemote) -> None:
        (remote.home / "home.toml").write_text("[server_hook]\ntimeout_seconds = 1\n")
        with FilesStore(str(remote.home)).open_log().lock_and_verify():
            self.denied(remote, "took longer than 1 seconds")

    def test_unregistered_repository_denies(self, remote: HookedRemote, tmp_path: Path) -> None:
        remote.server.path.rename(tmp_path / "moved.git")
        remote.server.path.symlink_to(tmp_path / "moved.git")
        self.denied(remote, "muniment hook install")

    def test_git_namespace_denies(self, remote: HookedRemote) -> None:
        remote.commit()
        assert remote.push("ada", "topic:refs/heads/main", GIT_NAMESPACE="x").code == 1
        assert remote.tip() == remote.base


def test_empty_repository_needs_only_the_hook(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys)
    second = HookedRemote(tmp_path / "second", keys)
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "empty.git"], check=True)
    hook = (remote.server.path / "hooks" / "pre-receive").read_text()
    (tmp_path / "empty.git" / "hooks" / "pre-receive").write_text(hook)
    (tmp_path / "empty.git" / "hooks" / "pre-receive").chmod(0o755)
    second.url = str(tmp_path / "empty.git")
    denied = second.push("ada", "main")
    assert "0 of 2 required approvals" in denied.line
    assert second.push("ada", "main:refs/heads/free").code == 0


def test_change_that_breaks_the_policy_is_denied(remote: HookedRemote) -> None:
    head = remote.repo.commit({".muniment/policy.toml": "schema = 2\n"}, on="topic", parents=["main"])
    remote.push("ada", "topic")
    push_approvals(remote, head)
    denied = remote.push("ada", "topic:main")
    assert "no later change could be evaluated" in denied.line
    assert remote.tip() == remote.base


def test_report_only_hook_accepts_and_reports_the_denial(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys, "--report-only")
    head = remote.commit()
    pushed = remote.push("ada", "topic:main")
    assert (pushed.code, remote.tip()) == (0, head)
    assert "0 of 2 required approvals" in pushed.line
    assert "accepted" in pushed.line
    (decision,) = (entry for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord))
    assert (decision.outcome, decision.enforced) == ("deny", False)
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in remote.read_records())
    (remote.home / "policy.toml").write_text("schema = ")
    assert remote.push("ada", "main:refs/heads/else").code == 1


def test_update_outside_the_hook_is_recorded_at_the_next_push(remote: HookedRemote) -> None:
    remote.repo.git("push", "-q", remote.url, "main:refs/heads/side", check=False)
    head = remote.commit()
    remote.push("ada", "topic")
    remote.server.git("update-ref", "refs/heads/main", head)
    remote.push("ada", "main:refs/heads/else")
    moved = [entry for entry in remote.read_records() if isinstance(entry, record_kinds.HookBypassRecord)]
    assert [entry.ref_count for entry in moved] == [1]


def test_one_of_two_concurrent_pushes_is_accepted(remote: HookedRemote) -> None:
    heads = [remote.commit(name, text=f"x = '{name}'\n") for name in ("one", "two")]
    remote.push("ada", "one", "two")
    for head in heads:
        push_approvals(remote, head)
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda name=name: results.append(remote.push("dan", f"{name}:main")))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.code for result in results) == [0, 1]
    assert remote.tip() in heads
    remote.push("ada", "main:refs/heads/else")
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in remote.read_records())


def test_push_of_five_hundred_refs_is_evaluated_as_a_whole(remote: HookedRemote) -> None:
    head = remote.commit()
    names = [f"{head}:refs/heads/many/{number}" for number in range(499)]
    assert remote.push("ada", *names).code == 0
    denied = remote.push("ada", *(name.replace("many", "more") for name in names), f"{head}:refs/heads/main")
    assert denied.code == 1
    assert len([line for line in denied.text.splitlines() if line.startswith("remote:")]) <= 20
    assert remote.tip("refs/heads/more/1") == ""


def test_shallow_history_is_denied(remote: HookedRemote, tmp_path: Path) -> None:
    remote.commit()
    remote.commit(text="x = 3\n")
    remote.server.git("config", "receive.shallowUpdate", "true")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", "-b", "topic", f"file://{remote.repo.path}", tmp_path / "cut"], check=True
    )
    remote.repo.path = tmp_path / "cut"
    assert remote.push("ada", "topic:refs/heads/release/1").code == 1
    assert remote.push("ada", "topic:refs/heads/free").code in (0, 1)
    assert remote.tip("refs/heads/release/1") == ""


def test_hook_of_another_program_is_not_overwritten(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys)
    hook = remote.server.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(AssertionError):
        remote.install_hook()
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"


class TestFreeze:
    def line(self, remote: HookedRemote, person: str, *arguments: str) -> int:
        return run_command_line([*arguments, "--home", str(remote.home), "--key", str(remote.keys[person])])

    def test_one_person_freezes_all_merges_and_two_lift_the_freeze(
        self, tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        remote = HookedRemote(tmp_path, keys, bob='roles = ["security", "developer"]')
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        assert self.line(remote, "carol", "freeze", "--reason", "no role") == 2
        assert self.line(remote, "sue", "freeze", "--reason", "the registry leaks") == 0
        denied = remote.push("ada", "topic:main")
        assert denied.code == 1
        assert "All merges are stopped" in denied.line
        assert "the registry leaks" in denied.line
        assert remote.push("ada", "topic:else").code == 0
        (frozen,) = (entry for entry in remote.read_records() if isinstance(entry, record_kinds.FreezeRecord))
        assert run_command_line(["check", "--repo", remote.url, "--home", str(remote.home), "--head", head]) == 1
        assert self.line(remote, "sue", "unfreeze", frozen.freeze) == 1
        assert self.line(remote, "sue", "unfreeze", frozen.freeze) == 2
        assert remote.push("ada", "topic:main").code == 1
        assert self.line(remote, "bob", "unfreeze", frozen.freeze) == 0
        assert remote.push("ada", "topic:main").code == 0
        assert self.line(remote, "bob", "unfreeze", "else") == 2
        assert "sue and bob" in capsys.readouterr().out

    def test_freeze_that_nobody_can_lift_names_the_missing_appointment(
        self, remote: HookedRemote, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.line(remote, "sue", "freeze", "--reason", "a leak") == 0
        assert "nobody can lift it before 1 more people have the security role" in capsys.readouterr().out
        remote.commit()
        assert "first give 1 more people that role" in remote.push("ada", "topic:main").line

    def test_freeze_of_an_unknown_repository_is_refused(
        self, remote: HookedRemote, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.line(remote, "sue", "freeze", "--reason", "a leak", "--repository", "shopp") == 2
        assert "has no repository shopp" in capsys.readouterr().err
        assert not [entry for entry in remote.read_records() if isinstance(entry, record_kinds.FreezeRecord)]

    def test_freeze_of_one_repository_denies_there_and_names_the_missing_appointment(
        self, remote: HookedRemote, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        assert self.line(remote, "sue", "freeze", "--reason", "a leak", "--repository", "shop") == 0
        out = capsys.readouterr().out
        assert "all merges of shop are stopped" in out
        assert "nobody can lift it before 1 more people have the security role" in out
        denied = remote.push("ada", "topic:main")
        assert (denied.code, "All merges of shop are stopped" in denied.line) == (1, True)

    @pytest.mark.parametrize(
        "period",
        [
            ["--from", "2020-01-01T00:00"],
            ["--until", "2020-01-01T00:00"],
            ["--from", "soon"],
            ["--until", "2026-02-30T00:00"],
        ],
    )
    def test_a_freeze_of_a_past_or_unreadable_period_is_refused(self, remote: HookedRemote, period: list[str]) -> None:
        assert self.line(remote, "sue", "freeze", "--reason", "a leak", *period) == 2
        assert not [entry for entry in remote.read_records() if isinstance(entry, record_kinds.FreezeRecord)]

    def test_a_freeze_denies_nothing_before_its_start_or_after_its_end(
        self, remote: HookedRemote, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        period = ["--from", "2098-12-24T18:00", "--until", "2099-01-02T08:00+02:00"]
        assert self.line(remote, "sue", "freeze", "--reason", "the season", *period) == 0
        assert "will be stopped from 2098-12-24T18:00 until 2099-01-02T06:00" in capsys.readouterr().out
        checked = ["check", "--repo", remote.url, "--home", str(remote.home), "--head", head]
        answers = []
        for now in ("2098-12-24T17:59:59", "2098-12-24T18:00:00", "2099-01-02T05:59:59", "2099-01-02T06:00:00"):
            monkeypatch.setattr("muniment.cli.context.current_moment", lambda now=now: f"{now}.000000Z")
            answers.append(run_command_line(checked))
        assert answers == [0, 1, 1, 0]
        monkeypatch.undo()
        pushed = remote.push("ada", "topic:main")
        assert (pushed.code, "From 2098-12-24T18:00 until 2099-01-02T06:00" in pushed.line) == (0, True)

    def test_drill_is_shown_and_denies_nothing(self, remote: HookedRemote) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        assert self.line(remote, "sue", "freeze", "--reason", "fire drill", "--drill") == 0
        pushed = remote.push("ada", "topic:main")
        assert pushed.code == 0
        assert "A freeze drill is under way" in pushed.line


class TestPrePush:
    @pytest.fixture
    def clone(self, remote: HookedRemote) -> HookedRemote:
        remote.repo.git("remote", "add", "origin", remote.url)
        remote.repo.git("fetch", "-q", "origin")
        assert (
            run_command_line(["hook", "install-pre-push", "--repo", str(remote.repo.path), "--home", str(remote.home)])
            == 0
        )
        remote.url = "origin"
        return remote

    def test_preview_shows_the_decision_of_the_server(self, clone: HookedRemote) -> None:
        head = clone.commit()
        assert clone.push("ada", "topic").code == 0
        held = clone.push("ada", "topic:main")
        assert held.code == 1
        assert "denied" in held.line
        assert "(preview)" in held.line
        assert "0 of 2 required approvals" in held.line
        assert "remote:" not in held.text
        assert "remote:" in clone.push("ada", "--no-verify", "topic:main").text
        clone.approve("bob", head)
        clone.approve("carol", head)
        assert clone.push("ada", ALL_APPROVALS, "topic:main").code == 0
        assert clone.tip() == head

    def test_preview_without_evaluation_denies_with_the_cause(self, clone: HookedRemote) -> None:
        clone.repo.git("update-ref", "-d", "refs/remotes/origin/main")
        (clone.home / "policy.toml").write_text("schema = ")
        clone.commit()
        held = clone.push("ada", "topic:main")
        assert held.code == 1
        assert "policy.toml" in held.line


def test_doctor_reports_the_ledger_and_a_freeze(remote: HookedRemote, capsys: pytest.CaptureFixture[str]) -> None:
    remote.server.git("symbolic-ref", "HEAD", "refs/heads/main")
    asked = ["doctor", "--repo", remote.url, "--home", str(remote.home)]
    run_command_line(asked)
    out = capsys.readouterr().out
    assert "ledger: 1 entry," in out
    assert "no checkpoint is copied to a place outside" in out
    assert "who pushes: the server says it in MUNIMENT_PUSHER" in out
    assert "it takes 2 to lift a freeze" in out
    run_command_line(["freeze", "--reason", "a leak", "--home", str(remote.home), "--key", str(remote.keys["sue"])])
    assert run_command_line(asked) == 1
    assert "all merges and deployments are stopped" in capsys.readouterr().out
    (remote.home / "ledger" / "tile" / "0" / "000.p" / "2").unlink()
    assert run_command_line(asked) == 1
    assert "is missing" in capsys.readouterr().out


def test_monitoring_clause_accepts_and_reports(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = format_built_in_policy("sec@example.test", "shop").replace(
        'control = "independent-review"', 'control = "independent-review"\nmonitoring_until = 2099-01-01'
    )
    remote = HookedRemote(tmp_path, keys, policy=policy)
    head = remote.commit()
    pushed = remote.push("ada", "topic:main")
    assert (pushed.code, remote.tip()) == (0, head)
    assert "allowed" in pushed.line
    assert "(reports only)" in pushed.line
    assert "0 of 2 required approvals" in pushed.line


def test_exception_permits_a_push_and_is_recorded_without_its_name(remote: HookedRemote) -> None:
    where = ["--repo", remote.url, "--home", str(remote.home), "--onto", "main"]
    asked = ["exception", "ask", "disk-on-fire", "--clause", "review.two-reviewers", "--reason", "the shop is down"]
    assert run_command_line([*asked, "--days", "3", *where, "--key", str(remote.keys["ada"])]) == 0
    remote.commit()
    assert remote.push("ada", "topic:main").code == 1
    assert run_command_line(["exception", "sign", "disk-on-fire", *where, "--key", str(remote.keys["sue"])]) == 0
    pushed = remote.push("ada", "topic:main")
    assert pushed.code == 0
    assert "(exception disk-on-fire)" in pushed.line
    decisions = [entry for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord)]
    assert [len(entry.exceptions) for entry in decisions] == [0, 1]
    assert "disk-on-fire" not in str(decisions)


def test_doctor_reports_a_hook_that_git_does_not_run(remote: HookedRemote, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["doctor", "--repo", remote.url, "--home", str(remote.home)]
    run_command_line(asked)
    assert "server hook: git runs its hooks here" in capsys.readouterr().out
    remote.server.git("config", "core.hooksPath", "/nowhere")
    assert run_command_line(asked) == 1
    assert "git runs none of Muniment's hooks" in capsys.readouterr().out


class TestUnusualPushes:
    """Unusual objects and names are accepted, and later pushes work as before."""

    def assert_pushes_work(self, remote: HookedRemote) -> None:
        head = remote.repo.tip("topic") or remote.commit()
        remote.push("ada", "topic")
        push_approvals(remote, head)
        pushed = remote.push("dan", "topic:main")
        assert pushed.code == 0, pushed.text
        assert remote.tip() == head
        assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in remote.read_records())
        assert run_command_line(["ledger", "verify", "--home", str(remote.home)]) == 0

    def test_tags_of_other_objects_than_commits_are_accepted(self, remote: HookedRemote) -> None:
        blob = remote.repo.blob("x")
        remote.repo.git("tag", "blob", blob)
        remote.repo.git("tag", "tree", "main^{tree}")
        remote.repo.git("tag", "-m", "a tag of a tag of a blob", "nested", "blob")
        assert remote.push("ada", "blob", "tree", "nested").code == 0
        assert remote.push("ada", f"{blob}:refs/for/blob").code == 0
        self.assert_pushes_work(remote)

    @pytest.mark.parametrize("name", [b"caf\xe9", "naïve".encode(), b"100%", b"a%2Fb", b"x" * 200, b"-x", b"a@{b"[:2]])
    def test_unusual_branch_names_are_accepted(self, remote: HookedRemote, name: bytes) -> None:
        ref = b"refs/heads/" + name
        for source in (b"main", b""):
            refspec = (source + b":" + ref).decode("utf-8", "surrogateescape")
            pushed = remote.push("ada", refspec)
            assert pushed.code == 0, pushed.text
        self.assert_pushes_work(remote)

    def test_protected_branch_with_an_unsupported_name_is_denied(self, tmp_path: Path, keys: dict[str, Path]) -> None:
        remote = HookedRemote(tmp_path, keys)
        for name in (b"release/caf\xe9", b"release/100%"):
            refspec = (b"main:refs/heads/" + name).decode("utf-8", "surrogateescape")
            assert "cannot be evaluated safely" in remote.push("ada", refspec).line

    def test_commits_with_unusual_authors_are_never_merged_unreviewed(self, remote: HookedRemote) -> None:
        odd = (b"\xff <\xff>", b"A <>", b"x\x00y", "Ä <ä@example.test>".encode())
        tree = remote.repo.tree_of("main")
        for number, author in enumerate(odd):
            head = b"tree %s\nauthor %s 1 +0000\ncommitter %s 1 +0000\n\nx\n" % (tree.encode(), author, author)
            commit = remote.repo.write("commit", head)
            pushed = remote.push("ada", f"{commit}:refs/heads/odd/{number}")
            if pushed.code == 0:
                assert remote.push("ada", f"{commit}:refs/heads/main").code == 1
        self.assert_pushes_work(remote)

    def test_deep_history_is_accepted(self, remote: HookedRemote) -> None:
        for number in range(300):
            remote.repo.commit({"deep.py": f"{number}\n"}, on="deep", parents=["deep"] if number else ["main"])
        assert remote.push("ada", "deep").code == 0
        assert remote.push("ada", ":deep").code == 0
        self.assert_pushes_work(remote)

    def test_branch_below_the_name_of_a_deleted_branch_is_accepted(self, remote: HookedRemote) -> None:
        remote.commit()
        assert remote.push("ada", "topic:refs/heads/a").code == 0
        assert remote.push("ada", ":refs/heads/a").code == 0
        assert remote.push("ada", "topic:refs/heads/a/b").code == 0
        self.assert_pushes_work(remote)


def test_installation_prints_what_the_service_needs_to_read_the_log(
    remote: HookedRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.install_hook()
    out = capsys.readouterr().out
    assert "Read server hook's log" in out
    assert f"home  {remote.home}" in out
    assert (remote.home / "keys" / "ledger.pub").read_text().strip() in out

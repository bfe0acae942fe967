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
from tests.support.gated import APPROVALS, Gated

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
BOB = "Bob <bob@example.test>"


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


def push_approvals(gated: Gated, head: str, *people: str) -> None:
    for person in people or ("bob", "carol"):
        gated.approve(person, head)
    assert gated.push("bob", ALL_APPROVALS).code == 0


def test_change_is_accepted_after_two_others_approved_it(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("ada", "topic").code == 0
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "0 of 2 required approvals" in denied.said
    assert "Ask bob, carol, dan, sue" in denied.said
    assert gated.tip() == gated.base
    push_approvals(gated, head, "bob")
    assert "1 of 2 required approvals (bob)" in gated.push("ada", "topic:main").said
    push_approvals(gated, head, "carol")
    assert "allowed" in gated.push("dan", "topic:main").said
    assert gated.tip() == head
    outcomes = [entry.outcome for entry in gated.entries() if isinstance(entry, record_kinds.DecisionRecord)]
    assert outcomes == ["deny", "deny", "allow"]


def merge(gated: Gated, head: str) -> str:
    return gated.repo.merge(head, on="main", author="Dan <dan@example.test>")


def make_squash(gated: Gated, head: str) -> str:
    tree = gated.repo.merged_tree("main", head)
    return gated.repo.commit(on="main", tree=tree, author="Dan <dan@example.test>")


def make_rebase(gated: Gated, head: str) -> str:
    tree = gated.repo.merged_tree("main", head)
    return gated.repo.commit(on="main", tree=tree, author="Ada <ada@example.test>", committer="Dan <dan@example.test>")


@pytest.mark.parametrize("way", [merge, make_squash, make_rebase])
def test_machine_merge_of_an_approved_head_is_accepted(gated: Gated, way: Callable[[Gated, str], str]) -> None:
    head = gated.change()
    other = gated.repo.commit({"other.py": "y = 1\n"}, on="other", parents=["main"])
    gated.push("ada", "topic", "other")
    push_approvals(gated, other)
    assert gated.push("ada", "other:main").code == 0
    gated.repo.branch("main", other)
    push_approvals(gated, head)
    made = way(gated, head)
    pushed = gated.push("dan", "main")
    assert pushed.code == 0, pushed.text
    assert gated.tip() == made


def test_merge_with_unreviewed_content_is_denied(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    push_approvals(gated, head)
    gated.repo.merge("topic", on="main", files={"evil.py": "evil()\n"}, author="Dan <dan@example.test>")
    assert gated.push("dan", "main").code == 1
    assert gated.tip() == gated.base


def test_approvals_and_merge_in_one_push_are_accepted(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert gated.push("dan", ALL_APPROVALS, "topic:main").code == 0
    assert gated.tip() == head


def test_first_pusher_of_a_commit_is_a_contributor(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("bob", "topic").code == 0
    push_approvals(gated, head, "bob", "carol")
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.said


def test_contributors_of_an_earlier_head_count_although_it_is_gone(gated: Gated) -> None:
    gated.change()
    gated.push("ada", "topic")
    first = gated.repo.tip("topic")
    gated.repo.commit({"lib.py": "x = 3\n"}, on="topic", author=BOB)
    gated.push("bob", "topic")
    gated.repo.branch("topic", first)
    gated.change(text="x = 4\n")
    head = gated.repo.tip("topic")
    assert gated.push("ada", "--force", "topic").code == 0
    push_approvals(gated, head, "bob", "carol")
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.said


def test_pushing_a_reviewed_head_makes_nobody_a_contributor(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    push_approvals(gated, head)
    assert gated.push("bob", "topic:main").code == 0


def test_pusher_not_named_by_the_server_is_unknown(gated: Gated) -> None:
    head = gated.change()
    gated.push("", "topic")
    push_approvals(gated, head)
    denied = gated.push("ada", "topic:main", GL_USER="ada", REMOTE_USER="ada")
    assert denied.code == 1
    assert "is unknown: the server named no pusher in MUNIMENT_PUSHER" in denied.said


@pytest.mark.parametrize(("variable", "other"), [("GL_USER", "REMOTE_USER"), ("REMOTE_USER", "GL_USER")])
def test_home_names_the_only_variable_that_identifies_the_pusher(gated: Gated, variable: str, other: str) -> None:
    (gated.home / "home.toml").write_text(f'[server_hook]\npusher_variable = "{variable}"\n')
    head = gated.change()
    gated.push("bob", "topic", **{variable: "ada", other: "carol"})
    push_approvals(gated, head)
    assert gated.push("", "topic:main", **{variable: "dan"}).code == 0


@pytest.mark.parametrize("refspec", [":main", "+HEAD~0:main"])
def test_protected_branch_can_be_neither_deleted_nor_rewound(gated: Gated, refspec: str) -> None:
    gated.repo.branch("main", gated.repo.commit({"lib.py": "x = 9\n"}, on="", parents=[]))
    assert gated.push("ada", refspec.replace("HEAD~0", gated.repo.tip("main"))).code == 1
    assert gated.tip() == gated.base


def test_new_protected_branch_is_evaluated_against_existing_ones(gated: Gated) -> None:
    assert gated.push("ada", "main:refs/heads/release/1").code == 0
    head = gated.change()
    denied = gated.push("ada", "topic:refs/heads/release/2")
    assert (denied.code, gated.tip("refs/heads/release/2")) == (1, "")
    gated.approve("bob", head, onto="main")
    unrelated = gated.repo.commit({"a": "a"}, on="", parents=[])
    gated.repo.branch("unrelated", unrelated)
    assert gated.push("ada", "unrelated:refs/heads/release/3").code == 1


def test_one_denied_ref_denies_the_whole_push(gated: Gated) -> None:
    gated.change()
    denied = gated.push("ada", "topic", "topic:main", "topic:free")
    assert denied.code == 1
    assert (gated.tip("topic"), gated.tip("free"), gated.tip()) == ("", "", gated.base)


def test_push_with_a_wrong_old_tip_is_denied(gated: Gated) -> None:
    """git passes the old tip as the pusher claims it to the hook, and compares it only later."""
    head = gated.change()
    gated.push("ada", "topic")
    hook = gated.server.path / "hooks" / "pre-receive"
    for old in (head, "0" * 40):
        line = f"{old} {head} refs/heads/main\n"
        done = subprocess.run([hook], input=line, cwd=gated.server.path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another push in the meantime" in " ".join(done.stderr.split())


def test_symbolic_ref_is_evaluated_as_its_target(gated: Gated) -> None:
    gated.server.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    gated.server.git("symbolic-ref", "refs/heads/future", "refs/heads/release/9")
    gated.change()
    assert gated.push("ada", "topic:alias").code == 1
    assert gated.push("ada", "topic:future").code == 1
    assert (gated.tip(), gated.tip("refs/heads/release/9")) == (gated.base, "")


@pytest.mark.parametrize(
    "ref", ["refs/replace/{base}", "refs/muniment/else", "refs/muniment/approvals/x", "refs/muniment/approvals/{base}"]
)
def test_reserved_refs_are_denied(gated: Gated, ref: str) -> None:
    gated.change()
    gated.server.git("config", "--unset-all", "transfer.hideRefs")
    name = ref.format(base=gated.base)
    assert gated.push("ada", f"topic:{name}").code == 1
    assert gated.tip(name) == ""


@pytest.mark.parametrize("ref", ["refs/heads/refs/heads/main", "refs/heads/Main", "refs/for/main", "refs/tags/main"])
def test_ref_that_only_resembles_a_protected_one_is_accepted(gated: Gated, ref: str) -> None:
    gated.change()
    assert gated.push("ada", f"topic:{ref}").code == 0
    assert gated.tip() == gated.base


def test_protected_tag_requires_a_reviewed_commit_and_is_immutable(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = format_built_in_policy("sec@example.test", "shop").replace(
        "[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1
    )
    gated = Gated(tmp_path, keys, policy=policy)
    gated.change()
    gated.repo.git("tag", "-m", "one", "v1", "main")
    gated.repo.git("tag", "-m", "two", "v2", "topic")
    gated.repo.git("tag", "-m", "tree", "v3", "main^{tree}")
    assert gated.push("ada", "v1").code == 0
    assert gated.push("ada", "v2").code == 1
    assert "no commit" in gated.push("ada", "v3").said
    assert gated.push("ada", "topic:refs/tags/free").code == 0
    assert gated.push("ada", ":v1").code == 1
    assert gated.push("ada", "+v2:v1").code == 1


class TestApprovals:
    @pytest.fixture
    def head(self, gated: Gated) -> str:
        head = gated.change()
        gated.push("ada", "topic")
        return head

    def ref(self, head: str, person: str) -> str:
        return f"{APPROVALS}{head}/{person}"

    def test_anybody_may_push_a_signed_approval(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        assert "recorded bob" in gated.push("ada", self.ref(head, "bob")).said

    def test_approval_signed_by_another_person_is_denied(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        pushed = gated.push("ada", f"{self.ref(head, 'bob')}:{self.ref(head, 'carol')}")
        assert pushed.code == 1
        assert "not validly signed by carol" in pushed.said

    def test_approval_at_another_head_is_denied(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        assert gated.push("bob", f"{self.ref(head, 'bob')}:{self.ref(gated.base, 'bob')}").code == 1

    def test_approval_can_be_neither_deleted_nor_rewound(self, gated: Gated, head: str) -> None:
        ref = self.ref(head, "bob")
        gated.approve("bob", head)
        first = gated.repo.tip(ref)
        gated.approve("bob", head, "--withdraw")
        assert gated.push("bob", ref).code == 0
        assert "never deleted" in gated.push("bob", f":{ref}").said
        assert "would be lost" in gated.push("bob", f"+{first}:{ref}").said
        assert gated.tip(ref) == gated.repo.tip(ref)

    def test_commit_without_a_statement_is_denied(self, gated: Gated, head: str) -> None:
        assert "malformed" in gated.push("bob", f"topic:{self.ref(head, 'bob')}").said


class TestMissingParts:
    """With a missing or broken part the hook denies, and the branch stays."""

    def denied(self, gated: Gated, *said: str) -> None:
        head = gated.repo.tip("topic") or gated.change()
        pushed = gated.push("ada", f"{head}:refs/heads/main", f"{head}:refs/heads/free")
        assert pushed.code == 1
        assert (gated.tip(), gated.tip("free")) == (gated.base, "")
        for words in said:
            assert words in pushed.said
        assert "Traceback" not in pushed.said

    @pytest.mark.parametrize("file", ["policy.toml", "people.toml"])
    def test_missing_or_broken_policy_or_people_denies(self, gated: Gated, file: str) -> None:
        (gated.home / file).write_text("schema = ")
        self.denied(gated, file)
        (gated.home / file).unlink()
        self.denied(gated, file)

    def test_broken_home_toml_denies(self, gated: Gated) -> None:
        (gated.home / "home.toml").write_text('[server_hook]\npusher_variable = "USER"\n')
        self.denied(gated, "server_hook.pusher_variable")

    @pytest.mark.parametrize("part", ["keys/ledger.key", "keys/ledger.pub", "ledger/checkpoint", "ledger/tile", "home"])
    def test_missing_ledger_denies(self, gated: Gated, part: str, tmp_path: Path) -> None:
        (gated.home if part == "home" else gated.home / part).rename(tmp_path / "away")
        self.denied(gated)

    def test_missing_objects_deny(self, gated: Gated, tmp_path: Path) -> None:
        (gated.home / "cache").rename(tmp_path / "cache")
        (gated.home / "objects").rename(tmp_path / "away")
        self.denied(gated, "missing")

    def test_lost_cache_is_rebuilt(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        (gated.home / "cache").rename(tmp_path / "cache")
        assert gated.push("ada", "topic:main").code == 0

    def test_damaged_cache_is_rebuilt(self, gated: Gated) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        for file in (gated.home / "cache").iterdir():
            file.unlink() if file.suffix != ".sqlite" else file.write_bytes(b"spoilt" * 1000)
        assert gated.push("ada", "topic:main").code == 0

    def test_older_ledger_denies(self, gated: Gated, tmp_path: Path) -> None:
        subprocess.run(["cp", "-a", gated.home / "ledger", tmp_path / "old"], check=True)
        gated.push("ada", "main:refs/heads/else")
        (gated.home / "ledger").rename(tmp_path / "new")
        (tmp_path / "old").rename(gated.home / "ledger")
        self.denied(gated, "is not the one that this home had before")

    def test_ledger_lock_over_the_timeout_denies(self, gated: Gated) -> None:
        (gated.home / "home.toml").write_text("[server_hook]\ntimeout_seconds = 1\n")
        with FilesStore(str(gated.home)).open_log().lock_and_verify():
            self.denied(gated, "took longer than 1 seconds")

    def test_unregistered_repository_denies(self, gated: Gated, tmp_path: Path) -> None:
        gated.server.path.rename(tmp_path / "moved.git")
        gated.server.path.symlink_to(tmp_path / "moved.git")
        self.denied(gated, "muniment hook install")

    def test_git_namespace_denies(self, gated: Gated) -> None:
        gated.change()
        assert gated.push("ada", "topic:refs/heads/main", GIT_NAMESPACE="x").code == 1
        assert gated.tip() == gated.base


def test_empty_repository_needs_only_the_hook(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    second = Gated(tmp_path / "second", keys)
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "empty.git"], check=True)
    hook = (gated.server.path / "hooks" / "pre-receive").read_text()
    (tmp_path / "empty.git" / "hooks" / "pre-receive").write_text(hook)
    (tmp_path / "empty.git" / "hooks" / "pre-receive").chmod(0o755)
    second.url = str(tmp_path / "empty.git")
    denied = second.push("ada", "main")
    assert "0 of 2 required approvals" in denied.said
    assert second.push("ada", "main:refs/heads/free").code == 0


def test_change_that_breaks_the_policy_is_denied(gated: Gated) -> None:
    head = gated.repo.commit({".muniment/policy.toml": "schema = 2\n"}, on="topic", parents=["main"])
    gated.push("ada", "topic")
    push_approvals(gated, head)
    denied = gated.push("ada", "topic:main")
    assert "no later change could be evaluated" in denied.said
    assert gated.tip() == gated.base


def test_report_only_hook_accepts_and_reports_the_denial(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys, "--report-only")
    head = gated.change()
    pushed = gated.push("ada", "topic:main")
    assert (pushed.code, gated.tip()) == (0, head)
    assert "0 of 2 required approvals" in pushed.said
    assert "accepted" in pushed.said
    (judged,) = (entry for entry in gated.entries() if isinstance(entry, record_kinds.DecisionRecord))
    assert (judged.outcome, judged.enforced) == ("deny", False)
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in gated.entries())
    (gated.home / "policy.toml").write_text("schema = ")
    assert gated.push("ada", "main:refs/heads/else").code == 1


def test_update_outside_the_hook_is_recorded_at_the_next_push(gated: Gated) -> None:
    gated.repo.git("push", "-q", gated.url, "main:refs/heads/side", check=False)
    head = gated.change()
    gated.push("ada", "topic")
    gated.server.git("update-ref", "refs/heads/main", head)
    gated.push("ada", "main:refs/heads/else")
    moved = [entry for entry in gated.entries() if isinstance(entry, record_kinds.HookBypassRecord)]
    assert [entry.ref_count for entry in moved] == [1]


def test_one_of_two_concurrent_pushes_is_accepted(gated: Gated) -> None:
    heads = [gated.change(name, text=f"x = '{name}'\n") for name in ("one", "two")]
    gated.push("ada", "one", "two")
    for head in heads:
        push_approvals(gated, head)
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda name=name: results.append(gated.push("dan", f"{name}:main")))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.code for result in results) == [0, 1]
    assert gated.tip() in heads
    gated.push("ada", "main:refs/heads/else")
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in gated.entries())


def test_push_of_five_hundred_refs_is_evaluated_as_a_whole(gated: Gated) -> None:
    head = gated.change()
    names = [f"{head}:refs/heads/many/{number}" for number in range(499)]
    assert gated.push("ada", *names).code == 0
    denied = gated.push("ada", *(name.replace("many", "more") for name in names), f"{head}:refs/heads/main")
    assert denied.code == 1
    assert len([line for line in denied.text.splitlines() if line.startswith("remote:")]) <= 20
    assert gated.tip("refs/heads/more/1") == ""


def test_shallow_history_is_denied(gated: Gated, tmp_path: Path) -> None:
    gated.change()
    gated.change(text="x = 3\n")
    gated.server.git("config", "receive.shallowUpdate", "true")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", "-b", "topic", f"file://{gated.repo.path}", tmp_path / "cut"], check=True
    )
    gated.repo.path = tmp_path / "cut"
    assert gated.push("ada", "topic:refs/heads/release/1").code == 1
    assert gated.push("ada", "topic:refs/heads/free").code in (0, 1)
    assert gated.tip("refs/heads/release/1") == ""


def test_hook_of_another_program_is_not_overwritten(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    hook = gated.server.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(AssertionError):
        gated.install()
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"


class TestFreeze:
    def said(self, gated: Gated, person: str, *arguments: str) -> int:
        return run_command_line([*arguments, "--home", str(gated.home), "--key", str(gated.keys[person])])

    def test_one_person_freezes_all_merges_and_two_lift_the_freeze(
        self, tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        gated = Gated(tmp_path, keys, bob='roles = ["security", "developer"]')
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        assert self.said(gated, "carol", "freeze", "--reason", "no role") == 2
        assert self.said(gated, "sue", "freeze", "--reason", "the registry leaks") == 0
        denied = gated.push("ada", "topic:main")
        assert denied.code == 1
        assert "All merges are stopped" in denied.said
        assert "the registry leaks" in denied.said
        assert gated.push("ada", "topic:else").code == 0
        (frozen,) = (entry for entry in gated.entries() if isinstance(entry, record_kinds.FreezeRecord))
        assert run_command_line(["check", "--repo", gated.url, "--home", str(gated.home), "--head", head]) == 1
        assert self.said(gated, "sue", "unfreeze", frozen.freeze) == 1
        assert self.said(gated, "sue", "unfreeze", frozen.freeze) == 2
        assert gated.push("ada", "topic:main").code == 1
        assert self.said(gated, "bob", "unfreeze", frozen.freeze) == 0
        assert gated.push("ada", "topic:main").code == 0
        assert self.said(gated, "bob", "unfreeze", "else") == 2
        assert "sue and bob" in capsys.readouterr().out

    def test_freeze_that_nobody_can_lift_names_the_missing_appointment(
        self, gated: Gated, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.said(gated, "sue", "freeze", "--reason", "a leak") == 0
        assert "nobody can lift it before 1 more people have the security role" in capsys.readouterr().out
        gated.change()
        assert "first give 1 more people that role" in gated.push("ada", "topic:main").said

    def test_freeze_of_an_unknown_repository_is_refused(self, gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.said(gated, "sue", "freeze", "--reason", "a leak", "--repository", "shopp") == 2
        assert "has no repository shopp" in capsys.readouterr().err
        assert not [entry for entry in gated.entries() if isinstance(entry, record_kinds.FreezeRecord)]

    def test_freeze_of_one_repository_denies_there_and_names_the_missing_appointment(
        self, gated: Gated, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        assert self.said(gated, "sue", "freeze", "--reason", "a leak", "--repository", "shop") == 0
        out = capsys.readouterr().out
        assert "all merges of shop are stopped" in out
        assert "nobody can lift it before 1 more people have the security role" in out
        denied = gated.push("ada", "topic:main")
        assert (denied.code, "All merges of shop are stopped" in denied.said) == (1, True)

    @pytest.mark.parametrize(
        "period",
        [
            ["--from", "2020-01-01T00:00"],
            ["--until", "2020-01-01T00:00"],
            ["--from", "soon"],
            ["--until", "2026-02-30T00:00"],
        ],
    )
    def test_a_freeze_of_a_past_or_unreadable_period_is_refused(self, gated: Gated, period: list[str]) -> None:
        assert self.said(gated, "sue", "freeze", "--reason", "a leak", *period) == 2
        assert not [entry for entry in gated.entries() if isinstance(entry, record_kinds.FreezeRecord)]

    def test_a_freeze_denies_nothing_before_its_start_or_after_its_end(
        self, gated: Gated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        period = ["--from", "2098-12-24T18:00", "--until", "2099-01-02T08:00+02:00"]
        assert self.said(gated, "sue", "freeze", "--reason", "the season", *period) == 0
        assert "will be stopped from 2098-12-24T18:00 until 2099-01-02T06:00" in capsys.readouterr().out
        checked = ["check", "--repo", gated.url, "--home", str(gated.home), "--head", head]
        answers = []
        for now in ("2098-12-24T17:59:59", "2098-12-24T18:00:00", "2099-01-02T05:59:59", "2099-01-02T06:00:00"):
            monkeypatch.setattr("muniment.cli.context.current_moment", lambda now=now: f"{now}.000000Z")
            answers.append(run_command_line(checked))
        assert answers == [0, 1, 1, 0]
        monkeypatch.undo()
        pushed = gated.push("ada", "topic:main")
        assert (pushed.code, "From 2098-12-24T18:00 until 2099-01-02T06:00" in pushed.said) == (0, True)

    def test_drill_is_shown_and_denies_nothing(self, gated: Gated) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        assert self.said(gated, "sue", "freeze", "--reason", "fire drill", "--drill") == 0
        pushed = gated.push("ada", "topic:main")
        assert pushed.code == 0
        assert "A freeze drill is under way" in pushed.said


class TestPrePush:
    @pytest.fixture
    def clone(self, gated: Gated) -> Gated:
        gated.repo.git("remote", "add", "origin", gated.url)
        gated.repo.git("fetch", "-q", "origin")
        assert (
            run_command_line(["hook", "install-pre-push", "--repo", str(gated.repo.path), "--home", str(gated.home)])
            == 0
        )
        gated.url = "origin"
        return gated

    def test_preview_shows_the_decision_of_the_server(self, clone: Gated) -> None:
        head = clone.change()
        assert clone.push("ada", "topic").code == 0
        held = clone.push("ada", "topic:main")
        assert held.code == 1
        assert "denied" in held.said
        assert "(preview)" in held.said
        assert "0 of 2 required approvals" in held.said
        assert "remote:" not in held.text
        assert "remote:" in clone.push("ada", "--no-verify", "topic:main").text
        clone.approve("bob", head)
        clone.approve("carol", head)
        assert clone.push("ada", ALL_APPROVALS, "topic:main").code == 0
        assert clone.tip() == head

    def test_preview_without_evaluation_denies_with_the_cause(self, clone: Gated) -> None:
        clone.repo.git("update-ref", "-d", "refs/remotes/origin/main")
        (clone.home / "policy.toml").write_text("schema = ")
        clone.change()
        held = clone.push("ada", "topic:main")
        assert held.code == 1
        assert "policy.toml" in held.said


def test_doctor_reports_the_ledger_and_a_freeze(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    gated.server.git("symbolic-ref", "HEAD", "refs/heads/main")
    asked = ["doctor", "--repo", gated.url, "--home", str(gated.home)]
    run_command_line(asked)
    out = capsys.readouterr().out
    assert "ledger: 1 entry," in out
    assert "no checkpoint is copied to a place outside" in out
    assert "who pushes: the server says it in MUNIMENT_PUSHER" in out
    assert "it takes 2 to lift a freeze" in out
    run_command_line(["freeze", "--reason", "a leak", "--home", str(gated.home), "--key", str(gated.keys["sue"])])
    assert run_command_line(asked) == 1
    assert "all merges and deployments are stopped" in capsys.readouterr().out
    (gated.home / "ledger" / "tile" / "0" / "000.p" / "2").unlink()
    assert run_command_line(asked) == 1
    assert "is missing" in capsys.readouterr().out


def test_monitoring_clause_accepts_and_reports(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = format_built_in_policy("sec@example.test", "shop").replace(
        'control = "independent-review"', 'control = "independent-review"\nmonitoring_until = 2099-01-01'
    )
    gated = Gated(tmp_path, keys, policy=policy)
    head = gated.change()
    pushed = gated.push("ada", "topic:main")
    assert (pushed.code, gated.tip()) == (0, head)
    assert "allowed" in pushed.said
    assert "(reports only)" in pushed.said
    assert "0 of 2 required approvals" in pushed.said


def test_exception_permits_a_push_and_is_recorded_without_its_name(gated: Gated) -> None:
    where = ["--repo", gated.url, "--home", str(gated.home), "--onto", "main"]
    asked = ["exception", "ask", "disk-on-fire", "--clause", "review.two-reviewers", "--reason", "the shop is down"]
    assert run_command_line([*asked, "--days", "3", *where, "--key", str(gated.keys["ada"])]) == 0
    gated.change()
    assert gated.push("ada", "topic:main").code == 1
    assert run_command_line(["exception", "sign", "disk-on-fire", *where, "--key", str(gated.keys["sue"])]) == 0
    pushed = gated.push("ada", "topic:main")
    assert pushed.code == 0
    assert "(exception disk-on-fire)" in pushed.said
    judged = [entry for entry in gated.entries() if isinstance(entry, record_kinds.DecisionRecord)]
    assert [len(entry.exceptions) for entry in judged] == [0, 1]
    assert "disk-on-fire" not in str(judged)


def test_doctor_reports_a_hook_that_git_does_not_run(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["doctor", "--repo", gated.url, "--home", str(gated.home)]
    run_command_line(asked)
    assert "server hook: git runs its hooks here" in capsys.readouterr().out
    gated.server.git("config", "core.hooksPath", "/nowhere")
    assert run_command_line(asked) == 1
    assert "git runs none of Muniment's hooks" in capsys.readouterr().out


class TestUnusualPushes:
    """Unusual objects and names are accepted, and later pushes work as before."""

    def assert_pushes_work(self, gated: Gated) -> None:
        head = gated.repo.tip("topic") or gated.change()
        gated.push("ada", "topic")
        push_approvals(gated, head)
        pushed = gated.push("dan", "topic:main")
        assert pushed.code == 0, pushed.text
        assert gated.tip() == head
        assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in gated.entries())
        assert run_command_line(["ledger", "verify", "--home", str(gated.home)]) == 0

    def test_tags_of_other_objects_than_commits_are_accepted(self, gated: Gated) -> None:
        blob = gated.repo.blob("x")
        gated.repo.git("tag", "blob", blob)
        gated.repo.git("tag", "tree", "main^{tree}")
        gated.repo.git("tag", "-m", "a tag of a tag of a blob", "nested", "blob")
        assert gated.push("ada", "blob", "tree", "nested").code == 0
        assert gated.push("ada", f"{blob}:refs/for/blob").code == 0
        self.assert_pushes_work(gated)

    @pytest.mark.parametrize("name", [b"caf\xe9", "naïve".encode(), b"100%", b"a%2Fb", b"x" * 200, b"-x", b"a@{b"[:2]])
    def test_unusual_branch_names_are_accepted(self, gated: Gated, name: bytes) -> None:
        ref = b"refs/heads/" + name
        for source in (b"main", b""):
            refspec = (source + b":" + ref).decode("utf-8", "surrogateescape")
            pushed = gated.push("ada", refspec)
            assert pushed.code == 0, pushed.text
        self.assert_pushes_work(gated)

    def test_protected_branch_with_an_unsupported_name_is_denied(self, tmp_path: Path, keys: dict[str, Path]) -> None:
        gated = Gated(tmp_path, keys)
        for name in (b"release/caf\xe9", b"release/100%"):
            refspec = (b"main:refs/heads/" + name).decode("utf-8", "surrogateescape")
            assert "cannot be evaluated safely" in gated.push("ada", refspec).said

    def test_commits_with_unusual_authors_are_never_merged_unreviewed(self, gated: Gated) -> None:
        odd = (b"\xff <\xff>", b"A <>", b"x\x00y", "Ä <ä@example.test>".encode())
        tree = gated.repo.tree_of("main")
        for number, author in enumerate(odd):
            head = b"tree %s\nauthor %s 1 +0000\ncommitter %s 1 +0000\n\nx\n" % (tree.encode(), author, author)
            commit = gated.repo.write("commit", head)
            pushed = gated.push("ada", f"{commit}:refs/heads/odd/{number}")
            if pushed.code == 0:
                assert gated.push("ada", f"{commit}:refs/heads/main").code == 1
        self.assert_pushes_work(gated)

    def test_deep_history_is_accepted(self, gated: Gated) -> None:
        for number in range(300):
            gated.repo.commit({"deep.py": f"{number}\n"}, on="deep", parents=["deep"] if number else ["main"])
        assert gated.push("ada", "deep").code == 0
        assert gated.push("ada", ":deep").code == 0
        self.assert_pushes_work(gated)

    def test_branch_below_the_name_of_a_deleted_branch_is_accepted(self, gated: Gated) -> None:
        gated.change()
        assert gated.push("ada", "topic:refs/heads/a").code == 0
        assert gated.push("ada", ":refs/heads/a").code == 0
        assert gated.push("ada", "topic:refs/heads/a/b").code == 0
        self.assert_pushes_work(gated)

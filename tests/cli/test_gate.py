"""The gate as a pusher meets it: real pushes to a bare repository whose hook is ours."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.running import run
from muniment.ledger import entries
from muniment.policy.pack import pack_text
from muniment.store.files import FilesStore
from tests.support.gated import APPROVALS, Gated

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
BOB = "Bob <bob@example.test>"


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


def approved(gated: Gated, head: str, *people: str) -> None:
    for person in people or ("bob", "carol"):
        gated.approve(person, head)
    assert gated.push("bob", ALL_APPROVALS).code == 0


def test_a_change_gets_in_once_two_others_approved_it(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("ada", "topic").code == 0
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "0 of 2 required approvals" in denied.said
    assert "Ask bob, carol, dan, sue" in denied.said
    assert gated.tip() == gated.base
    approved(gated, head, "bob")
    assert "1 of 2 required approvals (bob)" in gated.push("ada", "topic:main").said
    approved(gated, head, "carol")
    assert "allowed" in gated.push("dan", "topic:main").said
    assert gated.tip() == head
    outcomes = [entry.outcome for entry in gated.entries() if isinstance(entry, entries.DecisionRecord)]
    assert outcomes == ["deny", "deny", "allow"]


def merge(gated: Gated, head: str) -> str:
    return gated.repo.merge(head, on="main", author="Dan <dan@example.test>")


def squash(gated: Gated, head: str) -> str:
    tree = gated.repo.merged_tree("main", head)
    return gated.repo.commit(on="main", tree=tree, author="Dan <dan@example.test>")


def rebase(gated: Gated, head: str) -> str:
    tree = gated.repo.merged_tree("main", head)
    return gated.repo.commit(on="main", tree=tree, author="Ada <ada@example.test>", committer="Dan <dan@example.test>")


@pytest.mark.parametrize("way", [merge, squash, rebase])
def test_a_machine_merge_of_what_was_approved_gets_in(gated: Gated, way: Callable[[Gated, str], str]) -> None:
    head = gated.change()
    other = gated.repo.commit({"other.py": "y = 1\n"}, on="other", parents=["main"])
    gated.push("ada", "topic", "other")
    approved(gated, other)
    assert gated.push("ada", "other:main").code == 0
    gated.repo.branch("main", other)
    approved(gated, head)
    made = way(gated, head)
    pushed = gated.push("dan", "main")
    assert pushed.code == 0, pushed.text
    assert gated.tip() == made


def test_a_merge_with_something_smuggled_in_does_not(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    approved(gated, head)
    gated.repo.merge("topic", on="main", files={"evil.py": "evil()\n"}, author="Dan <dan@example.test>")
    assert gated.push("dan", "main").code == 1
    assert gated.tip() == gated.base


def test_approvals_and_merge_in_one_push(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert gated.push("dan", ALL_APPROVALS, "topic:main").code == 0
    assert gated.tip() == head


def test_whoever_pushed_a_commit_first_has_a_hand_in_it(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("bob", "topic").code == 0
    approved(gated, head, "bob", "carol")
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.said


def test_an_earlier_head_of_a_change_counts_although_it_is_gone(gated: Gated) -> None:
    gated.change()
    gated.push("ada", "topic")
    first = gated.repo.tip("topic")
    gated.repo.commit({"lib.py": "x = 3\n"}, on="topic", author=BOB)
    gated.push("bob", "topic")
    gated.repo.branch("topic", first)
    gated.change(text="x = 4\n")
    head = gated.repo.tip("topic")
    assert gated.push("ada", "--force", "topic").code == 0
    approved(gated, head, "bob", "carol")
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.said


def test_pushing_a_reviewed_head_makes_nobody_a_contributor(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    approved(gated, head)
    assert gated.push("bob", "topic:main").code == 0


def test_a_pusher_whom_the_server_does_not_name_is_unknown(gated: Gated) -> None:
    head = gated.change()
    gated.push("", "topic")
    approved(gated, head)
    denied = gated.push("ada", "topic:main", GL_USER="ada", REMOTE_USER="ada")
    assert denied.code == 1
    assert "is unknown: the server named no pusher in MUNIMENT_PUSHER" in denied.said


@pytest.mark.parametrize(("variable", "other"), [("GL_USER", "REMOTE_USER"), ("REMOTE_USER", "GL_USER")])
def test_the_home_names_the_one_variable_that_says_who_pushes(gated: Gated, variable: str, other: str) -> None:
    (gated.home / "home.toml").write_text(f'[server_hook]\npusher_variable = "{variable}"\n')
    head = gated.change()
    gated.push("bob", "topic", **{variable: "ada", other: "carol"})
    approved(gated, head)
    assert gated.push("", "topic:main", **{variable: "dan"}).code == 0


@pytest.mark.parametrize("refspec", [":main", "+HEAD~0:main"])
def test_a_protected_branch_is_neither_deleted_nor_rewound(gated: Gated, refspec: str) -> None:
    gated.repo.branch("main", gated.repo.commit({"lib.py": "x = 9\n"}, on="", parents=[]))
    assert gated.push("ada", refspec.replace("HEAD~0", gated.repo.tip("main"))).code == 1
    assert gated.tip() == gated.base


def test_a_new_protected_branch_is_what_it_adds_to_the_others(gated: Gated) -> None:
    assert gated.push("ada", "main:refs/heads/release/1").code == 0
    head = gated.change()
    denied = gated.push("ada", "topic:refs/heads/release/2")
    assert (denied.code, gated.tip("refs/heads/release/2")) == (1, "")
    gated.approve("bob", head, onto="main")
    unrelated = gated.repo.commit({"a": "a"}, on="", parents=[])
    gated.repo.branch("unrelated", unrelated)
    assert gated.push("ada", "unrelated:refs/heads/release/3").code == 1


def test_one_denied_ref_holds_up_the_whole_push(gated: Gated) -> None:
    gated.change()
    denied = gated.push("ada", "topic", "topic:main", "topic:free")
    assert denied.code == 1
    assert (gated.tip("topic"), gated.tip("free"), gated.tip()) == ("", "", gated.base)


def test_a_push_that_is_wrong_about_what_the_branch_was_is_judged_by_nothing(gated: Gated) -> None:
    """git tells the hook what the pusher takes the branch for, and looks for itself only later."""
    head = gated.change()
    gated.push("ada", "topic")
    hook = gated.server.path / "hooks" / "pre-receive"
    for old in (head, "0" * 40):
        line = f"{old} {head} refs/heads/main\n"
        done = subprocess.run([hook], input=line, cwd=gated.server.path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another push in the meantime" in " ".join(done.stderr.split())


def test_a_symbolic_ref_is_only_another_name(gated: Gated) -> None:
    gated.server.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    gated.server.git("symbolic-ref", "refs/heads/future", "refs/heads/release/9")
    gated.change()
    assert gated.push("ada", "topic:alias").code == 1
    assert gated.push("ada", "topic:future").code == 1
    assert (gated.tip(), gated.tip("refs/heads/release/9")) == (gated.base, "")


@pytest.mark.parametrize(
    "ref", ["refs/replace/{base}", "refs/muniment/else", "refs/muniment/approvals/x", "refs/muniment/approvals/{base}"]
)
def test_places_that_are_kept_for_others_take_nothing(gated: Gated, ref: str) -> None:
    gated.change()
    gated.server.git("config", "--unset-all", "transfer.hideRefs")
    name = ref.format(base=gated.base)
    assert gated.push("ada", f"topic:{name}").code == 1
    assert gated.tip(name) == ""


@pytest.mark.parametrize("ref", ["refs/heads/refs/heads/main", "refs/heads/Main", "refs/for/main", "refs/tags/main"])
def test_a_ref_that_only_looks_protected_is_free(gated: Gated, ref: str) -> None:
    gated.change()
    assert gated.push("ada", f"topic:{ref}").code == 0
    assert gated.tip() == gated.base


def test_a_protected_tag_names_what_was_reviewed_and_stays(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = pack_text("sec@example.test", "shop").replace("[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1)
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

    def test_anybody_may_bring_what_was_signed(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        assert "recorded bob" in gated.push("ada", self.ref(head, "bob")).said

    def test_nobody_brings_what_another_signed(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        pushed = gated.push("ada", f"{self.ref(head, 'bob')}:{self.ref(head, 'carol')}")
        assert pushed.code == 1
        assert "not validly signed by carol" in pushed.said

    def test_it_lies_at_the_head_that_it_is_about(self, gated: Gated, head: str) -> None:
        gated.approve("bob", head)
        assert gated.push("bob", f"{self.ref(head, 'bob')}:{self.ref(gated.base, 'bob')}").code == 1

    def test_it_is_neither_deleted_nor_rewound(self, gated: Gated, head: str) -> None:
        ref = self.ref(head, "bob")
        gated.approve("bob", head)
        first = gated.repo.tip(ref)
        gated.approve("bob", head, "--withdraw")
        assert gated.push("bob", ref).code == 0
        assert "never deleted" in gated.push("bob", f":{ref}").said
        assert "would be lost" in gated.push("bob", f"+{first}:{ref}").said
        assert gated.tip(ref) == gated.repo.tip(ref)

    def test_a_commit_that_is_no_statement_is_none(self, gated: Gated, head: str) -> None:
        assert "malformed" in gated.push("bob", f"topic:{self.ref(head, 'bob')}").said


class TestWithoutItsParts:
    """Whatever is missing: denied, and the branch stays."""

    def denied(self, gated: Gated, *said: str) -> None:
        head = gated.repo.tip("topic") or gated.change()
        pushed = gated.push("ada", f"{head}:refs/heads/main", f"{head}:refs/heads/free")
        assert pushed.code == 1
        assert (gated.tip(), gated.tip("free")) == (gated.base, "")
        for words in said:
            assert words in pushed.said
        assert "Traceback" not in pushed.said

    @pytest.mark.parametrize("file", ["policy.toml", "people.toml"])
    def test_no_policy_or_a_broken_one(self, gated: Gated, file: str) -> None:
        (gated.home / file).write_text("schema = ")
        self.denied(gated, file)
        (gated.home / file).unlink()
        self.denied(gated, file)

    def test_a_broken_home_toml(self, gated: Gated) -> None:
        (gated.home / "home.toml").write_text('[server_hook]\npusher_variable = "USER"\n')
        self.denied(gated, "server_hook.pusher_variable")

    @pytest.mark.parametrize("part", ["keys/ledger.key", "keys/ledger.pub", "ledger/checkpoint", "ledger/tile", "home"])
    def test_no_ledger(self, gated: Gated, part: str, tmp_path: Path) -> None:
        (gated.home if part == "home" else gated.home / part).rename(tmp_path / "away")
        self.denied(gated)

    def test_no_objects(self, gated: Gated, tmp_path: Path) -> None:
        (gated.home / "cache").rename(tmp_path / "cache")
        (gated.home / "objects").rename(tmp_path / "away")
        self.denied(gated, "missing")

    def test_a_lost_cache_is_made_again(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        (gated.home / "cache").rename(tmp_path / "cache")
        assert gated.push("ada", "topic:main").code == 0

    def test_a_damaged_cache_is_made_again(self, gated: Gated) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        for file in (gated.home / "cache").iterdir():
            file.unlink() if file.suffix != ".sqlite" else file.write_bytes(b"spoilt" * 1000)
        assert gated.push("ada", "topic:main").code == 0

    def test_an_older_ledger(self, gated: Gated, tmp_path: Path) -> None:
        subprocess.run(["cp", "-a", gated.home / "ledger", tmp_path / "old"], check=True)
        gated.push("ada", "main:refs/heads/else")
        (gated.home / "ledger").rename(tmp_path / "new")
        (tmp_path / "old").rename(gated.home / "ledger")
        self.denied(gated, "is not the one that this home had before")

    def test_a_ledger_that_is_held_too_long(self, gated: Gated) -> None:
        (gated.home / "home.toml").write_text("[server_hook]\ntimeout_seconds = 1\n")
        with FilesStore(str(gated.home)).log().held():
            self.denied(gated, "took longer than 1 seconds")

    def test_a_repository_that_nobody_recorded(self, gated: Gated, tmp_path: Path) -> None:
        gated.server.path.rename(tmp_path / "moved.git")
        gated.server.path.symlink_to(tmp_path / "moved.git")
        self.denied(gated, "muniment hook install")

    def test_namespaces(self, gated: Gated) -> None:
        gated.change()
        assert gated.push("ada", "topic:refs/heads/main", GIT_NAMESPACE="x").code == 1
        assert gated.tip() == gated.base


def test_an_empty_repository_needs_no_more_than_the_hook(tmp_path: Path, keys: dict[str, Path]) -> None:
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


def test_a_change_that_would_break_the_policy_does_not_get_in(gated: Gated) -> None:
    head = gated.repo.commit({".muniment/policy.toml": "schema = 2\n"}, on="topic", parents=["main"])
    gated.push("ada", "topic")
    approved(gated, head)
    denied = gated.push("ada", "topic:main")
    assert "no later change could be evaluated" in denied.said
    assert gated.tip() == gated.base


def test_reporting_lets_through_and_tells(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys, "--report-only")
    head = gated.change()
    pushed = gated.push("ada", "topic:main")
    assert (pushed.code, gated.tip()) == (0, head)
    assert "0 of 2 required approvals" in pushed.said
    assert "accepted" in pushed.said
    (judged,) = (entry for entry in gated.entries() if isinstance(entry, entries.DecisionRecord))
    assert (judged.outcome, judged.enforced) == ("deny", False)
    assert not any(isinstance(entry, entries.HookBypassRecord) for entry in gated.entries())
    (gated.home / "policy.toml").write_text("schema = ")
    assert gated.push("ada", "main:refs/heads/else").code == 1


def test_what_went_past_the_gate_is_found_with_the_next_push(gated: Gated) -> None:
    gated.repo.git("push", "-q", gated.url, "main:refs/heads/side", check=False)
    head = gated.change()
    gated.push("ada", "topic")
    gated.server.git("update-ref", "refs/heads/main", head)
    gated.push("ada", "main:refs/heads/else")
    moved = [entry for entry in gated.entries() if isinstance(entry, entries.HookBypassRecord)]
    assert [entry.ref_count for entry in moved] == [1]


def test_two_pushes_at_once(gated: Gated) -> None:
    heads = [gated.change(name, text=f"x = '{name}'\n") for name in ("one", "two")]
    gated.push("ada", "one", "two")
    for head in heads:
        approved(gated, head)
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
    assert not any(isinstance(entry, entries.HookBypassRecord) for entry in gated.entries())


def test_five_hundred_refs_at_once(gated: Gated) -> None:
    head = gated.change()
    names = [f"{head}:refs/heads/many/{number}" for number in range(499)]
    assert gated.push("ada", *names).code == 0
    denied = gated.push("ada", *(name.replace("many", "more") for name in names), f"{head}:refs/heads/main")
    assert denied.code == 1
    assert len([line for line in denied.text.splitlines() if line.startswith("remote:")]) <= 20
    assert gated.tip("refs/heads/more/1") == ""


def test_a_cut_off_history_does_not_get_in(gated: Gated, tmp_path: Path) -> None:
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


def test_a_foreign_hook_stays(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    hook = gated.server.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(AssertionError):
        gated.install()
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"


class TestFreeze:
    def said(self, gated: Gated, person: str, *arguments: str) -> int:
        return run([*arguments, "--home", str(gated.home), "--key", str(gated.keys[person])])

    def test_one_stops_all_merges_and_two_lift_it(
        self, tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        gated = Gated(tmp_path, keys, bob='roles = ["security", "developer"]')
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        assert self.said(gated, "carol", "freeze", "--reason", "no role") == 2
        assert self.said(gated, "sue", "freeze", "--reason", "the registry leaks") == 0
        denied = gated.push("ada", "topic:main")
        assert denied.code == 1
        assert "All merges are stopped" in denied.said
        assert "the registry leaks" in denied.said
        assert gated.push("ada", "topic:else").code == 0
        (frozen,) = (entry for entry in gated.entries() if isinstance(entry, entries.FreezeRecord))
        assert run(["check", "--repo", gated.url, "--home", str(gated.home), "--head", head]) == 1
        assert self.said(gated, "sue", "unfreeze", frozen.freeze) == 1
        assert self.said(gated, "sue", "unfreeze", frozen.freeze) == 2
        assert gated.push("ada", "topic:main").code == 1
        assert self.said(gated, "bob", "unfreeze", frozen.freeze) == 0
        assert gated.push("ada", "topic:main").code == 0
        assert self.said(gated, "bob", "unfreeze", "else") == 2
        assert "sue and bob" in capsys.readouterr().out

    def test_a_freeze_that_nobody_can_lift_says_who_has_to_be_appointed_first(
        self, gated: Gated, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.said(gated, "sue", "freeze", "--reason", "a leak") == 0
        assert "nobody can lift it before 1 more people have the security role" in capsys.readouterr().out
        gated.change()
        assert "first give 1 more people that role" in gated.push("ada", "topic:main").said

    def test_a_freeze_of_a_repository_that_the_home_does_not_judge_is_refused(
        self, gated: Gated, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.said(gated, "sue", "freeze", "--reason", "a leak", "--repository", "shopp") == 2
        assert "has no repository shopp" in capsys.readouterr().err
        assert not [entry for entry in gated.entries() if isinstance(entry, entries.FreezeRecord)]

    def test_a_freeze_of_one_repository_denies_there_and_says_who_has_to_be_appointed(
        self, gated: Gated, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
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
        assert not [entry for entry in gated.entries() if isinstance(entry, entries.FreezeRecord)]

    def test_a_freeze_denies_nothing_before_its_start_or_after_its_end(
        self, gated: Gated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        period = ["--from", "2098-12-24T18:00", "--until", "2099-01-02T08:00+02:00"]
        assert self.said(gated, "sue", "freeze", "--reason", "the season", *period) == 0
        assert "will be stopped from 2098-12-24T18:00 until 2099-01-02T06:00" in capsys.readouterr().out
        checked = ["check", "--repo", gated.url, "--home", str(gated.home), "--head", head]
        answers = []
        for now in ("2098-12-24T17:59:59", "2098-12-24T18:00:00", "2099-01-02T05:59:59", "2099-01-02T06:00:00"):
            monkeypatch.setattr("muniment.cli.scene.now", lambda now=now: f"{now}.000000Z")
            answers.append(run(checked))
        assert answers == [0, 1, 1, 0]
        monkeypatch.undo()
        pushed = gated.push("ada", "topic:main")
        assert (pushed.code, "From 2098-12-24T18:00 until 2099-01-02T06:00" in pushed.said) == (0, True)

    def test_a_drill_is_shown_and_stops_nothing(self, gated: Gated) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        assert self.said(gated, "sue", "freeze", "--reason", "fire drill", "--drill") == 0
        pushed = gated.push("ada", "topic:main")
        assert pushed.code == 0
        assert "A freeze drill is under way" in pushed.said


class TestPrePush:
    @pytest.fixture
    def clone(self, gated: Gated) -> Gated:
        gated.repo.git("remote", "add", "origin", gated.url)
        gated.repo.git("fetch", "-q", "origin")
        assert run(["hook", "install-pre-push", "--repo", str(gated.repo.path), "--home", str(gated.home)]) == 0
        gated.url = "origin"
        return gated

    def test_it_says_before_what_the_server_would_say(self, clone: Gated) -> None:
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

    def test_what_cannot_be_judged_here_is_said(self, clone: Gated) -> None:
        clone.repo.git("update-ref", "-d", "refs/remotes/origin/main")
        (clone.home / "policy.toml").write_text("schema = ")
        clone.change()
        held = clone.push("ada", "topic:main")
        assert held.code == 1
        assert "policy.toml" in held.said


def test_doctor_tells_of_the_ledger_and_of_a_freeze(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    gated.server.git("symbolic-ref", "HEAD", "refs/heads/main")
    asked = ["doctor", "--repo", gated.url, "--home", str(gated.home)]
    run(asked)
    out = capsys.readouterr().out
    assert "ledger: 1 entry," in out
    assert "no checkpoint is copied to a place outside" in out
    assert "who pushes: the server says it in MUNIMENT_PUSHER" in out
    assert "it takes 2 to lift a freeze" in out
    run(["freeze", "--reason", "a leak", "--home", str(gated.home), "--key", str(gated.keys["sue"])])
    assert run(asked) == 1
    assert "all merges and deployments are stopped" in capsys.readouterr().out
    (gated.home / "ledger" / "tile" / "0" / "000.p" / "2").unlink()
    assert run(asked) == 1
    assert "is missing" in capsys.readouterr().out


def test_a_clause_that_only_reports_yet_lets_through_and_tells(tmp_path: Path, keys: dict[str, Path]) -> None:
    policy = pack_text("sec@example.test", "shop").replace(
        'control = "independent-review"', 'control = "independent-review"\nmonitoring_until = 2099-01-01'
    )
    gated = Gated(tmp_path, keys, policy=policy)
    head = gated.change()
    pushed = gated.push("ada", "topic:main")
    assert (pushed.code, gated.tip()) == (0, head)
    assert "allowed" in pushed.said
    assert "(reports only)" in pushed.said
    assert "0 of 2 required approvals" in pushed.said


def test_an_exception_lets_through_and_is_recorded_without_its_name(gated: Gated) -> None:
    where = ["--repo", gated.url, "--home", str(gated.home), "--onto", "main"]
    asked = ["exception", "ask", "disk-on-fire", "--clause", "review.two-reviewers", "--reason", "the shop is down"]
    assert run([*asked, "--days", "3", *where, "--key", str(gated.keys["ada"])]) == 0
    gated.change()
    assert gated.push("ada", "topic:main").code == 1
    assert run(["exception", "sign", "disk-on-fire", *where, "--key", str(gated.keys["sue"])]) == 0
    pushed = gated.push("ada", "topic:main")
    assert pushed.code == 0
    assert "(exception disk-on-fire)" in pushed.said
    judged = [entry for entry in gated.entries() if isinstance(entry, entries.DecisionRecord)]
    assert [len(entry.exceptions) for entry in judged] == [0, 1]
    assert "disk-on-fire" not in str(judged)


def test_doctor_misses_a_gate_that_git_does_not_run(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["doctor", "--repo", gated.url, "--home", str(gated.home)]
    run(asked)
    assert "gate: git runs its hooks here" in capsys.readouterr().out
    gated.server.git("config", "core.hooksPath", "/nowhere")
    assert run(asked) == 1
    assert "git runs no hook of Muniment's" in capsys.readouterr().out


class TestOddThingsThatAnybodyMayPush:
    """They pass, and nothing after them is the worse for it."""

    def goes_on(self, gated: Gated) -> None:
        head = gated.repo.tip("topic") or gated.change()
        gated.push("ada", "topic")
        approved(gated, head)
        pushed = gated.push("dan", "topic:main")
        assert pushed.code == 0, pushed.text
        assert gated.tip() == head
        assert not any(isinstance(entry, entries.HookBypassRecord) for entry in gated.entries())
        assert run(["ledger", "verify", "--home", str(gated.home)]) == 0

    def test_tags_of_what_is_no_commit(self, gated: Gated) -> None:
        blob = gated.repo.blob("x")
        gated.repo.git("tag", "blob", blob)
        gated.repo.git("tag", "tree", "main^{tree}")
        gated.repo.git("tag", "-m", "a tag of a tag of a blob", "nested", "blob")
        assert gated.push("ada", "blob", "tree", "nested").code == 0
        assert gated.push("ada", f"{blob}:refs/for/blob").code == 0
        self.goes_on(gated)

    @pytest.mark.parametrize("name", [b"caf\xe9", "naïve".encode(), b"100%", b"a%2Fb", b"x" * 200, b"-x", b"a@{b"[:2]])
    def test_names(self, gated: Gated, name: bytes) -> None:
        ref = b"refs/heads/" + name
        for source in (b"main", b""):
            refspec = (source + b":" + ref).decode("utf-8", "surrogateescape")
            pushed = gated.push("ada", refspec)
            assert pushed.code == 0, pushed.text
        self.goes_on(gated)

    def test_a_protected_name_that_cannot_be_judged(self, tmp_path: Path, keys: dict[str, Path]) -> None:
        gated = Gated(tmp_path, keys)
        for name in (b"release/caf\xe9", b"release/100%"):
            refspec = (b"main:refs/heads/" + name).decode("utf-8", "surrogateescape")
            assert "cannot be evaluated safely" in gated.push("ada", refspec).said

    def test_commits_that_say_odd_things(self, gated: Gated) -> None:
        odd = (b"\xff <\xff>", b"A <>", b"x\x00y", "Ä <ä@example.test>".encode())
        tree = gated.repo.tree_of("main")
        for number, author in enumerate(odd):
            head = b"tree %s\nauthor %s 1 +0000\ncommitter %s 1 +0000\n\nx\n" % (tree.encode(), author, author)
            commit = gated.repo.write("commit", head)
            pushed = gated.push("ada", f"{commit}:refs/heads/odd/{number}")
            if pushed.code == 0:
                assert gated.push("ada", f"{commit}:refs/heads/main").code == 1
        self.goes_on(gated)

    def test_a_submodule_and_a_deep_history(self, gated: Gated) -> None:
        for number in range(300):
            gated.repo.commit({"deep.py": f"{number}\n"}, on="deep", parents=["deep"] if number else ["main"])
        assert gated.push("ada", "deep").code == 0
        assert gated.push("ada", ":deep").code == 0
        self.goes_on(gated)

    def test_a_branch_below_a_name_that_was_one(self, gated: Gated) -> None:
        gated.change()
        assert gated.push("ada", "topic:refs/heads/a").code == 0
        assert gated.push("ada", ":refs/heads/a").code == 0
        assert gated.push("ada", "topic:refs/heads/a/b").code == 0
        self.goes_on(gated)

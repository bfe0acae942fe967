"""The ledger as an auditor meets it: shown, proven, verified on a copy, made again, and erased from."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.cli.running import run
from muniment.decision import catalogue
from muniment.ledger import entries, notes
from muniment.ledger.tiles import bundle, unbundle
from tests.support.gated import APPROVALS, Gated
from tests.support.witness import Honest, serving


def with_a_past(folder: Path, keys: dict[str, Path]) -> Gated:
    """A gate past which a change was pushed, denied, approved and let through."""
    gated = Gated(folder, keys)
    head = gated.change()
    gated.push("ada", "topic")
    gated.push("ada", "topic:main")
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert gated.push("dan", f"{APPROVALS}*:{APPROVALS}*", "topic:main").code == 0
    return gated


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Path]) -> Gated:
    """One for all tests that only look at its home."""
    return with_a_past(tmp_path_factory.mktemp("told"), keys)


@pytest.fixture
def pushing(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    """One of its own, to push to."""
    return with_a_past(tmp_path, keys)


@pytest.fixture
def gated(told: Gated, tmp_path: Path) -> Gated:
    """A copy of the home."""
    subprocess.run(["cp", "-a", told.home.parent, tmp_path / "copy"], check=True)
    copy = object.__new__(Gated)
    copy.__dict__.update(told.__dict__)
    copy.home = tmp_path / "copy" / "home"
    return copy


class Command:
    """`muniment ...` with its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: Any) -> tuple[int, str]:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return code, out + err


@pytest.fixture
def muniment(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def decisions(gated: Gated) -> list[int]:
    return [at for at, entry in enumerate(gated.entries()) if isinstance(entry, entries.DecisionRecord)]


def test_every_commit_that_a_branch_took_is_listed_with_what_allowed_it(muniment: Command, gated: Gated) -> None:
    code, out = muniment("ledger", "commits", "--branch", "main", "--home", gated.home)
    assert (code, "1 steps, 0 that no decision allowed" in out) == (0, True), out
    assert f"entry {decisions(gated)[-1]}" in out
    assert muniment("ledger", "commits", "--until", "2020-01-01", "--home", gated.home)[1].startswith("0 steps")
    assert muniment("ledger", "commits", "--since", "yesterday", "--home", gated.home)[0] == 2


def test_entries_are_shown_newest_last_and_name_nobody(gated: Gated, muniment: Command) -> None:
    code, out = muniment("ledger", "show", "--home", gated.home)
    assert code == 0
    for words in ("baseline", "1 refs, 1 new commits", "denied", "too-few-approvals", "allowed", "statement on"):
        assert words in out
    code, out = muniment("ledger", "show", "--last", 2, "--home", gated.home)
    assert len(out.splitlines()) == 3
    code, out = muniment("ledger", "show", "--format", "json", "--home", gated.home)
    assert [row["position"] for row in json.loads(out)] == list(range(10))
    for name in ("bob", "carol", "dan", "ada@"):
        assert name not in out


def test_one_entry_is_shown_with_what_lies_beside_it(gated: Gated, muniment: Command) -> None:
    code, out = muniment("ledger", "show", decisions(gated)[0], "--home", gated.home)
    assert code == 0
    assert '"too-few-approvals"' in out
    assert muniment("ledger", "show", 99, "--home", gated.home)[0] == 2


def test_every_entry_is_at_most_four_kibibytes_and_every_object_is_there(gated: Gated, muniment: Command) -> None:
    assert muniment("ledger", "verify", "--home", gated.home)[0] == 0
    object_files = list((gated.home / "objects").rglob("[0-9a-f]" * 62))
    for file in object_files:
        data = file.read_bytes()
        file.write_bytes(b"spoilt")
        assert (muniment("ledger", "verify", "--home", gated.home)[0], data) == (1, data)
        file.write_bytes(data)
    for file in object_files:
        file.write_bytes(b"spoilt")
    code, out = muniment("ledger", "verify", "--home", gated.home)
    assert code == 1
    assert "entry 0: " in out


class TestCopy:
    @pytest.fixture
    def copy(self, gated: Gated, muniment: Command, tmp_path: Path) -> Path:
        assert muniment("ledger", "export", tmp_path / "out", "--home", gated.home)[0] == 0
        return tmp_path / "out"

    def test_it_is_verified_with_the_public_key_alone(self, copy: Path, muniment: Command, tmp_path: Path) -> None:
        assert muniment("ledger", "verify", copy)[0] == 0
        (copy / "ledger.pub").rename(tmp_path / "key")
        assert muniment("ledger", "verify", copy, "--key", tmp_path / "key")[0] == 0
        assert muniment("ledger", "verify", copy)[0] == 2

    def test_it_holds_no_name(self, copy: Path) -> None:
        text = b"".join(file.read_bytes() for file in copy.rglob("*") if file.is_file())
        for name in (b"bob", b"carol", b"@example.test"):
            assert name not in text

    @pytest.mark.parametrize("number", [0, 4, 9])
    def test_the_first_bad_entry_is_named(self, copy: Path, muniment: Command, number: int) -> None:
        file = copy / "tile/entries/000.p/10"
        listed = list(unbundle(file.read_bytes(), ""))
        listed[number] = listed[number].replace(b'"version":1', b'"version":2')
        file.write_bytes(bundle(listed))
        code, out = muniment("ledger", "verify", copy, "--format", "json")
        assert (code, json.loads(out)["first_bad_position"]) == (1, number)

    def test_an_older_copy_shows_whether_it_was_rewritten(
        self, pushing: Gated, muniment: Command, tmp_path: Path
    ) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        muniment("ledger", "export", old, "--home", pushing.home)
        pushing.push("ada", "main:refs/heads/else")
        muniment("ledger", "export", new, "--home", pushing.home)
        assert muniment("ledger", "verify", "--home", pushing.home, "--since", old / "checkpoint")[0] == 0
        code, out = muniment("ledger", "verify", old, "--since", new / "checkpoint")
        assert code == 1
        assert "older checkpoint speaks of" in out

    def test_a_proof_of_one_entry(self, copy: Path, gated: Gated, muniment: Command, tmp_path: Path) -> None:
        for number in (0, 7):
            proof, entry = tmp_path / "proof", tmp_path / "entry"
            proof.write_text(muniment("ledger", "prove", number, "--home", gated.home)[1])
            entry.write_text(muniment("ledger", "raw", number, "--home", gated.home)[1])
            verify = ("ledger", "verify", "--proof", proof, "--entry", entry, "--key", copy / "ledger.pub")
            assert muniment(*verify)[0] == 0
            entry.write_text(entry.read_text().replace("2", "3", 1))
            assert muniment(*verify)[0] == 1
            proof.write_text("no proof")
            assert muniment(*verify)[0] == 3

    def test_a_proof_of_growth(self, gated: Gated, muniment: Command) -> None:
        code, out = muniment("ledger", "prove", "--since", 3, "--home", gated.home)
        assert (code, out.splitlines()[1]) == (0, "old 3")
        assert muniment("ledger", "prove", "--since", 99, "--home", gated.home)[0] == 2
        assert muniment("ledger", "prove", 99, "--home", gated.home)[0] == 2


class TestAgain:
    def test_every_decision_comes_out_the_same(self, gated: Gated, muniment: Command) -> None:
        assert len(decisions(gated)) == 2
        for number in decisions(gated):
            code, out = muniment("replay", "--entry", number, "--home", gated.home)
            assert (code, out.splitlines()[-1]) == (0, "agrees")

    def test_also_after_people_and_policy_changed(self, gated: Gated, muniment: Command) -> None:
        (gated.home / "policy.toml").unlink()
        (gated.home / "people.toml").unlink()
        assert muniment("replay", "--entry", decisions(gated)[1], "--home", gated.home)[0] == 0

    def test_another_version_of_a_control_is_not_comparable(
        self, gated: Gated, muniment: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        current = catalogue.CONTROLS["protected-history"]
        newer = structs.replace(current, version=current.version + 1)
        monkeypatch.setitem(catalogue.CONTROLS, "protected-history", newer)
        code, out = muniment("replay", "--entry", decisions(gated)[0], "--home", gated.home)
        assert code == 1
        assert f"not comparable: history.protected was evaluated by version {current.version}" in out

    def test_what_is_no_decision_is_none(self, gated: Gated, muniment: Command) -> None:
        assert muniment("replay", "--entry", 0, "--home", gated.home)[0] == 2
        assert muniment("replay", "--entry", 99, "--home", gated.home)[0] == 2


class TestErasure:
    def erase(self, gated: Gated, muniment: Command, person: str) -> None:
        code, out = muniment("home", "erase", "--person", person, "--reason", "request 17", "--home", gated.home)
        assert code == 0, out

    def test_what_was_erased_is_gone_and_says_so(self, gated: Gated, muniment: Command) -> None:
        self.erase(gated, muniment, "ada")
        for number in decisions(gated):
            code, out = muniment("replay", "--entry", number, "--home", gated.home)
            assert code == 1
            assert "erased: " in out
            assert "was erased: under the rule 'a person asked for it', record 10" in out
        (gated.home / "people.toml").unlink()
        left = [file for file in gated.home.rglob("*") if file.is_file()]
        run(["ledger", "export", str(gated.home.parent / "all"), "--objects", "--home", str(gated.home)])
        left += [file for file in (gated.home.parent / "all").rglob("*") if file.is_file()]
        assert not any(b"ada@example.test" in file.read_bytes() for file in left)

    def test_the_ledger_stays_whole(self, gated: Gated, muniment: Command) -> None:
        self.erase(gated, muniment, "ada")
        self.erase(gated, muniment, "bob")
        assert muniment("ledger", "verify", "--home", gated.home)[0] == 0

    def test_pushes_go_on_and_what_the_person_pushed_is_by_nobody_known(
        self, pushing: Gated, muniment: Command
    ) -> None:
        pushing.repo.branch("main", pushing.tip())
        head = pushing.change("second", author="bob", text="x = 5\n")
        assert pushing.push("carol", "second").code == 0
        self.erase(pushing, muniment, "carol")
        assert pushing.push("dan", "main:refs/heads/else").code == 0
        pushing.approve("dan", head)
        pushing.approve("sue", head)
        denied = pushing.push("ada", f"{APPROVALS}*:{APPROVALS}*", "second:main")
        assert denied.code == 1
        assert "its pusher was erased" in denied.said, denied.text
        assert not any(isinstance(entry, entries.HookBypassRecord) for entry in pushing.entries())

    def test_somebody_whom_nobody_knows(self, gated: Gated, muniment: Command) -> None:
        asked = ("home", "erase", "--person", "eve", "--reason", "x", "--home", gated.home)
        assert muniment(*asked)[0] == 2
        assert muniment(*asked, "--email", "bob@example.test")[0] == 0


class TestOutside:
    def test_a_home_restored_from_yesterday_signs_nothing_until_somebody_looked(
        self, pushing: Gated, muniment: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        (pushing.home / "home.toml").write_text(f'[ledger]\nexternal_copy = "{tmp_path}/elsewhere/checkpoint"\n')
        assert "copy outside" in pushing.push("ada", "main:refs/heads/one").said
        assert muniment("ledger", "reconcile", "--reason", "first copy", "--home", pushing.home)[0] == 0
        subprocess.run(["cp", "-a", pushing.home, tmp_path / "yesterday"], check=True)
        pushing.install()
        assert pushing.push("ada", "main:refs/heads/two").code == 0
        subprocess.run(["rm", "-r", pushing.home], check=True)
        (tmp_path / "yesterday").rename(pushing.home)
        code, out = muniment("ledger", "verify", "--home", pushing.home)
        assert (code, "older than its copy outside" in out) == (1, True)
        denied = pushing.push("ada", "main:refs/heads/three")
        assert denied.code == 1
        assert "older than its copy outside" in denied.said
        assert muniment("ledger", "reconcile", "--reason", "the disk died", "--home", pushing.home)[0] == 0
        assert pushing.push("ada", "main:refs/heads/three").code == 0
        assert muniment("ledger", "verify", "--home", pushing.home)[0] == 0

    def test_a_ledger_that_was_rolled_back_is_not_what_its_home_remembers(
        self, pushing: Gated, muniment: Command, tmp_path: Path
    ) -> None:
        subprocess.run(["cp", "-a", pushing.home / "ledger", tmp_path / "yesterday"], check=True)
        assert pushing.push("ada", "main:refs/heads/two").code == 0
        assert muniment("ledger", "verify", "--home", pushing.home)[0] == 0
        subprocess.run(["rm", "-r", pushing.home / "ledger"], check=True)
        (tmp_path / "yesterday").rename(pushing.home / "ledger")
        code, out = muniment("ledger", "verify", "--home", pushing.home)
        assert (code, "not the one that this home had before" in out) == (1, True)


class TestWitness:
    def test_what_a_witness_signed_lies_beside_the_ledger(
        self, gated: Gated, muniment: Command, tmp_path: Path
    ) -> None:
        public = (gated.home / "keys" / "ledger.pub").read_text()
        assert muniment("ledger", "witness", "--home", gated.home)[0] == 2
        with serving(Honest(public)) as witness:
            text = f'[[witness]]\nkey = "{witness.key}"\nurl = "{witness.url}"\n'
            (gated.home / "home.toml").write_text(text)
            code, out = muniment("ledger", "witness", "--home", gated.home)
            assert (code, out) == (0, "1 of 1 witnesses signed 10 entries\n")
        note = notes.parse((gated.home / "ledger" / "witnessed").read_bytes())
        assert notes.verified(note, public)
        assert notes.cosigned(note, witness.key) == 1_700_000_000
        code, out = muniment("ledger", "witness", "--home", gated.home)
        assert code == 1
        assert "cannot be reached" in out


def test_who_has_the_old_key_verifies_a_ledger_whose_key_was_exchanged(
    gated: Gated, muniment: Command, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert muniment("ledger", "export", old, "--home", gated.home)[0] == 0
    code, out = muniment("ledger", "exchange-key", "--home", gated.home, "--reason", "Its machine leaves us.")
    assert code == 0, out
    assert muniment("ledger", "export", new, "--home", gated.home)[0] == 0
    public = (new / "ledger.pub").read_text().strip()
    assert public in out
    assert public != (old / "ledger.pub").read_text().strip() == (new / "ledger-1.pub").read_text()
    for arguments in (("--key", old / "ledger.pub"), (), ("--since", old / "checkpoint")):
        code, out = muniment("ledger", "verify", new, *arguments)
        assert code == 0, (arguments, out)
    assert muniment("ledger", "verify", "--home", gated.home, "--since", old / "checkpoint")[0] == 0
    assert "signed with another key from now on" in muniment("ledger", "show", "--home", gated.home)[1]
    checkpoint = (new / "exchange" / "1").read_bytes()
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", old, other], check=True)
    (other / "exchange").mkdir()
    (other / "exchange" / "1").write_bytes(checkpoint)  # of entries that are not there
    code, out = muniment("ledger", "verify", other)
    assert code == 0, out
    (new / "exchange" / "1").unlink()
    code, out = muniment("ledger", "verify", new, "--key", old / "ledger.pub")
    assert (code, "not signed with this key" in out) == (1, True), out


def test_a_lost_key_vouches_for_no_other(gated: Gated, muniment: Command, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert muniment("ledger", "export", old, "--home", gated.home)[0] == 0
    exchange = ("ledger", "exchange-key", "--home", gated.home, "--reason", "The disk died.")
    assert "it is not lost" in muniment(*exchange, "--lost")[1]
    (gated.home / "keys" / "ledger.key").unlink()
    assert "run it with --lost" in muniment(*exchange)[1]
    code, out = muniment(*exchange, "--lost")
    assert code == 0, out
    assert muniment("ledger", "export", new, "--home", gated.home)[0] == 0
    code, out = muniment("ledger", "verify", new, "--key", old / "ledger.pub")
    assert (code, "not signed with this key" in out) == (1, True), out
    assert muniment("ledger", "verify", new, "--since", old / "checkpoint")[0] == 0
    assert muniment("ledger", "verify", "--home", gated.home)[0] == 0

"""Ledger as an auditor uses it: listed, proven, verified on a copy, replayed, and erased from."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.cli.command_line import run_command_line
from muniment.decision import catalogue
from muniment.ledger import record_kinds, signed_notes
from muniment.ledger.tiles import pack_entries, unpack_entries
from tests.support.hooked_remote import APPROVALS, HookedRemote
from tests.support.witness import Honest, serving


def create_home_with_history(folder: Path, keys: dict[str, Path]) -> HookedRemote:
    """Server hook with a history of changes that were pushed, denied, approved and accepted."""
    remote = HookedRemote(folder, keys)
    head = remote.commit()
    remote.push("ada", "topic")
    remote.push("ada", "topic:main")
    remote.approve("bob", head)
    remote.approve("carol", head)
    assert remote.push("dan", f"{APPROVALS}*:{APPROVALS}*", "topic:main").code == 0
    return remote


@pytest.fixture(scope="module")
def recorded_remote(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Path]) -> HookedRemote:
    """Shared home for all tests that only read it."""
    return create_home_with_history(tmp_path_factory.mktemp("recorded_remote"), keys)


@pytest.fixture
def pushing(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    """Separate home, to push to."""
    return create_home_with_history(tmp_path, keys)


@pytest.fixture
def remote(recorded_remote: HookedRemote, tmp_path: Path) -> HookedRemote:
    """Copy of the shared home."""
    subprocess.run(["cp", "-a", recorded_remote.home.parent, tmp_path / "copy"], check=True)
    copy = object.__new__(HookedRemote)
    copy.__dict__.update(recorded_remote.__dict__)
    copy.home = tmp_path / "copy" / "home"
    return copy


class Command:
    """Runner of `muniment ...` that returns the output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: Any) -> tuple[int, str]:
        self._capsys.readouterr()
        code = run_command_line([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return code, out + err


@pytest.fixture
def muniment(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def decisions(remote: HookedRemote) -> list[int]:
    return [at for at, entry in enumerate(remote.read_records()) if isinstance(entry, record_kinds.DecisionRecord)]


def test_every_commit_of_a_branch_is_listed_with_the_decision_that_allowed_it(
    muniment: Command, remote: HookedRemote
) -> None:
    code, out = muniment("ledger", "commits", "--branch", "main", "--home", remote.home)
    assert (code, "1 step, 0 that no decision allowed" in out) == (0, True), out
    assert f"entry {decisions(remote)[-1]}" in out
    assert muniment("ledger", "commits", "--until", "2020-01-01", "--home", remote.home)[1].startswith("0 steps")
    assert muniment("ledger", "commits", "--since", "yesterday", "--home", remote.home)[0] == 2


def test_records_are_listed_newest_last_without_names(remote: HookedRemote, muniment: Command) -> None:
    code, out = muniment("ledger", "show", "--home", remote.home)
    assert code == 0
    for words in ("baseline", "1 refs, 1 new commits", "denied", "too-few-approvals", "allowed", "statement on"):
        assert words in out
    code, out = muniment("ledger", "show", "--last", 2, "--home", remote.home)
    assert len(out.splitlines()) == 3
    code, out = muniment("ledger", "show", "--format", "json", "--home", remote.home)
    assert [row["position"] for row in json.loads(out)] == list(range(10))
    for name in ("bob", "carol", "dan", "ada@"):
        assert name not in out


def test_one_record_is_shown_with_its_objects(remote: HookedRemote, muniment: Command) -> None:
    code, out = muniment("ledger", "show", decisions(remote)[0], "--home", remote.home)
    assert code == 0
    assert '"too-few-approvals"' in out
    assert muniment("ledger", "show", 99, "--home", remote.home)[0] == 2


def test_every_record_is_at_most_four_kibibytes_and_every_object_exists(
    remote: HookedRemote, muniment: Command
) -> None:
    assert muniment("ledger", "verify", "--home", remote.home)[0] == 0
    object_files = list((remote.home / "objects").rglob("[0-9a-f]" * 62))
    for file in object_files:
        data = file.read_bytes()
        file.write_bytes(b"spoilt")
        assert (muniment("ledger", "verify", "--home", remote.home)[0], data) == (1, data)
        file.write_bytes(data)
    for file in object_files:
        file.write_bytes(b"spoilt")
    code, out = muniment("ledger", "verify", "--home", remote.home)
    assert code == 1
    assert "entry 0: " in out


class TestLedgerCopy:
    @pytest.fixture
    def copy(self, remote: HookedRemote, muniment: Command, tmp_path: Path) -> Path:
        assert muniment("ledger", "export", tmp_path / "out", "--home", remote.home)[0] == 0
        return tmp_path / "out"

    def test_copy_is_verified_with_the_public_key_alone(self, copy: Path, muniment: Command, tmp_path: Path) -> None:
        assert muniment("ledger", "verify", copy)[0] == 0
        (copy / "ledger.pub").rename(tmp_path / "key")
        assert muniment("ledger", "verify", copy, "--key", tmp_path / "key")[0] == 0
        assert muniment("ledger", "verify", copy)[0] == 2

    def test_copy_contains_no_name(self, copy: Path) -> None:
        text = b"".join(file.read_bytes() for file in copy.rglob("*") if file.is_file())
        for name in (b"bob", b"carol", b"@example.test"):
            assert name not in text

    @pytest.mark.parametrize("number", [0, 4, 9])
    def test_first_invalid_record_is_named(self, copy: Path, muniment: Command, number: int) -> None:
        file = copy / "tile/entries/000.p/10"
        listed = list(unpack_entries(file.read_bytes(), ""))
        listed[number] = listed[number].replace(b'"version":1', b'"version":2')
        file.write_bytes(pack_entries(listed))
        code, out = muniment("ledger", "verify", copy, "--format", "json")
        assert (code, json.loads(out)["first_bad_position"]) == (1, number)
        before = "; those before it are what was signed." if number else "."
        assert f"The first bad entry is {number}{before}\n" in muniment("ledger", "verify", copy)[1]

    def test_older_copy_shows_whether_the_ledger_was_rewritten(
        self, pushing: HookedRemote, muniment: Command, tmp_path: Path
    ) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        muniment("ledger", "export", old, "--home", pushing.home)
        pushing.push("ada", "main:refs/heads/else")
        muniment("ledger", "export", new, "--home", pushing.home)
        assert muniment("ledger", "verify", "--home", pushing.home, "--since", old / "checkpoint")[0] == 0
        code, out = muniment("ledger", "verify", old, "--since", new / "checkpoint")
        assert code == 1
        assert "older checkpoint speaks of" in out

    def test_inclusion_proof_of_one_record(
        self, copy: Path, remote: HookedRemote, muniment: Command, tmp_path: Path
    ) -> None:
        for number in (0, 7):
            proof, entry = tmp_path / "proof", tmp_path / "entry"
            proof.write_text(muniment("ledger", "prove", number, "--home", remote.home)[1])
            entry.write_text(muniment("ledger", "raw", number, "--home", remote.home)[1])
            verify = ("ledger", "verify", "--proof", proof, "--entry", entry, "--key", copy / "ledger.pub")
            assert muniment(*verify)[0] == 0
            entry.write_text(entry.read_text().replace("2", "3", 1))
            assert muniment(*verify)[0] == 1
            proof.write_text("no proof")
            assert muniment(*verify)[0] == 3

    def test_consistency_proof_of_growth(self, remote: HookedRemote, muniment: Command) -> None:
        code, out = muniment("ledger", "prove", "--since", 3, "--home", remote.home)
        assert (code, out.splitlines()[1]) == (0, "old 3")
        assert muniment("ledger", "prove", "--since", 99, "--home", remote.home)[0] == 2
        assert muniment("ledger", "prove", 99, "--home", remote.home)[0] == 2


class TestReplay:
    def test_replay_gives_every_decision_again(self, remote: HookedRemote, muniment: Command) -> None:
        assert len(decisions(remote)) == 2
        for number in decisions(remote):
            code, out = muniment("replay", "--entry", number, "--home", remote.home)
            assert (code, out.splitlines()[-1]) == (0, "agrees")

    def test_replay_gives_the_same_after_people_and_policy_changed(
        self, remote: HookedRemote, muniment: Command
    ) -> None:
        (remote.home / "policy.toml").unlink()
        (remote.home / "people.toml").unlink()
        assert muniment("replay", "--entry", decisions(remote)[1], "--home", remote.home)[0] == 0

    def test_decision_by_another_control_version_is_not_comparable(
        self, remote: HookedRemote, muniment: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        current = catalogue.CONTROLS["protected-history"]
        newer = structs.replace(current, version=current.version + 1)
        monkeypatch.setitem(catalogue.CONTROLS, "protected-history", newer)
        code, out = muniment("replay", "--entry", decisions(remote)[0], "--home", remote.home)
        assert code == 1
        assert f"not comparable: history.protected was evaluated by version {current.version}" in out

    def test_record_without_a_decision_cannot_be_replayed(self, remote: HookedRemote, muniment: Command) -> None:
        assert muniment("replay", "--entry", 0, "--home", remote.home)[0] == 2
        assert muniment("replay", "--entry", 99, "--home", remote.home)[0] == 2


class TestErasure:
    def erase(self, remote: HookedRemote, muniment: Command, person: str) -> None:
        code, out = muniment("home", "erase", "--person", person, "--reason", "request 17", "--home", remote.home)
        assert code == 0, out

    def test_erased_data_is_gone_and_reported_as_erased(self, remote: HookedRemote, muniment: Command) -> None:
        self.erase(remote, muniment, "ada")
        for number in decisions(remote):
            code, out = muniment("replay", "--entry", number, "--home", remote.home)
            assert code == 1
            assert "erased: " in out
            assert "was erased: under the rule 'a person asked for it', record 10" in out
        (remote.home / "people.toml").unlink()
        left = [file for file in remote.home.rglob("*") if file.is_file()]
        run_command_line(["ledger", "export", str(remote.home.parent / "all"), "--objects", "--home", str(remote.home)])
        left += [file for file in (remote.home.parent / "all").rglob("*") if file.is_file()]
        assert not any(b"ada@example.test" in file.read_bytes() for file in left)

    def test_ledger_verifies_after_an_erasure(self, remote: HookedRemote, muniment: Command) -> None:
        self.erase(remote, muniment, "ada")
        self.erase(remote, muniment, "bob")
        assert muniment("ledger", "verify", "--home", remote.home)[0] == 0

    def test_pushes_continue_and_commits_of_an_erased_person_have_an_unknown_pusher(
        self, pushing: HookedRemote, muniment: Command
    ) -> None:
        pushing.repo.branch("main", pushing.tip())
        head = pushing.commit("second", author="bob", text="x = 5\n")
        assert pushing.push("carol", "second").code == 0
        self.erase(pushing, muniment, "carol")
        assert pushing.push("dan", "main:refs/heads/else").code == 0
        pushing.approve("dan", head)
        pushing.approve("sue", head)
        denied = pushing.push("ada", f"{APPROVALS}*:{APPROVALS}*", "second:main")
        assert denied.code == 1
        assert "its pusher was erased" in denied.line, denied.text
        assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in pushing.read_records())

    def test_unknown_person_cannot_be_erased(self, remote: HookedRemote, muniment: Command) -> None:
        asked = ("home", "erase", "--person", "eve", "--reason", "x", "--home", remote.home)
        assert muniment(*asked)[0] == 2
        assert muniment(*asked, "--email", "bob@example.test")[0] == 0


class TestExternalCopy:
    def test_home_restored_from_a_backup_signs_nothing_until_it_is_reconciled(
        self, pushing: HookedRemote, muniment: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        (pushing.home / "home.toml").write_text(f'[ledger]\nexternal_copy = "{tmp_path}/elsewhere/checkpoint"\n')
        assert "copy outside" in pushing.push("ada", "main:refs/heads/one").line
        assert muniment("ledger", "reconcile", "--reason", "first copy", "--home", pushing.home)[0] == 0
        subprocess.run(["cp", "-a", pushing.home, tmp_path / "yesterday"], check=True)
        pushing.install_hook()
        assert pushing.push("ada", "main:refs/heads/two").code == 0
        subprocess.run(["rm", "-r", pushing.home], check=True)
        (tmp_path / "yesterday").rename(pushing.home)
        code, out = muniment("ledger", "verify", "--home", pushing.home)
        assert (code, "older than its copy outside" in out) == (1, True)
        denied = pushing.push("ada", "main:refs/heads/three")
        assert denied.code == 1
        assert "older than its copy outside" in denied.line
        assert muniment("ledger", "reconcile", "--reason", "the disk died", "--home", pushing.home)[0] == 0
        assert pushing.push("ada", "main:refs/heads/three").code == 0
        assert muniment("ledger", "verify", "--home", pushing.home)[0] == 0

    def test_rolled_back_ledger_differs_from_the_checkpoint_of_its_home(
        self, pushing: HookedRemote, muniment: Command, tmp_path: Path
    ) -> None:
        subprocess.run(["cp", "-a", pushing.home / "ledger", tmp_path / "yesterday"], check=True)
        assert pushing.push("ada", "main:refs/heads/two").code == 0
        assert muniment("ledger", "verify", "--home", pushing.home)[0] == 0
        subprocess.run(["rm", "-r", pushing.home / "ledger"], check=True)
        (tmp_path / "yesterday").rename(pushing.home / "ledger")
        code, out = muniment("ledger", "verify", "--home", pushing.home)
        assert (code, "not the one that this home had before" in out) == (1, True)


class TestWitness:
    def test_signature_of_a_witness_is_stored_with_the_ledger(
        self, remote: HookedRemote, muniment: Command, tmp_path: Path
    ) -> None:
        public = (remote.home / "keys" / "ledger.pub").read_text()
        assert muniment("ledger", "witness", "--home", remote.home)[0] == 2
        with serving(Honest(public)) as witness:
            text = f'[[witness]]\nkey = "{witness.key}"\nurl = "{witness.url}"\n'
            (remote.home / "home.toml").write_text(text)
            code, out = muniment("ledger", "witness", "--home", remote.home)
            assert (code, out) == (0, "1 of 1 witnesses signed 10 entries\n")
        note = signed_notes.parse_note((remote.home / "ledger" / "witnessed").read_bytes())
        assert signed_notes.is_note_signed(note, public)
        assert signed_notes.find_cosignature_time(note, witness.key) == 1_700_000_000
        code, out = muniment("ledger", "witness", "--home", remote.home)
        assert code == 1
        assert "cannot be reached" in out


def test_old_key_verifies_a_ledger_after_a_key_exchange(
    remote: HookedRemote, muniment: Command, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert muniment("ledger", "export", old, "--home", remote.home)[0] == 0
    code, out = muniment("ledger", "exchange-key", "--home", remote.home, "--reason", "Its machine leaves us.")
    assert code == 0, out
    assert muniment("ledger", "export", new, "--home", remote.home)[0] == 0
    public = (new / "ledger.pub").read_text().strip()
    assert public in out
    assert public != (old / "ledger.pub").read_text().strip() == (new / "ledger-1.pub").read_text()
    for arguments in (("--key", old / "ledger.pub"), (), ("--since", old / "checkpoint")):
        code, out = muniment("ledger", "verify", new, *arguments)
        assert code == 0, (arguments, out)
    assert muniment("ledger", "verify", "--home", remote.home, "--since", old / "checkpoint")[0] == 0
    assert "signed with another key from now on" in muniment("ledger", "show", "--home", remote.home)[1]
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


def test_lost_key_does_not_certify_its_successor(remote: HookedRemote, muniment: Command, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert muniment("ledger", "export", old, "--home", remote.home)[0] == 0
    exchange = ("ledger", "exchange-key", "--home", remote.home, "--reason", "The disk died.")
    assert "it is not lost" in muniment(*exchange, "--lost")[1]
    (remote.home / "keys" / "ledger.key").unlink()
    assert "run it with --lost" in muniment(*exchange)[1]
    code, out = muniment(*exchange, "--lost")
    assert code == 0, out
    assert muniment("ledger", "export", new, "--home", remote.home)[0] == 0
    code, out = muniment("ledger", "verify", new, "--key", old / "ledger.pub")
    assert (code, "not signed with this key" in out) == (1, True), out
    assert muniment("ledger", "verify", new, "--since", old / "checkpoint")[0] == 0
    assert muniment("ledger", "verify", "--home", remote.home)[0] == 0

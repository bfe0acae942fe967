"""Published rules in `refs/muniment/rules`: what a server publishes for clones, and how a clone uses it."""

import json
import subprocess
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.facts import canonical
from muniment.git.published_rules import RULES_REF
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import empty_people_text, format_built_in_policy
from tests.support.hooked_remote import HookedRemote
from tests.support.laptops import Laptop

FETCH = "git fetch -q origin '+refs/muniment/*:refs/muniment/*'"


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys)


def load_published_rules(remote: HookedRemote) -> str:
    return remote.server.git("show", f"{RULES_REF}:rules.json")


def test_published_rules_contain_no_address_login_or_name(remote: HookedRemote) -> None:
    text = load_published_rules(remote)
    assert "@" not in text.replace("@OWNER@", "")
    assert '"bob"' in text
    assert "Bob" not in text
    assert "SHA256:" in text
    assert "ssh-ed25519" not in text


def test_installation_says_if_nobody_is_known_yet(remote: HookedRemote, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    remote.install_hook()
    assert "name your people" not in capsys.readouterr().out
    (remote.home / "people.toml").write_text(empty_people_text())
    remote.install_hook()
    assert f"until you name your people in {remote.home}/people.toml" in " ".join(capsys.readouterr().out.split())


def test_repeated_installation_publishes_changes_and_reports_no_bypass(remote: HookedRemote) -> None:
    policy = remote.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    remote.install_hook()
    assert '"stable"' in load_published_rules(remote)
    assert remote.server.git("rev-list", "--count", RULES_REF) == "1", "who was erased is in no history of it"
    remote.push("ada", "main:refs/heads/else")
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in remote.read_records())


def test_freeze_publishes_the_size_of_the_ledger(remote: HookedRemote) -> None:
    before = load_published_rules(remote)
    assert (
        run_command_line(["freeze", "--reason", "x", "--home", str(remote.home), "--key", str(remote.keys["sue"])]) == 0
    )
    assert load_published_rules(remote) != before


def test_published_rules_cannot_be_pushed(remote: HookedRemote) -> None:
    before = load_published_rules(remote)
    assert remote.push("ada", f"+main:{RULES_REF}").code == 1
    assert remote.push("ada", f":{RULES_REF}").code == 1
    assert load_published_rules(remote) == before


def test_clone_checks_by_published_rules_and_names_the_signer(remote: HookedRemote, tmp_path: Path) -> None:
    ada, bob = (Laptop(remote, person, tmp_path) for person in ("ada", "bob"))
    head = ada.commit({"lib.py": "x = 2\n"})
    refused = ada.run("git push origin topic:main")
    ada.follow(*refused.commands("git push"))
    bob.settle(refused)
    without = ada.run("muniment check")
    assert without.code == 2
    assert "git fetch origin '+refs/muniment/*:refs/muniment/*'" in without.line
    ada.follow(FETCH)
    output = ada.run("muniment check --onto main")
    assert output.code == 1
    assert f"undecided {head[:12]} onto main of shop" in output.line
    assert "bob: approve, validly signed" in output.line
    assert "✓ review.small-changes" in output.line


def test_clone_refuses_rules_older_than_those_it_saw(remote: HookedRemote, tmp_path: Path) -> None:
    old = remote.server.git("rev-parse", RULES_REF)
    ada = Laptop(remote, "ada", tmp_path)
    ada.follow(FETCH)
    remote.push("ada", "main:refs/heads/else")
    remote.install_hook()
    ada.follow(FETCH)
    assert ada.run("muniment check").code == 0 or "undecided" in ada.run("muniment check").line
    ada.follow(f"git update-ref {RULES_REF} {old}")
    output = ada.run("muniment check")
    assert output.code == 2
    assert "it is older than what this clone saw" in output.line


def test_preview_permits_pushes_that_only_the_server_can_decide(remote: HookedRemote, tmp_path: Path) -> None:
    ada = Laptop(remote, "ada", tmp_path)
    made = ada.follow("muniment hook install-pre-push")
    ada.follow(*made.commands("git fetch"))
    ada.commit({"lib.py": "x = 2\n"})
    pushed = ada.run("git push origin topic:main")
    assert "undecided" in pushed.line
    assert "the server decides" in pushed.line
    assert "remote: muniment: denied" in pushed.text
    held = ada.run("git push origin :main")
    assert "main would be deleted" in held.line
    assert "remote:" not in held.text


def test_server_with_unprotected_default_branch_is_not_set_up(
    remote: HookedRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.server.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    assert run_command_line(["hook", "install", "--home", str(remote.home), "--repo", str(remote.server.path)]) == 2
    err = capsys.readouterr().err
    assert "does not protect trunk, the default branch" in err


def test_empty_people_list_of_the_server_does_not_replace_that_of_the_branch(
    remote: HookedRemote, keys: dict[str, Path]
) -> None:
    people = (remote.home / "people.toml").read_text()
    remote.repo.commit(
        {".muniment/people.toml": people, ".muniment/policy.toml": format_built_in_policy("s@e.test", "shop")}
    )
    remote.server.git("fetch", "-q", str(remote.repo.path), "+main:main")
    (remote.home / "people.toml").write_text("# nobody yet\n")
    remote.install_hook()
    assert '"bob"' in load_published_rules(remote)


def test_one_command_attests_every_open_change(
    remote: HookedRemote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = [remote.commit(name, text=f"x = '{name}'\n") for name in ("one", "two", "two")]
    remote.server.git("fetch", "-q", str(remote.repo.path), "one:one", "two:two")
    capsys.readouterr()
    remote.install_hook()
    out = capsys.readouterr().out
    assert "2 branches were pushed before the hook" in out
    lines = [line.strip() for line in out.splitlines() if line.startswith(("    git ", "    muniment "))]
    sue = Laptop(remote, "sue", tmp_path)
    made = sue.follow(*lines, typed="ada\n")
    sue.follow(*made.commands("git push"))
    for person in ("bob", "carol"):
        remote.approve(person, heads[2])
    assert remote.push("bob", "refs/muniment/approvals/*:refs/muniment/approvals/*").code == 0
    pushed = remote.push("dan", "two:main")
    assert pushed.code == 0, pushed.text


def test_clone_refuses_rules_whose_checkpoint_the_ledger_did_not_sign(remote: HookedRemote, tmp_path: Path) -> None:
    ada = Laptop(remote, "ada", tmp_path)
    ada.run(FETCH)
    assert "not the ledger's" not in ada.run("muniment check").line
    rules = json.loads(load_published_rules(remote))
    rules["checkpoint"] = rules["checkpoint"].replace("\n1\n", "\n999\n", 1)
    blob = subprocess.run(
        ["git", "-C", str(ada.clone), "hash-object", "-w", "--stdin"],
        input=canonical.encode(rules).decode(),
        text=True,
        check=True,
        capture_output=True,
    ).stdout.strip()
    ada.run(
        f"tree=$(printf '100644 blob {blob}\\trules.json\\n' | git mktree) && "
        f"git update-ref {RULES_REF} $(git commit-tree -m rules $tree)"
    )
    output = ada.run("muniment check")
    assert output.code == 2
    assert "its checkpoint is not the ledger's" in output.line


def test_doctor_names_the_repository_with_rules_outdated_by_a_manual_edit(
    remote: HookedRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["doctor", "--repo", remote.url, "--home", str(remote.home)]
    run_command_line(asked)
    assert "are what holds" in capsys.readouterr().out
    remote.push("ada", "main:refs/heads/else")
    run_command_line(asked)
    assert "out of date" not in capsys.readouterr().out, "the size of the ledger alone outdates nothing"
    policy = remote.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    assert run_command_line(asked) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "out of date" in out
    command = f"muniment hook install --repo {remote.server.path} --home {remote.home}"
    assert command in out
    assert run_command_line(command.split()[1:]) == 0
    capsys.readouterr()
    run_command_line(asked)
    assert "are what holds" in capsys.readouterr().out


def test_exception_in_a_home_publishes_the_rules(remote: HookedRemote) -> None:
    policy = remote.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    asked = ["exception", "ask", "leave", "--clause", "review.two-reviewers", "--reason", "down"]
    key = ["--key", str(remote.keys["ada"])]
    assert run_command_line([*asked, "--repo", remote.url, "--onto", "main", "--home", str(remote.home), *key]) == 0
    assert '"stable"' in load_published_rules(remote)

"""Published rules in `refs/muniment/rules`: what a server publishes for clones, and how a clone uses it."""

import json
import subprocess
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.facts import canonical
from muniment.git.published_rules import RULES_REF
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.gated import Gated
from tests.support.laptops import Laptop

FETCH = "git fetch -q origin '+refs/muniment/*:refs/muniment/*'"


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


def load_published_rules(gated: Gated) -> str:
    return gated.server.git("show", f"{RULES_REF}:rules.json")


def test_published_rules_contain_no_address_login_or_name(gated: Gated) -> None:
    text = load_published_rules(gated)
    assert "@" not in text.replace("@OWNER@", "")
    assert '"bob"' in text
    assert "Bob" not in text
    assert "SHA256:" in text
    assert "ssh-ed25519" not in text


def test_repeated_installation_publishes_changes_and_reports_no_bypass(gated: Gated) -> None:
    policy = gated.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    gated.install()
    assert '"stable"' in load_published_rules(gated)
    assert gated.server.git("rev-list", "--count", RULES_REF) == "1", "who was erased is in no history of it"
    gated.push("ada", "main:refs/heads/else")
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in gated.entries())


def test_freeze_publishes_the_size_of_the_ledger(gated: Gated) -> None:
    before = load_published_rules(gated)
    assert (
        run_command_line(["freeze", "--reason", "x", "--home", str(gated.home), "--key", str(gated.keys["sue"])]) == 0
    )
    assert load_published_rules(gated) != before


def test_published_rules_cannot_be_pushed(gated: Gated) -> None:
    before = load_published_rules(gated)
    assert gated.push("ada", f"+main:{RULES_REF}").code == 1
    assert gated.push("ada", f":{RULES_REF}").code == 1
    assert load_published_rules(gated) == before


def test_clone_checks_by_published_rules_and_names_the_signer(gated: Gated, tmp_path: Path) -> None:
    ada, bob = (Laptop(gated, person, tmp_path) for person in ("ada", "bob"))
    head = ada.commit({"lib.py": "x = 2\n"})
    refused = ada.run("git push origin topic:main")
    ada.follow(*refused.commands("git push"))
    bob.settle(refused)
    without = ada.run("muniment check")
    assert without.code == 2
    assert "git fetch origin '+refs/muniment/*:refs/muniment/*'" in without.said
    ada.follow(FETCH)
    told = ada.run("muniment check --onto main")
    assert told.code == 1
    assert f"undecided {head[:12]} onto main of shop" in told.said
    assert "bob: approve, validly signed" in told.said
    assert "✓ review.small-changes" in told.said


def test_clone_refuses_rules_older_than_those_it_saw(gated: Gated, tmp_path: Path) -> None:
    old = gated.server.git("rev-parse", RULES_REF)
    ada = Laptop(gated, "ada", tmp_path)
    ada.follow(FETCH)
    gated.push("ada", "main:refs/heads/else")
    gated.install()
    ada.follow(FETCH)
    assert ada.run("muniment check").code == 0 or "undecided" in ada.run("muniment check").said
    ada.follow(f"git update-ref {RULES_REF} {old}")
    told = ada.run("muniment check")
    assert told.code == 2
    assert "it is older than what this clone saw" in told.said


def test_preview_permits_pushes_that_only_the_server_can_decide(gated: Gated, tmp_path: Path) -> None:
    ada = Laptop(gated, "ada", tmp_path)
    made = ada.follow("muniment hook install-pre-push")
    ada.follow(*made.commands("git fetch"))
    ada.commit({"lib.py": "x = 2\n"})
    pushed = ada.run("git push origin topic:main")
    assert "undecided" in pushed.said
    assert "the server decides" in pushed.said
    assert "remote: muniment: denied" in pushed.text
    held = ada.run("git push origin :main")
    assert "main would be deleted" in held.said
    assert "remote:" not in held.text


def test_server_with_unprotected_default_branch_is_not_set_up(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    gated.server.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    assert run_command_line(["hook", "install", "--home", str(gated.home), "--repo", str(gated.server.path)]) == 2
    err = capsys.readouterr().err
    assert "does not protect trunk, the default branch" in err


def test_empty_people_list_of_the_server_does_not_replace_that_of_the_branch(
    gated: Gated, keys: dict[str, Path]
) -> None:
    people = (gated.home / "people.toml").read_text()
    gated.repo.commit(
        {".muniment/people.toml": people, ".muniment/policy.toml": format_built_in_policy("s@e.test", "shop")}
    )
    gated.server.git("fetch", "-q", str(gated.repo.path), "+main:main")
    (gated.home / "people.toml").write_text("# nobody yet\n")
    gated.install()
    assert '"bob"' in load_published_rules(gated)


def test_one_command_attests_every_open_change(
    gated: Gated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = [gated.change(name, text=f"x = '{name}'\n") for name in ("one", "two", "two")]
    gated.server.git("fetch", "-q", str(gated.repo.path), "one:one", "two:two")
    capsys.readouterr()
    gated.install()
    out = capsys.readouterr().out
    assert "2 branches were pushed before the hook" in out
    shown = [line.strip() for line in out.splitlines() if line.startswith("    ")]
    sue = Laptop(gated, "sue", tmp_path)
    made = sue.follow(*shown, typed="ada\n")
    sue.follow(*made.commands("git push"))
    for person in ("bob", "carol"):
        gated.approve(person, heads[2])
    assert gated.push("bob", "refs/muniment/approvals/*:refs/muniment/approvals/*").code == 0
    pushed = gated.push("dan", "two:main")
    assert pushed.code == 0, pushed.text


def test_clone_refuses_rules_whose_checkpoint_the_ledger_did_not_sign(gated: Gated, tmp_path: Path) -> None:
    ada = Laptop(gated, "ada", tmp_path)
    ada.run(FETCH)
    assert "not the ledger's" not in ada.run("muniment check").said
    rules = json.loads(load_published_rules(gated))
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
    told = ada.run("muniment check")
    assert told.code == 2
    assert "its checkpoint is not the ledger's" in told.said


def test_doctor_names_the_repository_with_rules_outdated_by_a_manual_edit(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["doctor", "--repo", gated.url, "--home", str(gated.home)]
    run_command_line(asked)
    assert "are what holds" in capsys.readouterr().out
    gated.push("ada", "main:refs/heads/else")
    run_command_line(asked)
    assert "out of date" not in capsys.readouterr().out, "the size of the ledger alone outdates nothing"
    policy = gated.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    assert run_command_line(asked) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "out of date" in out
    command = f"muniment hook install --repo {gated.server.path} --home {gated.home}"
    assert command in out
    assert run_command_line(command.split()[1:]) == 0
    capsys.readouterr()
    run_command_line(asked)
    assert "are what holds" in capsys.readouterr().out


def test_exception_in_a_home_publishes_the_rules(gated: Gated) -> None:
    policy = gated.home / "policy.toml"
    policy.write_text(policy.read_text().replace('"release/*"', '"release/*", "stable"'))
    asked = ["exception", "ask", "leave", "--clause", "review.two-reviewers", "--reason", "down"]
    key = ["--key", str(gated.keys["ada"])]
    assert run_command_line([*asked, "--repo", gated.url, "--onto", "main", "--home", str(gated.home), *key]) == 0
    assert '"stable"' in load_published_rules(gated)

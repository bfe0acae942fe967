"""muniment init: a draft from the history and from a forge, found again without --home, never from a change."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from muniment.cli.commands import muniment
from muniment.forges.shapes import Vendor
from muniment.policy.people_document import parse_people
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import ForgeUnderTest
from tests.support.repos import Repo
from tests.support.shop import Shop


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the person who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))


@pytest.fixture(name="plain")
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    repo = Repo(tmp_path / "plain")
    base = repo.commit({"app.py": "1\n"})
    repo.commit({"app.py": "2\n"}, on="topic", parents=[base], author="Bob Smith <bob@example.test>")
    repo.merge("topic", on="main")
    repo.git("reset", "-q", "--hard", "main")
    monkeypatch.chdir(repo.path)
    monkeypatch.delenv("MUNIMENT_HOME", raising=False)
    return repo


def test_init_drafts_people_from_the_history_and_ends_with_the_next_step(shop: Shop, plain: Repo) -> None:
    code, out, err = shop.muniment("init")
    assert code == 0, err
    people = parse_people((plain.path / ".muniment/people.toml").read_text(), "people.toml")
    assert {person.id for person in people.persons} == {"ada", "bob-smith"}
    assert "Drafted 2 people. Nobody has a role or a key yet." in out
    assert "Next: check .muniment/people.toml" in out
    assert "Then: muniment check " in out
    assert "--home" not in out


def test_person_who_runs_init_is_drafted_without_a_commit(shop: Shop, plain: Repo) -> None:
    plain.git("config", "user.email", "eve@example.test")
    plain.git("config", "user.name", "Eve Roe")
    assert shop.muniment("init")[0] == 0
    people = parse_people((plain.path / ".muniment/people.toml").read_text(), "people.toml")
    (eve,) = [person for person in people.persons if person.name == "Eve Roe"]
    assert (eve.emails, eve.write_access) == (("eve@example.test",), ())


def test_home_of_init_is_found_without_home(shop: Shop, plain: Repo) -> None:
    assert shop.muniment("init")[0] == 0
    for command in (["check"], ["replay"], ["explain", "review.two-reviewers"], ["policy", "show"]):
        code, out, err = shop.muniment(*command)
        assert code in ((0, 1) if command == ["check"] else (0,)), err
        assert "Using the policy and people in .muniment/. They are not on main yet." in err
        assert out
    assert "reviewers are not in git" in shop.muniment("replay")[1]


def test_home_of_init_is_found_from_a_folder_below(shop: Shop, plain: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.muniment("init")[0] == 0
    (plain.path / "docs").mkdir()
    monkeypatch.chdir(plain.path / "docs")
    code, _, err = shop.muniment("replay")
    assert code == 0
    assert "../.muniment/" in err


def test_rules_that_a_change_brings_are_not_used_for_it(shop: Shop, plain: Repo) -> None:
    assert shop.muniment("init")[0] == 0
    policy = (plain.path / ".muniment/policy.toml").read_text().replace("reviewers = 2", "reviewers = 1")
    plain.git("checkout", "-q", "-b", "own")
    plain.commit({".muniment/policy.toml": policy}, on="own", parents=["main"])
    for command in (["check"], ["replay"], ["policy", "show"]):
        code, _, err = shop.muniment(*command)
        assert code == 2, command
        assert "is not on main yet" in err
        assert "--home .muniment" in err


def test_home_that_is_a_link_is_not_used(shop: Shop, plain: Repo, tmp_path: Path) -> None:
    assert shop.muniment("init", "--home", str(tmp_path / "elsewhere"))[0] == 0
    (plain.path / ".muniment").symlink_to(tmp_path / "elsewhere")
    _, out, err = shop.muniment("replay")
    assert "Using the policy" not in err
    assert "Who reviewed these changes is not in git." in out


def test_other_default_branch_is_protected_by_the_drafted_policy(shop: Shop, plain: Repo) -> None:
    plain.git("branch", "-m", "main", "trunk")
    code, out, _ = shop.muniment("init")
    assert code == 0
    assert 'protected = ["trunk", "main", "master", "release/*"]' in (plain.path / ".muniment/policy.toml").read_text()
    assert "muniment check --onto trunk" in out
    assert shop.muniment("check", "--onto", "trunk")[0] in (0, 1)


def test_init_outside_a_repository_or_without_a_commit_still_makes_a_home(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, folder in enumerate((tmp_path / "nothing", Repo(tmp_path / "empty").path)):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        code, out, err = shop.muniment("init", "--home", str(tmp_path / f"home{number}"), "--repository", "shop")
        assert code == 0, err
        assert "No people were drafted from the history" in err
        assert "Next: name your people in " in out


def test_names_that_are_not_utf8_are_drafted_as_text(shop: Shop, plain: Repo) -> None:
    tip = plain.id("main")
    who = b"\xff\xfe Zed\t\x07 <zed@example.test> 1700000000 +0000"
    raw = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\nx\n" % (plain.tree_of(tip).encode(), tip.encode(), who, who)
    plain.branch("refs/heads/main", plain.write("commit", raw))
    assert shop.muniment("init")[0] == 0
    people = parse_people((plain.path / ".muniment/people.toml").read_text(), "people.toml")
    assert ("zed@example.test",) in [person.emails for person in people.persons]


class TestForge:
    """Accounts of a fake Gitea."""

    def _run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str = ""
    ) -> tuple[str, str, dict[str, tuple[str, ...]]]:
        with FakeGitea(tmp_path / "forge") as fake:
            acting = GiteaActing(fake.url, fake.administrator)
            tested = ForgeUnderTest(acting, Vendor.GITEA, tmp_path)
            head = tested.work.commit("ada", {"app.py": "x = 1\n"}, tested.work.tip("main"))
            tested.work.push("ada", head, "topic")
            number = acting.open("ada", "topic", "main", "a topic")
            acting.merge("bob", number, "squash")
            if fault:
                fake.fail(fault, Fault.FORBIDDEN)
            monkeypatch.setenv("MUNIMENT_FORGE_TOKEN", acting.token("muniment"))
            monkeypatch.chdir(tmp_path)
            url = f"{fake.url}/{acting.path}"
            home = tmp_path / "home"
            arguments = ["init", "--home", str(home), "--repository", "shop", "--forge", url, "--format", "json"]
            result = CliRunner().invoke(muniment, arguments, standalone_mode=False)
            assert result.exception is None, result.exception
            people = parse_people((home / "people.toml").read_text(), "people.toml")
            return (
                result.output,
                acting.login("ada"),
                {person.accounts[0]: person.write_access for person in people.persons if person.accounts},
            )

    def test_accounts_that_may_write_are_drafted_with_their_write_access(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, ada, found = self._run(tmp_path, monkeypatch)
        assert found[f"gitea/{ada}"] == ("*",)
        suffix = ada.removeprefix("ada")
        writers = {"root1", *(f"{name}{suffix}" for name in ("ada", "bob", "carol", "dave", "muniment"))}
        assert {account.removeprefix("gitea/") for account in found} == writers

    def test_unreadable_write_access_gives_nobody_the_right_and_is_reported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out, ada, found = self._run(tmp_path, monkeypatch, "permission")
        assert found[f"gitea/{ada}"] == ()
        assert "Who may write is unknown" in out

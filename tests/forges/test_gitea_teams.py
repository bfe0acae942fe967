"""Write access that a team of the organisation gives, as Gitea 1.26 answers: not by the account's own permission."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge
from muniment.forges.gitea import reader
from muniment.forges.shapes import Account, ForgeRepository, Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import ForgeUnderTest


class TeamSetup:
    """A repository to which bob and carol have access by teams only."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake, self.acting = fake, GiteaActing(fake.url, fake.administrator)
        tested = ForgeUnderTest(self.acting, Vendor.GITEA, folder)
        self.forge: Forge = tested.forge
        self.repository: ForgeRepository = tested.repository
        for name in ("bob", "carol"):
            fake.repos[self.acting.path]["people"].pop(self.acting.login(name))

    def set_teams(self, **teams: tuple[str, str]) -> None:
        """Teams, each with its access level and its one member."""
        found = {team: (level, {self.acting.login(name)}) for team, (level, name) in teams.items()}
        self.fake.repos[self.acting.path]["teams"] = found

    def can_write(self, name: str) -> bool:
        login = self.acting.login(name)
        return self.forge.reader.can_write(self.repository, Account(str(self.fake.users[login]["id"]), login))


@pytest.fixture(name="setup")
def _setup(tmp_path: Path) -> Iterator[TeamSetup]:
    with FakeGitea(tmp_path / "gitea") as fake:
        yield TeamSetup(fake, tmp_path)


def test_member_of_team_can_write_if_each_team_can(setup: TeamSetup) -> None:
    setup.set_teams(backend=("write", "bob"), frontend=("write", "carol"))
    assert setup.can_write("bob")
    assert setup.can_write("carol")
    assert not setup.can_write("eve")


def test_member_of_reading_team_cannot_write(setup: TeamSetup) -> None:
    setup.set_teams(readers=("read", "bob"))
    assert not setup.can_write("bob")


def test_members_of_different_teams_are_told_apart_by_owner_of_organisation(setup: TeamSetup) -> None:
    setup.set_teams(backend=("write", "bob"), readers=("read", "carol"))
    setup.fake.shows_teams = True
    assert setup.can_write("bob")
    assert not setup.can_write("carol")


def test_accounts_that_write_are_listed_by_any_way_of_access(setup: TeamSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.set_teams(backend=("write", "bob"), readers=("read", "carol"))
    setup.fake.shows_teams = True
    listed = {one.login for one in setup.forge.reader.list_writer_accounts(setup.repository)}
    assert listed == {"root1", *(setup.acting.login(name) for name in ("ada", "bob", "dave", "muniment"))}
    monkeypatch.setattr(reader, "_MOST_ASSIGNEES", 4)
    with pytest.raises(ForgeError) as caught:
        setup.forge.reader.list_writer_accounts(setup.repository)
    assert caught.value.code is ForgeCode.UNSUPPORTED


def test_hidden_members_of_different_teams_are_unknown(setup: TeamSetup) -> None:
    setup.set_teams(backend=("write", "bob"), readers=("read", "carol"))
    for name in ("bob", "carol"):
        with pytest.raises(ForgeError, match="may not see the members of the team backend") as caught:
            setup.can_write(name)
        assert caught.value.code is ForgeCode.FORBIDDEN


@pytest.mark.parametrize("call", ["teams", "assignees", "team", "team member"])
def test_failed_request_about_teams_gives_no_access(setup: TeamSetup, call: str) -> None:
    setup.set_teams(backend=("write", "bob"), readers=("read", "carol"))
    setup.fake.shows_teams = True
    for fault in (Fault.FAILED, Fault.MALFORMED, Fault.LIMITED):
        setup.fake.fail(call, fault)
        with pytest.raises(ForgeError):
            setup.can_write("bob")
        setup.fake.mend()

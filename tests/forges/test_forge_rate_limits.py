"""Responses with status 429 to any call of a reading: they allow nothing, and are retried only after the reset."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge
from muniment.forges.forge_client import Transport
from muniment.forges.forge_connection import Connection, connect_forge
from muniment.forges.shapes import Reading, Vendor
from muniment.http.rate_limits import RateLimit, RefusalReason
from tests.support.forges import ours
from tests.support.forges.acting import Acting, GiteaActing, Work
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.allowing import allows
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault

REFUSALS = {
    Fault.LIMITED_FOR_A_WHILE: (RefusalReason.SERVER_ASKED_TO_WAIT, 30),
    Fault.LIMITED_ALONE: (RefusalReason.NO_MOMENT_GIVEN, 60),
}


class ChangeSetup:
    """A change by ada with approvals of bob and carol at a fake, and clients with a controlled clock."""

    def __init__(self, fake: Any, acting: Acting, connect: Callable[[Transport], Forge], folder: Path) -> None:
        self.fake = fake
        self.acting = acting
        self._connect = connect
        self.now = time.time()
        work = Work(folder / "work", acting)
        work.push("ada", work.commit("ada", {"app.py": "x = 1\n"}, work.tip("main")), "topic")
        self.number = acting.open("ada", "topic", "main", "a topic")
        for name in ("bob", "carol"):
            acting.approve(name, self.number)

    def client(self) -> Forge:
        """A new client with empty caches."""
        return self._connect(Transport(clock=lambda: self.now))

    def read(self, forge: Forge) -> Reading | None:
        """The reading of the change; None if the reading as a whole failed."""
        try:
            found = forge.reader.read_repository(self.acting.path).repository
            return forge.reader.read_full_change(found, self.number)
        except ForgeError as error:
            if error.code is not ForgeCode.RATE_LIMITED:
                raise
            return None

    def calls(self) -> list[str]:
        """Distinct calls of one reading."""
        begun = len(self.fake.calls)
        found = self.read(self.client())
        assert found is not None
        return sorted(set(self.fake.calls[begun:]))


@contextmanager
def _github(folder: Path) -> Iterator[ChangeSetup]:
    with FakeGitHub(folder / "forge") as fake:
        acting = GitHubActing(fake)
        yield ChangeSetup(fake, acting, lambda transport: ours.github(fake, transport=transport), folder)


@contextmanager
def _gitlab(folder: Path) -> Iterator[ChangeSetup]:
    with FakeGitLab(folder / "forge") as fake:
        acting = GitLabActing(fake)
        yield ChangeSetup(fake, acting, lambda transport: ours.gitlab(fake, transport=transport), folder)


@contextmanager
def _gitea(folder: Path) -> Iterator[ChangeSetup]:
    with FakeGitea(folder / "forge") as fake:
        acting = GiteaActing(fake.url, fake.administrator)
        where = Connection(Vendor.GITEA, fake.url, "forge")
        token = acting.token("muniment")
        yield ChangeSetup(
            fake, acting, lambda transport: connect_forge(where, lambda: token, lambda: ours.NOW, transport), folder
        )


VENDORS = {"github": _github, "gitlab": _gitlab, "gitea": _gitea}


@pytest.fixture(name="setup", params=VENDORS)
def _setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChangeSetup]:
    with VENDORS[request.param](tmp_path) as setup:
        yield setup


def _refused(forge: Forge) -> RateLimit:
    """The rate limit that refuses: a 429 that names no resource concerns all of them."""
    return forge.reader.get_rate_limits()[""]


@pytest.mark.parametrize("fault", REFUSALS)
def test_rate_limited_forge_gets_no_request_before_reset_and_all_after(setup: ChangeSetup, fault: Fault) -> None:
    calls = setup.calls()
    assert len(calls) > 2
    reason, seconds = REFUSALS[fault]
    for call in calls:
        forge = setup.client()
        setup.fake.fail(call, fault, times=1)
        first = setup.read(forge)
        assert first is None or not allows(first) or call == "commits", call  # the last one at times: nothing needs it
        assert _refused(forge).reason is reason, call
        sent = len(setup.fake.calls)
        setup.now += seconds - 1
        assert setup.read(forge) is None
        assert setup.fake.calls[sent:] == [], call
        setup.now += 2
        again = setup.read(forge)
        assert again is not None
        assert allows(again), call
        assert setup.fake.calls[sent:], call


@pytest.mark.parametrize("fault", REFUSALS)
def test_rate_limited_call_never_allows_denied_change(setup: ChangeSetup, fault: Fault) -> None:
    setup.acting.reject("dave", setup.number)
    whole = setup.read(setup.client())
    assert whole is not None
    assert not allows(whole)
    for call in setup.calls():
        setup.fake.fail(call, fault)
        found = setup.read(setup.client())
        assert found is None or not allows(found), call
        setup.fake.mend()

"""Our side of each fake: the forge that a connection makes of it."""

from collections.abc import Callable

from muniment.forges.forge import Forge
from muniment.forges.forge_client import UNSHARED_TRANSPORT, Transport
from muniment.forges.github import connect
from muniment.forges.gitlab import connect as gitlab_connect
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.github_answers import APP

NOW = "2026-11-24T09:00:00.000000Z"


def github(
    fake: FakeGitHub,
    *,
    seconds: float = 30,
    now: Callable[[], str] = lambda: NOW,
    transport: Transport = UNSHARED_TRANSPORT,
) -> Forge:
    """Connect to the fake as an installation of our App."""
    credential = {"app_id": str(APP), "pem": fake.pem}
    return connect.connect_app("github", fake.url, credential, now, seconds=seconds, transport=transport)


def gitlab(
    fake: FakeGitLab,
    *,
    seconds: float = 30,
    now: Callable[[], str] = lambda: NOW,
    clock: Callable[[], float] = lambda: 0.0,
    transport: Transport = UNSHARED_TRANSPORT,
) -> Forge:
    """With the project's token. By `clock` each answer comes at once, however busy the machine is."""
    return gitlab_connect.connect_gitlab(
        "gitlab", fake.url, lambda: TOKEN, now, seconds=seconds, clock=clock, transport=transport
    )


def time_limit(fault: Fault) -> float:
    """Seconds that a client waits: few only where it is to be kept waiting, for machines are busy."""
    return 2 if fault is Fault.SLOW else 30

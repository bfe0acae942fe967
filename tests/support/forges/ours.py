"""Our side of each fake: the forge that a connection makes of it."""

from muniment.forges.forge import Forge
from muniment.forges.github import connect
from tests.support.forges.fake_github import APP, FakeGitHub

NOW = "2026-11-24T09:00:00.000000Z"


def github(fake: FakeGitHub, *, seconds: float = 2) -> Forge:
    """As the App."""
    credential = {"app_id": str(APP), "pem": fake.pem}
    return connect.app("github", fake.url, credential, lambda: NOW, seconds=seconds)

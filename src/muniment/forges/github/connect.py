"""The four parts of GitHub for one connection: as our App, or with a read-only token to try before connecting."""

from collections.abc import Callable, Mapping

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge
from muniment.forges.github.app import App, Guest, Identity
from muniment.forges.github.collect import GitHubReader
from muniment.forges.github.listen import GitHubListener
from muniment.forges.github.protect import GitHubProtector
from muniment.forges.github.publish import GitHubPublisher
from muniment.forges.http import ALONE, Transport


def guest(
    name: str,
    url: str,
    token: Callable[[], str],
    now: Callable[[], str],
    *,
    transport: Transport = ALONE,
    seconds: float = 15,
) -> Forge:
    """With somebody's token: it reads, and nothing that it publishes would bind."""
    return _forge(name, Guest(url, token, transport=transport, seconds=seconds), now)


def app(
    name: str,
    url: str,
    credential: Mapping[str, str],
    now: Callable[[], str],
    *,
    transport: Transport = ALONE,
    seconds: float = 15,
) -> Forge:
    """As our App. `credential`: its `app_id` and `pem`, and `installation` where it is installed more than once."""
    number, pem = credential.get("app_id", ""), credential.get("pem", "")
    if not number or not pem:
        raise ForgeError(
            ForgeCode.NOT_SIGNED_IN, "there is no App's number and private key", "Connect GitHub again, as an App."
        )
    where = credential.get("installation", "")
    ours = App(url, number, pem, installation=where, transport=transport, seconds=seconds)
    return _forge(name, ours, now)


def _forge(name: str, ours: Identity, now: Callable[[], str]) -> Forge:
    return Forge(name, GitHubReader(ours, now), GitHubPublisher(ours), GitHubProtector(ours), GitHubListener())

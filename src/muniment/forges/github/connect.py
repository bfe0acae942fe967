"""The four interfaces of GitHub for one connection: as our App, or with a read-only token to try before connecting."""

from collections.abc import Callable, Mapping

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge
from muniment.forges.forge_client import UNSHARED_TRANSPORT, Transport
from muniment.forges.github.app import AppIdentity, GitHubIdentity, ReadOnlyIdentity
from muniment.forges.github.listener import GitHubListener
from muniment.forges.github.protector import GitHubProtector
from muniment.forges.github.public_reader import PublicGitHubReader
from muniment.forges.github.publisher import GitHubPublisher
from muniment.forges.github.reader import GitHubReader


def connect_read_only(
    name: str,
    url: str,
    token: Callable[[], str],
    now: Callable[[], str],
    *,
    transport: Transport = UNSHARED_TRANSPORT,
    seconds: float = 15,
) -> Forge:
    """Connection with a person's token, or without one for public repositories: it publishes nothing that blocks."""
    identity = ReadOnlyIdentity(url, token, transport=transport, seconds=seconds)
    forge = _make_forge(name, identity, now)
    return forge if token() else forge._replace(reader=PublicGitHubReader(identity, now))


def connect_app(
    name: str,
    url: str,
    credential: Mapping[str, str],
    now: Callable[[], str],
    *,
    transport: Transport = UNSHARED_TRANSPORT,
    seconds: float = 15,
) -> Forge:
    """Connection as our App. `credential`: its `app_id` and `pem`, and `installation` where there is more than one."""
    number, pem = credential.get("app_id", ""), credential.get("pem", "")
    if not number or not pem:
        raise ForgeError(
            ForgeCode.NOT_SIGNED_IN, "there is no App's number and private key", "Connect GitHub again, as an App."
        )
    where = credential.get("installation", "")
    ours = AppIdentity(url, number, pem, installation=where, transport=transport, seconds=seconds)
    return _make_forge(name, ours, now)


def _make_forge(name: str, identity: GitHubIdentity, now: Callable[[], str]) -> Forge:
    return Forge(
        name, GitHubReader(identity, now), GitHubPublisher(identity), GitHubProtector(identity), GitHubListener()
    )

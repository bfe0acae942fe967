"""Users of the HTTP client end within their limit, with an error of their own, however slow the server is."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from muniment.cli import service_requests
from muniment.errors import MunimentError, RunCode, RunError, StoreError, VaultCode, VaultError
from muniment.http.client import RetryRules
from muniment.ledger import signed_notes
from muniment.pipelines import service_client
from muniment.store import witnesses
from muniment.store.settings import WitnessKey
from muniment.vault import identity
from muniment.vault.vault_client import Vault
from tests.support.http_servers import Dripping, Phase
from tests.support.witness import PRIVATE

SECRET = "-".join(("not", "a", "real", "token"))
LIMIT = 0.3


class User(NamedTuple):
    """User of the client: a request to an address, and the expected error after the time limit."""

    ask: Callable[[str], object]
    error: type[MunimentError]
    code: object = None


USERS = {
    "witness": User(
        lambda url: witnesses.request_cosignature(
            WitnessKey(signed_notes.derive_cosigner_key(PRIVATE), url), b"checkpoint\n", 1, lambda _: ()
        ),
        StoreError,
    ),
    "vault": User(
        lambda url: Vault(url, seconds=LIMIT).use_token(SECRET).read_secrets("shop", "production"),
        VaultError,
        VaultCode.TIMED_OUT,
    ),
    "identity of a job": User(
        lambda url: identity.GitHubJobIdentity(f"{url}/token?v=1", SECRET).get_vault_token("shop", "production"),
        RunError,
        RunCode.IDENTITY,
    ),
    "service, asked by a pipeline": User(
        lambda url: service_client.ServiceClient(url, lambda: SECRET).get_status(7),
        RunError,
        RunCode.SERVICE_UNREACHABLE,
    ),
    "service, sent a secret": User(lambda url: service_requests.ask_service(url, "PUT", "/api/x", {}), MunimentError),
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (witnesses, identity, service_client, service_requests):
        monkeypatch.setattr(module, "_SECONDS", LIMIT)
    monkeypatch.setattr(service_client, "_RETRY", RetryRules((), LIMIT))
    monkeypatch.setenv(service_requests.TOKEN, SECRET)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", USERS)
def test_slow_server_ends_each_user_in_time(name: str, phase: Phase) -> None:
    user = USERS[name]
    with Dripping(phase) as server, pytest.raises(user.error) as caught:
        user.ask(server.url)
    error = caught.value
    assert getattr(error, "code", None) == user.code
    assert "in time" in error.message or "within 0.3 seconds" in error.message
    assert error.remedy
    assert SECRET not in f"{error!r} {error.remedy}"

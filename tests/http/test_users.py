"""Each user of the client ends within its limit, with an error of its own, whatever the server drips."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from muniment.cli import service_requests
from muniment.errors import MunimentError, RunCode, RunError, StoreError, VaultCode, VaultError
from muniment.http.client import Retry
from muniment.ledger import notes
from muniment.pipelines import service
from muniment.store import witnesses
from muniment.store.settings import Witness
from muniment.vault import identity
from muniment.vault.client import Vault
from tests.support.http_servers import Dripping, Phase
from tests.support.witness import PRIVATE

SECRET = "-".join(("not", "a", "real", "token"))
LIMIT = 0.3


class User(NamedTuple):
    """Something that asks the server at an address, and the error that says that it did not answer in time."""

    ask: Callable[[str], object]
    error: type[MunimentError]
    code: object = None


USERS = {
    "witness": User(
        lambda url: witnesses.ask(Witness(notes.cosigner(PRIVATE), url), b"checkpoint\n", 1, lambda _: ()), StoreError
    ),
    "vault": User(
        lambda url: Vault(url, seconds=LIMIT).holding(SECRET).read("shop", "production"),
        VaultError,
        VaultCode.TIMED_OUT,
    ),
    "identity of a job": User(
        lambda url: identity.GitHub(f"{url}/token?v=1", SECRET).for_vault("shop", "production"),
        RunError,
        RunCode.IDENTITY,
    ),
    "service, asked by a pipeline": User(
        lambda url: service.Service(url, lambda: SECRET).look(7), RunError, RunCode.SERVICE_UNREACHABLE
    ),
    "service, told a secret": User(lambda url: service_requests.ask_service(url, "PUT", "/api/x", {}), MunimentError),
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (witnesses, identity, service, service_requests):
        monkeypatch.setattr(module, "_SECONDS", LIMIT)
    monkeypatch.setattr(service, "_RETRY", Retry((), LIMIT))
    monkeypatch.setenv(service_requests.TOKEN, SECRET)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", USERS)
def test_a_server_that_drips_ends_each_user_in_time(name: str, phase: Phase) -> None:
    user = USERS[name]
    with Dripping(phase) as server, pytest.raises(user.error) as caught:
        user.ask(server.url)
    error = caught.value
    assert getattr(error, "code", None) == user.code
    assert "in time" in error.message or "within 0.3 seconds" in error.message
    assert error.remedy
    assert SECRET not in f"{error!r} {error.remedy}"

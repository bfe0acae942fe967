"""A command that asks the service for a person says what is wrong with the token, and where a new one is made."""

import json

import pytest

from muniment.cli.service_requests import ask_service
from muniment.errors import MunimentError, RefusedError, UsageError
from tests.support.http_servers import Answering, answer


def refuse(status: int, code: str = "refused") -> Answering:
    body = json.dumps({"type": f"urn:muniment:{code}", "detail": "Send a valid token."}).encode()
    return Answering(answer(body, f"{status} Refused"))


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUNIMENT_TOKEN", "-".join(("not", "a", "real", "token")))


def test_refused_token_names_the_page_where_a_new_one_is_made() -> None:
    with refuse(401) as service, pytest.raises(RefusedError) as caught:
        ask_service(service.url, "GET", "/api/products")
    assert caught.value.message == "the service does not accept your token: it ended, or is of another service"
    assert f"{service.url}/me" in caught.value.remedy
    assert "MUNIMENT_TOKEN" in caught.value.remedy


@pytest.mark.parametrize("status", [403, 404])  # what one may not see is answered like what is not there
def test_missing_permission_names_the_page_of_the_account(status: int) -> None:
    with refuse(status) as service, pytest.raises(RefusedError) as caught:
        ask_service(service.url, "GET", "/api/products")
    assert caught.value.message == "Send a valid token."
    assert f"{service.url}/me shows your roles" in caught.value.remedy


def test_missing_token_names_the_page_where_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_TOKEN")
    monkeypatch.setattr("os.isatty", lambda _: False)
    with pytest.raises(UsageError, match="no token is given") as caught:
        ask_service("http://127.0.0.1:9", "GET", "/api/products")
    assert "http://127.0.0.1:9/me" in caught.value.remedy


@pytest.mark.parametrize(("status", "error"), [(409, UsageError), (500, MunimentError)])
def test_other_refusal_says_that_nothing_was_changed(status: int, error: type[MunimentError]) -> None:
    with refuse(status) as service, pytest.raises(error) as caught:
        ask_service(service.url, "GET", "/api/products")
    assert caught.value.remedy == "Nothing was changed."


def test_failure_of_the_vault_is_no_wrong_usage() -> None:
    with refuse(409, "vault-audit") as service, pytest.raises(MunimentError) as caught:
        ask_service(service.url, "PUT", "/api/secrets")
    assert caught.value.exit_code == MunimentError.exit_code

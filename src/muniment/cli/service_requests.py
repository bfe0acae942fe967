"""Asks the service for a person, by the API and a token of their own, which is in no option."""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from muniment.cli import service_setup
from muniment.errors import HttpError, MunimentError, RefusedError, UsageError
from muniment.http.client import HttpClient

T = TypeVar("T")
TOKEN = "MUNIMENT_TOKEN"  # noqa: S105 -- the name of a variable

_SECONDS = 30
_NOT_PERMITTED = (401, 403, 404)
_MISTAKES = (400, 409, 422)
_VAULT_FAILURE = "vault-"  # begins the codes of refusals that are none of the person's mistakes


def _read_token(account: str) -> str:
    """Token of a person, who makes it on the page `account`. Raises UsageError if there is none."""
    found = os.environ.get(TOKEN, "")
    if not found and os.isatty(0):
        found = str(click.prompt("Your token", hide_input=True, err=True))
    if not found:
        raise UsageError("no token is given", _make_token_remedy(account))
    return found.strip()


def ask_service(url: str | None, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
    """Send a request to the service with a person's token. Raises MunimentError with the service's refusal."""
    return _send_content(url, method, path, None if body is None else json.dumps(body).encode(), "application/json")


def upload_file(url: str | None, path: str, content: bytes) -> dict[str, object]:
    """Send a file, compressed by gzip, with a person's token. Raises MunimentError with the service's refusal."""
    return _send_content(url, "POST", path, gzip.compress(content, 6), "application/gzip")


def _send_content(url: str | None, method: str, path: str, content: bytes | None, kind: str) -> dict[str, object]:
    client = _connect_service(url)
    account = f"{client.address.origin}/me"
    headers = {"Authorization": f"Bearer {_read_token(account)}", "Content-Type": kind}
    try:
        answer = client.request(method, path, content, headers)
    except HttpError as error:
        raise MunimentError(f"the service does not answer: {error.message}", error.remedy) from None
    try:
        found = json.loads(answer.body)
    except ValueError:
        raise MunimentError(
            f"what answers there is not the service ({answer.status})", "See that --url is right."
        ) from None
    if answer.status == 200 and isinstance(found, dict):
        return found
    detail = found.get("detail") if isinstance(found, dict) else None
    problem, remedy = _describe_refusal(answer.status, detail, account)
    code = str(found.get("type", "")).rpartition(":")[2] if isinstance(found, dict) else ""
    if answer.status in _NOT_PERMITTED:
        raise RefusedError(code or "refused", problem, remedy)
    is_mistake = answer.status in _MISTAKES and not code.startswith(_VAULT_FAILURE)
    raise (UsageError if is_mistake else MunimentError)(problem, remedy)


def read_pages(url: str | None, path: str, kind: type[T]) -> Iterator[T]:
    """Items of a list of the service, page by page, as structs of `kind`. Raises MunimentError as `ask_service`."""
    below = ""
    while True:
        answer = ask_service(url, "GET", f"{path}?limit=100{below}")
        try:
            yield from msgspec.convert(answer.get("items"), list[kind])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            raise MunimentError("the service answers in another form", "Use the version of the service.") from None
        if not answer.get("next"):
            return
        below = f"&below={answer['next']}"


def _describe_refusal(status: int, detail: object, account: str) -> tuple[str, str]:
    """Problem and remedy of a refused request."""
    if status == HTTPStatus.UNAUTHORIZED:
        problem = "the service does not accept your token: it ended, or is of another service"
        return problem, _make_token_remedy(account)
    problem, remedy = str(detail or f"the service refuses ({status})"), "Nothing was changed."
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):  # what one may not do is answered like what is not there
        remedy = f"{account} shows your roles. A token may do only what was chosen when it was made. {remedy}"
    return problem, remedy


def _make_token_remedy(account: str) -> str:
    return f"Make one at {account} (Create token), then: export {TOKEN}=..."


def _connect_service(url: str | None) -> HttpClient:
    """Connect by TLS, or without it on this machine alone. Raises UsageError."""
    address = (
        url or os.environ.get("MUNIMENT_URL") or service_setup.read_service_url(Path(service_setup.default_home()))
    )
    if not address:
        raise UsageError(
            "no service is named", "Name it: --url https://muniment.example.test, or MUNIMENT_URL; here, MUNIMENT_HOME"
        )
    try:
        return HttpClient(address, seconds=_SECONDS)
    except HttpError as error:
        raise UsageError(f"nothing is sent: {error.message}", error.remedy) from None

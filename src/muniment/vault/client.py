"""Speaks with the vault: one identity, one session, and each failure told apart, without a word of a secret.

Addresses: `https://host[:port]`, `http://` on this machine alone, and `unix:/path/of/socket`. No token is taken from
the environment (VAULT_TOKEN), and no redirection is followed.
"""

import json
from typing import Any

import msgspec
from msgspec import Struct

from muniment.errors import HttpError, VaultCode, VaultError
from muniment.http.addresses import parse_address
from muniment.http.client import Client
from muniment.vault import layout, versions
from muniment.vault.failures import failed, of_answer, of_failure, of_sign_in

_LARGEST = 8 << 20  # bytes of an answer
_PORT = 8200  # of a vault without TLS
_MERGE = "application/merge-patch+json"


class Metadata(Struct, frozen=True):
    """What is known of an environment's secrets without their values: `version` 0 if there were never any.

    Moments as the vault writes them (RFC 3339, with nanoseconds).
    """

    version: int
    created: str
    updated: str


class Vault:
    """A vault at an address. `ca` is a file of the authorities to trust there, "" for the system's.

    `namespace` is the part of it that everything is in, "" for its root.
    """

    def __init__(
        self, address: str, *, ca: str = "", seconds: float = 10.0, proxy: str = "", namespace: str = ""
    ) -> None:
        """Raises VaultError for an address that is none, or would send secrets in the clear."""
        try:
            server = parse_address(address, port=_PORT)
        except HttpError as error:
            raise _unusable(error.message) from None
        if server.path:
            raise _unusable("it has a path")
        self._namespace = {"X-Vault-Namespace": namespace} if namespace else {}
        self._client = Client(server, seconds=seconds, largest=_LARGEST, ca=ca, proxy=proxy, reuse=1)

    def sign_in(self, mount: str, role: str, jwt: str) -> "Session":
        """A session for an identity's proof. Raises VaultError."""
        try:
            answer = self.request("POST", f"auth/{mount}/login", {"role": role, "jwt": jwt})
        except VaultError as error:
            raise of_sign_in(error) from None
        return self.holding(_text(answer, "auth", "client_token"))

    def sign_in_person(self, name: str, password: str) -> "Session":
        """A session for a person's own credential. Raises VaultError."""
        answer = self.request("POST", f"auth/{layout.PEOPLE}/login/{name}", {"password": password})
        return self.holding(_text(answer, "auth", "client_token"))

    def holding(self, token: str) -> "Session":
        """A session for a token that somebody has."""
        return Session(self, token)

    def request(
        self, method: str, path: str, body: Any = None, *, token: str = "", kind: str = "application/json"
    ) -> dict[str, Any]:
        """What the vault answers; {} to what it has nothing to say. Raises VaultError."""
        headers = {"X-Vault-Request": "true", "Content-Type": kind} | self._namespace
        headers |= {"X-Vault-Token": token} if token else {}
        sent = None if body is None else json.dumps(body).encode()
        try:
            answer = self._client.request(method, f"/v1/{path}", sent, headers)
        except HttpError as error:
            raise of_failure(error) from None
        return _answer(answer.status, answer.body)


class Session:
    """What one identity may do, for as long as its token lives."""

    def __init__(self, vault: Vault, token: str) -> None:
        self._vault = vault
        self._token = token

    def __repr__(self) -> str:
        return "<Session>"

    def request(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> dict[str, Any]:
        """What the vault answers to this identity; {} to what it has nothing to say. Raises VaultError."""
        return self._vault.request(method, path, body, token=self._token, kind=kind)

    def listed(self, path: str) -> list[str]:
        """The names below a path, none if there is nothing. Raises VaultError."""
        try:
            keys = (self.request("LIST", path).get("data") or {}).get("keys")
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return []
            raise
        return [str(key) for key in keys or ()]

    def read(self, product: str, environment: str) -> dict[str, str]:
        """All secrets of an environment, in one request. Raises VaultError; never a part of them."""
        return versions.current_values(self.read_at(layout.SECRETS, layout.place(product, environment)))

    def read_at(self, mount: str, path: str) -> dict[str, str]:
        """All that is at a path of a key-value mount. Raises VaultError for anything but texts."""
        found = self.request("GET", f"{mount}/data/{path}").get("data") or {}
        try:
            return msgspec.convert(found.get("data"), dict[str, str])
        except msgspec.ValidationError:  # its message would hold a name, at most; it is not needed
            raise failed(VaultCode.FAILED) from None

    def patch(self, product: str, environment: str, values: dict[str, str | None]) -> int:
        """Set these names, drop those that are None, leave the others; the version that came of it.

        Nothing is read for it. Raises VaultError, and nothing was changed.
        """
        return self.patch_at(layout.SECRETS, layout.place(product, environment), values)

    def patch_at(self, mount: str, path: str, values: dict[str, str | None]) -> int:
        """The same at a path of a key-value mount. Raises VaultError."""
        try:
            answer = self.request("PATCH", f"{mount}/data/{path}", {"data": values}, kind=_MERGE)
        except VaultError as error:
            first = {name: value for name, value in values.items() if value is not None}
            if error.code is not VaultCode.MISSING or not first:
                raise
            body = {"data": first, "options": {"cas": 0}}  # only if it is still the first
            answer = self.request("POST", f"{mount}/data/{path}", body)
        return _number(answer, "data", "version")

    def subkeys(self, product: str, environment: str) -> tuple[str, ...]:
        """The names of an environment's secrets, in order; none if there never were any. Raises VaultError."""
        path = f"{layout.SECRETS}/subkeys/{layout.place(product, environment)}"
        try:
            found = (self.request("GET", path).get("data") or {}).get("subkeys")
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return ()
            raise
        if not isinstance(found, dict):
            raise failed(VaultCode.FAILED)
        return versions.current_names(found)

    def metadata(self, product: str, environment: str) -> Metadata:
        """How old they are. Raises VaultError."""
        path = f"{layout.SECRETS}/metadata/{layout.place(product, environment)}"
        try:
            answer = self.request("GET", path)
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return Metadata(0, "", "")
            raise
        version = _number(answer, "data", "current_version")
        return Metadata(version, _text(answer, "data", "created_time"), _text(answer, "data", "updated_time"))


def _answer(status: int, data: bytes) -> dict[str, Any]:
    if status == 204:
        return {}
    if status != 200:
        raise of_answer(status, data)
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        raise failed(VaultCode.FAILED) from None
    if not isinstance(found, dict):
        raise failed(VaultCode.FAILED)
    return found


def _at(answer: dict[str, Any], *names: str) -> Any:
    found: Any = answer
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(answer: dict[str, Any], *names: str) -> str:
    found = _at(answer, *names)
    if not isinstance(found, str) or not found:
        raise failed(VaultCode.FAILED)
    return found


def _number(answer: dict[str, Any], *names: str) -> int:
    found = _at(answer, *names)
    if not isinstance(found, int):
        raise failed(VaultCode.FAILED)
    return found


def _unusable(why: str) -> VaultError:
    return VaultError(
        VaultCode.ADDRESS,
        f"the address of the vault cannot be used: {why}",
        "Set MUNIMENT_VAULT_URL to https://host:port, or to unix:/path/of/the/socket.",
    )

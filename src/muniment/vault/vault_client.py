"""Client of the vault: one identity, one session, and a code for each kind of failure.

No message holds a part of a secret.

Addresses: `https://host[:port]`, `http://` on this machine alone, and `unix:/path/of/socket`. No token is taken from
the environment (VAULT_TOKEN), and no redirection is followed.
"""

import json

import msgspec
from msgspec import Struct

from muniment.errors import HttpError, VaultCode, VaultError
from muniment.http.addresses import parse_server_address
from muniment.http.client import HttpClient
from muniment.vault import layout, versions
from muniment.vault.failures import convert_answer, convert_http_error, convert_sign_in_error, vault_error

_LARGEST = 8 << 20  # bytes of an answer
_PORT = 8200  # of a vault without TLS
_MERGE = "application/merge-patch+json"


class SecretsMetadata(Struct, frozen=True):
    """Metadata of an environment's secrets, without their values: `version` 0 if there were never any.

    Moments as the vault writes them (RFC 3339, with nanoseconds).
    """

    version: int
    created: str
    updated: str


class Vault:
    """Vault at an address. `ca` is a file of the authorities to trust there, "" for the system's.

    `namespace` is the part of the vault that is used, "" for its root.
    """

    def __init__(
        self, address: str, *, ca: str = "", seconds: float = 10.0, proxy: str = "", namespace: str = ""
    ) -> None:
        """Raises VaultError for a wrong address, or one to which secrets would be sent unencrypted."""
        try:
            server = parse_server_address(address, port=_PORT)
        except HttpError as error:
            raise _address_error(error.message) from None
        if server.path:
            raise _address_error("it has a path")
        self._namespace = {"X-Vault-Namespace": namespace} if namespace else {}
        self._client = HttpClient(server, seconds=seconds, largest=_LARGEST, ca=ca, proxy=proxy, reuse=1)

    def sign_in(self, mount: str, role: str, jwt: str) -> "Session":
        """Sign in with an identity's token. Raises VaultError."""
        try:
            answer = self.request("POST", f"auth/{mount}/login", {"role": role, "jwt": jwt})
        except VaultError as error:
            raise convert_sign_in_error(error) from None
        return self.use_token(_get_text(answer, "auth", "client_token"))

    def sign_in_person(self, name: str, password: str) -> "Session":
        """Sign in with a person's own credential. Raises VaultError."""
        answer = self.request("POST", f"auth/{layout.PEOPLE_MOUNT}/login/{name}", {"password": password})
        return self.use_token(_get_text(answer, "auth", "client_token"))

    def use_token(self, token: str) -> "Session":
        """Create a session for an existing token."""
        return Session(self, token)

    def request(
        self, method: str, path: str, body: object = None, *, token: str = "", kind: str = "application/json"
    ) -> dict[str, object]:
        """Send a request, and return the vault's answer; {} where the answer is empty. Raises VaultError."""
        headers = {"X-Vault-Request": "true", "Content-Type": kind} | self._namespace
        headers |= {"X-Vault-Token": token} if token else {}
        sent = None if body is None else json.dumps(body).encode()
        try:
            answer = self._client.request(method, f"/v1/{path}", sent, headers)
        except HttpError as error:
            raise convert_http_error(error) from None
        return _decode_answer(answer.status, answer.body)


class Session:
    """Session of one identity, for the lifetime of its token."""

    def __init__(self, vault: Vault, token: str) -> None:
        self._vault = vault
        self._token = token

    def __repr__(self) -> str:
        return "<Session>"

    def request(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json"
    ) -> dict[str, object]:
        """Send a request with this identity, and return the answer; {} where it is empty. Raises VaultError."""
        return self._vault.request(method, path, body, token=self._token, kind=kind)

    def read_data(self, path: str, method: str = "GET") -> dict[str, object]:
        """Read the data of the answer at a path; {} where it has none. Raises VaultError, also for another form."""
        found = self.request(method, path).get("data") or {}
        if not isinstance(found, dict):
            raise vault_error(VaultCode.FAILED)
        return found

    def list_names(self, path: str) -> list[str]:
        """List the names below a path, none if there are none. Raises VaultError."""
        try:
            return read_texts(self.read_data(path, "LIST").get("keys"))
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return []
            raise

    def read_secrets(self, product: str, environment: str) -> dict[str, str]:
        """Read all secrets of an environment, in one request. Raises VaultError; never returns a part of them."""
        return versions.current_values(self.read_at(layout.SECRETS, layout.secret_path(product, environment)))

    def read_at(self, mount: str, path: str) -> dict[str, str]:
        """Read all values at a path of a key-value mount. Raises VaultError for values that are no texts."""
        found = self.read_data(f"{mount}/data/{path}")
        try:
            return msgspec.convert(found.get("data"), dict[str, str])
        except msgspec.ValidationError:  # its message would hold a name, at most; it is not needed
            raise vault_error(VaultCode.FAILED) from None

    def patch_secrets(self, product: str, environment: str, values: dict[str, str | None]) -> int:
        """Set these names, remove those that are None, keep the others. Returns the new version.

        No value is read for it. Raises VaultError, and nothing was changed.
        """
        return self.patch_at(layout.SECRETS, layout.secret_path(product, environment), values)

    def patch_at(self, mount: str, path: str, values: dict[str, str | None]) -> int:
        """Patch the values at a path of a key-value mount, as `patch_secrets` does. Raises VaultError."""
        try:
            answer = self.request("PATCH", f"{mount}/data/{path}", {"data": values}, kind=_MERGE)
        except VaultError as error:
            first = {name: value for name, value in values.items() if value is not None}
            if error.code is not VaultCode.MISSING or not first:
                raise
            body = {"data": first, "options": {"cas": 0}}  # only if it is still the first
            answer = self.request("POST", f"{mount}/data/{path}", body)
        return _get_number(answer, "data", "version")

    def list_secret_names(self, product: str, environment: str) -> tuple[str, ...]:
        """List the names of an environment's secrets, in order; none if there never were any. Raises VaultError."""
        path = f"{layout.SECRETS}/subkeys/{layout.secret_path(product, environment)}"
        try:
            found = self.read_data(path).get("subkeys")
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return ()
            raise
        if not isinstance(found, dict):
            raise vault_error(VaultCode.FAILED)
        return versions.current_names(found)

    def read_metadata(self, product: str, environment: str) -> SecretsMetadata:
        """Read version and ages of an environment's secrets. Raises VaultError."""
        path = f"{layout.SECRETS}/metadata/{layout.secret_path(product, environment)}"
        try:
            answer = self.request("GET", path)
        except VaultError as error:
            if error.code is VaultCode.MISSING:
                return SecretsMetadata(0, "", "")
            raise
        version = _get_number(answer, "data", "current_version")
        return SecretsMetadata(
            version, _get_text(answer, "data", "created_time"), _get_text(answer, "data", "updated_time")
        )


def _decode_answer(status: int, data: bytes) -> dict[str, object]:
    if status == 204:
        return {}
    if status != 200:
        raise convert_answer(status, data)
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        raise vault_error(VaultCode.FAILED) from None
    if not isinstance(found, dict):
        raise vault_error(VaultCode.FAILED)
    return found


def read_texts(value: object) -> list[str]:
    """Texts of a list in an answer; none for no list. Raises VaultError for a value of another form."""
    if value and not isinstance(value, list):
        raise vault_error(VaultCode.FAILED)
    return [str(each) for each in value] if isinstance(value, list) else []


def _get_nested(answer: dict[str, object], *names: str) -> object:
    found: object = answer
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _get_text(answer: dict[str, object], *names: str) -> str:
    found = _get_nested(answer, *names)
    if not isinstance(found, str) or not found:
        raise vault_error(VaultCode.FAILED)
    return found


def _get_number(answer: dict[str, object], *names: str) -> int:
    found = _get_nested(answer, *names)
    if not isinstance(found, int):
        raise vault_error(VaultCode.FAILED)
    return found


def _address_error(why: str) -> VaultError:
    return VaultError(
        VaultCode.ADDRESS,
        f"the address of the vault cannot be used: {why}",
        "Set MUNIMENT_VAULT_URL to https://host:port, or to unix:/path/of/the/socket.",
    )

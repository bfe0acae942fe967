"""Secrets of an environment, all at once and now, or an error: no second source, no cache."""

import os
from collections.abc import Callable, Collection, Mapping
from typing import NoReturn

import msgspec
from msgspec import Struct

from muniment.errors import ParseError, RunCode, RunError, VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.identity import JobIdentity
from muniment.vault.secret_forms import SHORTEST, maskable_length

_SECONDS = 10  # for signing in, and for reading
_CODES = {
    VaultCode.ADDRESS: RunCode.ADDRESS,
    VaultCode.UNREACHABLE: RunCode.UNREACHABLE,
    VaultCode.UNTRUSTED: RunCode.UNTRUSTED,
    VaultCode.TIMED_OUT: RunCode.TIMED_OUT,
    VaultCode.SEALED: RunCode.SEALED,
    VaultCode.AUDIT: RunCode.AUDIT,
    VaultCode.REFUSED: RunCode.REFUSED,
    VaultCode.EXPIRED: RunCode.EXPIRED,
    VaultCode.MISSING: RunCode.MISSING,
}


def fetch_secrets(
    product: str, environment: str, identity: JobIdentity, address: str, ca: str, namespace: str = ""
) -> dict[str, str]:
    """Fetch the secrets by name. Raises RunError; ParseError for a wrong product or environment."""
    from muniment.vault.vault_client import Vault

    role = layout.role_name(product, environment)
    try:
        vault = Vault(address, ca=ca, seconds=_SECONDS, namespace=namespace)
        token = identity.get_vault_token(product, environment)
        return vault.sign_in(identity.vault_mount(product, environment), role, token).read_secrets(product, environment)
    except VaultError as error:
        code = _CODES.get(error.code, RunCode.FAILED)
        raise RunError(code, f"{error.message}; nothing was started", error.remedy) from None


def fetch_named(
    product: str,
    environment: str,
    identity: JobIdentity,
    address: str,
    ca: str,
    names: Collection[str],
    namespace: str = "",
) -> dict[str, str]:
    """Fetch the named secrets in a process of its own, which ends: the others are never in this process's memory.

    A command can read the memory of the process that started it. Raises what `fetch_secrets` raises, and RunError if a
    named secret is missing.
    """
    received, sent = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(received)
        _answer_and_end(
            sent, lambda: _pick_named(fetch_secrets(product, environment, identity, address, ca, namespace), names)
        )
    os.close(sent)
    with open(received, "rb") as answer:
        data = answer.read()
    os.waitpid(pid, 0)
    return _read_answer(data)


def _pick_named(values: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    if not values:
        raise RunError(
            RunCode.SECRET_NOT_FOUND,
            "the vault has no secrets for this environment",
            "Set them: muniment secret set NAME --product PRODUCT --env ENVIRONMENT",
        )
    missing = sorted(set(names) - set(values))
    if missing:
        raise RunError(
            RunCode.SECRET_NOT_FOUND,
            f"the vault has no secret {missing[0]}",
            f"Set it: muniment secret set {missing[0]} --product PRODUCT --env ENVIRONMENT",
        )
    return {name: values[name] for name in names}


class _FetchAnswer(Struct, frozen=True, omit_defaults=True):
    """Answer of the process that reads the vault: the values, or the parts of a RunError or a ParseError."""

    values: dict[str, str] | None = None
    exit_code: int | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""


def _answer_and_end(sent: int, fetch: Callable[[], dict[str, str]]) -> NoReturn:
    """Write the fetched secrets, or the reason for the failure, as JSON, and end this process."""
    try:
        try:
            answer = _FetchAnswer(values=fetch())
        except ParseError as error:
            answer = _FetchAnswer(code=error.code, message=error.message, remedy=error.remedy)
        except RunError as error:
            answer = _FetchAnswer(exit_code=int(error.code), message=error.message, remedy=error.remedy)
        with open(sent, "wb") as pipe:
            pipe.write(msgspec.json.encode(answer))
    finally:
        os._exit(0)  # whatever happened: an empty answer is a failure


def _read_answer(data: bytes) -> dict[str, str]:
    if not data:
        raise RunError(
            RunCode.FAILED, "the process that reads the vault failed; nothing was started", "Run the job again."
        )
    answer = msgspec.json.decode(data, type=_FetchAnswer)
    if answer.values is not None:
        return answer.values
    if answer.exit_code is not None:
        raise RunError(RunCode(answer.exit_code), answer.message, answer.remedy)
    raise ParseError(answer.code, answer.message, answer.remedy)


def refuse_unmaskable(values: Mapping[str, str], public: Collection[str]) -> None:
    """Refuse a secret that is too short to be masked, unless the pipeline file says that anybody may see it."""
    short = sorted(name for name, value in values.items() if maskable_length(value) < SHORTEST and name not in public)
    if short:
        raise RunError(
            RunCode.SECRET_TOO_SHORT,
            f"{short[0]} has fewer than {SHORTEST} characters, and could not be masked",
            f"Make it longer: muniment secret generate {short[0]} --product PRODUCT --env ENVIRONMENT. "
            f"If anybody may see it: --public {short[0]}",
        )

"""All secrets of an environment, at once and now, or none and why: no second source, nothing kept from before."""

import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from muniment.errors import RunCode, RunError, UsageError, VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.failures import failed
from muniment.vault.forms import SHORTEST, length
from muniment.vault.identity import Identity

_SECONDS = 30  # for all of it: whoever answers a byte at a time is hung too
_CODES = {
    VaultCode.ADDRESS: RunCode.ADDRESS,
    VaultCode.DOWN: RunCode.DOWN,
    VaultCode.UNTRUSTED: RunCode.UNTRUSTED,
    VaultCode.HUNG: RunCode.HUNG,
    VaultCode.SEALED: RunCode.SEALED,
    VaultCode.AUDIT: RunCode.AUDIT,
    VaultCode.REFUSED: RunCode.REFUSED,
    VaultCode.EXPIRED: RunCode.EXPIRED,
    VaultCode.MISSING: RunCode.MISSING,
}


def fetched(product: str, environment: str, identity: Identity, address: str, ca: str) -> dict[str, str]:
    """The secrets by name. Raises RunError; UsageError for what names no product or environment."""
    from muniment.vault.client import Vault

    try:
        role = layout.role(product, environment)
    except ValueError as error:
        raise UsageError(str(error), "See the product's page for its name and those of its environments.") from None
    try:
        with _at_most(_SECONDS):
            vault = Vault(address, ca=ca)
            token = identity.for_vault(product, environment)
            return vault.sign_in(identity.mount(product, environment), role, token).read(product, environment)
    except VaultError as error:
        code = _CODES.get(error.code, RunCode.FAILED)
        raise RunError(code, f"{error.message}; nothing was started", error.remedy) from None


def checked(values: Mapping[str, str], needed: Collection[str], public: Collection[str]) -> None:
    """Raises RunError if one that is needed is missing, or one that is not public is too short to be masked."""
    if not values:
        raise RunError(RunCode.NAME, "the vault has no secrets for this environment", "Set them: muniment secret set")
    missing = sorted({*needed, *public} - set(values))
    if missing:
        raise RunError(RunCode.NAME, f"the vault has no secret {missing[0]}", f"muniment secret set {missing[0]}")
    short = sorted(name for name, value in values.items() if length(value) < SHORTEST and name not in public)
    if short:
        raise RunError(
            RunCode.SHORT,
            f"{short[0]} has fewer than {SHORTEST} characters, and could not be masked",
            f"Make it longer: muniment secret generate {short[0]}. If anybody may see it: --public {short[0]}",
        )


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def over(*_: object) -> None:
        raise failed(VaultCode.HUNG)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""All secrets of an environment, at once and now, or none and why: no second source, nothing kept from before."""

from collections.abc import Collection, Mapping

from muniment.errors import RunCode, RunError, VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.forms import SHORTEST, length
from muniment.vault.identity import Identity

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


def fetched(product: str, environment: str, identity: Identity, address: str, ca: str) -> dict[str, str]:
    """The secrets by name. Raises RunError; ParseError for what names no product or environment."""
    from muniment.vault.client import Vault

    role = layout.role(product, environment)
    try:
        vault = Vault(address, ca=ca, seconds=_SECONDS)
        token = identity.for_vault(product, environment)
        return vault.sign_in(identity.mount(product, environment), role, token).read(product, environment)
    except VaultError as error:
        code = _CODES.get(error.code, RunCode.FAILED)
        raise RunError(code, f"{error.message}; nothing was started", error.remedy) from None


def checked(values: Mapping[str, str], needed: Collection[str], public: Collection[str]) -> None:
    """Raises RunError if one that is needed is missing, or one that is not public is too short to be masked."""
    if not values:
        raise RunError(
            RunCode.SECRET_NOT_FOUND,
            "the vault has no secrets for this environment",
            "Set them: muniment secret set NAME --product PRODUCT --env ENVIRONMENT",
        )
    missing = sorted({*needed, *public} - set(values))
    if missing:
        raise RunError(
            RunCode.SECRET_NOT_FOUND,
            f"the vault has no secret {missing[0]}",
            f"Set it: muniment secret set {missing[0]} --product PRODUCT --env ENVIRONMENT",
        )
    short = sorted(name for name, value in values.items() if length(value) < SHORTEST and name not in public)
    if short:
        raise RunError(
            RunCode.SECRET_TOO_SHORT,
            f"{short[0]} has fewer than {SHORTEST} characters, and could not be masked",
            f"Make it longer: muniment secret generate {short[0]} --product PRODUCT --env ENVIRONMENT. "
            f"If anybody may see it: --public {short[0]}",
        )

"""Failures of the vault, in one sentence each. The vault's own answer goes no further than this module."""

import re

from muniment.errors import HttpCode, HttpError, RunError, VaultCode, VaultError
from muniment.vault.layout import CLOSED_CLAIM

_SENTENCES = {
    VaultCode.ADDRESS: ("the address of the vault is missing", "Set MUNIMENT_VAULT_URL."),
    VaultCode.UNREACHABLE: (
        "the vault cannot be reached",
        "Start it (muniment up), or see that MUNIMENT_VAULT_URL is right.",
    ),
    VaultCode.UNTRUSTED: (
        "the server at the vault's address has no certificate that is trusted",
        "Name the authority that signed its certificate in MUNIMENT_VAULT_CA; do not switch the check off.",
    ),
    VaultCode.TIMED_OUT: ("the vault does not answer in time", "See that its machine is well, then try again."),
    VaultCode.SEALED: (
        "the vault is sealed",
        "The vault's administrator must unseal it. The built-in vault: restart muniment up.",
    ),
    VaultCode.AUDIT: (
        "the vault does nothing, as when it cannot write its audit log",
        "Make room on its disk, then read its log: a vault that cannot write its audit log refuses all reads.",
    ),
    VaultCode.REFUSED: (
        "the vault refuses this identity",
        "See that the role is open for this commit, and that repository, environment, branch and event are its own.",
    ),
    VaultCode.EXPIRED: (
        "the vault reports that this identity has expired, or is not valid yet",
        "Ask for a new one just before using it, and see that the clocks of both machines are right.",
    ),
    VaultCode.MISSING: (
        "the vault has nothing there",
        "Set it first: muniment secret set NAME --product PRODUCT --env ENVIRONMENT",
    ),
    VaultCode.CHANGED_MEANWHILE: ("somebody else wrote there meanwhile", "Try again."),
    VaultCode.BUSY: ("the vault is still getting ready", "Try again in a moment."),
    VaultCode.FAILED: ("the vault failed, or answered what cannot be read", "See the vault's own log, then try again."),
}
_WITHOUT_ANSWER = {
    HttpCode.TIMED_OUT: VaultCode.TIMED_OUT,
    HttpCode.UNTRUSTED: VaultCode.UNTRUSTED,
    HttpCode.AUTHORITIES: VaultCode.UNTRUSTED,
    HttpCode.UNREACHABLE: VaultCode.UNREACHABLE,
    HttpCode.MALFORMED: VaultCode.UNREACHABLE,
    HttpCode.PROXY: VaultCode.UNREACHABLE,
    HttpCode.REQUEST: VaultCode.REFUSED,  # a token that is none
}
_ROLE_CLOSED = (
    "the vault's role is closed: Muniment has permitted no deployment and no run to this job",
    "For a deployment use muniment deploy. For tests and other jobs set MUNIMENT_URL, so that muniment run asks.",
)
_OTHER_JOB_REMEDY = "See the pipeline on the page Environments of the product, then run: muniment vault apply"
_REFUSALS = {
    "token signature": (
        "the vault refuses this identity: no key that it trusts signed it",
        "See that the runner has the key that is trusted; after a new one: muniment vault apply",
    ),
    "invalid username or password": (
        "the vault does not accept this name and password",
        "muniment up printed both at its first start. If the password is lost: docs/guides/vault.md",
    ),
    "could not be found": (
        "the vault has no role for this product, environment and kind of pipeline",
        "Somebody with a vault credential of their own makes it: muniment vault apply",
    ),
}
_TIME_CLAIMS = ("(exp)", "(nbf)", "(iat)")  # the claims that say when


def vault_error(code: VaultCode) -> VaultError:
    """Create the error of a code."""
    return VaultError(code, *_SENTENCES[code])


def is_closed_role(error: RunError) -> bool:
    """Whether the vault refused a job because the role of its environment is closed."""
    return error.message.startswith(_ROLE_CLOSED[0])


def convert_http_error(error: HttpError) -> VaultError:
    """Convert the error of a request that got no answer."""
    code = _WITHOUT_ANSWER.get(error.code, VaultCode.FAILED)
    if error.code in (HttpCode.PROXY, HttpCode.AUTHORITIES):  # what is wrong lies before the vault
        return VaultError(code, f"the vault cannot be reached: {error.message}", error.remedy)
    return vault_error(code)


def convert_sign_in_error(error: VaultError) -> VaultError:
    """Convert the error of a failed sign-in. For a mount that does not exist, the vault answers no more than a
    refusal.
    """
    unsaid = error.message == _SENTENCES[VaultCode.REFUSED][0]
    return VaultError(error.code, *_REFUSALS["could not be found"]) if unsaid else error


def convert_answer(status: int, data: bytes) -> VaultError:
    """Convert an answer other than success to an error."""
    text = data[:4096].decode("utf-8", "replace").lower()
    code = _find_code(status, text)
    if code is VaultCode.REFUSED and (refusal := _find_refusal(text)):
        return VaultError(code, *refusal)
    return vault_error(code)


def _find_refusal(text: str) -> tuple[str, str] | None:
    """Explain which part of an identity the vault refused, and the remedy, by the words of its answer; None if
    unknown.
    """
    claim = re.search(r'claim \\?"([a-z_]{1,40})\\?" (?:does not match|is missing)', text)
    if claim is not None and claim[1] == CLOSED_CLAIM:
        return _ROLE_CLOSED
    if claim is not None:
        return f"the vault's role is open, and not for this job: its {claim[1]} is another", _OTHER_JOB_REMEDY
    part = re.search(r"invalid (audience|subject|issuer) \(", text)
    if part is not None:
        return f"the vault refuses this identity: its {part[1]} is another", _OTHER_JOB_REMEDY
    return next((refusal for words, refusal in _REFUSALS.items() if words in text), None)


def _find_code(status: int, text: str) -> VaultCode:
    match status:
        case 400:
            if "check-and-set" in text:
                return VaultCode.CHANGED_MEANWHILE
            if "upgrading" in text:  # what a new key-value mount says in its first moments
                return VaultCode.BUSY
            return VaultCode.EXPIRED if any(word in text for word in _TIME_CLAIMS) else VaultCode.REFUSED
        case 401 | 403:
            return VaultCode.REFUSED
        case 404:
            return VaultCode.MISSING
        case 503 if "sealed" in text:
            return VaultCode.SEALED
        case 500 if "audit" in text or "internal error" in text:  # it says no more of an audit log that is full
            return VaultCode.AUDIT
    return VaultCode.FAILED

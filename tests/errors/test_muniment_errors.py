"""Errors have a code for programs, and a message and a remedy for people."""

import pytest

from muniment.errors import (
    ActInputError,
    AttestationCode,
    AttestationError,
    FieldProblem,
    ForgeCode,
    ForgeError,
    HttpCode,
    HttpError,
    IdentityCode,
    IdentityError,
    MunimentError,
    RefusedError,
    RunCode,
    RunError,
    VaultCode,
    VaultError,
)

CODED = (
    RefusedError("closed", "It is closed.", "Open it."),
    HttpError(HttpCode.RATE_LIMITED, "It is closed.", "Open it."),
    VaultError(VaultCode.SEALED, "It is closed.", "Open it."),
    RunError(RunCode.VARIABLE_REFUSED, "It is closed.", "Open it."),
    ForgeError(ForgeCode.RATE_LIMITED, "It is closed.", "Open it."),
    IdentityError(IdentityCode.UNPROTECTED, "It is closed.", "Open it."),
    AttestationError(AttestationCode.EXPIRED, "It is closed.", "Open it."),
)
CODES = ("closed", "rate-limited", "sealed", 217, "rate-limited", "unprotected", "expired")


@pytest.mark.parametrize(("error", "code"), list(zip(CODED, CODES, strict=True)), ids=lambda one: type(one).__name__)
def test_error_keeps_code_message_and_remedy(error: MunimentError, code: object) -> None:
    assert getattr(error, "code", None) == code
    assert (error.message, error.remedy) == ("It is closed.", "Open it.")


def test_exit_code_of_command_that_was_not_started_is_its_reason() -> None:
    assert [RunError(code, "", "").exit_code for code in RunCode] == [int(code) for code in RunCode]
    assert all(code != 0 for code in RunCode)


def test_rate_limit_error_states_end_of_wait() -> None:
    moment = "2026-11-24T09:00:00.000000Z"
    assert HttpError(HttpCode.RATE_LIMITED, "", "", moment).again_at == moment
    assert ForgeError(ForgeCode.RATE_LIMITED, "", "", moment).again_at == moment
    assert HttpError(HttpCode.RATE_LIMITED, "", "").again_at == ""


def test_common_remedy_is_shown_once_and_different_ones_with_fields() -> None:
    name = FieldProblem("name", "Name", "missing", "it is missing.", "Fill it in.")
    email = FieldProblem("email", "Address", "missing", "it is missing.", "Fill it in.")
    other = FieldProblem("email", "Address", "wrong", "it has no @.", "Write it whole.")
    assert ActInputError((name, email)).remedy == "Fill it in."
    result = ActInputError((name, other))
    assert result.message == "Name: it is missing. Address: it has no @."
    assert result.remedy == "Name: Fill it in. Address: Write it whole."
    assert result.problems == (name, other)

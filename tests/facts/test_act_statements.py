"""Signed statement of a person for an act names exactly this request, act, step and person."""

import hashlib
from typing import Any

import pytest
from msgspec import structs

from muniment.errors import NotCanonicalError
from muniment.facts.act_statements import (
    ActStatement,
    ActStep,
    decode_act_statement,
    digest_to_sign,
    encode_act_statement,
)

STATEMENT = ActStatement(
    origin="ledger.example.test",
    request="r" * 26,
    act='{"act":"grant-role","person":"bob"}',
    shown="sha256:" + "0" * 64,
    step=ActStep.APPROVE,
    signer="ada",
    random="ab" * 32,
)


def test_signed_bytes_equal_the_documented_ones() -> None:
    data = encode_act_statement(STATEMENT)
    assert data == (
        b'{"act":"{\\"act\\":\\"grant-role\\",\\"person\\":\\"bob\\"}","origin":"ledger.example.test",'
        b'"random":"' + b"ab" * 32 + b'","request":"' + b"r" * 26 + b'","shown":"sha256:' + b"0" * 64 + b'",'
        b'"signer":"ada","step":"approve"}'
    )
    assert digest_to_sign(data) == hashlib.sha256(b"muniment-act-v1" + data).digest()
    assert decode_act_statement(data) == STATEMENT


@pytest.mark.parametrize(
    "other",
    [
        {"origin": "other.example.test"},
        {"request": "s" * 26},
        {"act": '{"act":"grant-role","person":"eve"}'},
        {"shown": "sha256:" + "1" * 64},
        {"step": ActStep.REQUEST},
        {"signer": "bob"},
        {"random": "cd" * 32},
    ],
)
def test_statements_that_differ_in_any_part_have_different_bytes(other: dict[str, Any]) -> None:
    changed = structs.replace(STATEMENT, **other)
    assert digest_to_sign(encode_act_statement(changed)) != digest_to_sign(encode_act_statement(STATEMENT))


@pytest.mark.parametrize(
    "other",
    [
        {"origin": ""},
        {"request": ""},
        {"act": ""},
        {"signer": ""},
        {"shown": "0" * 64},
        {"random": "ab" * 31},
        {"random": "AB" * 32},
    ],
)
def test_missing_or_malformed_part_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(NotCanonicalError):
        decode_act_statement(encode_act_statement(structs.replace(STATEMENT, **other)))


def test_unknown_step_and_unknown_key_are_refused() -> None:
    data = encode_act_statement(STATEMENT)
    for bad in (data.replace(b"approve", b"reject"), data.replace(b'"act":', b'"also":1,"act":', 1), data + b" "):
        with pytest.raises(NotCanonicalError):
            decode_act_statement(bad)

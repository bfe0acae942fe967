"""What a person signs for an act is of this request, act, step and person alone."""

import hashlib
from typing import Any

import pytest
from msgspec import structs

from muniment.errors import NotCanonicalError
from muniment.facts.act_statements import ActStatement, Step, decode_statement, digest_to_sign, encode_statement

STATEMENT = ActStatement(
    origin="ledger.example.test",
    request="r" * 26,
    act='{"act":"grant-role","person":"bob"}',
    shown="sha256:" + "0" * 64,
    step=Step.APPROVE,
    signer="ada",
    random="ab" * 32,
)


def test_the_signed_bytes_are_those_that_the_documentation_says() -> None:
    data = encode_statement(STATEMENT)
    assert data == (
        b'{"act":"{\\"act\\":\\"grant-role\\",\\"person\\":\\"bob\\"}","origin":"ledger.example.test",'
        b'"random":"' + b"ab" * 32 + b'","request":"' + b"r" * 26 + b'","shown":"sha256:' + b"0" * 64 + b'",'
        b'"signer":"ada","step":"approve"}'
    )
    assert digest_to_sign(data) == hashlib.sha256(b"muniment-act-v1" + data).digest()
    assert decode_statement(data) == STATEMENT


@pytest.mark.parametrize(
    "other",
    [
        {"origin": "other.example.test"},
        {"request": "s" * 26},
        {"act": '{"act":"grant-role","person":"eve"}'},
        {"shown": "sha256:" + "1" * 64},
        {"step": Step.REQUEST},
        {"signer": "bob"},
        {"random": "cd" * 32},
    ],
)
def test_a_statement_that_differs_in_any_part_is_signed_otherwise(other: dict[str, Any]) -> None:
    changed = structs.replace(STATEMENT, **other)
    assert digest_to_sign(encode_statement(changed)) != digest_to_sign(encode_statement(STATEMENT))


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
def test_a_statement_with_a_part_that_is_missing_or_malformed_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(NotCanonicalError):
        decode_statement(encode_statement(structs.replace(STATEMENT, **other)))


def test_a_step_that_there_is_not_and_a_key_that_nobody_knows_are_refused() -> None:
    data = encode_statement(STATEMENT)
    for bad in (data.replace(b"approve", b"reject"), data.replace(b'"act":', b'"also":1,"act":', 1), data + b" "):
        with pytest.raises(NotCanonicalError):
            decode_statement(bad)

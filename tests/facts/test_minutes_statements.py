"""Signed statement over minutes names exactly these minutes, this role, statement and person, and is no act."""

import hashlib

import pytest
from msgspec import structs

from muniment.errors import NotCanonicalError
from muniment.facts.act_statements import digest_to_sign
from muniment.facts.minutes_statements import (
    MinutesStatement,
    decode_minutes_statement,
    digest_minutes_statement,
    encode_minutes_statement,
)

STATEMENT = MinutesStatement(
    minutes="m" * 26,
    digest="sha256:" + "0" * 64,
    role="dpo",
    statement="no-advice",
    signer="dora",
    random="ab" * 32,
)


def test_signed_bytes_equal_the_documented_ones() -> None:
    data = encode_minutes_statement(STATEMENT)
    assert data == (
        b'{"digest":"sha256:' + b"0" * 64 + b'","minutes":"' + b"m" * 26 + b'","random":"' + b"ab" * 32 + b'",'
        b'"role":"dpo","signer":"dora","statement":"no-advice"}'
    )
    assert digest_minutes_statement(data) == hashlib.sha256(b"muniment-minutes-v1" + data).digest()
    assert digest_minutes_statement(data) != digest_to_sign(data)
    assert decode_minutes_statement(data) == STATEMENT


@pytest.mark.parametrize(
    "other",
    [
        {"minutes": ""},
        {"digest": "sha256:0"},
        {"role": ""},
        {"statement": ""},
        {"signer": ""},
        {"random": "ab"},
    ],
)
def test_statement_with_a_missing_part_is_refused(other: dict[str, str]) -> None:
    data = encode_minutes_statement(structs.replace(STATEMENT, **other))
    with pytest.raises(NotCanonicalError):
        decode_minutes_statement(data)

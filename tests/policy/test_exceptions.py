"""The file of an exception."""

import json

import pytest

from muniment.errors import ExceptionFileError
from muniment.facts import canonical
from muniment.policy.exceptions import _LARGEST, Terms, fact, read_exception

TERMS = dict.fromkeys(Terms.__struct_fields__, "x") | {
    "id": "hot",
    "granted": "2026-11-24T09:00:00.000000Z",
    "expires": "2026-11-25T09:00:00.000000Z",
}
WHOLE = json.dumps({"exception": TERMS, "signatures": []}).encode()
TWICE = WHOLE.replace(b'"clause": ', b'"clause": "another", "clause": ')


def test_a_file_may_have_any_form_as_long_as_it_names_no_key_twice() -> None:
    assert read_exception("hot", WHOLE).exception.clause == "x"
    with pytest.raises(ExceptionFileError, match="names a key twice"):
        read_exception("hot", TWICE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff", TWICE])
def test_what_is_no_exception_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ExceptionFileError) as caught:
        read_exception("hot", data)
    assert caught.value.where == "exceptions/hot.json"
    assert "muniment exception ask" in caught.value.remedy


def test_an_exception_under_another_name_is_refused() -> None:
    with pytest.raises(ExceptionFileError, match="its id is 'hot', not 'cold'"):
        read_exception("cold", WHOLE)


def test_an_exception_may_be_as_long_as_is_allowed_and_no_longer() -> None:
    longest = WHOLE + b" " * (_LARGEST - len(WHOLE))
    assert read_exception("hot", longest).exception.id == "hot"
    with pytest.raises(ExceptionFileError, match=f"more than {_LARGEST} bytes"):
        read_exception("hot", longest + b" ")


def test_the_fact_has_all_terms_and_signatures_are_over_these_terms() -> None:
    read = read_exception("hot", WHOLE)
    found = fact(read, ())
    assert {name: getattr(found, name) for name in TERMS} == TERMS
    assert found.signatures == ()
    assert read.exception.signed == canonical.encode(TERMS)

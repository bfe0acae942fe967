"""Files of policy exceptions."""

import json

import pytest

from muniment.errors import ExceptionFileError
from muniment.facts import canonical
from muniment.policy.exception_files import _LARGEST, ExceptionTerms, create_exception_fact, read_exception

TERMS = dict.fromkeys(ExceptionTerms.__struct_fields__, "x") | {
    "id": "hot",
    "granted": "2026-11-24T09:00:00.000000Z",
    "expires": "2026-11-25T09:00:00.000000Z",
}
WHOLE = json.dumps({"exception": TERMS, "signatures": []}).encode()
TWICE = WHOLE.replace(b'"clause": ', b'"clause": "another", "clause": ')


def test_exception_file_may_be_reformatted_but_has_no_duplicate_keys() -> None:
    assert read_exception("hot", WHOLE).exception.clause == "x"
    with pytest.raises(ExceptionFileError, match="names a key twice"):
        read_exception("hot", TWICE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff", TWICE])
def test_invalid_exception_is_refused_with_file_name(data: bytes) -> None:
    with pytest.raises(ExceptionFileError) as caught:
        read_exception("hot", data)
    assert caught.value.where == "exceptions/hot.json"
    assert "muniment exception ask" in caught.value.remedy


def test_refuses_exception_in_file_with_other_name() -> None:
    with pytest.raises(ExceptionFileError, match="its id is 'hot', not 'cold'"):
        read_exception("cold", WHOLE)


def test_refuses_exception_file_above_maximum_size() -> None:
    longest = WHOLE + b" " * (_LARGEST - len(WHOLE))
    assert read_exception("hot", longest).exception.id == "hot"
    with pytest.raises(ExceptionFileError, match=f"more than {_LARGEST} bytes"):
        read_exception("hot", longest + b" ")


def test_exception_fact_has_all_terms_and_signatures_cover_them() -> None:
    read = read_exception("hot", WHOLE)
    found = create_exception_fact(read, ())
    assert {name: getattr(found, name) for name in TERMS} == TERMS
    assert found.signatures == ()
    assert read.exception.signed_bytes == canonical.encode(TERMS)

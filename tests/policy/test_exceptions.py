"""The file of an exception."""

import pytest

from muniment.errors import ExceptionFileError
from muniment.policy.exceptions import read_exception


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff"])
def test_what_is_no_exception_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ExceptionFileError) as caught:
        read_exception("hot", data)
    assert caught.value.where == "exceptions/hot.json"
    assert "muniment exception ask" in caught.value.remedy

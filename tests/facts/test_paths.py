"""Paths as text: what is printable stays, every other byte comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.facts import paths


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"src/app.py", "src/app.py"),
        ("naïve".encode(), "naïve"),
        (b"caf\xe9", "caf%E9"),
        (b"100%", "100%25"),
        (b"a\nb", "a%0Ab"),
        (b"100%\n", "100%25%0A"),
    ],
)
def test_what_cannot_be_printed_is_encoded_and_nothing_else(raw: bytes, text: str) -> None:
    assert paths.from_bytes(raw) == text
    assert paths.to_bytes(text) == raw


@given(st.binary())
def test_every_path_comes_back(raw: bytes) -> None:
    assert paths.to_bytes(paths.from_bytes(raw)) == raw
    assert paths.from_bytes(raw).isprintable()

"""Paths as text: printable characters stay, and every other byte can be restored."""

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
def test_only_unprintable_bytes_are_encoded(raw: bytes, text: str) -> None:
    assert paths.decode_path(raw) == text
    assert paths.encode_path(text) == raw


@given(st.binary())
def test_every_path_is_restored_from_its_text(raw: bytes) -> None:
    assert paths.encode_path(paths.decode_path(raw)) == raw
    assert paths.decode_path(raw).isprintable()

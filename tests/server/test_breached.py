"""Passwords that were found in breaches are refused, by a list that lies here."""

import hashlib
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from muniment.server.people import breached
from muniment.server.people.passwords import BreachedValidator

KNOWN = [f"known password {number}" for number in range(500)]


def hashed(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture(params=["\r\n", "\n"])
def list_(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    file = tmp_path / "ordered.txt"
    end = request.param
    file.write_bytes("".join(f"{one}:{len(one)}{end}" for one in sorted(map(hashed, KNOWN))).encode())
    return file


def test_each_that_stands_there_is_found_and_no_other(list_: Path) -> None:
    assert all(breached.stands_on(str(list_), password) for password in KNOWN)
    assert not any(breached.stands_on(str(list_), f"another {number}") for number in range(500))
    assert breached.problem(str(list_)) == ""


def test_a_list_of_one_line_without_an_end_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text(hashed("x"))
    assert breached.stands_on(str(file), "x")
    assert not breached.stands_on(str(file), "y")


def test_a_folder_of_ranges_is_read_too(tmp_path: Path) -> None:
    for prefix in {"00000", hashed("known")[:5], hashed("other")[:5]}:
        (tmp_path / f"{prefix}.txt").write_text("")
    (tmp_path / f"{hashed('known')[:5]}.txt").write_text(f"{'0' * 35}:1\r\n{hashed('known')[5:]}:7\r\n")
    assert breached.stands_on(str(tmp_path), "known")
    assert not breached.stands_on(str(tmp_path), "other")
    with pytest.raises(breached.UnreadableList):
        breached.stands_on(str(tmp_path), "not downloaded")


@pytest.mark.parametrize("text", ["", "nonsense\n", "12:3\n", f"{'0' * 41}\n", "\x00" * 500])
def test_what_is_no_list_refuses_every_password(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list"
    file.write_text(text)
    assert breached.problem(str(file))
    with pytest.raises(ValidationError, match="cannot be read now"):
        BreachedValidator(str(file)).validate("violet otter carries lantern")


def test_one_that_is_missing_or_out_of_order_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read now"):
        BreachedValidator(str(tmp_path / "nothing")).validate("x")
    file = tmp_path / "list"
    file.write_text("".join(f"{one}:1\n" for one in sorted(map(hashed, KNOWN), reverse=True)))
    assert "order" in breached.problem(str(file))


def test_a_known_one_is_refused_and_without_a_list_none_is(list_: Path) -> None:
    with pytest.raises(ValidationError, match="found in a breach"):
        BreachedValidator(str(list_)).validate(KNOWN[3])
    BreachedValidator(str(list_)).validate("violet otter carries lantern")
    BreachedValidator("").validate(KNOWN[3])

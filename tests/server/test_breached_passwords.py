"""Passwords found in breaches are refused, by a local list."""

import hashlib
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from muniment.server.people import breached_passwords
from muniment.server.people.passwords import BreachedValidator

KNOWN = [f"known password {number}" for number in range(500)]


def hash_password(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture(params=["\r\n", "\n"])
def password_list(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    file = tmp_path / "ordered.txt"
    end = request.param
    file.write_bytes("".join(f"{one}:{len(one)}{end}" for one in sorted(map(hash_password, KNOWN))).encode())
    return file


def test_each_listed_password_is_found_and_no_other(password_list: Path) -> None:
    assert all(breached_passwords.is_breached(str(password_list), password) for password in KNOWN)
    assert not any(breached_passwords.is_breached(str(password_list), f"another {number}") for number in range(500))
    assert breached_passwords.find_list_problem(str(password_list)) == ""


def test_one_line_list_without_newline_is_read(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text(hash_password("x"))
    assert breached_passwords.is_breached(str(file), "x")
    assert not breached_passwords.is_breached(str(file), "y")


def test_folder_of_range_files_is_read(tmp_path: Path) -> None:
    for prefix in {"00000", hash_password("known")[:5], hash_password("other")[:5]}:
        (tmp_path / f"{prefix}.txt").write_text("")
    (tmp_path / f"{hash_password('known')[:5]}.txt").write_text(f"{'0' * 35}:1\r\n{hash_password('known')[5:]}:7\r\n")
    assert breached_passwords.is_breached(str(tmp_path), "known")
    assert not breached_passwords.is_breached(str(tmp_path), "other")
    with pytest.raises(breached_passwords.UnreadableListError):
        breached_passwords.is_breached(str(tmp_path), "not downloaded")


@pytest.mark.parametrize("text", ["", "nonsense\n", "12:3\n", f"{'0' * 41}\n", "\x00" * 500])
def test_malformed_list_refuses_every_password(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list"
    file.write_text(text)
    assert breached_passwords.find_list_problem(str(file))
    with pytest.raises(ValidationError, match="cannot be read now"):
        BreachedValidator(str(file)).validate("violet otter carries lantern")


def test_missing_or_unsorted_list_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read now"):
        BreachedValidator(str(tmp_path / "nothing")).validate("x")
    file = tmp_path / "list"
    file.write_text("".join(f"{one}:1\n" for one in sorted(map(hash_password, KNOWN), reverse=True)))
    assert "order" in breached_passwords.find_list_problem(str(file))


def test_listed_password_is_refused_and_without_list_none_is(password_list: Path) -> None:
    with pytest.raises(ValidationError, match="found in a breach"):
        BreachedValidator(str(password_list)).validate(KNOWN[3])
    BreachedValidator(str(password_list)).validate("violet otter carries lantern")
    BreachedValidator("").validate(KNOWN[3])

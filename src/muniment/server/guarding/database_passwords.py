"""Passwords of the database roles: one file each, which PostgreSQL's library reads at each connection.

So a password is in no setting, variable or argument, and a new one is used without a restart.
"""

import secrets
from pathlib import Path

from muniment.errors import DatabaseError
from muniment.server.guarding.database_roles import ROLE_PREFIX
from muniment.store import durable_files

LOGIN_FOLDER = "logins"  # in the home


def find_password_file(home: Path, role: str) -> Path:
    """Path of the file with the password of a role, whether it exists or not."""
    return home / LOGIN_FOLDER / role.removeprefix(ROLE_PREFIX)


def generate_password() -> str:
    """New password, without a character that the file would have to escape."""
    return secrets.token_urlsafe(32)


def write_password(home: Path, role: str, password: str) -> None:
    """Store a password, readable by this account alone. Raises DatabaseError."""
    file = find_password_file(home, role)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable_files.write_file(file, f"*:*:*:{role}:{password}\n".encode(), 0o600)
    except OSError as error:
        raise DatabaseError(
            f"{file} cannot be written ({error.strerror})",
            "Check that this account may write there, and that the disk has free space.",
        ) from error


def read_password(home: Path, role: str) -> str | None:
    """The stored password of a role, None if there is none. Raises DatabaseError."""
    file = find_password_file(home, role)
    try:
        found = file.read_text(encoding="ascii").strip().split(":")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseError(
            f"{file} cannot be read",
            "Give this account read access to it, or replace all passwords: muniment up --new-passwords",
        ) from error
    *place, password = found
    if place != ["*", "*", "*", role] or not password:
        raise DatabaseError(f"{file} is not the password of {role}", "Copy it again from the machine that made it.")
    return password

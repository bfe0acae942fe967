"""The passwords of the database's logins: one file each, which PostgreSQL's library reads at each connection.

So a password is in no setting, variable or argument, and a new one is used without a restart.
"""

import secrets
from pathlib import Path

from muniment.errors import DatabaseError
from muniment.server.guarding.database_roles import PREFIX
from muniment.store import durable

FOLDER = "logins"  # in the home


def password_file(home: Path, role: str) -> Path:
    """The file with the password of a role, whether it is there or not."""
    return home / FOLDER / role.removeprefix(PREFIX)


def draw_password() -> str:
    """A new password, without a sign that the file would have to escape."""
    return secrets.token_urlsafe(32)


def write_password(home: Path, role: str, password: str) -> None:
    """Store a password, readable by this account alone. Raises DatabaseError."""
    file = password_file(home, role)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(file, f"*:*:*:{role}:{password}\n".encode(), 0o600)
    except OSError as error:
        raise DatabaseError(
            f"{file} cannot be written ({error.strerror})",
            "Check that this account may write there, and that the disk has free space.",
        ) from error


def read_password(home: Path, role: str) -> str | None:
    """The stored password of a role, None if there is none. Raises DatabaseError."""
    file = password_file(home, role)
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

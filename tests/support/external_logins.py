"""Passwords of a PostgreSQL server that stands for the company's own."""

from pathlib import Path

from muniment.server.guarding import database_passwords
from muniment.server.guarding.database_roles import PROCESSES


def share_passwords(server_folder: Path, home: Path) -> None:
    """Give a home the passwords of the logins that the server has already.

    The server of the tests lets the operator in by account; the home needs a password of it as of every login.
    """
    for role in PROCESSES:
        if database_passwords.read_password(server_folder, role) is None:
            database_passwords.write_password(server_folder, role, database_passwords.generate_password())
    (home / database_passwords.LOGIN_FOLDER).symlink_to(server_folder / database_passwords.LOGIN_FOLDER)

"""Logins of a PostgreSQL server that stands for the company's own."""

from pathlib import Path

import psycopg

from muniment.server.guarding import database_passwords
from muniment.server.guarding.database_roles import OPERATOR, OWNER, PROCESSES
from muniment.server.running.embedded_postgres import EmbeddedPostgres


def share_passwords(server_folder: Path, home: Path) -> None:
    """Give a home the passwords of the logins that a running server of the tests made, and its owner their care."""
    server = EmbeddedPostgres(server_folder / "postgres")
    with psycopg.connect(server.make_address("muniment_super"), autocommit=True) as superuser:
        superuser.execute(f"ALTER ROLE {OWNER} CREATEROLE".encode())
        superuser.execute(f"GRANT {OPERATOR} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())
    for role in PROCESSES:
        if role != OPERATOR and database_passwords.read_password(server_folder, role) is None:
            database_passwords.write_password(server_folder, role, database_passwords.generate_password())
    (home / database_passwords.LOGIN_FOLDER).symlink_to(server_folder / database_passwords.LOGIN_FOLDER)

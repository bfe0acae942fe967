"""The doctor names a PostgreSQL that is too old, and one of ours that lacks security fixes."""

import re
import subprocess

import pytest

from muniment.server.running.health_report import OLDEST_EMBEDDED, _check_version
from muniment.server.running.postgres_programs import find_postgres_program


@pytest.mark.parametrize(
    ("version", "embedded", "status", "message"),
    [
        (14_0022, False, "violated", "14.22 is too old"),
        (15_0000, False, "met", "15.0 answers"),
        (OLDEST_EMBEDDED - 1, True, "violated", "lacks security fixes of"),
        (16_0014, True, "violated", "16.14 lacks security fixes of"),
        (OLDEST_EMBEDDED, True, "met", "answers"),
        (OLDEST_EMBEDDED + 1, True, "met", "answers"),
    ],
)
def test_doctor_result_for_each_database_version(version: int, embedded: bool, status: str, message: str) -> None:
    found = _check_version(version, embedded=embedded)
    assert found.result == status
    assert message in found.message
    assert bool(found.remedy) == (status == "violated")


def test_installed_programs_meet_required_version() -> None:
    done = subprocess.run(
        [find_postgres_program("postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    major, minor = (int(number) for number in re.findall(r"\d+", done)[:2])
    assert major * 10_000 + minor >= OLDEST_EMBEDDED

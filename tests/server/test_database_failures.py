"""Failures of the database: commands, logs and pages name them with the next step, and report no defect."""

import io
import logging
import logging.config
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from psycopg import errors

from muniment.cli import command_line, doctor
from muniment.cli.commands import muniment
from muniment.errors import DatabaseError
from muniment.server import logs
from muniment.server.database_failures import describe_database_failure
from muniment.server.job_queue import _describe_failure
from muniment.server.running import health_report
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from tests.support.mounts import mounted

FULL = "the disk of the database is full"
NO_ANSWER = "the database does not answer"


def wrap_error(cause: Exception) -> OperationalError:
    """Wrap an error as Django does."""
    wrapped = OperationalError("something")
    wrapped.__cause__ = cause
    return wrapped


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (errors.DiskFull(), FULL),
        (errors.IoError(), "the database cannot read or write its disk"),
        (errors.TooManyConnections(), "the database has no free connection"),
        (errors.LockNotAvailable(), "another process has locked the data for too long"),
        (errors.AdminShutdown(), NO_ANSWER),
        (errors.CannotConnectNow(), NO_ANSWER),
        (psycopg.OperationalError("connection refused"), NO_ANSWER),
        (psycopg.InterfaceError("the connection is closed"), NO_ANSWER),
        (errors.QueryCanceled(), ""),
        (errors.DeadlockDetected(), ""),
        (errors.UniqueViolation(), ""),
        (ZeroDivisionError(), ""),
    ],
)
def test_failure_is_distinguished_from_a_defect(cause: Exception, message: str) -> None:
    for error in (cause, wrap_error(cause)):
        failure = describe_database_failure(error)
        assert (failure.message if failure else "") == message
        assert failure is None or failure.remedy
    assert describe_database_failure(None) is None


def test_command_names_full_disk_and_reports_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **others: object) -> int:
        raise wrap_error(errors.DiskFull())

    monkeypatch.setattr(muniment, "main", fail)
    assert command_line.run_command_line(["link", "ada"]) == 3
    output = capsys.readouterr().err
    assert output == f"muniment: {FULL}\nNext: Free some space on it, then try again.\n"


@pytest.mark.parametrize("home", [("--home", "/srv/a b"), ("--home=/srv/a b",)])
def test_next_step_names_the_home_of_the_command_line(
    home: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **others: object) -> int:
        raise DatabaseError("no", "Run: muniment up. Or: muniment up --once. See: muniment ledger show --home DIR")

    monkeypatch.setattr(muniment, "main", fail)
    command_line.run_command_line(["link", "ada", *home])
    named = "--home '/srv/a b'"
    assert f"Run: muniment up {named}. Or: muniment up {named} --once. See: muniment ledger show {named}\n" in (
        capsys.readouterr().err
    )


def test_log_has_one_line_and_no_traceback() -> None:
    logging.config.dictConfig(logs.build_log_settings("text"))
    written = io.StringIO()
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(written)
    log = logging.getLogger("muniment.sequencer")
    for cause in (errors.DiskFull(), ZeroDivisionError()):
        try:
            raise wrap_error(cause)
        except OperationalError:
            log.exception("a step failed")
    first, rest = written.getvalue().split("\n", 1)
    assert f"a step failed: {FULL}. Next: Free some space on it" in first
    assert " at test_database_failures.py:" in rest  # of a defect, the places that it passed
    assert _describe_failure(wrap_error(errors.DiskFull())) == FULL
    assert _describe_failure(ZeroDivisionError()) == "ZeroDivisionError"


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("path", ["/welcome/x", "/api/products"])
def test_page_and_api_name_full_disk(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise wrap_error(errors.DiskFull())

    client = Client(HTTP_HOST="localhost", raise_request_exception=False)
    with connection.execute_wrapper(fail), transaction.atomic():
        answer = client.get(path, headers={"Authorization": "Bearer x"})
        transaction.set_rollback(True)
    assert answer.status_code == 503
    assert FULL[1:] in answer.content.decode()
    assert "starts its own database again" not in answer.content.decode()


def test_existing_database_names_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=300m,mode=755"):
        with EmbeddedPostgres(disk / "postgres"):
            pass
        free = shutil.disk_usage(disk).free
        with (disk / "fill").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free)
        with pytest.raises(DatabaseError, match="only 0 MB are free") as caught, EmbeddedPostgres(disk / "postgres"):
            pass
    assert caught.value.remedy.startswith("Free ")


def test_read_only_disk_is_reported(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=1m,mode=755"):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        service = health_report._check_disk(disk)
        files = next(doctor._check_home(str(disk)))
    result = ("violated", f"{disk} is mounted read-only, so nothing can be recorded")
    remedy = f"Mount it writable; as root: mount -o remount,rw {disk}"
    assert (service.result, service.message, service.remedy) == (*result, remedy)
    assert (files.result, files.message, files.remedy) == (*result, remedy)

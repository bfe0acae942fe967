"""What a doctor looks at in a service: each part, whether it is well, and what to do where it is not."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.access.roles import Role
from muniment.errors import HomeError, LedgerError, VaultError
from muniment.server.connections.models import Connection
from muniment.server.deployments.models import Builder, Issuer, Pipeline
from muniment.server.incidents.models import overdue
from muniment.server.installation import home
from muniment.server.people import breached
from muniment.server.people.document import WRITERS
from muniment.server.people.models import Grant, held
from muniment.server.products.models import Product, Reading
from muniment.server.record.models import Entry
from muniment.server.running import keys
from muniment.server.running.embedded import WEB, WORKER
from muniment.server.secrets.access import session

_OLDEST = 15 * 10_000  # as PostgreSQL counts its versions
_ALIVE, _LATE = timedelta(seconds=60), timedelta(seconds=60)
_LEAST_BYTES = 1 << 30
PROMISE = (
    "no person, token or page reads a value; but whoever owns this account on the machine holds the seal key, and can "
    "decrypt the store"
)
_ENOUGH = 3  # people who could approve
_FORBIDDEN = ((WEB, "record_entry", "UPDATE"), (WEB, "record_tile", "DELETE"), (WORKER, "people_grant", "INSERT"))


class Found(NamedTuple):
    """One part: `status` is `satisfied`, `violated` or `unknown` (a warning)."""

    part: str
    status: str
    message: str
    remedy: str = ""


def examine(folder: Path) -> Iterator[Found]:
    """All parts, the database first: without it, nothing else can be looked at."""
    yield _disk(folder)
    try:
        connection.ensure_connection()
    except OperationalError:
        yield Found("database", "violated", "it does not answer", "Start the service: muniment up")
        return
    yield from _database()
    yield from _work()
    yield _web(folder)
    yield from _vault()
    yield from _ledger()
    yield from _people()
    yield from _passwords()
    yield from _repositories()
    yield from _approvers()
    yield from _forges()
    yield from _incidents()
    yield from _deployments(folder)


def _disk(folder: Path) -> Found:
    free = shutil.disk_usage(folder).free
    if free < _LEAST_BYTES:
        return Found(
            "disk", "violated", f"{free >> 20} MB are free", "Free some space: nothing can be recorded without."
        )
    return Found("disk", "satisfied", f"{free >> 30} GB are free")


def _database() -> Iterator[Found]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int((cursor.fetchone() or ("0",))[0])
        rights = [who for who in _FORBIDDEN if _may(cursor, *who)]
    if version < _OLDEST:
        yield Found("database", "violated", f"PostgreSQL {version // 10_000} is too old", "Use 15 or newer.")
    else:
        yield Found("database", "satisfied", f"PostgreSQL {version // 10_000} answers")
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield Found("schema", "violated", "it is of another version", "Start once: muniment up --once")
    elif rights:
        told = ", ".join(f"{role} may {verb} {table}" for role, table, verb in rights)
        yield Found("rights", "violated", told, "Give them back what is theirs: muniment up --once")
    else:
        yield Found("schema", "satisfied", "it is up to date, and each role has its rights alone")


def _may(cursor: object, role: str, table: str, verb: str) -> bool:
    cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, verb])  # type: ignore[attr-defined]
    return bool(cursor.fetchone()[0])  # type: ignore[attr-defined]


def _work() -> Iterator[Found]:
    alive = ProcrastinateWorker.objects.filter(last_heartbeat__gt=timezone.now() - _ALIVE).count()
    waiting = ProcrastinateJob.objects.filter(status="todo").count()
    if not alive:
        yield Found("worker", "violated", f"none is alive, and {waiting} tasks wait", "Start one: muniment worker")
    else:
        yield Found("worker", "satisfied", f"{alive} alive, {waiting} tasks wait")
    failed = ProcrastinateJob.objects.filter(status="failed").count()
    if failed:
        yield Found("tasks", "unknown", f"{failed} failed", "The page Work says which, and tries them again.")


def _web(folder: Path) -> Found:
    try:
        port = json.loads((folder / "service.json").read_text())["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            if answer.status == 200:
                return Found("web", "satisfied", f"it answers at {settings.URL}")
    except (OSError, ValueError, KeyError):
        pass  # told below: it did not answer
    return Found("web", "violated", "it does not answer", "Start the service: muniment up")


def _vault() -> Iterator[Found]:
    """By what it is there for: its health says that all is well while it refuses everything."""
    try:
        session().subkeys("muniment", "doctor")
    except (VaultError, HomeError) as error:
        yield Found("vault", "violated", error.message, error.remedy)
        return
    yield Found("vault", "satisfied", "it lets Muniment in, and answers")
    if not settings.VAULT_URL:
        yield Found("vault's promise", "satisfied", PROMISE)


def _ledger() -> Iterator[Found]:
    try:
        with home().log(signs=True).held() as held:
            yield Found("ledger", "satisfied", f"{held.size} entries, and its newest are what was signed")
    except (LedgerError, HomeError) as error:
        yield Found("ledger", "violated", error.message, error.remedy)
    late = Entry.objects.filter(place=None, time__lt=timezone.now() - _LATE).count()
    if late:
        yield Found("sequencer", "violated", f"{late} entries wait for their place", "See that a worker runs.")
    if not home().settings().outside:
        yield Found(
            "copy outside",
            "unknown",
            "no checkpoint is kept outside the home, so an old copy of it would not be found out",
            "Name a place: docs/service.md, Backup",
        )


def _people() -> Iterator[Found]:
    found = Grant.objects.filter(held(), product=None, person__active=True)
    for role in (Role.ADMIN, Role.SECURITY):
        count = found.filter(role=role).values("person").distinct().count()
        if count < 2:
            who = ("nobody is", "one person is")[count]
            message = f"{who} {role.label} everywhere; what is dangerous takes two"
            yield Found("people", "unknown", message, "Give the role to more people.")


def _passwords() -> Iterator[Found]:
    path = os.environ.get("MUNIMENT_BREACHED", "")
    if path:
        problem = breached.problem(path)
        if problem:
            message = f"the list of known passwords cannot be used: {problem}"
            yield Found("passwords", "violated", message, "No password can be set until then: see MUNIMENT_BREACHED.")
        else:
            yield Found("passwords", "satisfied", "those found in breaches are refused")


def _repositories() -> Iterator[Found]:
    for reading in Reading.objects.exclude(problem="").select_related("repository")[:50]:
        yield Found("repository", "violated", f"{reading.repository.name}: {reading.problem}")


def _incidents() -> Iterator[Found]:
    late = overdue(timezone.now()).count()
    if late:
        yield Found("incidents", "unknown", f"{late} are open past their deadline", "The page Incidents says which.")


def _deployments(folder: Path) -> Iterator[Found]:
    for issuer in Issuer.objects.exclude(problem="")[:20]:
        remedy = "See that this machine reaches it: pipelines that it speaks for cannot deploy."
        yield Found("pipelines", "violated", f"{issuer.url}: {issuer.problem}", remedy)
    if not Pipeline.objects.filter(ended=None).exists():
        return
    try:
        told = keys.public_of_deploy(folder)
    except HomeError as error:
        yield Found("permissions", "violated", error.message, error.remedy)
    else:
        yield Found("permissions", "satisfied", f"they are signed with the key of {told}")
    if not Builder.objects.filter(ended=None).exists():
        told = "no builder's key is known, so nothing can be deployed"
        yield Found("builders", "unknown", told, "Add one on the page Builders, and name its id in the policy.")


def _approvers() -> Iterator[Found]:
    """Where one writes, two others have to approve: with fewer than three people nothing of theirs is ever merged."""
    writers = Q(role__in=[role.value for role in WRITERS], ended=None, person__active=True)
    for product in Product.objects.filter(retired=None, repositories__isnull=False).distinct():
        held = Grant.objects.filter(writers).filter(Q(product=None) | Q(product=product))
        count = held.values("person").distinct().count()
        if count < _ENOUGH:
            told = (
                f"{product.name}: {count} people could approve, and two others have to approve what one of them wrote"
            )
            yield Found("approvals", "unknown", told, "Give the role developer there to more people.")


def _forges() -> Iterator[Found]:
    for row in Connection.objects.filter(ended=None):
        left = f"{row.left} of {row.limit} requests left" if row.left >= 0 else "it tells of no limit"
        if not row.keyed:
            yield Found("forge", "unknown", f"{row.slug} waits for its credential", "The page Connections takes it.")
        elif row.problem:
            yield Found("forge", "violated", f"{row.slug}: {row.problem}")
        elif 0 <= row.left < row.limit // 10:
            yield Found("forge", "unknown", f"{row.slug}: {left}", "Until its limit is anew, verdicts come late.")
        else:
            yield Found("forge", "satisfied", f"{row.slug} works, {left}")

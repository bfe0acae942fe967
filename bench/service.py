"""python -m bench.service: what the service's pages cost with many rows, next to few rows and a bare Django page.

1,000 products, 100,000 changes and 1,000,000 entries on the PostgreSQL that comes with Muniment. The CPU of a page is
the median of the web's, with the average of the database's; pages a second are of one core of the web.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import page_load
from bench.measure import Row, table

PRODUCTS, CHANGES, ENTRIES = 1_000, 100_000, 1_000_000
OVERVIEW, PRODUCT = "/?overview", "/products/p1"
LISTS = ("/products", "/people", "/activity", "/ledger", "/exceptions")
OTHERS = ("/changes/1", "/policy")
HEALTH = "/health"
TIMES = 30
PEOPLE = 50  # at once
_BOUNDS = {OVERVIEW: "<= 20 ms", PRODUCT: "<= 20 ms", HEALTH: "<= 0.5 ms", **dict.fromkeys(LISTS, "<= 8 ms")}


class PageCost(Struct, frozen=True):
    """Seconds of CPU in the web and in the database, the 95th percentile of the time, and the number of queries."""

    web: float
    database: float
    p95: float
    queries: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU in both."""
        return self.web + self.database


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--part", type=int, default=1, metavar="N", help="Only one in N of the rows. Default: all.")
    part: int = parser.parse_args().part
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another account where root measures
        sys.stdout.write(table(_rows(Path(folder) / "home", part)) + "\n")


def _rows(folder: Path, part: int) -> list[Row]:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    make_installation_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "web", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database_settings.embedded_server(folder):
        import django

        django.setup()
        from django.db import connection

        from muniment.server.running import preparation
        from tests.support.service import as_role

        with as_role("owner"):
            preparation.migrate_schema()
        with as_role("operator"):
            preparation.apply_first_policy()
        with as_role("owner"):
            _fill(1, 10, 100)
            client = _client()
            _record_rows()
        pages = (OVERVIEW, PRODUCT, *LISTS, *OTHERS)
        few = {page: _measure(client, page) for page in pages}
        with as_role("owner"):
            _fill(PRODUCTS // part, CHANGES // part, ENTRIES // part)
            _record_rows()
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        bare = _measure_bare()
        rows = [_row(page, few[page], _measure(client, page), bare, part) for page in pages]
        health = _measure(client, HEALTH)
        rows.append(_row(HEALTH, health, health, bare, part))
        rows.append(_api(client, bare))
        rows += _load(folder, client)
        connection.close()
    return rows


def _fill(products: int, changes: int, entries: int) -> None:
    """Rows made by PostgreSQL itself, in numbers. Each clause of the policy has a state for each product."""
    from django.db import connection

    from muniment.server.policies.policy_in_force import current_clauses

    clauses = ", ".join(f"'{clause.id}'" for clause in current_clauses())
    statements = f"""
        INSERT INTO products_product (slug, name, sensitive_patterns, data_after_retirement, created_at)
            SELECT 'p' || n, 'Product ' || n, '', '', now() FROM generate_series(1, {products}) n
            ON CONFLICT DO NOTHING;
        INSERT INTO products_repository (product_id, name, path, worker)
            SELECT id, slug, '/nowhere/' || slug, '' FROM products_product ON CONFLICT DO NOTHING;
        INSERT INTO products_clausestate (repository_id, clause, state, changed_at, reason, met_count, evaluated_count)
            SELECT r.id, c, (ARRAY[0, 0, 0, 0, 0, 0, 0, 1, 3, 4])[1 + (r.id * 7 + length(c) * 3) % 10], now(),
                'because', 1, 2
            FROM products_repository r, unnest(ARRAY[{clauses}]) c
            ON CONFLICT DO NOTHING;
        INSERT INTO products_productclausestate (product_id, clause, state, changed_at)
            SELECT r.product_id, s.clause, max(s.state), min(s.changed_at)
            FROM products_clausestate s JOIN products_repository r ON r.id = s.repository_id
            GROUP BY r.product_id, s.clause
            ON CONFLICT DO NOTHING;
        INSERT INTO products_productstateversion (product_id, number)
            SELECT DISTINCT product_id, 1 FROM products_productclausestate
            ON CONFLICT (product_id) DO UPDATE SET number = products_productstateversion.number + 1;
        INSERT INTO policies_statesnapshot
                (product_id, section, week, passing, excepted, unknown, failing, not_evaluated)
            SELECT NULL, '', date_trunc('week', now())::date - 7 * n, 1800 - n, 50, 100, 200 + n, 200
            FROM generate_series(1, 60) n
            ON CONFLICT DO NOTHING;
        INSERT INTO changes_change (repository_id, name, target, state, title, head, updated_at)
            SELECT r.id, md5(n::text), 'refs/heads/main',
                CASE WHEN n % 50 = 0 THEN 'open' ELSE 'merged' END, 'Change ' || n, md5(n::text),
                now() - n * interval '1 s'
            FROM generate_series(1, {changes}) n
                JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM products_repository) r
                ON r.at = 1 + n % {products}
            ON CONFLICT DO NOTHING;
        INSERT INTO records_record (kind, recorded_at, details_digest, data)
            SELECT CASE WHEN n % 10 = 0 THEN 'operator-action' ELSE 'ref-update' END, now(), o.details_digest, o.data
            FROM generate_series(1, {entries}) n,
                (SELECT details_digest, data FROM records_record WHERE kind = 'operator-action' ORDER BY id LIMIT 1) o;
        UPDATE records_recordposition p SET position = n.at + (SELECT coalesce(max(position), -1) FROM
                records_recordposition)
            FROM (SELECT record_id, row_number() OVER (ORDER BY record_id) AS at FROM records_recordposition
                WHERE position IS NULL) n WHERE n.record_id = p.record_id;
    """
    with connection.cursor() as cursor:
        for statement in statements.split(";"):
            if statement.strip():
                cursor.execute(statement)


def _record_rows() -> None:
    """Record every row as it is: one that differs from the ledger counts for nothing."""
    from tests.support.service import record_rows

    record_rows()


def _client() -> Any:
    from django.test import Client

    from muniment.access.roles import Role
    from muniment.server.people.models import Person, RoleGrant

    ada = Person.objects.create(slug="ada", name="Ada")
    for role in Role:
        RoleGrant.objects.create(person=ada, role=role.value)
    client = Client(HTTP_HOST="localhost")
    client.force_login(ada, backend="muniment.server.people.sign_in_backend.SignInBackend")
    return client


def _measure(client: Any, page: str) -> PageCost:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as caught:
        answer = client.get(page)
        queries = len(caught)  # the next request forgets them
    assert answer.status_code == 200, (page, answer.status_code)
    for _ in range(3):
        client.get(page)
    seconds: list[float] = []
    spent: list[float] = []
    with _counting_database() as database:
        for _ in range(TIMES):
            begun, cpu = time.perf_counter(), time.process_time()
            client.get(page)
            seconds.append(time.perf_counter() - begun)
            spent.append(time.process_time() - cpu)
        in_database = database() / TIMES
    return PageCost(statistics.median(spent), in_database, statistics.quantiles(seconds, n=20)[-1], queries)


@contextmanager
def _counting_database() -> Iterator[Callable[[], float]]:
    """Provide a function that returns the CPU seconds of the database's process since the beginning."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
    schedule = Path(f"/proc/{pid}/schedstat")

    def read() -> float:
        return int(schedule.read_text().split()[0]) / 1e9 if schedule.exists() else 0.0

    first = read()
    yield lambda: read() - first


def _measure_bare() -> PageCost:
    """Cost of a page of Django itself: its usual middleware, a session, and a table of 50 rows from one query."""
    from django.test import Client, override_settings

    middleware = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    with override_settings(ROOT_URLCONF="bench.bare_page", MIDDLEWARE=middleware):
        return _measure(Client(HTTP_HOST="localhost"), "/bare")


def _row(page: str, few: PageCost, many: PageCost, bare: PageCost, part: int) -> Row:
    what = f"page {page}, CPU, of {PRODUCTS // part} products, {CHANGES // part} changes, {ENTRIES // part} entries"
    ours = f"{_ms(many.web)} web, {_ms(many.database)} database, p95 {_ms(many.p95)}, {many.queries} queries"
    peer = f"{_ms(bare.cpu)}: a bare Django page; {_ms(few.cpu)}: the same page of 1, 10 and 100"
    return Row(what, ours, peer, f"{_ms(many.cpu)}, {many.cpu / bare.cpu:.2f} x bare", _BOUNDS.get(page, ""))


def _api(client: Any, bare: PageCost) -> Row:
    """A list of the API next to a bare Django page."""
    from django.utils import timezone

    from muniment.access.actions import Action
    from muniment.server.people.models import ApiToken, Person
    from muniment.server.records.record_writing import action_code
    from tests.support.service import as_role

    text, hashed = ApiToken.make_token()
    ada = Person.objects.get(slug="ada")
    scopes = [action_code(Action.SEE_PRODUCT)]
    with as_role("owner"):
        ApiToken.objects.create(
            person=ada, name="t", token_hash=hashed, scopes=scopes, expires_at=timezone.now() + timedelta(days=1)
        )
    headers = {"Authorization": f"Bearer {text}"}
    begun = time.process_time()
    for _ in range(100):
        assert client.get("/api/products?limit=20", headers=headers).status_code == 200
    ours = (time.process_time() - begun) / 100
    output = f"{_ms(bare.web)}: a bare Django page"
    return Row("GET /api/products, 20 of them, CPU of the web", _ms(ours), output, f"{ours / bare.web:.2f} x", "")


def _load(folder: Path, client: Any) -> list[Row]:
    """The overview from a web process of its own, asked by many people at once."""
    port = page_load.find_free_port()
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    command = [sys.executable, "-m", "muniment", "web", "--home", str(folder), "--port", str(port)]
    environment = {**os.environ, "MUNIMENT_URL": f"http://localhost:{port}"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as web:
        try:
            page_load.wait_until_up(port)
            page_load.run_people(port, OVERVIEW, cookie, people=4, each=10, pause=0.0)  # warm
            cpu = page_load.read_cpu(web.pid)
            fast = page_load.run_people(port, OVERVIEW, cookie, people=8, each=40, pause=0.0)
            per_core = len(fast.seconds) / (page_load.read_cpu(web.pid) - cpu)
            calm = page_load.run_people(port, OVERVIEW, cookie, people=PEOPLE, each=10, pause=2.0)
        finally:
            web.terminate()
            web.wait(30)
    p95 = statistics.quantiles(calm.seconds, n=20)[-1]
    rate = len(calm.seconds) / calm.elapsed
    return [
        Row("overview pages a second and core of the web", f"{per_core:.0f}", "", f"{per_core:.0f}", ">= 60"),
        Row(
            f"overview, {PEOPLE} people at once, each a page every 2 s",
            f"{rate:.0f} pages a second",
            f"the same machine runs web, database and the {PEOPLE} people",
            f"p95 {_ms(p95)}",
            "<= 300 ms",
        ),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.001 else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()

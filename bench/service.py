"""python -m bench.service: how fast the service's pages are with many rows, beside the same with few.

1,000 products, 100,000 changes and 1,000,000 entries on the PostgreSQL that comes with Muniment.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.measure import Row, table

PRODUCTS, CHANGES, ENTRIES = 1_000, 100_000, 1_000_000
PAGES = ("/", "/products", "/products/p1", "/changes/1", "/people", "/activity", "/ledger", "/exceptions", "/policy")
TIMES = 30


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--part", type=int, default=1, metavar="N", help="Only one in N of the rows. Default: all.")
    part: int = parser.parse_args().part
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sys.stdout.write(table(_rows(Path(folder), part)) + "\n")


def _rows(folder: Path, part: int) -> list[Row]:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    make_installation_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database_settings.embedded_server(folder):
        import django

        django.setup()
        from django.db import connection

        from muniment.server.running import preparation

        preparation.migrate_schema()
        preparation.apply_first_policy()
        _fill(1, 10, 100)
        client = _client()
        few = {page: _measured(client, page) for page in PAGES}
        _fill(PRODUCTS // part, CHANGES // part, ENTRIES // part)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        rows = [_row(page, few[page], _measured(client, page), part) for page in PAGES]
        rows.append(_api(client))
        connection.close()
    return rows


def _fill(products: int, changes: int, entries: int) -> None:
    """Rows made by PostgreSQL itself, in numbers. Clauses of each product have states."""
    from django.db import connection

    statements = f"""
        INSERT INTO products_product (slug, name, sensitive_patterns, created_at)
            SELECT 'p' || n, 'Product ' || n, '', now() FROM generate_series(1, {products}) n ON CONFLICT DO NOTHING;
        INSERT INTO products_repository (product_id, name, path)
            SELECT id, slug, '/nowhere/' || slug FROM products_product ON CONFLICT DO NOTHING;
        INSERT INTO products_clausestate (repository_id, clause, state, changed_at, reason, met_count, evaluated_count)
            SELECT r.id, c, (r.id + length(c)) % 5, now(), 'because', 1, 2
            FROM products_repository r,
                unnest(ARRAY['review.two-reviewers', 'review.small-changes', 'history.protected']) c
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


def _client() -> Any:
    from django.test import Client

    from muniment.access.roles import Role
    from muniment.server.people.models import Person, RoleGrant

    ada = Person.objects.create(slug="ada", name="Ada")
    for role in Role:
        RoleGrant.objects.create(person=ada, role=role.value)
    client = Client(HTTP_HOST="localhost")
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def _measured(client: Any, page: str) -> tuple[float, int]:
    """The 95th percentile in seconds, and how many queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as caught:
        answer = client.get(page)
        queries = len(caught)  # the next request forgets them
    assert answer.status_code == 200, (page, answer.status_code)
    seconds: list[float] = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        client.get(page)
        seconds.append(time.perf_counter() - begun)
    return statistics.quantiles(seconds, n=20)[-1], queries


def _row(page: str, few: tuple[float, int], many: tuple[float, int], part: int) -> Row:
    what = f"page {page}, p95, of {PRODUCTS // part} products, {CHANGES // part} changes, {ENTRIES // part} entries"
    peer = f"the same of 1, 10 and 100; queries {few[1]} and {many[1]}"
    return Row(what, _ms(many[0]), f"{_ms(few[0])}: {peer}", f"{many[0] / few[0]:.2f} x", "")


def _api(client: Any) -> Row:
    """A list of the API beside a bare Django view."""
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.utils import timezone

    from muniment.access.actions import Action
    from muniment.server.people.models import ApiToken, Person
    from muniment.server.records.record_writing import action_code

    text, hashed = ApiToken.make_token()
    ada = Person.objects.get(slug="ada")
    scopes = [action_code(Action.SEE_PRODUCT)]
    ApiToken.objects.create(
        person=ada, name="t", token_hash=hashed, scopes=scopes, expires_at=timezone.now() + timedelta(days=1)
    )
    headers = {"Authorization": f"Bearer {text}"}

    def timed(act: Any) -> float:
        begun = time.perf_counter()
        for _ in range(100):
            act()
        return (time.perf_counter() - begun) / 100

    factory = RequestFactory()

    def bare() -> HttpResponse:
        factory.get("/health")
        return client.get("/health")  # type: ignore[no-any-return]

    ours = timed(lambda: client.get("/api/products?limit=20", headers=headers))
    peer = timed(bare)
    told = f"{1 / peer:.0f} a second: GET /health, a bare view behind the same middleware"
    return Row("GET /api/products, 20 of them", f"{1 / ours:.0f} a second", told, f"{ours / peer:.2f} x", "")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()

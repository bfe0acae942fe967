"""python -m bench.agenda: opening the agenda of a review over 100,000 facts, next to a bare query of the same rows.

One product has 100,000 branch updates, each with a change and a decision, and thousands of deployments,
incidents, requirements, actions and threats, all since its last review. The page is read before the opening, which
reads everything anew, and the agenda is frozen as at the opening. The peer reads the rows of the updates of this time
once, and counts them in the database.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import Row, table

FACTS = 100_000
TIMES = 20
PAGE_SECONDS, OPENING_SECONDS = 0.5, 0.5
SCALE = 20  # one in so many facts is also an incident, a requirement, an action, a kind of data, a threat


def main() -> None:
    """Measure, print the table, and end with 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m bench.agenda", description=__doc__)
    parser.add_argument("--facts", type=int, default=FACTS, metavar="N", help=f"Branch updates. Default: {FACTS}.")
    parser.add_argument("--profile", action="store_true", help="Print where the time of one page goes, too.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another account where root measures
        rows, is_fast = _measure_in(Path(folder) / "home", options.facts, profile=options.profile)
    sys.stdout.write(table(rows) + "\n")
    raise SystemExit(int(not is_fast))


def _measure_in(folder: Path, facts: int, *, profile: bool) -> tuple[list[Row], bool]:
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
        from tests.support.service import as_role, record_rows

        with as_role("owner"):
            preparation.migrate_schema()
        with as_role("operator"):
            preparation.apply_first_policy()
        with as_role("owner"):
            client, number = _make_review()
            _fill_facts(facts)
            record_rows()
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        try:
            return _compare(client, number, facts, profile=profile)
        finally:
            connection.close()


def _make_review() -> tuple[Any, int]:
    """A review of today with its quorum, whose chair is signed in; its browser, and its number."""
    from datetime import time as clock
    from datetime import timedelta

    from django.test import Client
    from django.utils import timezone

    from muniment.access.roles import Role
    from muniment.server.meetings.models import MeetingAttendee, MeetingCalendar, ProductMeeting
    from muniment.server.people.models import Person, RoleGrant
    from muniment.server.products.models import Environment, Product, Repository

    today = timezone.localdate()
    shop = Product.objects.create(slug="shop", name="Shop")
    Product.objects.update(created_at=timezone.now() - timedelta(90))
    Repository.objects.create(product=shop, name="shop", path="/nowhere")
    Environment.objects.create(product=shop, name="production")
    MeetingCalendar.objects.create(zone="Europe/Amsterdam", region="NL")
    values = {"due_on": today, "date": today, "time": clock(10), "dated_on": today, "sequence": 1}
    row = ProductMeeting.objects.create(product=shop, kind="review", number=1, **values)
    seats = {"chair": Role.SECURITY, "analyst": Role.ANALYST, "dpo": Role.DPO, "stakeholder": Role.STAKEHOLDER}
    for seat, role in seats.items():
        someone = Person.objects.create(slug=seat, name=seat.title())
        RoleGrant.objects.create(person=someone, role=role.value)
        MeetingAttendee.objects.create(meeting=row, role=seat, person=someone)
    client = Client(HTTP_HOST="localhost")
    client.force_login(Person.objects.get(slug="chair"), backend="muniment.server.people.sign_in_backend.SignInBackend")
    session = client.session
    session["second_factor"] = Person.objects.get(slug="chair").pk
    session.save()
    return client, row.pk


def _fill_facts(facts: int) -> None:
    """Rows made by PostgreSQL itself."""
    from django.db import connection

    some = facts // SCALE
    statements = f"""
        CREATE TEMPORARY TABLE made AS
            SELECT n, now() - interval '80 days' + n * interval '60 days' / {facts} AS at, md5(n::text) AS head
            FROM generate_series(1, {facts}) n;
        INSERT INTO changes_change (repository_id, name, target, state, title, head, updated_at)
            SELECT r.id, head, 'refs/heads/main', 'merged', 'Change ' || n, head, at FROM made, products_repository r;
        INSERT INTO records_record (kind, recorded_at, details_digest, data)
            SELECT 'branch-updated', at, '', 'bench' FROM made;
        INSERT INTO changes_decision (change_id, head, base, allowed, decided_at, policy_digest, inputs_digest,
                explanation_digest, security_questions)
            SELECT c.id, m.head, '', n % 4 > 0, m.at, 'sha256:00', 'bench:' || n, '',
                (ARRAY['answered', 'open', 'none'])[1 + n % 3]
            FROM made m JOIN changes_change c ON c.name = m.head;
        INSERT INTO connections_branchupdate (repository_id, ref, commit, previous_tip, outcome, bypass_reason,
                decision_id, contributors, unlinked_contributor_count, pusher_known, title, seen_at, record_id)
            SELECT c.repository_id, 'refs/heads/main', m.head, '', 'allowed', '', d.id, '[]', 0, true, c.title, m.at,
                r.id
            FROM made m JOIN changes_change c ON c.name = m.head JOIN changes_decision d ON d.change_id = c.id
                JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM records_record
                    WHERE kind = 'branch-updated') r ON r.at = m.n;
        INSERT INTO deployments_pipelineidentity (environment_id, name, kind, issuer, subject, forge_repository_id,
                ref_patterns, forge_environment, public_key, purpose, workflow_paths, trusted_at)
            SELECT e.id, 'ci', 'runner', '', '', '', '', '', 'key', 'deploy', '', now() FROM products_environment e;
        INSERT INTO deployments_deployment (environment_id, pipeline_id, artifact, commit, identity, provenance,
                idempotency_key, request_digest, wait_seconds, requested_at)
            SELECT i.environment_id, i.id, 'sha256:' || m.head, m.head, '{{}}', '[]', m.head, '', 0, m.at
            FROM made m, deployments_pipelineidentity i WHERE m.n % {SCALE} = 0;
        INSERT INTO incidents_incident (kind, product_id, subject, summary, link, involved_people, opened_at, due_at,
                owner_id, record_id, resolution, cause, closed_at)
            SELECT 'bypass', p.id, 'commit:' || m.head, 'Bypass ' || n, '', '[]', m.at, m.at + interval '10 days',
                NULL, r.id, '', '', NULL
            FROM made m, products_product p,
                (SELECT id, row_number() OVER (ORDER BY id) AS at FROM records_record
                    WHERE kind = 'branch-updated') r WHERE r.at = m.n AND m.n % {SCALE} = 0;
        INSERT INTO reviews_marketrequirement (product_id, text, source, origin, state, clause, reason, added_at,
                added_by_id)
            SELECT p.id, 'Requirement ' || n, 'law', '', 'open', '', '', now(), o.id
            FROM generate_series(1, {some}) n, products_product p, people_person o WHERE o.slug = 'analyst';
        INSERT INTO reviews_personaldatafield (product_id, name, purpose, place, period, recipients, described_by_id,
                described_at)
            SELECT p.id, 'Data ' || n, 'why', 'where', 'long', 'who', o.id, now()
            FROM generate_series(1, {some}) n, products_product p, people_person o WHERE o.slug = 'dpo';
        INSERT INTO designs_personaldatadraft (product_id, name, purpose, keep_days, places, recipients, described_at)
            SELECT p.id, 'Draft ' || n, 'why', 30, '[]', '[]', now()
            FROM generate_series(1, {some}) n, products_product p;
        INSERT INTO reviews_changesample (meeting_id, population, population_digest, salt, ledger_size, seed, drawn)
            SELECT m.id, (SELECT jsonb_agg(id) FROM (SELECT id FROM connections_branchupdate ORDER BY id DESC
                    LIMIT 5000) u), 'sha256:00', '', 1, repeat('a', 64),
                (SELECT jsonb_agg(id) FROM (SELECT id FROM connections_branchupdate ORDER BY id DESC LIMIT 5) u)
            FROM meetings_productmeeting m;
    """
    with connection.cursor() as cursor:
        for statement in statements.split(";"):
            if statement.strip():
                cursor.execute(statement)


def _compare(client: Any, number: int, facts: int, *, profile: bool) -> tuple[list[Row], bool]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from muniment.server.meetings.models import ProductMeeting
    from muniment.server.minutes.agendas import freeze_agenda

    meeting = ProductMeeting.objects.select_related("product").get(pk=number)

    def show_page() -> None:
        answer = client.get(f"/meetings/{number}/hold")
        assert answer.status_code == 200, answer.status_code

    def read_rows() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT u.id, u.commit, d.allowed FROM connections_branchupdate u"
                " JOIN products_repository r ON r.id = u.repository_id JOIN changes_decision d ON d.id = u.decision_id"
                " WHERE r.product_id = %s",
                [meeting.product_id],
            )
            assert len(cursor.fetchall()) == facts

    show_page()
    if profile:
        _print_profile(show_page)
    with CaptureQueriesContext(connection) as caught:
        show_page()
        queries = len(caught)
    page, freeze = _find_p95(show_page), _find_p95(lambda: freeze_agenda(meeting))
    bare = _find_p95(read_rows)
    what = f"over {facts:,} branch updates and decisions"
    peer = f"SELECT of the same updates and decisions (p95 {bare * 1e3:.0f} ms)"
    rows = [
        Row(
            f"page of an agenda {what}",
            f"p95 {page * 1e3:.0f} ms, {queries} queries",
            peer,
            f"{page / bare:.2f} x",
            f"<= {PAGE_SECONDS} s",
        ),
        Row(
            f"agenda frozen {what}",
            f"p95 {freeze * 1e3:.0f} ms",
            peer,
            f"{freeze / bare:.2f} x",
            f"<= {OPENING_SECONDS} s",
        ),
    ]
    return rows, page <= PAGE_SECONDS and freeze <= OPENING_SECONDS


def _find_p95(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return statistics.quantiles(seconds, n=20)[-1]


def _print_profile(run: Callable[[], object]) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(run)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    main()

"""python -m bench.evaluation: one evaluation in the service, what it reads, parses and stores.

Each round commits once to an open branch of a plain git repository and has the worker's code evaluate it, with the
PostgreSQL that comes with Muniment. CPU seconds are of this process, without git and the database.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from bench.measure import Row, table

PEOPLE = (50, 1_000)
ROUNDS = 30


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="Evaluations that are measured.")
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sys.stdout.write(table(_rows(Path(folder), rounds)) + "\n")


def _rows(folder: Path, rounds: int) -> list[Row]:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    make_installation_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["MUNIMENT_REPOSITORY_FOLDERS"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    rows: list[Row] = []
    with database_settings.embedded_server(folder):
        import django

        django.setup()
        from django.db import connection

        from muniment.server.running import preparation
        from tests.support.service import as_role, empty

        preparation.migrate_schema()
        for people in PEOPLE:
            empty()
            with as_role("operator"):  # the sequencer accepts a policy of no other process
                preparation.apply_first_policy()
            rows += _evaluations(folder / f"shop-{people}", people, rounds)
        connection.close()
    return rows


def _evaluations(path: Path, people: int, rounds: int) -> list[Row]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from muniment.server.changes.branch_evaluation import evaluate_open_branch
    from muniment.server.products.models import Product, Repository
    from tests.support.service import by_an_act

    _git(path.parent, "init", "-q", "-b", "main", str(path))
    _commit(path, 0)
    _git(path, "checkout", "-q", "-b", "topic")
    with by_an_act():
        product = Product.objects.create(slug="shop", name="Shop")
        Repository.objects.create(product=product, name="shop", path=str(path / ".git"))
        _people(people)

    def evaluate(number: int) -> None:
        _commit(path, number)
        repository = Repository.objects.select_related("product").get()  # as a task of the worker begins
        assert evaluate_open_branch(repository, "refs/heads/topic")

    for warming in (1, 2):
        evaluate(warming)
    parsed = _Counter()
    with parsed, CaptureQueriesContext(connection) as caught:
        evaluate(3)
    before = _stored()
    cpu: list[float] = []
    for number in range(4, 4 + rounds):
        _commit(path, number)
        repository = Repository.objects.select_related("product").get()
        start = time.process_time()
        assert evaluate_open_branch(repository, "refs/heads/topic")
        cpu.append(time.process_time() - start)
    after = _stored()
    what = f"an evaluation in the service, {people} people"
    stored = f"{(after[0] - before[0]) / rounds:.1f} objects, {(after[1] - before[1]) / rounds / 1024:.1f} KiB stored"
    ours = f"{statistics.median(cpu) * 1e3:.1f} ms CPU"
    return [Row(what, ours, f"{len(caught)} queries, {parsed.count} TOML documents parsed", stored, "")]


class _Counter:
    """Counts the TOML documents that are parsed meanwhile."""

    def __enter__(self) -> "_Counter":
        self.count = 0
        self._loads = tomllib.loads

        def counted(*arguments: Any, **more: Any) -> Any:
            self.count += 1
            return self._loads(*arguments, **more)

        tomllib.loads = counted
        return self

    def __exit__(self, *_: object) -> None:
        tomllib.loads = self._loads


def _people(count: int) -> None:
    from muniment.access.roles import Role
    from muniment.server.people.models import Account, Person, RoleGrant

    names = ["ada", "bob", *(f"person{number}" for number in range(count - 2))]
    persons = Person.objects.bulk_create([Person(slug=name, name=name.title(), password="!") for name in names])
    RoleGrant.objects.bulk_create([RoleGrant(person=person, role=Role.DEVELOPER.value) for person in persons])
    accounts = [
        Account(
            person=person,
            kind=kind,
            value=value,
            identity_hash=Account.hash_identity(kind, value),
            verification="vouched",
        )
        for person in persons
        for kind, value in (("email", f"{person.slug}@example.test"), ("login", f"forge/{person.slug}"))
    ]
    Account.objects.bulk_create(accounts)


def _stored() -> tuple[int, int]:
    """How many objects there are, and their bytes as they are compressed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), coalesce(sum(length(data)), 0) FROM records_storedobject")
        count, size = cursor.fetchone() or (0, 0)
    return int(count), int(size)


def _commit(path: Path, number: int) -> None:
    (path / "app.py").write_text(f"x = {number}\n")
    _git(path, "add", "app.py")
    who = "Bob" if number else "Ada"
    author = f"{who} <{who.lower()}@example.test>"
    _git(path, "-c", f"user.name={who}", "-c", "user.email=" + author.split("<")[1][:-1], "commit", "-qm", f"{number}")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)


if __name__ == "__main__":
    main()

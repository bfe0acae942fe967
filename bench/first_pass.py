"""python -m bench.first_pass: connect a whole organisation at a fake GitHub that counts requests as GitHub does.

The list of repositories, one act that connects all, and the first pass, with PostgreSQL and HTTP; hours of waiting for
the rate limit are counted and not waited for. Branches are read for some repositories only, which git limits.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.measure import Row, table
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Reply, Request
from tests.support.forges.github_answers import APP

REPOSITORIES, BRANCHES, LIMIT = 2_000, 20, 5_000  # an installation's requests an hour at GitHub, at least
_HOUR = 3_600


class ManyRepositories(FakeGitHub):
    """GitHub with many repositories, which are all one for git, and with its rate limit."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(folder)
        self.numbers = {f"acme/r{number}": number for number in range(1, count + 1)}
        self.left = LIMIT
        self.version = ""

    def begin_hour(self) -> None:
        self.left = LIMIT

    def may(self, request: Request, name: str, level: str = "read") -> Reply | None:
        """None if the installation may do it; each request counts."""
        self.left -= 1
        self.headers = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(max(self.left, 0)),
            "X-RateLimit-Reset": str(int(time.time()) + _HOUR),
        }
        if self.left < 0:
            return Reply(403, {"message": "API rate limit exceeded"})
        if request.found and request.found[0] in self.numbers:
            request = request._replace(found=(self.world.path, *request.found[1:]))
        return super().may(request, name, level)

    def describe(self, path: str) -> dict[str, Any]:
        """A repository as JSON of the API."""
        place = {"clone_url": f"{self.url}/{path}.git", "html_url": f"{self.url}/{path}"}
        return {**self.repo_json(), **place, "id": self.numbers[path], "full_name": path}

    def repositories(self, request: Request) -> Reply:
        refused = self.may(request, "metadata")
        if refused is not None:
            return refused
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 30))
        paths = list(self.numbers)[(page - 1) * size : page * size]
        listed = [self.describe(path) for path in paths]
        return Reply(200, {"total_count": len(self.numbers), "repositories": listed})

    def repository(self, request: Request) -> Reply:
        return self.may(request, "metadata") or Reply(200, self.describe(request.found[0]))

    def git(self, request: Request) -> Reply:
        path = request.found[0].removesuffix(".git")
        there = f"{self.world.path}.git" if path in self.numbers else request.found[0]
        moved = request.path.replace(f"{path}.git", there, 1)
        return super().git(request._replace(path=moved, found=(there, *request.found[1:])))


_OWN = {name: vars(ManyRepositories)[name] for name in ("repositories", "repository", "git")}
# The routes name functions of the base class, so they are made again with our own.
setattr(  # noqa: B010 -- the length of the tuple is part of its type
    ManyRepositories,
    "routes",
    tuple(route._replace(answer=_OWN.get(route.name, route.answer)) for route in FakeGitHub.routes),
)


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_pass", description=__doc__)
    parser.add_argument("--repositories", type=int, default=REPOSITORIES, metavar="N")
    parser.add_argument("--branches", type=int, default=BRANCHES, metavar="N", help="Repositories with read branches.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows = _measure(Path(folder), given.repositories, given.branches)
    sys.stdout.write(table(rows) + "\n")


def _measure(folder: Path, count: int, branches: int) -> list[Row]:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    make_installation_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database_settings.embedded_server(folder):
        import django

        django.setup()
        from muniment.server.running import preparation
        from tests.support.service import as_role

        preparation.migrate_schema()
        with as_role("operator"):  # the sequencer accepts a policy of no other process
            preparation.apply_first_policy()
        (folder / "forge").mkdir()
        with ManyRepositories(folder / "forge", count) as fake:
            return _connect_all(fake, count, branches)


def _connect_all(fake: ManyRepositories, count: int, branches: int) -> list[Row]:
    import pytest
    from django.utils import timezone

    from muniment.access.roles import Role
    from muniment.server.connections import credentials, tasks
    from muniment.server.connections.models import Connection
    from muniment.server.organisations.tasks import cover_repositories
    from muniment.server.requests.execution import perform_act
    from tests.server.test_acts import actor
    from tests.support.service import as_role, person, trust_rows

    vars(credentials)["read_credential"] = lambda _: {"app_id": str(APP), "pem": fake.pem}
    with pytest.MonkeyPatch.context() as patch:
        trust_rows(patch)
        person("root", Role.ADMIN)
        with as_role("owner"):
            row = Connection.objects.create(
                slug="github", vendor="github", url=fake.url, credential_set_at=timezone.now()
            )
        from muniment.server.acts.parser import parse_act
        from muniment.server.organisations.rule_acts import SetRepositoryRule

        rule = {"connection": "github", "name": "all", "everything": True, "automatic": True}
        perform_act(actor("root"), parse_act(SetRepositoryRule, rule, actor("root")))
        found = [_timed(fake, "list the repositories", lambda: tasks.read_visible_repositories(connection=row.pk))]
        found.append(_timed(fake, "connect all by the rule", lambda: cover_repositories(connection=row.pk)))
        found.append(_pass(fake, row, count))
        found.append(_read_branches(fake, row, branches))
    return found


def _timed(fake: ManyRepositories, what: str, do: Any) -> Row:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.support.service import as_role

    calls, begun = len(fake.calls), time.perf_counter()
    with as_role("worker"), CaptureQueriesContext(connection) as queries:
        do()
    seconds = time.perf_counter() - begun
    text = ", ".join(f"{name} {number}" for name, number in sorted(Counter(fake.calls[calls:]).items())) or "none"
    return Row(what, f"{seconds:.1f} s, {len(queries)} queries", f"requests: {text}", "", "")


def _pass(fake: ManyRepositories, row: Any, count: int) -> Row:
    from django.db import connection

    from muniment.server.connections import first_pass
    from tests.support.service import as_role

    calls, begun, hours, parts = len(fake.calls), time.perf_counter(), 0, 0
    with as_role("worker"):
        while True:
            seconds = first_pass.run_first_pass(row)
            parts += 1
            with as_role("owner"), connection.cursor() as cursor:  # what the pass causes is measured apart
                cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo'")
            if seconds == first_pass.FINISHED:
                break
            if seconds > 1:
                hours += 1
                fake.begin_hour()
    progress, taken = first_pass.count_progress(row), time.perf_counter() - begun
    used = Counter(fake.calls[calls:])
    text = ", ".join(f"{name} {number}" for name, number in sorted(used.items()))
    return Row(
        f"first pass of {count} repositories at {LIMIT} requests an hour",
        f"{progress.read} read, {progress.failed} failed; {used.total()} requests, {hours + 1} hours of the limit",
        f"{taken:.0f} s of work in {parts} parts ({taken / count * 1e3:.0f} ms each); {text}",
        f"half of the limit is {LIMIT // 2} requests an hour",
        "",
    )


def _read_branches(fake: ManyRepositories, row: Any, branches: int) -> Row:
    from muniment.server.connections import tasks
    from muniment.server.connections.models import RepositoryLink
    from tests.support.service import as_role

    links = list(RepositoryLink.objects.filter(connection=row).order_by("pk")[:branches])
    calls, begun = len(fake.calls), time.perf_counter()
    with as_role("worker"):
        for link in links:
            fake.begin_hour()
            tasks.read_branch_updates(repository=link.repository_id)
            tasks.verify_branch_protection(repository=link.repository_id)
    taken, used = time.perf_counter() - begun, Counter(fake.calls[calls:])
    used.pop("git", None)
    text = ", ".join(f"{name} {number / branches:.1f}" for name, number in sorted(used.items()))
    return Row(
        f"branches and their rules, each of {branches} repositories",
        f"{used.total() / branches:.1f} requests, {taken / branches:.1f} s",
        text,
        "",
        "",
    )


if __name__ == "__main__":
    main()

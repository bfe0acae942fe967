"""A product whose repository lives at a fake Gitea, everybody who works there, and the queue, run to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.forges.shapes import Vendor
from muniment.server.changes.models import Change
from muniment.server.connections import credentials, escapes, tasks
from muniment.server.connections.models import AtForge, Connected, Connection, Listed
from muniment.server.people.models import Account, Machine
from muniment.server.products.models import Product, Repository
from muniment.server.work import TASKS
from tests.support.forges.acting import GiteaActing, Work
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.service import as_role, person, product

MAIN = "refs/heads/main"
_NOT_JUDGED_YET = {"send-messages", "judge-past"}


class Town:
    """The fake, its people as people of the service too, and one connected repository of the product `shop`."""

    def __init__(self, fake: FakeGitea, acting: GiteaActing, folder: Path, vendor: Vendor = Vendor.GITEA) -> None:
        self.fake = fake
        self.acting = acting
        self.work = Work(folder / "work", self.acting)
        self.product: Product = product("shop")
        self._people()
        with as_role("owner"):
            self.connection = Connection.objects.create(
                slug="forge", vendor=vendor.value, url=fake.url, keyed=timezone.now()
            )
        with as_role("worker"):
            tasks.list_repositories(connection=self.connection.pk)

    def _people(self) -> None:
        for name in ("ada", "bob", "carol", "dave"):
            roles = (Role.DEVELOPER, Role.SECURITY) if name == "dave" else (Role.DEVELOPER,)
            found = person(name, *roles, product=self.product)
            login = self.acting.login(name)
            with as_role("owner"):
                Account.objects.create(person=found, kind="login", value=f"forge/{login}", proof="administrator")
                Account.objects.create(person=found, kind="email", value=f"{login}@example.test", proof="administrator")
        with as_role("owner"):
            ours = Machine.objects.create(slug="muniment")
            login = self.acting.login("muniment")
            Account.objects.create(machine=ours, kind="login", value=f"forge/{login}", proof="administrator")

    def connect(self) -> Connected:
        """Make the repository one of the product's."""
        from muniment.server.connections.acts import connect_repository

        listed = Listed.objects.get(path=self.acting.path)
        with as_role("owner"):
            connect_repository({"listed": str(listed.pk), "name": "shop"}, self.product)
        self.run()
        return Connected.objects.select_related("repository__product", "connection").get()

    @property
    def repository(self) -> Repository:
        return Repository.objects.get(name="shop")

    def open(self, files: dict[str, str], branch: str = "topic", target: str = "main") -> int:
        """A change by ada."""
        made = self.work.commit("ada", files, self.work.tip(target))
        self.work.push("ada", made, branch)
        return self.acting.open("ada", branch, target, f"Change {branch}")

    def look(self, number: int) -> None:
        """What an event of this change leads to."""
        with as_role("worker"):
            tasks.read_change(repository=self.repository.pk, number=number)

    def watch(self) -> None:
        with as_role("worker"):
            tasks.watch(repository=self.repository.pk)

    def change(self, number: int) -> Change:
        return AtForge.objects.select_related("change__decision").get(number=number).change  # type: ignore[return-value]

    def shown(self, head: str, context: str = "muniment/main") -> str:
        """What the forge shows there."""
        rows = self.fake.marks.get((self.acting.path, head), [])
        found = [one for one in rows if one["context"] == context]
        return str(found[-1]["status"]) if found else ""

    def run(self) -> list[str]:
        """Do what waits in the queue, and what comes of that; the names of what was done."""
        done: list[str] = []
        while True:
            with as_role("owner"):
                job = ProcrastinateJob.objects.filter(status="todo").exclude(task_name__in=_NOT_JUDGED_YET).first()
                if job is None:
                    return done
                _end(job)
            with as_role("worker"):
                TASKS[job.task_name].func(**job.args)
            done.append(job.task_name)


def _end(job: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", [job.pk])


@contextmanager
def town(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Everything, with the credential where the vault would have it."""
    with FakeGitea(folder / "forge") as fake:
        tokens: dict[str, str] = {}
        monkeypatch.setattr(credentials, "of", lambda connection: tokens)
        monkeypatch.setattr(escapes, "_DAYS", 36_500)  # the fake has a clock of its own, that of some November
        acting = GiteaActing(fake.url, fake.administrator)
        tokens["token"] = acting.token("muniment")
        yield Town(fake, acting, folder)

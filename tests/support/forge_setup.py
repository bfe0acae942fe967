"""A product whose repository lives at a fake forge, everybody who works there, and the queue, run to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.forges.shapes import Vendor
from muniment.server import moments
from muniment.server.acts.act import ActContext
from muniment.server.changes.models import Change
from muniment.server.connections import bypass_reviews, change_readings, credentials, tasks
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink, VisibleRepository
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.job_queue import TASKS
from muniment.server.people.models import Account, Machine
from muniment.server.products.models import Product, Repository
from tests.support.forges.acting import GiteaActing, Work
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.github_answers import APP, DELETED
from tests.support.service import as_role, person, place_records, product

MAIN = "refs/heads/main"
_NOT_EVALUATIONS = {"send-messages", "evaluate-history"}


class ForgeSetup:
    """The fake, its people as people of the service too, and one connected repository of the product `shop`."""

    def __init__(self, fake: FakeGitea, acting: GiteaActing, folder: Path, vendor: Vendor = Vendor.GITEA) -> None:
        """`fake` and `acting` may be of another vendor, whose people are in a `world`."""
        self.fake = fake
        self.acting = acting
        self.vendor = vendor
        self._any_fake: Any = fake
        self.world: Any = getattr(fake, "world", None)
        self.work = Work(folder / "work", self.acting)
        self.product: Product = product("shop")
        self._people()
        with as_role("owner"):
            self.connection = Connection.objects.create(
                slug="forge", vendor=vendor.value, url=fake.url, credential_set_at=timezone.now()
            )
        with as_role("worker"):
            tasks.read_visible_repositories(connection=self.connection.pk)

    def _people(self) -> None:
        for name in ("ada", "bob", "carol", "dave"):
            roles = (Role.DEVELOPER, Role.SECURITY) if name == "dave" else (Role.DEVELOPER,)
            found = person(name, *roles, product=self.product)
            login = self.acting.login(name)
            with as_role("owner"):
                Account.objects.create(person=found, kind="login", value=f"forge/{login}", verification="published-key")
                Account.objects.create(
                    person=found, kind="email", value=f"{login}@example.test", verification="email-code"
                )
        with as_role("owner"):
            ours = Machine.objects.create(slug="muniment")
            login = self.acting.login("muniment")
            Account.objects.create(machine=ours, kind="login", value=f"forge/{login}", verification="vouched")

    def connect(self) -> RepositoryLink:
        """Make the repository one of the product's."""
        visible = VisibleRepository.objects.get(path=self.acting.path)
        act = ConnectRepository(product=self.product.slug, repository=visible.pk, name="shop")
        with as_role("owner"):
            act.carry_out(ActContext("root", moments.current_moment()))
        self.run_queue()
        return RepositoryLink.objects.select_related("repository__product", "connection").get()

    @property
    def repository(self) -> Repository:
        return Repository.objects.get(name="shop")

    def open_change(self, files: dict[str, str], branch: str = "topic", target: str = "main") -> int:
        """A change by ada."""
        made = self.work.commit("ada", files, self.work.tip(target))
        self.work.push("ada", made, branch)
        return self.acting.open("ada", branch, target, f"Change {branch}")

    def evaluate(self, number: int) -> None:
        """Evaluate a change, as the worker does after an event."""
        with as_role("worker"):
            change_readings.evaluate_forge_change(repository=self.repository.pk, number=number)

    def read_updates(self) -> None:
        """Read the updates of branches, as the worker does after a push."""
        self.place_records()
        with as_role("worker"):
            tasks.read_branch_updates(repository=self.repository.pk)

    def place_records(self) -> None:
        """Assign positions to all waiting records, as the sequencer does."""
        place_records()

    def load_change(self, number: int) -> Change:
        return ForgeChange.objects.select_related("change__decision").get(number=number).change  # type: ignore[return-value]

    def get_status(self, head: str, context: str = "muniment/main") -> str:
        """Status that the forge shows on a head; "" for none."""
        if self.vendor is Vendor.GITHUB:
            runs = [run for run in self._any_fake.runs_of(head) if run["name"] == context]
            return str(runs[-1]["conclusion"] or "pending") if runs else ""
        if self.vendor is Vendor.GITLAB:
            posted = [one["state"] for one in self.world.statuses if (one["head"], one["context"]) == (head, context)]
            return {"failed": "failure", "canceled": "failure"}.get(posted[-1], posted[-1]) if posted else ""
        rows = self.fake.marks.get((self.acting.path, head), [])
        found = [one for one in rows if one["context"] == context]
        return str(found[-1]["status"]) if found else ""

    def set_level(self, name: str, level: str) -> None:
        """Somebody may `read` or `write` from now on; no event tells of it."""
        people = self.fake.repos[self.acting.path]["people"] if self.vendor is Vendor.GITEA else self.world.levels
        people[self.acting.login(name)] = level

    def delete_account(self, name: str) -> None:
        """The account of somebody is deleted at the forge; no event tells of it."""
        login = self.acting.login(name)
        self.set_level(name, "none")
        if self.vendor is Vendor.GITEA:
            for pull in self.fake.pulls.values():
                for review in pull["reviews"]:
                    if review["user"]["login"] == login:
                        review["user"] = {"id": -1, "login": "Ghost"}
            return
        for change in self.world.changes.values():
            for review in [one for one in change.reviews if one.by.login == login]:
                if self.vendor is Vendor.GITHUB:
                    review.by = DELETED
                else:
                    change.reviews.remove(review)

    def rename_account(self, name: str, new: str) -> None:
        """Somebody has another login at the forge; no event tells of it."""
        login = self.acting.login(name)
        at_gitea = self.vendor is Vendor.GITEA
        levels = self.fake.repos[self.acting.path]["people"] if at_gitea else self.world.levels
        users: Any = self.fake.users if at_gitea else self.world.users
        levels[new], users[new] = levels.pop(login), users.pop(login)
        if at_gitea:
            users[new]["login"] = new
        else:
            users[new].login = new

    def set_team(self, name: str, level: str, *members: str) -> None:
        """A team of the organisation may `read` or `write` from now on, and has these members."""
        at_gitea = self.vendor is Vendor.GITEA
        teams = self.fake.repos[self.acting.path].setdefault("teams", {}) if at_gitea else self.world.teams
        teams[name] = (level, {self.acting.login(member) for member in members})

    def run_queue(self, *, put_off: bool = True) -> list[str]:
        """Do what waits in the queue, also what was `put_off`, and what comes of that; the names of what was done."""
        done: list[str] = []
        while True:
            with as_role("owner"):
                jobs = ProcrastinateJob.objects.filter(status="todo").exclude(task_name__in=_NOT_EVALUATIONS)
                job = (jobs if put_off else jobs.filter(scheduled_at=None)).first()
                if job is None:
                    return done
                _end(job)
            self.place_records()
            with as_role("worker"):
                TASKS[job.task_name].func(**job.args)
            done.append(job.task_name)


def _end(job: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", [job.pk])


@contextmanager
def start_setup(folder: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor = Vendor.GITEA) -> Iterator[ForgeSetup]:
    """Everything, with the credential where the vault would have it."""
    with _FAKES[vendor](folder / "forge") as fake:
        credential: dict[str, str] = {}
        monkeypatch.setattr(credentials, "read_credential", lambda connection: credential)
        monkeypatch.setattr(bypass_reviews, "_DAYS", 36_500)  # the fake has a clock of its own, that of some November
        acting: Any
        if vendor is Vendor.GITHUB:
            acting, credential["app_id"], credential["pem"] = GitHubActing(fake), str(APP), fake.pem
        elif vendor is Vendor.GITLAB:
            acting, credential["token"] = GitLabActing(fake), TOKEN
        else:
            acting = GiteaActing(fake.url, fake.administrator)
            credential["token"] = acting.token("muniment")
        yield ForgeSetup(fake, acting, folder, vendor)


_FAKES: dict[Vendor, Any] = {Vendor.GITEA: FakeGitea, Vendor.GITHUB: FakeGitHub, Vendor.GITLAB: FakeGitLab}

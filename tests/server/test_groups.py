"""A group of GitHub's merge queue is green only if a machine makes it of heads that are allowed, and of no more."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.forges.forge import Forge
from muniment.forges.shapes import Reading
from muniment.forges.statuses import Saying, Status, context_for
from muniment.server.connections import hearing, tasks
from muniment.server.connections.judging import carries
from muniment.server.connections.keeping import PostgresKeeper
from muniment.server.connections.models import BranchUpdate, Connection, RepositoryLink
from muniment.server.connections.reaching import repo_of
from muniment.server.products.models import Product
from muniment.server.records.models import Record
from muniment.workflows.judge_at_forge import Judging, Verdict
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.memory import MemoryKeeper
from tests.support.service import as_role, browser, product

pytestmark = pytest.mark.usefixtures("service")

MAIN = "refs/heads/main"


@pytest.fixture(name="github")
def _github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub(tmp_path / "forge") as fake:
        yield fake


def connected(github: FakeGitHub, folder: Path) -> RepositoryLink:
    found: Product = product("shop", str(folder / "mirror"))
    with as_role("owner"):
        connection = Connection.objects.create(
            slug="hub", vendor="github", url=github.url, credential_set_at=timezone.now()
        )
        return RepositoryLink.objects.create(
            repository=found.repositories.get(),
            connection=connection,
            forge_id="5",
            path="shop/api",
            clone_url=f"{github.url}/shop/api.git",
        )


def test_a_group_that_github_tells_of_is_put_off_to_be_judged(github: FakeGitHub, tmp_path: Path) -> None:
    row = connected(github, tmp_path)
    told = {"head_sha": "a" * 40, "base_ref": MAIN, "base_sha": "b" * 40, "head_ref": "refs/heads/gh-readonly-queue/x"}
    about = {"id": 5, "full_name": "shop/api"}
    raw = json.dumps({"action": "checks_requested", "merge_group": told, "repository": about}).encode()
    signed = hmac.new(hearing.secret_of(row.connection).encode(), raw, hashlib.sha256).hexdigest()
    headers: dict[str, Any] = {
        "HTTP_X_GITHUB_EVENT": "merge_group",
        "HTTP_X_GITHUB_DELIVERY": "d-1",
        "HTTP_X_HUB_SIGNATURE_256": f"sha256={signed}",
    }
    answer = browser().post("/webhooks/hub", raw, content_type="application/json", **headers)
    assert answer.status_code == 202
    job = ProcrastinateJob.objects.get(task_name="read-merge-group")
    assert job.args == {"repository": row.repository_id, "target": MAIN, "head": "a" * 40}


class Queue:
    """Two changes of which the first `allowed` ones are, and the group that stands in the queue for them."""

    def __init__(self, github: FakeGitHub, row: RepositoryLink) -> None:
        self.github, self.row = github, row
        self.forge: Forge = ours.github(github)
        self.allowed = {1, 2}
        world = github.world
        self.heads = [world.push("ada", name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
        self.numbers = [world.open("ada", name) for name in ("one", "two")]
        github.written()

    def judge(self, reading: Reading, now: str) -> Verdict:
        place = self.numbers.index(reading.change.number) + 1
        saying = Saying.ALLOWED if place in self.allowed else Saying.DENIED
        return Verdict(Status(context_for(MAIN), saying, "by policy", "https://m.test/"))

    def group(self, more: dict[str, str] | None = None) -> str:
        """The head that the queue made; `more` is what slipped into it."""
        world, base = self.github.world, self.github.world.repo.tip("main")
        self.github.queue = []
        for place, (number, head) in enumerate(zip(self.numbers, self.heads, strict=True), 1):
            files = {f"{('one', 'two')[place - 1]}.py": "x = 1\n", **((more or {}) if place == 2 else {})}
            made = world.commit(files, base, head, author="carol", committer="GitHub <noreply@github.com>")
            pull = {"number": number, "headRefOid": head}
            entry = {"position": place, "headCommit": {"oid": made}, "baseCommit": {"oid": base}, "pullRequest": pull}
            self.github.queue.append(entry)
            base = made
        return base

    def look(self, head: str) -> str:
        """What the forge shows on a group's head in the end."""
        repository = self.forge.reader.repository("shop/api").repository
        judging = Judging(self.forge, repository, MemoryKeeper(), self.judge)
        with as_role("worker"):
            judging.look_at_group(
                MAIN, head, ours.NOW, lambda *found: carries(self.row, self.forge, *found), "https://m.test/"
            )
        runs = [run for run in self.github.runs if run["head_sha"] == head]
        return str(runs[-1]["conclusion"])


def test_a_group_is_green_if_a_machine_makes_it_of_allowed_heads_alone(github: FakeGitHub, tmp_path: Path) -> None:
    queue = Queue(github, connected(github, tmp_path))
    assert queue.look(queue.group()) == "success"
    queue.allowed = {1}
    assert queue.look(queue.group()) == "failure"
    queue.allowed = {1, 2}
    assert queue.look(queue.group({"evil.py": "x = 2\n"})) == "failure"


def test_a_green_group_is_looked_at_again_once_a_change_of_its_branch_is_not_allowed(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connected(github, tmp_path)
    keeper, green = PostgresKeeper(row.repository), Status(context_for(MAIN), Saying.ALLOWED, "all", "https://m.test/")
    heads = {"a" * 40: True, "c" * 40: False, "d" * 40: True, "e" * 40: True}
    being_read = "f" * 40
    with as_role("worker"):
        for head, is_group in heads.items():
            keeper.show(head, green, sure=head[0] != "e")
            if is_group:
                keeper.group_due(head, green.context, ours.NOW, again=False)
                keeper.group_read(head, green.context)
        keeper.group_due(being_read, green.context, ours.NOW, again=False)
        entry = Record.objects.earliest("pk")
        BranchUpdate.objects.create(
            repository=row.repository, ref=MAIN, commit="d" * 40, outcome="baseline", record=entry
        )
        number = github.world.open("ada", "one") if github.world.push("ada", "one", {"a": "1"}) else 0
        keeper.due(number, ours.NOW)
        keeper.opened(ours.github(github).reader.change(repo_of(row), number), green.context)
        monkeypatch.setattr(tasks, "forge_of", lambda connection: ours.github(github))
        monkeypatch.setattr(Judging, "look", lambda *_: None)
        tasks.read_change(repository=row.repository_id, number=number)
    put_off = [job.args for job in ProcrastinateJob.objects.filter(task_name="read-merge-group").order_by("pk")]
    about = {"repository": row.repository_id, "target": MAIN, "again": True}
    assert sorted(put_off, key=lambda args: args["head"]) == [about | {"head": "a" * 40}, about | {"head": being_read}]
    github.world.repo.branch("main", github.world.repo.tip("one"))
    with as_role("worker"):
        tasks.read_group(repository=row.repository_id, target=MAIN, head=github.world.repo.tip("one"), again=True)
    assert github.runs == []  # it was merged


def test_a_group_is_looked_at_by_one_alone(github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row, held = connected(github, tmp_path), []

    def look(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            held.append(cursor.fetchone()[0])

    monkeypatch.setattr(tasks, "forge_of", lambda _: ours.github(github))
    monkeypatch.setattr(Judging, "look_at_group", look)
    with as_role("worker"):
        tasks.read_group(repository=row.repository_id, target=MAIN, head="a" * 40)
        tasks.read_group(repository=row.repository_id, target=MAIN, head="a" * 40, again=True)
    assert held == [1, 1]

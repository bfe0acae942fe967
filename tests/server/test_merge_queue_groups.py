"""Groups of GitHub's merge queue: allowed only if a machine made them of exactly the allowed heads."""

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
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.server.connections import change_readings, tasks, webhook_deliveries
from muniment.server.connections.forge_access import require_linked_repository
from muniment.server.connections.forge_change_evaluator import is_machine_merge
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.models import BranchUpdate, Connection, RepositoryLink
from muniment.server.products.models import Product
from muniment.server.records.models import Record
from muniment.workflows.status_publisher import BegunReading, ReadChange, ReadingResult, StatusPublisher
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.memory import MemoryChangeStore
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


def test_group_of_github_delivery_is_queued_for_evaluation(github: FakeGitHub, tmp_path: Path) -> None:
    row = connected(github, tmp_path)
    content = {
        "head_sha": "a" * 40,
        "base_ref": MAIN,
        "base_sha": "b" * 40,
        "head_ref": "refs/heads/gh-readonly-queue/x",
    }
    about = {"id": 5, "full_name": "shop/api"}
    raw = json.dumps({"action": "checks_requested", "merge_group": content, "repository": about}).encode()
    signed = hmac.new(webhook_deliveries.find_webhook_secret(row.connection).encode(), raw, hashlib.sha256).hexdigest()
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
    """Two changes, of which the heads in `allowed` are allowed, and the merge-queue group made of them."""

    def __init__(self, github: FakeGitHub, row: RepositoryLink) -> None:
        self.github, self.row = github, row
        self.forge: Forge = ours.github(github)
        self.allowed = {1, 2}
        world = github.world
        self.heads = [world.push("ada", name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
        self.numbers = [world.open("ada", name) for name in ("one", "two")]
        github.written()

    def evaluate_reading(self, reading: Reading, now: str) -> ReadingResult:
        place = self.numbers.index(reading.change.number) + 1
        saying = StatusState.ALLOWED if place in self.allowed else StatusState.DENIED
        return ReadingResult(Status(make_context(MAIN), saying, "by policy", "https://m.test/"))

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
        """Evaluate a group, and return the status that the forge then shows on its head."""
        repository = self.forge.reader.read_repository("shop/api").repository
        publisher = StatusPublisher(self.forge, repository, MemoryChangeStore(), self.evaluate_reading)
        with as_role("worker"):
            publisher.evaluate_group(
                MAIN, head, ours.NOW, lambda *found: is_machine_merge(self.row, self.forge, *found), "https://m.test/"
            )
        runs = [run for run in self.github.runs if run["head_sha"] == head]
        return str(runs[-1]["conclusion"])


def test_group_is_allowed_only_if_made_by_machine_of_allowed_heads(github: FakeGitHub, tmp_path: Path) -> None:
    queue = Queue(github, connected(github, tmp_path))
    assert queue.look(queue.group()) == "success"
    queue.allowed = {1}
    assert queue.look(queue.group()) == "failure"
    queue.allowed = {1, 2}
    assert queue.look(queue.group({"evil.py": "x = 2\n"})) == "failure"


def test_allowed_group_is_reevaluated_when_change_of_branch_is_denied(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connected(github, tmp_path)
    change_store, green = (
        ForgeChangeStore(row.repository),
        Status(make_context(MAIN), StatusState.ALLOWED, "all", "https://m.test/"),
    )
    heads = {"a" * 40: True, "c" * 40: False, "d" * 40: True, "e" * 40: True}
    being_read = "f" * 40
    with as_role("worker"):
        for head, is_group in heads.items():
            change_store.record_shown(head, green, sure=head[0] != "e")
            if is_group:
                change_store.begin_group_reading(head, green.context, ours.NOW, again=False)
                change_store.record_group_read(head, green.context)
        change_store.begin_group_reading(being_read, green.context, ours.NOW, again=False)
        entry = Record.objects.earliest("pk")
        BranchUpdate.objects.create(
            repository=row.repository, ref=MAIN, commit="d" * 40, outcome="baseline", record=entry
        )
        number = github.world.open("ada", "one") if github.world.push("ada", "one", {"a": "1"}) else 0
        due = change_store.begin_reading(number, ours.NOW)
        change_store.record_open(
            ours.github(github).reader.read_change(require_linked_repository(row), number), green.context
        )
        for module in (tasks, change_readings):
            monkeypatch.setattr(module, "open_connected_forge", lambda connection: ours.github(github))
        monkeypatch.setattr(StatusPublisher, "begin_reading", lambda *_: BegunReading(number, due, None, ours.NOW))
        monkeypatch.setattr(StatusPublisher, "read_change", lambda *_: ReadChange(number, ours.NOW, ours.NOW, None))
        monkeypatch.setattr(StatusPublisher, "publish_result", lambda *_: None)
        change_readings.evaluate_forge_change(repository=row.repository_id, number=number)
    put_off = [job.args for job in ProcrastinateJob.objects.filter(task_name="read-merge-group").order_by("pk")]
    about = {"repository": row.repository_id, "target": MAIN, "again": True}
    assert sorted(put_off, key=lambda args: args["head"]) == [about | {"head": "a" * 40}, about | {"head": being_read}]
    github.world.repo.branch("main", github.world.repo.tip("one"))
    with as_role("worker"):
        tasks.evaluate_merge_group(
            repository=row.repository_id, target=MAIN, head=github.world.repo.tip("one"), again=True
        )
    assert github.runs == []  # it was merged


def test_group_is_evaluated_under_exclusive_lock(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, held = connected(github, tmp_path), []

    def look(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            held.append(cursor.fetchone()[0])

    monkeypatch.setattr(tasks, "open_connected_forge", lambda _: ours.github(github))
    monkeypatch.setattr(StatusPublisher, "evaluate_group", look)
    with as_role("worker"):
        tasks.evaluate_merge_group(repository=row.repository_id, target=MAIN, head="a" * 40)
        tasks.evaluate_merge_group(repository=row.repository_id, target=MAIN, head="a" * 40, again=True)
    assert held == [1, 1]

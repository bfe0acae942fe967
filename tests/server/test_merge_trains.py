"""GitLab's merge trains, from the webhook to the decision on the merged result of each place."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.errors import ForgeError
from muniment.forges.forge import Forge
from muniment.forges.shapes import Reading
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.server.connections import tasks, webhook_deliveries
from muniment.server.connections.models import Connection, PostedStatus, RepositoryLink
from muniment.workflows.status_publisher import ReadingResult
from tests.support.forges import ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, product

pytestmark = pytest.mark.usefixtures("service")

MAIN = "refs/heads/main"


class MergeTrain:
    """Project with two changes in a merge train; changes in `allowed` are allowed."""

    def __init__(self, lab: FakeGitLab, folder: Path) -> None:
        self.lab, self.world, self.forge = lab, lab.world, ours.gitlab(lab)
        self.heads = [self.world.push("ada", name, {f"{name}.py": "x = 1\n"}) for name in ("one", "two")]
        self.numbers = [self.world.open("ada", name) for name in ("one", "two")]
        self.allowed = set(self.numbers)
        lab.project["merge_trains_enabled"] = True
        found = product("shop", str(folder / "mirror"))
        with as_role("owner"):
            connection = Connection.objects.create(
                slug="lab", vendor="gitlab", url=lab.url, credential_set_at=timezone.now()
            )
            self.row = RepositoryLink.objects.create(
                repository=found.repositories.get(),
                connection=connection,
                forge_id="5",
                path=self.world.path,
                clone_url=f"{lab.url}/{self.world.path}.git",
            )

    def evaluate_reading(self, reading: Reading, now: str) -> ReadingResult:
        """Stand-in for the evaluation of the policy."""
        saying = StatusState.ALLOWED if reading.change.number in self.allowed else StatusState.DENIED
        return ReadingResult(Status(make_context(MAIN), saying, "by policy", "https://m.test/"))

    def train(self, slipped: dict[str, str] | None = None) -> list[str]:
        """Build the merged result of each place; `slipped` is unreviewed content in the last one."""
        base, places = self.world.repo.tip("main"), []
        self.lab.train = []
        for number, head, name in zip(self.numbers, self.heads, ("one", "two"), strict=True):
            more = (slipped or {}) if head == self.heads[-1] else {}
            committer = "GitLab <noreply@gitlab.test>"
            base = self.world.commit({f"{name}.py": "x = 1\n", **more}, base, head, author="carol", committer=committer)
            self.lab.train.append({"merge_request": {"iid": number}, "pipeline": {"sha": base}})
            places.append(base)
        return places

    def report_pipeline(self, head: str, name: str = "") -> int:
        """Deliver GitLab's event about a pipeline of a place, as after each posted status."""
        about = {"sha": head, "ref": f"refs/merge-requests/{self.numbers[0]}/train"}
        body = {"object_kind": "pipeline", "object_attributes": about, "project": {"id": 5}, "name": name}
        raw = json.dumps({**body, "merge_request": {"iid": self.numbers[0], "target_branch": "main"}}).encode()
        headers = {"HTTP_X_GITLAB_TOKEN": webhook_deliveries.find_webhook_secret(self.row.connection)}
        answer = browser().post("/webhooks/lab", raw, content_type="application/json", **headers)  # type: ignore[arg-type]
        return int(answer.status_code)

    def run_group_tasks(self) -> int:
        """Run the enqueued tasks of groups; their number."""
        with as_role("owner"):
            jobs = list(ProcrastinateJob.objects.filter(task_name="read-merge-group", status="todo"))
            from django.db import connection

            with connection.cursor() as cursor:
                done = "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE task_name = %s"
                cursor.execute(done, ["read-merge-group"])
        for job in jobs:
            with as_role("worker"):
                tasks.evaluate_merge_group(**job.args)
        return len(jobs)

    def posted_state(self, head: str) -> str:
        """Status that GitLab shows on a place."""
        found = [one["state"] for one in self.world.statuses if one["head"] == head]
        return str(found[-1]) if found else ""


@pytest.fixture(name="station")
def _station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MergeTrain]:
    with FakeGitLab(tmp_path / "forge") as fake:
        found = MergeTrain(fake, tmp_path)

        def forge_of(connection: Connection) -> Forge:
            return found.forge

        monkeypatch.setattr(tasks, "open_connected_forge", forge_of)
        monkeypatch.setattr(tasks, "ForgeChangeEvaluator", lambda *_: found.evaluate_reading)
        yield found


def test_place_in_a_train_is_green_only_if_built_from_allowed_heads_alone(station: MergeTrain) -> None:
    first, second = station.train()
    assert station.report_pipeline(second) == 202
    assert station.run_group_tasks() == 1
    assert (station.posted_state(first), station.posted_state(second)) == ("", "success")
    station.allowed = {station.numbers[0]}
    third, fourth = station.train({"other.py": "y = 1\n"})
    for place in (third, fourth):
        station.report_pipeline(place)
    assert station.run_group_tasks() == 2
    assert (station.posted_state(third), station.posted_state(fourth)) == ("success", "failed")


def test_unreviewed_content_in_a_train_is_denied_although_each_change_is_allowed(station: MergeTrain) -> None:
    *_, last = station.train({"evil.py": "x = 2\n"})
    station.report_pipeline(last)
    station.run_group_tasks()
    assert station.posted_state(last) == "failed"


def test_own_status_event_on_a_place_starts_no_evaluation(station: MergeTrain) -> None:
    *_, last = station.train()
    station.report_pipeline(last)
    station.run_group_tasks()
    station.allowed = set()  # which would show, if it were evaluated again
    assert station.report_pipeline(last, "the echo of our status") == 202
    station.run_group_tasks()
    assert station.posted_state(last) == "success"


def test_unreadable_train_is_denied_after_the_deadline_and_corrected_once_readable(station: MergeTrain) -> None:
    *_, last = station.train()
    station.lab.fail("train", Fault.FAILED)
    station.report_pipeline(last)
    with pytest.raises(ForgeError):
        station.run_group_tasks()
    assert station.posted_state(last) == "pending"
    for passed, posted_state in ((6, "failed"), (7, "failed")):
        with as_role("owner"):
            PostedStatus.objects.filter(merge_group=True).update(read_due_at=timezone.now() - timedelta(minutes=passed))
            tasks.poll_connections()
        with pytest.raises(ForgeError):
            station.run_group_tasks()
        assert station.posted_state(last) == posted_state
    station.lab.mend()
    with as_role("owner"):
        tasks.poll_connections()
    assert station.run_group_tasks() == 1
    assert station.posted_state(last) == "success"
    with as_role("owner"):
        tasks.poll_connections()
    assert station.run_group_tasks() == 0

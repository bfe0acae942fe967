"""A place in GitLab's merge train, from the webhook to the verdict on what the branch would become."""

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
from muniment.forges.statuses import Saying, Status, context_for
from muniment.server.connections import hearing, tasks
from muniment.server.connections.models import Connection, PostedStatus, RepositoryLink
from muniment.workflows.judge_at_forge import Verdict
from tests.support.forges import ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, product

pytestmark = pytest.mark.usefixtures("service")

MAIN = "refs/heads/main"


class Station:
    """A project in which two changes wait in a train, and whose changes in `allowed` are allowed."""

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

    def judge(self, reading: Reading, now: str) -> Verdict:
        """In place of the policy."""
        saying = Saying.ALLOWED if reading.change.number in self.allowed else Saying.DENIED
        return Verdict(Status(context_for(MAIN), saying, "by policy", "https://m.test/"))

    def train(self, slipped: dict[str, str] | None = None) -> list[str]:
        """What the branch would become at each place; `slipped` is what nobody reviewed, in the last one."""
        base, places = self.world.repo.tip("main"), []
        self.lab.train = []
        for number, head, name in zip(self.numbers, self.heads, ("one", "two"), strict=True):
            more = (slipped or {}) if head == self.heads[-1] else {}
            committer = "GitLab <noreply@gitlab.test>"
            base = self.world.commit({f"{name}.py": "x = 1\n", **more}, base, head, author="carol", committer=committer)
            self.lab.train.append({"merge_request": {"iid": number}, "pipeline": {"sha": base}})
            places.append(base)
        return places

    def tell(self, head: str, name: str = "") -> int:
        """GitLab tells that a place has its pipeline, as it does again whenever a status is posted there."""
        about = {"sha": head, "ref": f"refs/merge-requests/{self.numbers[0]}/train"}
        body = {"object_kind": "pipeline", "object_attributes": about, "project": {"id": 5}, "name": name}
        raw = json.dumps({**body, "merge_request": {"iid": self.numbers[0], "target_branch": "main"}}).encode()
        headers = {"HTTP_X_GITLAB_TOKEN": hearing.secret_of(self.row.connection)}
        answer = browser().post("/webhooks/lab", raw, content_type="application/json", **headers)  # type: ignore[arg-type]
        return int(answer.status_code)

    def run(self) -> int:
        """What is in the queue of groups; how many there were."""
        with as_role("owner"):
            jobs = list(ProcrastinateJob.objects.filter(task_name="read-merge-group", status="todo"))
            from django.db import connection

            with connection.cursor() as cursor:
                done = "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE task_name = %s"
                cursor.execute(done, ["read-merge-group"])
        for job in jobs:
            with as_role("worker"):
                tasks.read_group(**job.args)
        return len(jobs)

    def shown(self, head: str) -> str:
        """What GitLab shows on a place."""
        found = [one["state"] for one in self.world.statuses if one["head"] == head]
        return str(found[-1]) if found else ""


@pytest.fixture(name="station")
def _station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    with FakeGitLab(tmp_path / "forge") as fake:
        found = Station(fake, tmp_path)

        def forge_of(connection: Connection) -> Forge:
            return found.forge

        monkeypatch.setattr(tasks, "forge_of", forge_of)
        monkeypatch.setattr(tasks, "Court", lambda *_: found.judge)
        yield found


def test_a_place_in_a_train_is_green_if_a_machine_makes_it_of_allowed_heads_alone(station: Station) -> None:
    first, second = station.train()
    assert station.tell(second) == 202
    assert station.run() == 1
    assert (station.shown(first), station.shown(second)) == ("", "success")
    station.allowed = {station.numbers[0]}
    third, fourth = station.train({"other.py": "y = 1\n"})
    for place in (third, fourth):
        station.tell(place)
    assert station.run() == 2
    assert (station.shown(third), station.shown(fourth)) == ("success", "failed")


def test_what_slipped_into_a_train_is_denied_though_each_change_in_it_is_allowed(station: Station) -> None:
    *_, last = station.train({"evil.py": "x = 2\n"})
    station.tell(last)
    station.run()
    assert station.shown(last) == "failed"


def test_what_we_say_of_a_place_is_told_to_us_and_starts_nothing_anew(station: Station) -> None:
    *_, last = station.train()
    station.tell(last)
    station.run()
    station.allowed = set()  # which would show, if it were judged again
    assert station.tell(last, "the echo of our status") == 202
    station.run()
    assert station.shown(last) == "success"


def test_a_train_that_cannot_be_read_is_denied_past_the_deadline_and_right_once_it_can_be(station: Station) -> None:
    *_, last = station.train()
    station.lab.fail("train", Fault.FAILED)
    station.tell(last)
    with pytest.raises(ForgeError):
        station.run()
    assert station.shown(last) == "pending"
    for passed, shown in ((6, "failed"), (7, "failed")):
        with as_role("owner"):
            PostedStatus.objects.filter(merge_group=True).update(read_due_at=timezone.now() - timedelta(minutes=passed))
            tasks.go_rounds()
        with pytest.raises(ForgeError):
            station.run()
        assert station.shown(last) == shown
    station.lab.mend()
    with as_role("owner"):
        tasks.go_rounds()
    assert station.run() == 1
    assert station.shown(last) == "success"
    with as_role("owner"):
        tasks.go_rounds()
    assert station.run() == 0

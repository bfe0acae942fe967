"""The same inputs on GitHub and GitLab: what changes there is read again, by its event or without one."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.forges.events import Event, Happened
from muniment.forges.shapes import Vendor
from muniment.policy.pack import pack_text
from muniment.server.connections import credentials, escapes, hearing, tasks
from muniment.server.connections.models import Connection, ForgeChange
from muniment.server.records.installation import store
from muniment.server.records.store import POLICY
from tests.support.connected import Town
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.github_shown import APP
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="town", params=[Vendor.GITHUB, Vendor.GITLAB])
def _town(
    request: pytest.FixtureRequest, service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Town]:
    github = request.param is Vendor.GITHUB
    fake: Any
    with (FakeGitHub if github else FakeGitLab)(tmp_path / "forge") as fake:
        key = {"app_id": str(APP), "pem": fake.pem} if github else {"token": TOKEN}
        monkeypatch.setattr(credentials, "of", lambda _: key)
        monkeypatch.setattr(escapes, "_DAYS", 36_500)
        acting: Any = GitHubActing(fake) if github else GitLabActing(fake)
        found = Town(fake, acting, tmp_path, request.param)
        found.connect()
        yield found


def approved(town: Town) -> int:
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.fake.written()
    town.look(number)
    return number


def world(town: Town) -> Any:
    """What the fake shows."""
    fake: Any = town.fake
    return fake.world


def stands(number: int) -> str:
    """What stands for a change."""
    status = ForgeChange.objects.get(number=number).status
    return str(status["saying"]) if status else ""


def hear(town: Town, happened: Happened, **about: Any) -> list[str]:
    with as_role("web"):
        hearing.enqueue(town.connection, Event("d", happened, repository=town.acting.path, **about))
    return town.run(put_off=False)


def probed(town: Town) -> list[str]:
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=town.connection.pk)
    return town.run(put_off=False)


def test_an_outsider_with_a_hundred_reviews_has_a_change_read_every_ten_minutes_at_most(town: Town) -> None:
    if town.vendor is not Vendor.GITHUB:
        pytest.skip("GitLab tells of each review by an event")
    number = approved(town)
    for outsider in range(101):
        world(town).user(f"outsider-{outsider}", "read")
        world(town).review(f"outsider-{outsider}", number, "approved")
    town.look(number)
    assert stands(number) == "allowed"
    town.run(put_off=False)
    assert "read-change" in probed(town), "what a probe cannot tell is read"
    assert [name for _ in range(3) for name in probed(town) if name == "read-change"] == []
    assert stands(number) == "allowed"
    town.acting.dismiss("muniment", number, "carol")
    with as_role("owner"):
        ForgeChange.objects.update(probed_at=timezone.now() - timedelta(minutes=11))
    assert "read-change" in probed(town)
    assert stands(number) == "denied"


def by_event(town: Town) -> list[str]:
    return hear(town, Happened.RULES)


@pytest.mark.parametrize("notice", [probed, by_event])
def test_an_approver_who_lost_write_access_turns_green_red(town: Town, notice: Callable[[Town], list[str]]) -> None:
    number = approved(town)
    assert stands(number) == "allowed"
    assert "read-change" not in notice(town), "nothing changed"
    world(town).levels["carol"] = "read"
    town.fake.written()
    assert "read-change" in notice(town)
    assert stands(number) == "denied"


def test_an_approval_that_was_dismissed_turns_green_red(town: Town) -> None:
    number = approved(town)
    town.acting.dismiss("dave", number, "bob")
    town.fake.written()
    if town.connection.vendor == "github":
        assert "read-change" in probed(town), "although the event got lost"
    else:
        hear(town, Happened.CHANGE, number=number)
    assert stands(number) == "denied"


def test_green_does_not_stay_once_a_check_fails_nor_red_once_it_succeeds(town: Town) -> None:
    wanted = 'pipelines = ["tests"], runners = ["login:forge/carol"], without_counts = ["tests"]'
    before = 'enforce = []\nwith = { pipelines = ["tests"], runners = ["machine:ci"] }'
    text = pack_text("sec@example.test", "shop").replace(before, f'enforce = ["merge"]\nwith = {{ {wanted} }}')
    with as_role("owner"):
        store().write(POLICY, text.encode())
    number = approved(town)
    head = town.change(number).head
    good, bad = ("success", "failure") if town.connection.vendor == "github" else ("success", "failed")
    assert stands(number) == "denied"
    for state, verdict in ((good, "allowed"), (bad, "denied"), (good, "allowed")):
        world(town).status("carol", head, "tests", state)
        town.fake.written()
        hear(town, Happened.STATUS, head=head, context="tests")
        assert stands(number) == verdict


def test_a_probe_asks_little_and_posts_nothing(town: Town) -> None:
    approved(town)
    before = len(town.fake.calls)
    probed(town)
    asked = [name for name in town.fake.calls[before:] if name != "token"]
    assert asked == (["graphql"] if town.connection.vendor == "github" else ["member", "member"])

"""Changes of inputs at GitHub and GitLab are read again, with or without an event."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.forges.shapes import Vendor
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.connections import bypass_reviews, credentials, tasks, webhook_deliveries
from muniment.server.connections.models import Connection, ForgeChange
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.github_answers import APP
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="setup", params=[Vendor.GITHUB, Vendor.GITLAB])
def _setup(
    request: pytest.FixtureRequest, service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ForgeSetup]:
    github = request.param is Vendor.GITHUB
    fake: Any
    with (FakeGitHub if github else FakeGitLab)(tmp_path / "forge") as fake:
        key = {"app_id": str(APP), "pem": fake.pem} if github else {"token": TOKEN}
        monkeypatch.setattr(credentials, "read_credential", lambda _: key)
        monkeypatch.setattr(bypass_reviews, "_DAYS", 36_500)
        acting: Any = GitHubActing(fake) if github else GitLabActing(fake)
        found = ForgeSetup(fake, acting, tmp_path, request.param)
        found.connect()
        yield found


def approved(setup: ForgeSetup) -> int:
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.fake.written()
    setup.evaluate(number)
    return number


def world(setup: ForgeSetup) -> Any:
    """State of the fake forge."""
    fake: Any = setup.fake
    return fake.world


def posted_state(number: int) -> str:
    """Status posted on the head of a change."""
    status = ForgeChange.objects.get(number=number).status
    return str(status["saying"]) if status else ""


def deliver_webhook(setup: ForgeSetup, happened: ForgeEventKind, **about: Any) -> list[str]:
    with as_role("web"):
        webhook_deliveries.enqueue_event_jobs(
            setup.connection, ForgeEvent("d", happened, repository=setup.acting.path, **about)
        )
    return setup.run_queue(put_off=False)


def probe_inputs_once(setup: ForgeSetup) -> list[str]:
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=setup.connection.pk)
    return setup.run_queue(put_off=False)


def test_outsider_with_a_hundred_reviews_causes_one_evaluation_in_ten_minutes(setup: ForgeSetup) -> None:
    if setup.vendor is not Vendor.GITHUB:
        pytest.skip("GitLab tells of each review by an event")
    number = approved(setup)
    for outsider in range(101):
        world(setup).user(f"outsider-{outsider}", "read")
        world(setup).review(f"outsider-{outsider}", number, "approved")
    setup.evaluate(number)
    assert posted_state(number) == "allowed"
    setup.run_queue(put_off=False)
    assert "read-change" in probe_inputs_once(setup), "what a probe cannot tell is read"
    assert [name for _ in range(3) for name in probe_inputs_once(setup) if name == "read-change"] == []
    assert posted_state(number) == "allowed"
    setup.acting.dismiss("muniment", number, "carol")
    with as_role("owner"):
        ForgeChange.objects.update(probed_at=timezone.now() - timedelta(minutes=11))
    assert "read-change" in probe_inputs_once(setup)
    assert posted_state(number) == "denied"


def deliver_by_event(setup: ForgeSetup) -> list[str]:
    return deliver_webhook(setup, ForgeEventKind.RULES)


@pytest.mark.parametrize("notice", [probe_inputs_once, deliver_by_event])
def test_approver_who_lost_write_access_turns_status_red(
    setup: ForgeSetup, notice: Callable[[ForgeSetup], list[str]]
) -> None:
    number = approved(setup)
    assert posted_state(number) == "allowed"
    assert "read-change" not in notice(setup), "nothing changed"
    world(setup).levels["carol"] = "read"
    setup.fake.written()
    assert "read-change" in notice(setup)
    assert posted_state(number) == "denied"


def test_dismissed_approval_turns_status_red(setup: ForgeSetup) -> None:
    number = approved(setup)
    setup.acting.dismiss("dave", number, "bob")
    setup.fake.written()
    if setup.connection.vendor == "github":
        assert "read-change" in probe_inputs_once(setup), "although the event got lost"
    else:
        deliver_webhook(setup, ForgeEventKind.CHANGE, number=number)
    assert posted_state(number) == "denied"


def test_status_turns_red_when_a_check_fails_and_green_when_it_succeeds(setup: ForgeSetup) -> None:
    wanted = 'pipelines = ["tests"], runners = ["login:forge/carol"], without_counts = ["tests"]'
    before = 'enforce = []\nwith = { pipelines = ["tests"], runners = ["machine:ci"] }'
    text = format_built_in_policy("sec@example.test", "shop").replace(
        before, f'enforce = ["merge"]\nwith = {{ {wanted} }}'
    )
    with as_role("owner"):
        open_store().write_document(POLICY, text.encode())
    number = approved(setup)
    head = setup.load_change(number).head
    good, bad = ("success", "failure") if setup.connection.vendor == "github" else ("success", "failed")
    assert posted_state(number) == "denied"
    for state, state_after in ((good, "allowed"), (bad, "denied"), (good, "allowed")):
        world(setup).status("carol", head, "tests", state)
        setup.fake.written()
        deliver_webhook(setup, ForgeEventKind.STATUS, head=head, context="tests")
        assert posted_state(number) == state_after


def test_probe_makes_few_requests_and_posts_nothing(setup: ForgeSetup) -> None:
    approved(setup)
    before = len(setup.fake.calls)
    probe_inputs_once(setup)
    asked = [name for name in setup.fake.calls[before:] if name != "token"]
    assert asked == (["graphql"] if setup.connection.vendor == "github" else ["member", "member"])

"""What it costs per forge to notice, without an event, that an input of many green changes is another one. By fakes."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.measure import Row
from muniment.forges.shapes import Vendor

_APPROVERS = ("bob", "carol")
_LIMITS = {
    Vendor.GITHUB: 5_000,
    Vendor.GITLAB: 2_000 * 60,
    Vendor.GITEA: 0,
}  # requests an hour; GitLab's is of gitlab.com


def rows(folder: Path, count: int) -> list[Row]:
    """One probe of so many green changes in one repository, and what it comes to in an hour."""
    return [_row(vendor, folder / f"probe-{vendor.value}", count) for vendor in _LIMITS]


def _row(vendor: Vendor, folder: Path, count: int) -> Row:
    from muniment.server.connections import credentials, input_probes
    from muniment.server.connections.models import Connection
    from muniment.server.running import preparation
    from tests.support.forge_setup import ForgeSetup
    from tests.support.service import as_role, empty, trust_rows

    empty()
    with as_role("operator"):  # the sequencer accepts a policy of no other process
        preparation.apply_first_policy()
    folder.mkdir()
    fake, acting, key = _forge(vendor, folder)
    with fake, pytest.MonkeyPatch.context() as patch:
        trust_rows(patch)  # rows of a bench are written by no act
        made = acting(fake)
        vars(credentials)["read_credential"] = lambda _: key(fake, made)
        setup = ForgeSetup(fake, made, folder, vendor)
        setup.connect()
        _open(setup, count)
        calls = len(fake.calls)
        connection = Connection.objects.get()
        if not input_probes.run_probe(connection):
            raise RuntimeError("nothing was due")
        connection.refresh_from_db()
        asked, seconds = connection.probe_requests or 0, _seconds(vendor, connection.probe_requests or 0)
        text = ", ".join(f"{name} {number}" for name, number in sorted(Counter(fake.calls[calls:]).items()))
    limit = _LIMITS[vendor] or input_probes.ASSUMED_LIMIT
    return Row(
        f"{vendor.value}: {count} green changes that {len(_APPROVERS)} approved, probed",
        f"{asked} requests every {seconds} s: {asked * 3600 // seconds} an hour",
        text,
        f"a fifth of {limit} an hour is {limit // input_probes.SHARE}",
        "",
    )


def _seconds(vendor: Vendor, asked: int) -> int:
    """How far apart they would be where the forge tells its limit, which the fakes do not."""
    from muniment.http.rate_limits import RateLimit
    from muniment.server.connections import input_probes

    limits = {"": RateLimit(_LIMITS[vendor])} if _LIMITS[vendor] else {}
    return input_probes.compute_pause({"": asked}, limits)


def _forge(vendor: Vendor, folder: Path) -> tuple[Any, Any, Any]:
    """The fake, who acts there, and what the vault would hold."""
    from tests.support.forges.acting import GiteaActing
    from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
    from tests.support.forges.fake_gitea import FakeGitea
    from tests.support.forges.fake_github import FakeGitHub
    from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
    from tests.support.forges.github_answers import APP

    if vendor is Vendor.GITHUB:
        return FakeGitHub(folder / "forge"), GitHubActing, lambda fake, _: {"app_id": str(APP), "pem": fake.pem}
    if vendor is Vendor.GITLAB:
        return FakeGitLab(folder / "forge"), GitLabActing, lambda *_: {"token": TOKEN}
    return (
        FakeGitea(folder / "forge"),
        lambda fake: GiteaActing(fake.url, fake.administrator),
        lambda _, acting: {"token": acting.token("muniment")},
    )


def _open(setup: Any, count: int) -> None:
    """One change that is evaluated, and the others as if they had been: they are of the same head, and as approved."""
    from django.utils import timezone

    from muniment.forges.shapes import ChangeState
    from muniment.server.changes.models import Change
    from muniment.server.connections.forge_access import open_connected_forge, require_linked_repository
    from muniment.server.connections.models import ForgeChange

    numbers = [setup.open_change({"app.py": "x = 1\n"})]
    numbers += [setup.acting.open("ada", "topic", "main", f"Change {number}") for number in range(1, count)]
    for number in numbers:
        for name in _APPROVERS:
            setup.acting.approve(name, number)
    if hasattr(setup.fake, "written"):
        setup.fake.written()
    setup.evaluate(numbers[0])
    pattern = ForgeChange.objects.get(number=numbers[0])
    if pattern.status is None or pattern.status["saying"] != "allowed":
        raise RuntimeError(f"the first change is not green: {pattern.status}")
    forge, linked = open_connected_forge(setup.connection), require_linked_repository(setup.repository.forge_link)
    digests = _digests(setup, forge, linked, numbers)
    updated = {change.number: change.updated for change in forge.reader.list_changes(linked, ChangeState.OPEN)}
    ForgeChange.objects.filter(pk=pattern.pk).update(forge_updated_at=updated[pattern.number])
    for number in numbers[1:]:
        change = Change.objects.create(
            repository=setup.repository,
            target="refs/heads/main",
            name=f"#{number}",
            head=pattern.head,
            state=Change.State.OPEN,
            updated_at=timezone.now(),
        )
        ForgeChange.objects.create(
            change=change,
            repository=setup.repository,
            number=number,
            head=pattern.head,
            status=pattern.status,
            forge_updated_at=updated[number],
            reviews_digest=digests.get(number, pattern.reviews_digest),
            writers=pattern.writers,
        )


def _digests(setup: Any, forge: Any, repository: Any, numbers: list[int]) -> dict[int, str]:
    from muniment.facts import canonical

    if setup.connection.vendor == Vendor.GITLAB.value:
        return {}
    found = forge.reader.list_standing_reviews(repository, numbers)
    return {number: canonical.digest_value(one.reviews) for number, one in found.items()}

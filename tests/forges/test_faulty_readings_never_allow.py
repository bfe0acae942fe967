"""Faulty readings of GitHub and GitLab never allow more than a complete reading.

Stale answers on current write access are not tried: nothing shows that such an answer is old.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.errors import ForgeError
from muniment.forges.forge import Forge, Reader
from muniment.forges.forge_client import Transport, convert_forge_moment
from muniment.forges.shapes import ForgeRepository, Reading
from tests.support.forges import ours
from tests.support.forges.allowing import allows
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_state import World

NAMES = ("ada", "bob", "carol", "dave", "eve")
QUICK = [fault for fault in Fault if fault not in (Fault.SLOW, Fault.LOST)]
STANDS_ALONE = ("members",)
LISTS = ("versions", "notes", "approvals", "reviewers", "members", "commits", "statuses", "events")
GITLAB = ("request", "project", *LISTS)


def _make_gitlab_without_graphql_fields(folder: Path) -> FakeGitLab:
    """A GitLab that lacks fields of our GraphQL query."""
    fake = FakeGitLab(folder)
    fake.lacks = "NoteConnection.count"
    return fake


VENDORS: dict[str, tuple[Callable[[Path], Any], Callable[..., Forge], tuple[str, ...]]] = {
    "github": (FakeGitHub, ours.github, ("graphql", "activity", "pull", "comments")),
    "gitlab": (FakeGitLab, ours.gitlab, ("graphql", *GITLAB)),
    "an older gitlab": (_make_gitlab_without_graphql_fields, ours.gitlab, GITLAB),
}

ACTS = st.one_of(
    st.tuples(st.just("push"), st.sampled_from(NAMES[:4])),
    st.tuples(st.just("force"), st.sampled_from(NAMES[:4])),
    st.tuples(st.just("approve"), st.sampled_from(NAMES)),
    st.tuples(st.just("approve"), st.sampled_from(NAMES)),
    st.tuples(st.just("reject"), st.sampled_from(NAMES)),
    st.tuples(st.just("withdraw"), st.sampled_from(NAMES)),
    st.tuples(st.just("ask"), st.sampled_from(NAMES)),
    st.tuples(st.just("comment"), st.sampled_from(NAMES)),
    st.tuples(st.just("retarget"), st.sampled_from(("main", "release"))),
)


def _apply_event(world: World, act: tuple[str, str], serial: int) -> None:
    kind, who = act
    change = world.changes[1]
    if kind == "push":
        world.push(who, "topic", {f"{serial}.py": "1\n"})
    elif kind == "force":
        world.push(who, "topic", {f"{serial}.py": "1\n"}, over=world.base)
    elif kind in ("approve", "reject"):
        world.review(who, 1, {"approve": "approved", "reject": "changes"}[kind])
    elif kind == "withdraw" and any(review.by.login == who for review in change.reviews):
        world.dismiss(who, 1, who)
    elif kind == "ask":
        world.ask("ada", 1, who)
    elif kind == "comment":
        world.comment(who, 1, "@helper go on")
    elif kind == "retarget" and change.target != f"refs/heads/{who}":
        world.retarget("ada", 1, who)


def _read(reader: Reader, repository: ForgeRepository, since: str = "") -> Reading | None:
    try:
        return reader.read_full_change(repository, 1, since)
    except ForgeError:
        return None


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_failing_or_stale_answers_never_allow_more_than_complete_reading(vendor: str, data: st.DataObject) -> None:
    fake_of, forge_of, calls = VENDORS[vendor]
    acts = data.draw(st.lists(ACTS, min_size=1, max_size=7))
    with tempfile.TemporaryDirectory() as folder, fake_of(Path(folder)) as fake:
        world: World = fake.world
        world.repo.branch("release", world.base)
        world.push("ada", "topic", {"first.py": "1\n"})
        world.open("ada", "topic")
        if data.draw(st.booleans()):
            world.user("helper[bot]" if vendor == "github" else "project_1_bot", "write", bot=True)
            world.push("helper[bot]" if vendor == "github" else "project_1_bot", "topic", {"bot.py": "1\n"})
        clock = [time.time()]
        reader = forge_of(fake, transport=Transport(clock=lambda: clock[0])).reader
        repository = reader.read_repository("shop/api").repository
        for serial, act in enumerate((("approve", "bob"), ("approve", "carol"), *acts)):
            _read(reader, repository)
            fake.written()
            _apply_event(world, act, serial)
        if data.draw(st.booleans()):
            _read(reader, repository)
        for call in data.draw(st.sets(st.sampled_from(calls), min_size=1, max_size=2)):
            fault = data.draw(st.sampled_from(QUICK))
            if not (fault is Fault.STALE and call in STANDS_ALONE):
                fake.fail(call, fault, times=data.draw(st.sampled_from((1, 2, 1000))))
        delivered_at = convert_forge_moment(world.changes[1].updated, "a delivery") if data.draw(st.booleans()) else ""
        found = _read(reader, repository, delivered_at)
        fake.mend()
        whole = _read(forge_of(fake).reader, repository)
        assert whole is not None
        if found is not None and found.change.head == whole.change.head and allows(found):
            assert allows(whole), (found, whole)
        clock[0] += 3601  # the moment before which it is not asked is over
        after = _read(reader, repository)
        assert after is not None
        assert allows(after) == allows(whole), "once calls succeed again, it is right again"


def test_two_approvals_are_allowed_so_property_is_not_vacuous(github: FakeGitHub, hub: Forge) -> None:
    github.world.push("ada", "topic", {"first.py": "1\n"})
    number = github.world.open("ada", "topic")
    repository = hub.reader.read_repository("shop/api").repository
    for name, allowed in (("bob", False), ("eve", False), ("ada", False), ("carol", True)):
        github.world.review(name, number, "approved")
        assert allows(hub.reader.read_full_change(repository, number)) is allowed

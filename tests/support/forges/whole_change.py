"""A change with something of everything at the fakes of GitHub and GitLab, and what is known of a reading."""

from typing import Any

from muniment.facts.maybe import Known
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab

PARTS = ("moves", "retargets", "reviews", "contributors", "own_commits", "writers", "merging")  # that every forge tells


def story(fake: FakeGitHub | FakeGitLab, *, objection_last: bool = False) -> int:
    """A change with something of everything. At the end bob objects and carol approves, or the other way round."""
    world = fake.world
    first = world.push("ada", "topic", {"a.py": "1\n"})
    number = world.open("ada", "topic")
    world.push("bob", "topic", {"b.py": "2\n"})
    world.review("carol", number, "approved")
    world.push("dave", "topic", {"c.py": "3\n"}, over=first)
    found = [("bob", "changes"), ("carol", "approved")]
    for who, what in reversed(found) if objection_last else found:
        world.review(who, number, what)
    world.status("eve", world.changes[number].head, "build", "success")
    fake.written()
    return number


def value(part: Any) -> Any:
    """Value of a known part. Fails for an unknown one."""
    assert isinstance(part, Known), part
    return part.value

"""A change at the fake GitLab with something of everything, and what is known of a reading."""

from typing import Any

from muniment.facts.maybe import Known
from tests.support.forges.fake_gitlab import FakeGitLab

PARTS = ("moves", "retargets", "reviews", "hands", "own_commits", "writers", "merging")


def story(gitlab: FakeGitLab) -> int:
    """A change with something of everything."""
    world = gitlab.world
    first = world.push("ada", "topic", {"a.py": "1\n"})
    number = world.open("ada", "topic")
    world.push("bob", "topic", {"b.py": "2\n"})
    world.review("carol", number, "approved")
    world.push("dave", "topic", {"c.py": "3\n"}, over=first)
    world.review("bob", number, "changes")
    world.review("carol", number, "approved")
    world.status("eve", world.changes[number].head, "build", "success")
    gitlab.written()
    return number


def value(part: Any) -> Any:
    """What is known. Fails otherwise."""
    assert isinstance(part, Known), part
    return part.value

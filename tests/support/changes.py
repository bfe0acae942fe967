"""A small change as facts: by ada, approved by bob and sue; every fact can be replaced or made unknown."""

from typing import Any

from muniment.facts.change import Because, Commit, File, Hand, Pushes, Revision, Update
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe
from muniment.facts.people import Machine, People, Person
from muniment.facts.statements import Approval, Signature, Verdict

MAIN = "refs/heads/main"
BASE = "b" * 40
NOW = "2026-11-24T09:00:00.000000Z"
EARLIER = "2026-11-24T08:00:00.000000Z"


def oid(number: int) -> str:
    """A made-up object id."""
    return f"{number:040x}"


def person(name: str, **more: Any) -> Person:
    """A developer who may write everywhere."""
    fields: dict[str, Any] = {"keys": (), "accounts": (), "roles": ("developer",), "active": True, "writes": ("*",)}
    return Person(id=name, name=name.title(), emails=(f"{name}@example.test",), **(fields | more))


PEOPLE = People(
    (person("ada"), person("bob"), person("carol"), person("sue", roles=("security",))),
    (
        Machine("update-bot", ("bot@example.test",), (), (), asked=False),
        Machine("agent", ("agent@example.test",), (), (), asked=True),
    ),
)


def hand(name: str, because: Because = Because.AUTHOR) -> Hand:
    """A hand, by e-mail address."""
    return Hand(f"email:{name}@example.test", because)


def commit(number: int, *parents: str, tree: int = 0, hands: tuple[Hand, ...] | None = None) -> Commit:
    """A commit by ada, unless hands are given."""
    by_ada = (hand("ada"), hand("ada", Because.COMMITTER))
    return Commit(oid(number), oid(tree or 1000 + number), parents or (BASE,), by_ada if hands is None else hands)


HEAD = commit(1)
REVISION = Revision("shop", MAIN, BASE, HEAD.id, Known(Update.FORWARD))


def approval(name: str, on: Commit = HEAD, **more: Any) -> Approval:
    """A valid approval of a commit for main."""
    fields: dict[str, Any] = {
        "ref_head": on.id,
        "ref_person": name,
        "id": oid(sum(name.encode())),
        "order": 0,
        "signature": Signature.VALID,
        "repository": "shop",
        "target": MAIN,
        "base": BASE,
        "head": on.id,
        "tree": on.tree,
        "verdict": Verdict.APPROVE,
        "time": EARLIER,
    }
    return Approval(**(fields | more))


def file(path: str, lines: int = 1) -> File:
    """A changed file."""
    return File(path, path, "100644", "100644", False, Known(lines))


def values(**changed: Maybe[Any]) -> dict[str, Maybe[Any]]:
    """Facts by name, all known, that every clause of the built-in policy is satisfied with."""
    satisfying: dict[str, Maybe[Any]] = {
        "revision": Known(REVISION),
        "commits": Known((HEAD,)),
        "files": Known((file("src/app.py"),)),
        "pushes": Known(Pushes(True, (), (), ())),
        "approved_heads": Known(()),
        "approvals": Known((approval("bob"), approval("sue"))),
        "people": Known(PEOPLE),
        "exceptions": Known(()),
        "freezes": Known(()),
    }
    return satisfying | changed


def facts(given: dict[str, Maybe[Any]]) -> Facts:
    """The values as facts."""
    return Facts({name: Fact(value, "test", NOW, "00") for name, value in given.items()})

"""policy.toml, read strictly into a Policy."""

import datetime

from muniment.errors import PolicyError
from muniment.policy.model import Clause, Point, Policy
from muniment.policy.reading import Document, Table

ID = r"[a-z0-9][a-z0-9.-]*"
_NAMES = [point.value for point in Point]
_POINTS = ", ".join(_NAMES)


def read_policy(text: str, where: str) -> Policy:
    """The policy in `text`, which stands in the file `where`.

    Raises PolicyError naming file, line, key and what was expected: also for an unknown key, and for no clause at all.
    """
    top = Document(text, where, PolicyError).top
    if top.value("schema", int, "1, the only form there is") != 1:
        raise top.wrong("schema", "1, the only form there is", "another number")
    branches = top.table("branches")
    protected = branches.texts("protected", 'a list of branch patterns, such as ["main"]', r"[^\s~^:\\\[]+")
    if not protected:
        raise branches.wrong("protected", "at least one branch", "an empty list")
    branches.done()
    policy = Policy(
        owner=top.text("owner", "the e-mail address of who answers for it"),
        repository=top.text("repository", "the name that approvals give this repository", r"\S+"),
        source=top.text("source", "the path of the company's own page") if top.has("source") else "",
        protected=protected,
        unjudged=_unjudged(top.table("unjudged")),
        clauses=_clauses(top),
    )
    top.done()
    return policy


def _unjudged(table: Table) -> dict[Point, str]:
    words: dict[Point, str] = {}
    for key, _ in table.items():
        if key not in _NAMES:
            raise table.wrong(key, f"one of {_POINTS}", repr(key))
        words[Point(key)] = table.text(key, "the reason in words")
    return words


def _clauses(top: Table) -> tuple[Clause, ...]:
    tables = top.tables("clause")
    if not tables:
        raise top.wrong("clause", "at least one [[clause]]", "none")
    seen: set[str] = set()
    clauses: list[Clause] = []
    for table in tables:
        clause = _clause(table)
        if clause.id in seen:
            raise table.wrong("id", "an id that no other clause has", repr(clause.id))
        seen.add(clause.id)
        clauses.append(clause)
    return tuple(clauses)


def _clause(table: Table) -> Clause:
    clause = Clause(
        id=table.text("id", "an id of lower-case letters, digits, dots and dashes", ID),
        text=table.text("text", "the sentence as the company wrote it"),
        control=table.text("control", "the name of a control", ID) if table.has("control") else "",
        bites=_bites(table),
        parameters=dict(table.table("with").items()),
        branches=_patterns(table, "branches"),
        paths=_patterns(table, "paths"),
        report_until=_day(table),
    )
    table.done()
    return clause


def _bites(table: Table) -> tuple[Point, ...]:
    expected = f"one of {_POINTS}, or a list of them"
    if table.has("bites") and (isinstance(table.raw("bites"), str)):
        names: tuple[str, ...] = (table.text("bites", expected),)
    else:
        names = table.texts("bites", expected)
    if not names or any(name not in _NAMES for name in names):
        raise table.wrong("bites", expected, repr(list(names)))
    return tuple(Point(name) for name in names)


def _patterns(table: Table, key: str) -> tuple[str, ...]:
    if not table.has(key):
        return ()
    patterns = table.texts(key, f"a list of {key}")
    if not patterns:
        raise table.wrong(key, f"at least one of {key}; leave the key out to mean all", "an empty list")
    return patterns


def _day(table: Table) -> datetime.date | None:
    if not table.has("report_until"):
        return None
    day: datetime.date = table.value("report_until", datetime.date, "a day, such as 2027-01-31 (without quotes)")
    return day

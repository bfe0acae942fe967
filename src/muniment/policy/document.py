"""policy.toml, read strictly into a Policy."""

import datetime
import tomllib
from typing import Any

from msgspec import structs

from muniment.errors import ConfigurationError, PolicyError
from muniment.policy.model import Clause, Point, Policy
from muniment.policy.reading import Document, Table, shown
from muniment.policy.toml_lines import placed

ID = r"[a-z0-9][a-z0-9.-]*"

_NAMES = tuple(point.value for point in Point)
_POINTS = ", ".join(_NAMES)
_EXPECTED = {
    "branch": 'branch patterns, such as ["main", "release/*"]',
    "tag": 'tag patterns, such as ["v*"]',
}
_FORM = "1, the only form there is"
_LARGEST_NUMBER = 2**53  # beyond it, programs that read JSON disagree


def read_policy(text: str, where: str) -> Policy:
    """The policy in `text`, which stands in the file `where`.

    Raises PolicyError naming file, line, key and what was expected: also for an unknown key, and for no clause at all.
    """
    top = Document(text, where, PolicyError).top
    schema = top.value("schema", int, _FORM)
    if schema != 1:
        raise top.wrong("schema", _FORM, shown(schema))
    policy = Policy(
        owner=top.text("owner", "who answers for the policy, such as an e-mail address"),
        repository=top.text("repository", "the name that approvals give this repository, without blanks", r"\S+"),
        source=top.text("source", "the path of the company's own page, from here") if top.has("source") else "",
        protected=_protected(top.table("branches")),
        unjudged=_unjudged(top.table("unjudged")),
        clauses=_gently(top, _clauses(top)),
        protected_tags=_protected_tags(top.table("tags")),
    )
    top.done()
    return policy


def place_of_clause(where: str, text: str, clause: str, *keys: str) -> str:
    """`where:line` of an entry of a clause in `text`, which is a policy or empty; just `where` if it is not there."""
    clauses: list[dict[str, Any]] = tomllib.loads(text).get("clause", [])
    for number, entries in enumerate(clauses):
        if entries.get("id") == clause:
            return placed(where, text, ("clause", number, *keys))
    return where


def _protected(table: Table) -> tuple[str, ...]:
    protected = _branches(table, "protected")
    table.done()
    return protected


def _protected_tags(table: Table) -> tuple[str, ...]:
    protected = _branches(table, "protected", "tag") if table.has("protected") else ()
    table.done()
    return protected


def _unjudged(table: Table) -> dict[Point, str]:
    words: dict[Point, str] = {}
    for key, _ in table.items():
        if key not in _NAMES:
            raise table.wrong(key, f"one of {_POINTS}", f'"{key}"', f"Write one of {_POINTS} for it.")
        words[Point(key)] = table.text(key, "the reason in words why nothing has to bite there")
    return words


def _clauses(top: Table) -> tuple[Clause, ...]:
    tables = top.tables("clause")
    if not tables:
        raise top.wrong("clause", "at least one [[clause]]", remedy="Write one, with id, text, control and bites.")
    clauses: dict[str, Clause] = {}
    for table in tables:
        clause = _clause(table)
        if clause.id in clauses:
            raise table.wrong("id", "an id that no other clause has", shown(clause.id), "Give one of the two another.")
        clauses[clause.id] = clause
    return tuple(clauses.values())


def _gently(top: Table, clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """The clauses, some of which only report until a day that stands apart from them: the later of two days holds."""
    days: dict[str, datetime.date] = {}
    known = {clause.id for clause in clauses}
    for table in top.tables("gently"):
        name = table.text("clause", "the id of a clause of this policy", ID)
        if name not in known:
            raise table.wrong("clause", "the id of a clause of this policy", shown(name))
        until = _day(table, "until")
        days[name] = max(until, days.get(name, until))
        table.done()
    return tuple(_until(clause, days[clause.id]) if clause.id in days else clause for clause in clauses)


def _until(clause: Clause, day: datetime.date) -> Clause:
    return structs.replace(clause, report_until=max(day, clause.report_until or day))


def _clause(table: Table) -> Clause:
    clause = Clause(
        id=table.text("id", "an id of lower-case letters, digits, dots and dashes", ID),
        text=table.text("text", "the sentence as the company wrote it"),
        control=table.text("control", "the name of a control", ID) if table.has("control") else "",
        bites=_bites(table),
        parameters=_parameters(table),
        branches=_branches(table, "branches") if table.has("branches") else (),
        paths=_some(table, "paths", 'path patterns, such as ["src/**"]') if table.has("paths") else (),
        report_until=_day(table, "report_until") if table.has("report_until") else None,
    )
    table.done()
    return clause


def _bites(table: Table) -> tuple[Point, ...]:
    expected = f"one of {_POINTS}, or a list of them"
    single = table.has("bites") and isinstance(table.raw("bites"), str)
    names = (table.text("bites", expected),) if single else table.texts("bites", expected)
    if not names:
        raise table.wrong("bites", expected, "an empty list", 'Write bites = "report" for a clause that only reports.')
    for name in names:
        if name not in _NAMES:
            raise table.wrong("bites", expected, shown(name))
    return tuple(Point(name) for name in names)


def _parameters(table: Table) -> dict[str, Any]:
    """What stands in `with`. Which names and values a control takes is for `decision.binding` to say."""
    if table.has("with") and not table.has("control"):
        raise table.wrong("with", "a control beside it", remedy="Name the control whose parameters these are.")
    parameters = table.table("with")
    for key, value in parameters.items():
        _refuse_odd(parameters, key, value)
    return dict(parameters.items())


def _refuse_odd(table: Table, key: str, value: Any) -> None:
    """What is digested must have one spelling: no fractions, no dates, no numbers beyond all measure."""
    match value:
        case bool() | str():
            pass
        case int() if abs(value) <= _LARGEST_NUMBER:
            pass
        case list():
            for entry in value:
                _refuse_odd(table, key, entry)
        case _:
            raise _odd(table, key, value)


def _odd(table: Table, key: str, value: Any) -> ConfigurationError:
    return table.wrong(key, "a text, a whole number, true, false or a list of them", shown(value))


def _branches(table: Table, key: str, of: str = "branch") -> tuple[str, ...]:
    expected = _EXPECTED[of]
    found = _some(table, key, expected)
    for pattern in found:
        if pattern.startswith("refs/") or any(blank in pattern for blank in " ~^:"):
            raise table.wrong(key, expected, shown(pattern), f"Write the short name of the {of}, without refs/.")
    return found


def _some(table: Table, key: str, expected: str) -> tuple[str, ...]:
    found = table.patterns(key, expected)
    if not found:
        raise table.wrong(
            key, expected, "an empty list", "Write at least one; a clause that means all has no such key."
        )
    return found


def _day(table: Table, key: str) -> datetime.date:
    day: datetime.date = table.value(key, datetime.date, "a day, such as 2027-01-31 (without quotes)")
    return day

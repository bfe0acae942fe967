"""policy.toml, read strictly into a Policy."""

import datetime
import tomllib
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from msgspec import structs

from muniment.errors import ConfigurationError, PolicyError
from muniment.policy.model import Clause, Confirmation, Point, Policy, Retention, Section
from muniment.policy.reading import Document, Table, shown
from muniment.policy.toml_lines import placed

ID = r"[a-z0-9][a-z0-9.-]*"

_NAMES = (Point.MERGE.value, Point.DEPLOY.value)
_POINTS = ", ".join(_NAMES)
_OWNER = "who answers for it, such as an e-mail address"
_SECTION = "the id of a section of this policy"
_EXPECTED = {
    "branch": 'branch patterns, such as ["main", "release/*"]',
    "tag": 'tag patterns, such as ["v*"]',
}
_FORM = "1, the only form there is"
_MOST_HOURS = 720
_HOURS = f"a number of hours from 1 to {_MOST_HOURS}"
_MOST_DAYS = 3650
_DAYS = f"a number of days from 1 to {_MOST_DAYS}"
_LONGEST_NAME = 60  # characters: it stands in tables and headings
_LARGEST_NUMBER = 2**53  # beyond it, programs that read JSON disagree
_MOST_ENTRIES = 200  # of a list in `with`
_POLICIES = 256  # texts that a process keeps parsed


def read_policy(text: str, where: str) -> Policy:
    """Parse the policy in `text`, which stands in the file `where`; each text once in a process.

    Raises PolicyError naming file, line, key and what was expected: also for an unknown key, and for no clause at all.
    """
    try:
        return _read_once(text)
    except PolicyError:
        return _read(text, where)  # raises the same, naming this file


@lru_cache(maxsize=_POLICIES)
def _read_once(text: str) -> Policy:
    return _read(text, "")


def _read(text: str, where: str) -> Policy:
    top = Document(text, where, PolicyError).top
    schema = top.value("schema", int, _FORM)
    if schema != 1:
        raise top.wrong("schema", _FORM, shown(schema))
    sections = _sections(top)
    policy = Policy(
        owner=top.text("owner", "who answers for the policy, such as an e-mail address"),
        repository=top.text("repository", "the name that approvals give this repository, without blanks", r"\S+"),
        source=top.text("source", "the path of the company's own page, from here") if top.has("source") else "",
        protected_branches=_protected(top.table("branches")),
        unenforced=_unenforced(top.table("unenforced")),
        sections=sections,
        clauses=_clauses(top, {section.id for section in sections}),
        protected_tags=_protected_tags(top.table("tags")),
        confirmation=_confirmation(top.table("confirmation")),
        retention=_retention(top.table("retention")),
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


def _confirmation(table: Table) -> Confirmation:
    found = Confirmation()
    if table.has("proof"):
        expected = 'names of permissions, such as ["weaken-policy"]'
        found = structs.replace(found, proof=tuple(sorted(table.texts("proof", expected, ID))))
    if table.has("delay_hours"):
        hours = table.value("delay_hours", int, _HOURS)
        if not 1 <= hours <= _MOST_HOURS:
            raise table.wrong("delay_hours", _HOURS, shown(hours))
        found = structs.replace(found, delay_hours=hours)
    table.done()
    return found


def _retention(table: Table) -> Retention:
    given: dict[str, int] = {}
    for name in Retention.__struct_fields__:
        if table.has(name):
            given[name] = table.value(name, int, _DAYS)
            if not 1 <= given[name] <= _MOST_DAYS:
                raise table.wrong(name, _DAYS, shown(given[name]))
    table.done()
    return Retention(**given)


def _unenforced(table: Table) -> dict[Point, str]:
    words: dict[Point, str] = {}
    for key, _ in table.items():
        if key not in _NAMES:
            raise table.wrong(key, f"one of {_POINTS}", f'"{key}"', f"Write one of {_POINTS} for it.")
        words[Point(key)] = table.text(key, "the reason in words why nothing has to be enforced there")
    return words


def _sections(top: Table) -> tuple[Section, ...]:
    sections: dict[str, Section] = {}
    for table in top.tables("section"):
        section = Section(
            id=table.text("id", "an id of lower-case letters, digits, dots and dashes", ID),
            name=table.text("name", "the heading of the section"),
            owner=table.text("owner", _OWNER),
        )
        table.done()
        if section.id in sections:
            found = shown(section.id)
            raise table.wrong("id", "an id that no other section has", found, "Give one of the two another.")
        sections[section.id] = section
    return tuple(sections.values())


def _clauses(top: Table, sections: Collection[str]) -> tuple[Clause, ...]:
    tables = top.tables("clause")
    if not tables:
        needed = "Write one, with id, name, section, text, control and enforce."
        raise top.wrong("clause", "at least one [[clause]]", remedy=needed)
    clauses: dict[str, Clause] = {}
    for table in tables:
        clause = _clause(table, sections)
        if clause.id in clauses:
            raise table.wrong("id", "an id that no other clause has", shown(clause.id), "Give one of the two another.")
        clauses[clause.id] = clause
    return tuple(clauses.values())


def _clause(table: Table, sections: Collection[str]) -> Clause:
    clause = Clause(
        id=table.text("id", "an id of lower-case letters, digits, dots and dashes", ID),
        name=_short(table),
        section=_section(table, sections),
        text=table.text("text", "the sentence as the company wrote it"),
        control=table.text("control", "the name of a control", ID) if table.has("control") else "",
        enforce=_enforce(table),
        parameters=_parameters(table),
        branches=_branches(table, "branches") if table.has("branches") else (),
        paths=_some(table, "paths", 'path patterns, such as ["src/**"]') if table.has("paths") else (),
        monitoring_until=_day(table, "monitoring_until") if table.has("monitoring_until") else None,
        owner=table.text("owner", _OWNER) if table.has("owner") else "",
    )
    table.done()
    return clause


def _short(table: Table) -> str:
    name = table.text("name", 'a short name, such as "Two reviewers"')
    if len(name) > _LONGEST_NAME or "\n" in name:
        raise table.wrong("name", f"a short name of at most {_LONGEST_NAME} characters in one line", shown(name))
    return name


def _section(table: Table, sections: Collection[str]) -> str:
    section = table.text("section", _SECTION, ID)
    if section not in sections:
        known = ", ".join(sorted(sections)) or "none yet"
        remedy = f"Write [[section]] with this id, a name and an owner, or name one that is there: {known}."
        raise table.wrong("section", _SECTION, shown(section), remedy)
    return section


def _enforce(table: Table) -> tuple[Point, ...]:
    expected = f"a list of {_POINTS}; an empty list for a clause that blocks nowhere"
    names = table.texts("enforce", expected)
    for name in names:
        if name not in _NAMES:
            raise table.wrong("enforce", expected, shown(name))
    return tuple(Point(name) for name in names)


def _parameters(table: Table) -> dict[str, Any]:
    """Parameters below `with`. `decision.binding` checks their names and values."""
    if table.has("with") and not table.has("control"):
        raise table.wrong("with", "a control beside it", remedy="Name the control whose parameters these are.")
    parameters = table.table("with")
    for key, value in parameters.items():
        _refuse_odd(parameters, key, value)
    return dict(parameters.items())


def _refuse_odd(table: Table, key: str, value: Any) -> None:
    """Refuse values that canonical JSON cannot spell in one way: fractions, dates, numbers that are too large."""
    match value:
        case bool() | str():
            pass
        case int() if abs(value) <= _LARGEST_NUMBER:
            pass
        case list() if len(value) > _MOST_ENTRIES:
            raise table.wrong(key, f"at most {_MOST_ENTRIES} entries", f"{len(value)}")
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

"""policy.toml, read strictly into a Policy."""

import datetime
import tomllib
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from msgspec import structs

from muniment.errors import ConfigurationError, PolicyError
from muniment.policy.model import Clause, Confirmation, EnforcementPoint, Policy, Retention, Section
from muniment.policy.toml_lines import locate_entry
from muniment.policy.toml_reading import TomlDocument, TomlTable, quote_value

CLAUSE_ID = r"[a-z0-9][a-z0-9.-]*"

_NAMES = (EnforcementPoint.MERGE.value, EnforcementPoint.DEPLOY.value)
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
LONGEST_NAME = 60  # characters: it stands in tables and headings
_LARGEST_NUMBER = 2**53  # beyond it, programs that read JSON disagree
_MOST_ENTRIES = 200  # of a list in `with`
_POLICIES = 256  # texts that a process keeps parsed


def parse_policy(text: str, where: str) -> Policy:
    """Parse the policy in `text`, which stands in the file `where`; each text once in a process.

    Raises PolicyError naming file, line, key and the expected value: also for an unknown key, and for no clause at all.
    """
    try:
        return _parse_cached(text)
    except PolicyError:
        return _parse_document(text, where)  # raises the same, naming this file


@lru_cache(maxsize=_POLICIES)
def _parse_cached(text: str) -> Policy:
    return _parse_document(text, "")


def _parse_document(text: str, where: str) -> Policy:
    top = TomlDocument(text, where, PolicyError).top
    schema = top.get_value("schema", int, _FORM)
    if schema != 1:
        raise top.create_error("schema", _FORM, quote_value(schema))
    sections = _read_sections(top)
    policy = Policy(
        owner=top.get_text("owner", "who answers for the policy, such as an e-mail address"),
        repository=top.get_text("repository", "the name that approvals give this repository, without blanks", r"\S+"),
        source=top.get_text("source", "the path of the company's own page, from here") if top.has_key("source") else "",
        protected_branches=_read_protected_branches(top.get_table("branches")),
        unenforced=_read_unenforced(top.get_table("unenforced")),
        sections=sections,
        clauses=_read_clauses(top, {section.id for section in sections}),
        protected_tags=_read_protected_tags(top.get_table("tags")),
        confirmation=_read_confirmation(top.get_table("confirmation")),
        retention=_retention(top.get_table("retention")),
    )
    top.refuse_unread()
    return policy


def locate_clause(where: str, text: str, clause: str, *keys: str) -> str:
    """Format `where:line` of an entry of a clause in `text`, which is a policy or empty; just `where` if it is not
    there.
    """
    clauses: list[dict[str, object]] = tomllib.loads(text).get("clause", [])
    for number, entries in enumerate(clauses):
        if entries.get("id") == clause:
            return locate_entry(where, text, ("clause", number, *keys))
    return where


def _read_protected_branches(table: TomlTable) -> tuple[str, ...]:
    protected = _read_branch_patterns(table, "protected")
    table.refuse_unread()
    return protected


def _read_protected_tags(table: TomlTable) -> tuple[str, ...]:
    protected = _read_branch_patterns(table, "protected", "tag") if table.has_key("protected") else ()
    table.refuse_unread()
    return protected


def _read_confirmation(table: TomlTable) -> Confirmation:
    found = Confirmation()
    if table.has_key("proof"):
        expected = 'names of permissions, such as ["weaken-policy"]'
        found = structs.replace(found, proof=tuple(sorted(table.get_texts("proof", expected, CLAUSE_ID))))
    if table.has_key("delay_hours"):
        hours = table.get_value("delay_hours", int, _HOURS)
        if not 1 <= hours <= _MOST_HOURS:
            raise table.create_error("delay_hours", _HOURS, quote_value(hours))
        found = structs.replace(found, delay_hours=hours)
    table.refuse_unread()
    return found


def _retention(table: TomlTable) -> Retention:
    given: dict[str, int] = {}
    for name in Retention.__struct_fields__:
        if table.has_key(name):
            given[name] = table.get_value(name, int, _DAYS)
            if not 1 <= given[name] <= _MOST_DAYS:
                raise table.create_error(name, _DAYS, quote_value(given[name]))
    table.refuse_unread()
    return Retention(**given)


def _read_unenforced(table: TomlTable) -> dict[EnforcementPoint, str]:
    words: dict[EnforcementPoint, str] = {}
    for key, _ in table.read_all():
        if key not in _NAMES:
            raise table.create_error(key, f"one of {_POINTS}", f'"{key}"', f"Write one of {_POINTS} for it.")
        words[EnforcementPoint(key)] = table.get_text(key, "the reason in words why nothing has to be enforced there")
    return words


def _read_sections(top: TomlTable) -> tuple[Section, ...]:
    sections: dict[str, Section] = {}
    for table in top.get_tables("section"):
        section = Section(
            id=table.get_text("id", "an id of lower-case letters, digits, dots and dashes", CLAUSE_ID),
            name=table.get_text("name", "the heading of the section"),
            owner=table.get_text("owner", _OWNER),
        )
        table.refuse_unread()
        if section.id in sections:
            found = quote_value(section.id)
            raise table.create_error("id", "an id that no other section has", found, "Give one of the two another.")
        sections[section.id] = section
    return tuple(sections.values())


def _read_clauses(top: TomlTable, sections: Collection[str]) -> tuple[Clause, ...]:
    tables = top.get_tables("clause")
    if not tables:
        needed = "Write one, with id, name, section, text, control and enforce."
        raise top.create_error("clause", "at least one [[clause]]", remedy=needed)
    clauses: dict[str, Clause] = {}
    for table in tables:
        clause = _read_clause(table, sections)
        if clause.id in clauses:
            raise table.create_error(
                "id", "an id that no other clause has", quote_value(clause.id), "Give one of the two another."
            )
        clauses[clause.id] = clause
    return tuple(clauses.values())


def _read_clause(table: TomlTable, sections: Collection[str]) -> Clause:
    clause = Clause(
        id=table.get_text("id", "an id of lower-case letters, digits, dots and dashes", CLAUSE_ID),
        name=_read_short_name(table),
        section=_read_section_id(table, sections),
        text=table.get_text("text", "the sentence as the company wrote it"),
        control=table.get_text("control", "the name of a control", CLAUSE_ID) if table.has_key("control") else "",
        enforce=_read_enforce(table),
        parameters=_read_parameters(table),
        branches=_read_branch_patterns(table, "branches") if table.has_key("branches") else (),
        paths=_read_patterns(table, "paths", 'path patterns, such as ["src/**"]') if table.has_key("paths") else (),
        monitoring_until=_read_day(table, "monitoring_until") if table.has_key("monitoring_until") else None,
        owner=table.get_text("owner", _OWNER) if table.has_key("owner") else "",
    )
    table.refuse_unread()
    return clause


def _read_short_name(table: TomlTable) -> str:
    name = table.get_text("name", 'a short name, such as "Two reviewers"')
    if len(name) > LONGEST_NAME or "\n" in name:
        raise table.create_error(
            "name", f"a short name of at most {LONGEST_NAME} characters in one line", quote_value(name)
        )
    return name


def _read_section_id(table: TomlTable, sections: Collection[str]) -> str:
    section = table.get_text("section", _SECTION, CLAUSE_ID)
    if section not in sections:
        known = ", ".join(sorted(sections)) or "none yet"
        remedy = f"Write [[section]] with this id, a name and an owner, or name one that is there: {known}."
        raise table.create_error("section", _SECTION, quote_value(section), remedy)
    return section


def _read_enforce(table: TomlTable) -> tuple[EnforcementPoint, ...]:
    expected = f"a list of {_POINTS}; an empty list for a clause that blocks nowhere"
    names = table.get_texts("enforce", expected)
    for name in names:
        if name not in _NAMES:
            raise table.create_error("enforce", expected, quote_value(name))
    return tuple(EnforcementPoint(name) for name in names)


def _read_parameters(table: TomlTable) -> dict[str, object]:
    """Read the parameters below `with`. `decision.binding` checks their names and values."""
    if table.has_key("with") and not table.has_key("control"):
        raise table.create_error(
            "with", "a control in the same clause", remedy="Name the control whose parameters these are."
        )
    parameters = table.get_table("with")
    for key, value in parameters.read_all():
        _refuse_ambiguous(parameters, key, value)
    return dict(parameters.read_all())


def _refuse_ambiguous(table: TomlTable, key: str, value: Any) -> None:
    """Refuse values that canonical JSON cannot spell in one way: fractions, dates, numbers that are too large."""
    match value:
        case bool() | str():
            pass
        case int() if abs(value) <= _LARGEST_NUMBER:
            pass
        case list() if len(value) > _MOST_ENTRIES:
            raise table.create_error(key, f"at most {_MOST_ENTRIES} entries", f"{len(value)}")
        case list():
            for entry in value:
                _refuse_ambiguous(table, key, entry)
        case _:
            raise _ambiguous_error(table, key, value)


def _ambiguous_error(table: TomlTable, key: str, value: Any) -> ConfigurationError:
    return table.create_error(key, "a text, a whole number, true, false or a list of them", quote_value(value))


def _read_branch_patterns(table: TomlTable, key: str, kind: str = "branch") -> tuple[str, ...]:
    expected = _EXPECTED[kind]
    found = _read_patterns(table, key, expected)
    for pattern in found:
        if pattern.startswith("refs/") or any(blank in pattern for blank in " ~^:"):
            raise table.create_error(
                key, expected, quote_value(pattern), f"Write the short name of the {kind}, without refs/."
            )
    return found


def _read_patterns(table: TomlTable, key: str, expected: str) -> tuple[str, ...]:
    found = table.get_patterns(key, expected)
    if not found:
        raise table.create_error(
            key, expected, "an empty list", "Write at least one; a clause that means all has no such key."
        )
    return found


def _read_day(table: TomlTable, key: str) -> datetime.date:
    day: datetime.date = table.get_value(key, datetime.date, "a day, such as 2027-01-31 (without quotes)")
    return day

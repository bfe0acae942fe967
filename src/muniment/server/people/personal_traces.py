"""Searches every column of the database, and the files of the home, for traces of a person.

The columns come from the catalogue of PostgreSQL, so that no table is forgotten. An erasure ends with this search:
it proves that only what has to stay is left, and says why.
"""

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.db import connection
from psycopg import sql

from muniment.facts.people import Person as KnownPerson
from muniment.server.people.privacy import NAMES_NOBODY, compile_words

_NEVER_TEXT = ("N", "D", "T", "B", "V")  # categories of types: numbers, moments, spans, yes or no, bits
_COLUMNS = """
    SELECT class.relname, attribute.attname, type.typname,
        has_column_privilege(class.oid, attribute.attnum, 'SELECT')
    FROM pg_attribute AS attribute JOIN pg_class AS class ON class.oid = attribute.attrelid
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        JOIN pg_type AS type ON type.oid = attribute.atttypid
    WHERE namespace.nspname = current_schema() AND class.relkind IN ('r', 'p', 'm')
        AND attribute.attnum > 0 AND NOT attribute.attisdropped AND type.typcategory <> ALL (%s)
    ORDER BY class.relname, attribute.attnum
"""
_ESCAPES = r"\\[nrtbf]"  # a line of a JSON text: the n of its escape is no letter of a word
_ZLIB = 0x78  # the first byte of what is compressed
_LARGEST_FILE = 64 << 20

# Why a trace stays where it is. What is in no line of these is left behind by mistake.
_STAYING = {
    "records_document.data": "the policy in force or a setting: change it first",
    "policies_policyversion.text": "the policy in force: change it first",
    "products_product.slug": "the id of a product, which people chose",
    "products_product.name": "the name of a product, which people chose",
    "products_product.sensitive_patterns": "paths of the repository as it is",
    "products_repository.name": "the name of a repository, which people chose",
    "products_repository.path": "the place of a repository as it is",
    "products_environment.name": "the name of an environment, which people chose",
    "people_machine.slug": "the id of a machine",
    "people_account.value": "the account of another person or of a machine",
    "people_person.name": "another person of the same name",
    "people_person.slug": "the handle of another person",
    "people_rolegrant.company_group": "the name of a group of the company",
    "policies_policysource.path": "the place of a policy in the repository as it is",
    "policies_policysource.branch": "a branch as it is called in the repository",
    "policies_policyexception.branch": "a branch as it is called in the repository",
    "changes_change.name": "an open change, by its branch in the repository: it goes when the change ends",
    "changes_change.title": "an open change as it is called in the repository: it goes when the change ends",
    "changes_change.target": "a branch as it is called in the repository",
    "connections_connection.account": "the account with which we read the forge",
    "connections_connection.forge_details": "what the forge says of itself",
    "connections_visiblerepository.path": "the place of a repository at its forge",
    "connections_visiblerepository.clone_url": "the place of a repository at its forge",
    "connections_visiblerepository.url": "the place of a repository at its forge",
    "connections_repositorylink.path": "the place of a repository at its forge",
    "connections_repositorylink.clone_url": "the place of a repository at its forge",
    "connections_repositorylink.url": "the place of a repository at its forge",
    "connections_forgechange.url": "the place of a change at its forge",
    "connections_protectedbranch.ref": "a branch as it is called in the repository",
    "connections_branchupdate.ref": "a branch as it is called in the repository",
    "connections_takenhead.ref": "a branch as it is called in the repository",
    "deployments_pipelineidentity.subject": "what the identity of a pipeline says",
    "deployments_deployment.identity": "what a pipeline proved when it deployed",
    "deployments_deployment.provenance": "what a builder signed: altered, it would prove nothing",
    "deployments_deploymentpermission.vsa": "what was signed: altered, it would prove nothing",
    "records_signedpermission.envelope": "what was signed: altered, it would prove nothing",
    "deployments_receivedruntoken.token": "what a job proved, until the worker has verified it",
    "deployments_receivedtoken.token": "what a pipeline proved, until the worker has verified it",
    "socialaccount_socialtoken.token": "nothing is ever stored there",
    "socialaccount_socialtoken.token_secret": "nothing is ever stored there",
    "socialaccount_socialapp.*": "the settings of the company sign-in",
}
# The database itself, git's history, what is encrypted, and what is random.
_UNREAD_FOLDERS = ("postgres", "programs", "mirrors", "openbao", "vault", "keys", "logins")


class SearchedColumn(NamedTuple):
    """Column that may hold a text."""

    table: str
    name: str
    type: str
    readable: bool

    @property
    def place(self) -> str:
        """The column as people write it."""
        return f"{self.table}.{self.name}"


class PersonalTrace(NamedTuple):
    """Place where a person is still named, in how many rows or files, and why that stays ("" by mistake).

    `certain` is false for a mere word that was their handle, login or one-word name, and may be about another person.
    """

    place: str
    rows: int
    reason: str
    certain: bool = True


class _Patterns(NamedTuple):
    certain: re.Pattern[str]
    possible: re.Pattern[str]

    def search_text(self, text: str) -> tuple[bool, bool]:
        """Whether a text certainly, and whether it only possibly names the person."""
        certain = self.certain.search(text) is not None
        return certain, not certain and self.possible.search(text) is not None


def compile_certain_pattern(known: KnownPerson) -> re.Pattern[str]:
    """Pattern of texts that identify nobody else: addresses, keys, accounts, and a name of several words."""
    names = [known.name] if len(known.name.split()) > 1 else []
    return compile_words([*names, *known.emails, *known.keys, *known.accounts])


def compile_possible_pattern(known: KnownPerson) -> re.Pattern[str]:
    """Pattern of texts that may be another person or a common word: handle, logins, and a name of one word."""
    names = [known.name] if len(known.name.split()) == 1 else []
    words = [known.handle, *names, *(account.partition("/")[2] for account in known.accounts)]
    return compile_words(word for word in words if word.casefold() not in NAMES_NOBODY)


def find_traces(known: KnownPerson, home: Path) -> tuple[PersonalTrace, ...]:
    """Places that still name a person whose rows and objects were erased. Reads everything: for the worker."""
    patterns = _Patterns(compile_certain_pattern(known), compile_possible_pattern(known))
    if all(one.pattern == r"(?!)" for one in patterns):
        return ()
    found = [*_search_database(patterns), *_search_files(patterns, home)]
    return tuple(sorted(found))


def read_columns() -> tuple[SearchedColumn, ...]:
    """Every column of the database that may hold a text."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [list(_NEVER_TEXT)])
        return tuple(SearchedColumn(*row) for row in cursor.fetchall())


def _search_database(patterns: _Patterns) -> Iterator[PersonalTrace]:
    for column in read_columns():
        reason = _STAYING.get(column.place, _STAYING.get(f"{column.table}.*", ""))
        if not column.readable:
            if not reason:
                yield PersonalTrace(column.place, 0, "")
            continue
        read = _read_bytes(column) if column.type == "bytea" else _read_texts(column, patterns)
        yield from _count_traces(column.place, reason, patterns, read)


def _count_traces(place: str, reason: str, patterns: _Patterns, texts: Iterable[str]) -> Iterator[PersonalTrace]:
    """Traces of a person in the texts of a place: certain ones, and possible ones."""
    counts = [0, 0]
    for text in texts:
        for number, found in enumerate(patterns.search_text(text)):
            counts[number] += found
    for count, certain in zip(counts, (True, False), strict=True):
        if count:
            yield PersonalTrace(place, count, reason, certain)


def _read_texts(column: SearchedColumn, patterns: _Patterns) -> Iterator[str]:
    """The texts of a column in which PostgreSQL finds more than we do: its words and cases may be those of ASCII."""
    statement = sql.SQL(
        "SELECT text FROM (SELECT regexp_replace({name}::text, %s, ' ', 'g') AS text FROM {table}) AS texts"
        " WHERE text ~* %s OR text ~* %s"
    )
    table, name = _quote_names(column)
    values = [_ESCAPES, *(one.pattern for one in patterns)]
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement.format(table=table, name=name), values)
        for (text,) in cursor:
            yield text


def _read_bytes(column: SearchedColumn) -> Iterator[str]:
    """The bytes of a column as texts, as they are or decompressed."""
    table, name = _quote_names(column)
    statement = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL").format(name, table, name)
    escapes = re.compile(_ESCAPES)
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        for (data,) in cursor:
            raw = bytes(data)
            if raw[:1] == bytes([_ZLIB]):
                with suppress(zlib.error):  # it may only begin like it
                    raw = zlib.decompress(raw)
            yield escapes.sub(" ", raw.decode("utf-8", "replace"))


def _quote_names(column: SearchedColumn) -> tuple[sql.Identifier, sql.Identifier]:
    return sql.Identifier(column.table), sql.Identifier(column.name)


def _search_files(patterns: _Patterns, home: Path) -> Iterator[PersonalTrace]:
    if not os.access(home, os.R_OK | os.X_OK):
        yield PersonalTrace("the home's files", 1, "the account of this process cannot list them")
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home)
        if place.parts[0] in _UNREAD_FOLDERS or not path.is_file() or path.is_symlink():
            continue
        try:
            if path.stat().st_size <= _LARGEST_FILE:
                yield from _count_traces(f"file {place}", "", patterns, [path.read_text("utf-8", "replace")])
        except OSError:
            continue  # it is gone by now, or is no file of this account

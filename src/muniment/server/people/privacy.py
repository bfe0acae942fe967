"""Personal data: export, legal hold, erasure and retention periods.

The ledger names nobody and stays. The objects outside it are erased by the eraser alone; each erasure is recorded,
so that `verify` can say by which rule something is missing.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from muniment.facts.people import Person as KnownPerson
from muniment.policy.model import Retention
from muniment.server.acts.inputs import Label
from muniment.server.people.models import Person
from muniment.server.people.people_facts import build_people
from muniment.server.people.session_store import read_session_content
from muniment.server.people.waiting_requests import waiting_requests
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.models import Document
from muniment.server.records.record_writing import recording_erasure
from muniment.server.registration import RetentionRule, read_contributions
from muniment.store.erasure import find_mentions_of
from muniment.workflows.erase import read_objects

REASON = "a person asked for it"  # of an erasure
NAMELESS = "(erased)"


def retention_rules() -> tuple[RetentionRule, ...]:
    """The rules of every app."""
    return tuple(rule for app in read_contributions() for rule in app.retention)


class ShownRule(NamedTuple):
    """A retention rule as a page shows it; `days` is 0 for what ends by itself."""

    kind: Label
    why: Label
    days: int


def shown_rules() -> list[ShownRule]:
    """The rules with the periods of the policy in force, those of the built-in policy where there is none."""
    policy = open_store().load_policy()
    periods = Retention() if policy is None else policy.policy.retention
    return [ShownRule(rule.kind, rule.why, _days_of(rule, periods)) for rule in retention_rules()]


def apply_retention_rules() -> None:
    """Delete the rows whose retention period is over. For the eraser, repeatedly."""
    policy = row_checks.read_recorded(lambda: open_store().load_policy(), Document)
    if policy is None:
        return
    now = timezone.now()
    for rule in retention_rules():
        rule.drop(now - timedelta(days=_days_of(rule, policy.policy.retention)))


def _days_of(rule: RetentionRule, periods: Retention) -> int:
    return int(getattr(periods, rule.key)) if rule.key else 0


def load_known_person(person: Person) -> KnownPerson:
    """Person as the core knows them: every name by which objects may mention them."""
    found = build_people().by_id[person.pk]
    emails = (*found.emails, *([person.email] if person.email else []))
    return KnownPerson(
        *(found.id, found.name, tuple(dict.fromkeys(emails)), found.keys, found.accounts, ()),
        active=False,
        write_access=(),
        handle=found.handle,
        unconfirmed=found.unconfirmed,
    )


def sessions_of(person: str) -> Iterator[dict[str, object]]:
    """Each session in which somebody is signed in, without its key, which would let a reader in."""
    for row in Session.objects.order_by("expire_date").iterator():
        if (read_session_content(row.session_data) or {}).get(SESSION_KEY) == person:
            yield {"expires_at": row.expire_date}


def _parse_stored_object(data: bytes) -> Any:
    """Stored object of the ledger as JSON value; as text if it is no JSON."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def collect_personal_data(person: Person) -> dict[str, object]:
    """Collect all stored data of a person, for themselves (GDPR, article 15): from tables, and from the ledger's stored
    objects.
    """
    objects = dict(read_objects(open_store()))
    speaking = find_mentions_of(objects.items(), load_known_person(person))
    stored = {one.name: list(one.read(person.pk)) for app in read_contributions() for one in app.personal_data}
    names = {"id": person.pk, "handle": person.slug, "name": person.name, "email": person.email}
    former = list(person.former_handles.values_list("handle", flat=True))
    described = {**names, "active": person.active, "former_handles": former}
    return {
        "person": described,
        **stored,
        "record_details": {digest: _parse_stored_object(objects[digest]) for digest in speaking},
    }


def erase_texts(known: KnownPerson) -> int:
    """Erase a person's name, id, addresses and accounts from free texts; the number of rows. For the eraser.

    Searches the fields that a model lists in `free_texts`. Other spellings of a name cannot be found:
    docs/guides/personal-data.md.
    """
    words = compile_name_pattern(known)
    waiting_requests().withdraw_naming(words)  # those that came since the erasure was approved
    return sum(_erase_model_texts(model, words) for model in apps.get_models() if hasattr(model, "free_texts"))


def _erase_model_texts(model: Any, words: re.Pattern[str]) -> int:
    found = 0
    for row in model.objects.only("pk", *model.free_texts).iterator():
        texts = {name: erase_words(words, getattr(row, name)) for name in model.free_texts}
        changed = {name: text for name, text in texts.items() if text != getattr(row, name)}
        if changed:
            model.objects.filter(pk=row.pk).update(**changed)
            found += 1
    return found


def erase_words(words: re.Pattern[str], value: Any) -> Any:
    """Text or JSON value without the words."""
    if isinstance(value, str):
        return words.sub(NAMELESS, value)
    if isinstance(value, dict):
        return {erase_words(words, name): erase_words(words, one) for name, one in value.items()}
    return [erase_words(words, one) for one in value] if isinstance(value, list) else value


NAMES_NOBODY = frozenset({"", "erased", NAMELESS})  # what stands in place of a name is not replaced again


def compile_name_pattern(known: KnownPerson) -> re.Pattern[str]:
    """Pattern of whole words that name a person, in any case. A login counts without its forge too."""
    unconfirmed = [identity.partition(":")[2] for identity in known.unconfirmed]
    logins = (account.partition("/")[2] for account in (*known.accounts, *unconfirmed))
    accounts = {*known.emails, *known.keys, *known.accounts, *unconfirmed, *logins}
    texts = {known.id, known.handle, known.name, *accounts}
    return compile_words(text for text in texts if text.casefold() not in NAMES_NOBODY)


def compile_words(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern of texts as whole words, in any case, with any white space within. Without a text nothing matches.

    PostgreSQL uses it too, and knows no case but that of ASCII where the database's locale is C.
    """
    longest = sorted({text for text in texts if text.strip()}, key=len, reverse=True)
    words = "|".join(r"\s+".join(map(_compile_word, text.split())) for text in longest)
    return re.compile(rf"(?<![\w@.-])(?:{words})(?![\w@-])" if words else r"(?!)", re.IGNORECASE)


def _compile_word(word: str) -> str:
    """Pattern of a word whose letters beyond ASCII stand in each case, composed and decomposed."""
    return "".join(map(_compile_letter, unicodedata.normalize("NFC", word)))


def _compile_letter(letter: str) -> str:
    if letter.isascii():
        return re.escape(letter)
    cases = {letter, letter.lower(), letter.upper(), letter.title(), letter.casefold()}
    forms = {unicodedata.normalize(form, one) for one in cases for form in ("NFC", "NFD")}
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=lambda one: (-len(one), one))))})"


def drop_rows(rows: Any) -> int:
    """Delete rows; how many."""
    return int(rows.delete()[0])


def drop_recorded_rows(rows: Any) -> int:
    """Delete rows that are relied on: their deletion is recorded, for one that no record has is an incident."""
    if not rows.exists():
        return 0
    with transaction.atomic(), recording_erasure("a retention rule"):
        return drop_rows(rows)

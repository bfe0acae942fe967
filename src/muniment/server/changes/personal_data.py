"""Erases what changes that have ended say of a person."""

import re
from collections.abc import Iterable

from muniment.facts.people import Person as KnownPerson
from muniment.server.changes.models import Change, Decision
from muniment.server.people.privacy import erase_words


def find_policies_of_decisions() -> Iterable[str]:
    """The digests of the policies by which open changes were decided."""
    return Decision.objects.filter(latest_of__state=Change.State.OPEN).values_list("policy_digest", flat=True)


def erase_ended_changes(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Erase the titles and branches of changes that have ended; of how many."""
    ended = Change.objects.exclude(state=Change.State.OPEN)
    found = 0
    for change in ended.only("pk", "title", "name").iterator():
        if not words.search(change.title) and not words.search(change.name):
            continue
        name = erase_words(words, change.name)
        if name != change.name:
            change.name = f"{name} {change.pk}"[-300:]  # a name is used once
        change.title = erase_words(words, change.title)
        change.save(update_fields=["name", "title"])
        found += 1
    return found

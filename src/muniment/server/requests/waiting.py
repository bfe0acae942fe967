"""Asks about requests that wait, and ends them, for the apps below."""

import json
import re
from collections.abc import Iterator

from django.db.models import Q

from muniment.server.people.models import Person
from muniment.server.requests.models import Request


class StoredRequests:
    """Requests that wait, by their table."""

    def is_about(self, subject: str, action: str = "") -> bool:
        """Whether one waits about a subject, such as `person:k3f7`, for this action if one is given."""
        rows = Request.objects.filter(subject=subject, state=Request.State.WAITING)
        return (rows.filter(action=action) if action else rows).exists()

    def has_value(self, text: str) -> bool:
        """Whether the act of one has this text as one of its values."""
        return Request.objects.filter(state=Request.State.WAITING, act__contains=f'"{text}"').exists()

    def withdraw_of(self, person: Person, subject: str) -> None:
        """End those that a person made, or that are about the subject."""
        Request.withdraw_waiting(Request.objects.filter(Q(requester=person) | Q(subject=subject)))

    def withdraw_naming(self, words: re.Pattern[str], but: str = "") -> None:
        """End those whose act names somebody, except the one whose request has the record `but`.

        An act cannot be changed without its digest.
        """
        waiting = Request.objects.filter(state=Request.State.WAITING)
        if but:
            waiting = waiting.exclude(request_record=but)
        Request.withdraw_waiting(waiting.filter(pk__in=[row.pk for row in waiting if _names_person(words, row.act)]))

    def find_records(self, digest: str) -> list[str]:
        """The digests of the records of every request of an act, whether it waits or not."""
        return list(Request.objects.filter(digest=digest).values_list("request_record", flat=True))


def _names_person(words: re.Pattern[str], act: str) -> bool:
    """Whether an act names the person; true for one that cannot be read."""
    try:
        return any(words.search(text) for text in _find_texts(json.loads(act)))
    except ValueError:
        return True


def _find_texts(value: object) -> Iterator[str]:
    """Texts within a JSON value, as people typed them: in JSON itself, a line would begin with the n of its escape."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for one in value.values() for text in _find_texts(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in _find_texts(one))

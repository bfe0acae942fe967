"""Requests that wait for a second person, as the app `requests` answers for them: it is a higher layer."""

import re
from typing import Protocol

from muniment.server.people.models import Person


class WaitingRequests(Protocol):
    """Requests that wait, asked and ended by what they are about."""

    def is_about(self, subject: str, action: str = "") -> bool:
        """Whether one waits about a subject, such as `person:k3f7`, for this action if one is given."""
        ...

    def has_value(self, text: str) -> bool:
        """Whether the act of one has this text as one of its values."""
        ...

    def withdraw_of(self, person: Person, subject: str) -> None:
        """End those that a person made, or that are about the subject."""
        ...

    def withdraw_naming(self, words: re.Pattern[str], but: str = "") -> None:
        """End those whose act names somebody, except the one whose request has the record `but`."""
        ...

    def find_records(self, digest: str) -> list[str]:
        """The digests of the records of every request of an act, whether it waits or not."""
        ...


_registered: list[WaitingRequests] = []  # one at most


def register_waiting_requests(requests: WaitingRequests) -> None:
    """Have requests asked and ended by `requests`."""
    _registered[:] = [requests]


def waiting_requests() -> WaitingRequests:
    """The registered requests. Raises LookupError in a process that has none."""
    if not _registered:
        raise LookupError("this process has no app that knows requests")
    return _registered[0]

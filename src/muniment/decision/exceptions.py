"""Exceptions cover one clause in one scope until one moment, and only if two people signed them.

The signers are the owner and another person with the security role; it lasts 90 days at most. Any other is void.
"""

from collections.abc import Iterable

from muniment.facts import moments
from muniment.facts.change import Revision
from muniment.facts.people import SECURITY, People
from muniment.facts.statements import PolicyException, SignatureResult

LONGEST_DAYS = 90  # days

_PROVEN = (SignatureResult.VALID, SignatureResult.RECORDED)


def find_covering_exception(
    exceptions: Iterable[PolicyException], people: People, clause: str, revision: Revision, now: str
) -> str:
    """Find an exception that covers the clause for this revision now, the first by id; "" if there is none."""
    return min(
        (
            exception.id
            for exception in exceptions
            if exception.clause == clause
            and not find_exception_problems(exception, people, now)
            and _is_in_scope(exception, revision)
        ),
        default="",
    )


def find_exception_problems(exception: PolicyException, people: People, now: str) -> tuple[str, ...]:
    """Reasons why an exception is not in force, as codes; none if it is."""
    signers = [
        people.by_id[signed.person]
        for signed in exception.signatures
        if signed.signature in _PROVEN and signed.person in people.by_id
    ]
    active = {person.id for person in signers if person.active}
    approvers = {person.id for person in signers if person.active and SECURITY in person.roles}
    checks = (
        ("not-signed-by-owner", exception.owner not in active),
        ("not-approved-by-another", not approvers - {exception.owner}),
        ("no-reason", not exception.reason.strip()),
        ("not-begun", exception.granted > now),
        ("expired", exception.expires <= now),
        ("too-long", exception.expires > moments.add_time(exception.granted, days=LONGEST_DAYS)),
    )
    return tuple(code for code, holds in checks if holds)


def _is_in_scope(exception: PolicyException, revision: Revision) -> bool:
    return (
        exception.repository == revision.repository
        and exception.branch == revision.target
        and exception.head in ("", revision.head)
    )

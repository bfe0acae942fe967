"""An exception covers one clause in one scope until one moment, and only if two people stand behind it.

Its owner and another person with the security role signed it; it lasts 90 days at most. Anything else is nothing.
"""

from collections.abc import Iterable

from muniment.facts import moments
from muniment.facts.change import Revision
from muniment.facts.people import SECURITY, People
from muniment.facts.statements import PolicyException, Signature

LONGEST = 90  # days

_PROVEN = (Signature.VALID, Signature.RECORDED)


def covering(exceptions: Iterable[PolicyException], people: People, clause: str, revision: Revision, now: str) -> str:
    """The id of an exception that covers the clause for this revision now, the first by id; "" if there is none."""
    return min(
        (
            exception.id
            for exception in exceptions
            if exception.clause == clause and not why_not(exception, people, now) and _covers(exception, revision)
        ),
        default="",
    )


def why_not(exception: PolicyException, people: People, now: str) -> tuple[str, ...]:
    """Why an exception is nothing, as codes; none if it holds."""
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
        ("too-long", exception.expires > moments.later(exception.granted, days=LONGEST)),
    )
    return tuple(code for code, holds in checks if holds)


def _covers(exception: PolicyException, revision: Revision) -> bool:
    return (
        exception.repository == revision.repository
        and exception.branch == revision.target
        and exception.head in ("", revision.head)
    )

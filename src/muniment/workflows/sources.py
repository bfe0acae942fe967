"""Which policy, people and exceptions hold for a branch: those of its tip, under the floor of the home's.

Never those of the change, and never those of an older base that its author chose.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from muniment.decision.binding import BoundPolicy, bind
from muniment.decision.catalogue import CONTROLS, LATER
from muniment.decision.comparison import Difference
from muniment.decision.tightening import tighten
from muniment.errors import ExceptionFileError, PeopleError, PolicyError
from muniment.facts.people import People, Person
from muniment.facts.statements import PolicyException, Signature, Signed
from muniment.policy.document import read_policy
from muniment.policy.exceptions import NAMESPACE, ArmoredSignature, fact, read_exception
from muniment.policy.people import read_people

Verify = Callable[[bytes, str, str, Person], Signature]  # data, what proves it, namespace, by whom it should be


class Written(Protocol):
    """A place where a company's documents lie: a home, or `.muniment/` at a branch's tip."""

    def policy_text(self) -> str | None:
        """policy.toml, None if there is none."""

    def people_text(self) -> str | None:
        """people.toml, None if there is none."""

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every file in exceptions/."""


class Rules(Struct, frozen=True):
    """What holds. `weaker` are attempts of the branch's own policy to be weaker than the home's: they are void.

    `spoilt` are exception files that cannot be read, with what is wrong: they cover nothing. `texts` are the home's
    policy and the branch's, as they were written.
    """

    policy: BoundPolicy
    people: People
    exceptions: tuple[PolicyException, ...]
    weaker: tuple[Difference, ...]
    spoilt: tuple[str, ...]
    texts: tuple[str | None, str | None]


def rules(home: Written | None, branch: Written | None, verify: Verify) -> Rules:
    """The rules from a home, a branch's own documents, or both.

    Raises PolicyError or PeopleError where one is missing in both or wrong in either.
    """
    own, theirs = (place.policy_text() if place is not None else None for place in (home, branch))
    policy, weaker = policy_from(own, theirs)
    people = people_of(home, branch)
    exceptions, spoilt = exceptions_of((home, branch), people, verify)
    return Rules(policy, people, exceptions, weaker, spoilt, (own, theirs))


def policy_of(home: Written | None, branch: Written | None) -> tuple[BoundPolicy, tuple[Difference, ...]]:
    """The effective policy, bound to its controls, and where the branch's own tried to be weaker."""
    return policy_from(*(place.policy_text() if place is not None else None for place in (home, branch)))


def policy_from(home: str | None, branch: str | None) -> tuple[BoundPolicy, tuple[Difference, ...]]:
    """The same from the texts alone; None where there is none."""
    floor = None if home is None else bound(home, "policy.toml of the home")
    own = None if branch is None else bound(branch, ".muniment/policy.toml")
    if floor is not None and own is not None:
        return tighten(floor, own, CONTROLS, LATER)
    found = floor or own
    if found is None:
        raise PolicyError(
            "policy.toml",
            "",
            "there is no policy here: neither in .muniment/ at the tip of the branch nor in a home",
            "Make one with: muniment init --home DIR, then check with --home DIR",
        )
    return found, ()


def people_of(home: Written | None, branch: Written | None) -> People:
    """The people: the home's if it has any document of them, else the branch's."""
    for place, name in ((home, "people.toml of the home"), (branch, ".muniment/people.toml")):
        text = place.people_text() if place is not None else None
        if text is not None:
            return _people(text, name)
    raise PeopleError(
        "people.toml",
        "",
        "nobody is known: it is neither in .muniment/ at the tip of the branch nor in a home",
        "Make one with: muniment init --home DIR, then name your people in it",
    )


@lru_cache(maxsize=16)
def _people(text: str, name: str) -> People:
    return read_people(text, name)


@lru_cache(maxsize=64)
def bound(text: str, name: str) -> BoundPolicy:
    """The text of a policy, read and bound: once for each text. Raises PolicyError."""
    return bind(read_policy(text, name), CONTROLS, LATER, name, text)


def exceptions_of(
    places: Iterable[Written | None], people: People, verify: Verify
) -> tuple[tuple[PolicyException, ...], tuple[str, ...]]:
    """The exceptions of all places with their signatures verified, and what is wrong with files that are none."""
    found: list[PolicyException] = []
    spoilt: list[str] = []
    for place in places:
        for name, data in place.exceptions() if place is not None else ():
            try:
                read = read_exception(name, data)
            except ExceptionFileError as error:
                spoilt.append(str(error))
                continue
            signed = tuple(_signed(armored, read.exception.signed, people, verify) for armored in read.signatures)
            found.append(fact(read, signed))
    return tuple(found), tuple(spoilt)


def _signed(armored: ArmoredSignature, data: bytes, people: People, verify: Verify) -> Signed:
    person = people.by_id.get(armored.person)
    if person is None:
        return Signed(armored.person, Signature.UNKNOWN_PERSON)
    return Signed(armored.person, verify(data, armored.signature, NAMESPACE, person))

"""Which policy, people and exceptions hold for a branch: those of its tip, under the floor of the home's.

Never those of the change, and never those of an older base that its author chose.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.comparison import Difference
from muniment.decision.policies import tighten_policy
from muniment.errors import ExceptionFileError, PeopleError, PolicyError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People, Person
from muniment.facts.statements import PolicyException, Signature, Signed
from muniment.policy.exceptions import NAMESPACE, ArmoredSignature, fact, read_exception

Verify = Callable[[bytes, str, str, Person], Signature]  # data, what proves it, namespace, by whom it should be
PutPeople = Callable[[People], str]  # `Store.put_people`


class RuleSource(Protocol):
    """A place that has a company's rules: a store, one product's view of it, or `.muniment/` at a branch's tip."""

    def policy(self) -> BoundPolicy | None:
        """The policy, bound to its controls, None if there is none. Raises PolicyError for one that is wrong."""

    def people(self) -> People | None:
        """Everybody who is known, None if nobody wrote that down. Raises PeopleError for a list that is wrong."""

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""


class Rules(Struct, frozen=True):
    """What holds. `weaker` are attempts of the branch's own policy to be weaker than the home's: they are void.

    `spoilt` are exception files that cannot be read, with what is wrong: they cover nothing. `branch_policy` is the
    branch's own policy before it was laid over the home's, None if it carries none. `people_reference` is what a fact
    about these people commits to (`facts.Fact.reference`). `people_unknown`: why they are not known here, else "".
    """

    policy: BoundPolicy
    people: People
    exceptions: tuple[PolicyException, ...]
    weaker: tuple[Difference, ...]
    spoilt: tuple[str, ...]
    branch_policy: BoundPolicy | None
    people_reference: str
    people_unknown: str = ""

    @property
    def known_people(self) -> Maybe[People]:
        """The people, as a fact."""
        return Unknown(self.people_unknown) if self.people_unknown else Known(self.people)


def rules(
    home: RuleSource | None, branch: RuleSource | None, verify: Verify, put_people: PutPeople | None = None
) -> Rules:
    """The rules from a home, a branch's own documents, or both.

    `put_people` stores the people for a decision that is recorded, None for one that is only shown. Raises PolicyError
    or PeopleError where one is missing in both or wrong in either.
    """
    own = branch.policy() if branch is not None else None
    policy, weaker = effective_policy(home.policy() if home is not None else None, own)
    people = people_of(home, branch)
    exceptions, spoilt = exceptions_of((home, branch), people, verify)
    reference = put_people(people) if put_people is not None else people.digest
    return Rules(policy, people, exceptions, weaker, spoilt, own, reference)


def policy_of(home: RuleSource | None, branch: RuleSource | None) -> tuple[BoundPolicy, tuple[Difference, ...]]:
    """The effective policy, bound to its controls, and where the branch's own tried to be weaker."""
    return effective_policy(*(source.policy() if source is not None else None for source in (home, branch)))


def effective_policy(floor: BoundPolicy | None, own: BoundPolicy | None) -> tuple[BoundPolicy, tuple[Difference, ...]]:
    """Lay a branch's own policy over the home's, and say where it tried to be weaker. Raises PolicyError for none."""
    if floor is not None and own is not None:
        return tighten_policy(floor, own)
    found = floor or own
    if found is None:
        raise PolicyError(
            "policy.toml",
            "",
            "there is no policy here: neither in .muniment/ at the tip of the branch nor in a home",
            "In a clone, fetch what the server published: git fetch origin '+refs/muniment/*:refs/muniment/*'. "
            "At a server, make one with: muniment init --home DIR, and name it with --home DIR",
        )
    return found, ()


def people_of(home: RuleSource | None, branch: RuleSource | None) -> People:
    """The people: the home's if it names anybody, else the branch's. A list that names nobody hides no other."""
    found = [people for source in (home, branch) if source is not None and (people := source.people()) is not None]
    for people in (*filter(lambda people: people.holders, found), *found):
        return people
    raise PeopleError(
        "people.toml",
        "",
        "there is no people.toml, neither in .muniment/ at the tip of the branch nor in a home",
        "Make one with: muniment init --home DIR, then name your people in it",
    )


def exceptions_of(
    places: Iterable[RuleSource | None], people: People, verify: Verify
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

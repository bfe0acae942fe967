"""Sources of the policy, people and exceptions of a branch: its tip, under the minimum of the home's policy.

Never those of the change, and never those of an older base that its author chose.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import tighten_policy
from muniment.decision.comparison import PolicyDifference
from muniment.errors import ExceptionFileError, PeopleError, PolicyError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People, Person
from muniment.facts.statements import ExceptionSignature, PolicyException, SignatureResult
from muniment.policy.exception_files import EXCEPTION_NAMESPACE, ArmoredSignature, create_exception_fact, read_exception

VerifySignature = Callable[
    [bytes, str, str, Person], SignatureResult
]  # data, what proves it, namespace, by whom it should be
PutPeople = Callable[[People], str]  # `Store.put_people`


class RuleSource(Protocol):
    """Source of a company's rules: a store, one product's view of it, or `.muniment/` at a branch's tip."""

    def load_policy(self) -> BoundPolicy | None:
        """Policy, bound to its controls, None if there is none. Raises PolicyError for one that is wrong."""

    def load_people(self) -> People | None:
        """Everybody who is known, None if no file lists them. Raises PeopleError for a list that is wrong."""

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""


class Rules(Struct, frozen=True):
    """Effective rules of a branch. `weaker` are differences in which the branch's own policy is weaker than the home's:
    they are void.

    `spoilt` are exception files that cannot be read, with their problem: they cover nothing. `branch_policy` is the
    branch's own policy before it was laid over `home_policy`, None if it carries none. `people_reference` is the digest
    that a fact about these people commits to (`facts.Fact.reference`). `people_unknown`: why they are not known here,
    else "".
    """

    policy: BoundPolicy
    people: People
    exceptions: tuple[PolicyException, ...]
    weaker: tuple[PolicyDifference, ...]
    spoilt: tuple[str, ...]
    branch_policy: BoundPolicy | None
    people_reference: str
    people_unknown: str = ""
    home_policy: BoundPolicy | None = None

    @property
    def known_people(self) -> Maybe[People]:
        """The people, as a fact."""
        return Unknown(self.people_unknown) if self.people_unknown else Known(self.people)


def load_rules(
    home: RuleSource | None, branch: RuleSource | None, verify: VerifySignature, put_people: PutPeople | None = None
) -> Rules:
    """Load the rules from a home, a branch's own documents, or both.

    `put_people` stores the people for a decision that is recorded, None for one that is only shown. Raises PolicyError
    or PeopleError where one is missing in both or wrong in either.
    """
    own = branch.load_policy() if branch is not None else None
    floor = home.load_policy() if home is not None else None
    policy, weaker = combine_policies(floor, own)
    people = load_effective_people(home, branch)
    exceptions, spoilt = load_effective_exceptions((home, branch), people, verify)
    reference = put_people(people) if put_people is not None else people.digest
    return Rules(policy, people, exceptions, weaker, spoilt, own, reference, home_policy=floor)


def load_effective_policy(
    home: RuleSource | None, branch: RuleSource | None
) -> tuple[BoundPolicy, tuple[PolicyDifference, ...]]:
    """Load the effective policy, bound to its controls, and the differences in which the branch's own is weaker."""
    return combine_policies(*(source.load_policy() if source is not None else None for source in (home, branch)))


def combine_policies(
    floor: BoundPolicy | None, own: BoundPolicy | None
) -> tuple[BoundPolicy, tuple[PolicyDifference, ...]]:
    """Lay a branch's own policy over the home's, and list where it is weaker, which is void. Raises PolicyError for
    none.
    """
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


def load_effective_people(home: RuleSource | None, branch: RuleSource | None) -> People:
    """Load the people: the home's if it names anybody, else the branch's. An empty list hides no other."""
    found = [people for source in (home, branch) if source is not None and (people := source.load_people()) is not None]
    for people in (*filter(lambda people: people.holders, found), *found):
        return people
    raise PeopleError(
        "people.toml",
        "",
        "there is no people.toml, neither in .muniment/ at the tip of the branch nor in a home",
        "Make one with: muniment init --home DIR, then name your people in it",
    )


def load_effective_exceptions(
    places: Iterable[RuleSource | None], people: People, verify: VerifySignature
) -> tuple[tuple[PolicyException, ...], tuple[str, ...]]:
    """Load the exceptions of all places with their signatures verified, and the problems of files that are none."""
    found: list[PolicyException] = []
    spoilt: list[str] = []
    for place in places:
        for name, data in place.load_exceptions() if place is not None else ():
            try:
                read = read_exception(name, data)
            except ExceptionFileError as error:
                spoilt.append(str(error))
                continue
            signed = tuple(
                _verify_signature(armored, read.exception.signed_bytes, people, verify) for armored in read.signatures
            )
            found.append(create_exception_fact(read, signed))
    return tuple(found), tuple(spoilt)


def _verify_signature(
    armored: ArmoredSignature, data: bytes, people: People, verify: VerifySignature
) -> ExceptionSignature:
    person = people.by_id.get(armored.person)
    if person is None:
        return ExceptionSignature(armored.person, SignatureResult.UNKNOWN_PERSON)
    return ExceptionSignature(armored.person, verify(data, armored.signature, EXCEPTION_NAMESPACE, person))

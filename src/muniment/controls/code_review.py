"""Contributors of a change, and approvals that count, for every control that reads the code review.

Rules kept here, each by one function:

- a contributor never counts as a reviewer, nor does a machine, an inactive person, or one who may not write;
- an approval is for one head, one branch and one repository, and carries only over what a machine did (`carrying`);
- an approval is spent once the branch took that head; one that is recorded later counts again;
- per person the latest word holds (of two of one moment: that which blocks), and withdrawing revives no older approval;
- whoever cannot be named is a contributor that nobody knows, and stays one until the security role attests.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from muniment.controls.carrying import Carried, carried
from muniment.controls.control import Case
from muniment.controls.review_statements import PUSHER, ReviewStatements
from muniment.controls.statement_order import (
    head_to_approve,
    removes_commits,
)
from muniment.facts import kinds
from muniment.facts.change import Commit, Contributor, ContributorRole, Pushes, Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import FORGE, SECURITY, Machine, People, Person
from muniment.facts.statements import Approval, Signature
from muniment.policy.patterns import matches

NEEDS = (
    *(kinds.REVISION, kinds.COMMITS, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS, kinds.LANDED_HEADS),
    kinds.PEOPLE,
)

_GONE = "nothing says any more what was in it"
_NONE: frozenset[str] = frozenset()
_UNRECORDED = Unknown("nobody recorded a push")

_MERGERS = {
    False: frozenset((ContributorRole.COMMITTER,)),
    True: frozenset((ContributorRole.COMMITTER, ContributorRole.AUTHOR)),
}


class Contribution(Struct, frozen=True):
    """Role of an identity in one commit. `why` is the reason where `identity` is "" (unknown)."""

    commit: str
    identity: str
    because: ContributorRole
    why: str


class Part(Struct, frozen=True, order=True):
    """Reason why a person is a contributor."""

    commit: str
    because: ContributorRole


class Stranger(Struct, frozen=True, order=True):
    """Contributor who is not linked to a person: the identity that was read, or why there is none.

    `unconfirmed` is the id of the person to whom it is linked, where that waits for a second person; else "".
    """

    subject: str
    commit: str
    because: ContributorRole
    why: str
    unconfirmed: str = ""


class Judged(Struct, frozen=True):
    """Statement with the reasons for which it does not count; none if it counts."""

    approval: Approval
    counted: bool
    why_not: tuple[str, ...]


class CodeReview(Struct, frozen=True, dict=True):
    """Code review of one revision: contributors, approvals, and who may still approve.

    `contributions` by person or machine id (`person:ada`, `machine:update-bot`), as they were found; `merger`
    likewise, "" if nobody merged by machine. `counted` has one approval for each person who counts. `attesting` are
    ids of persons who attest, `requesting` of those whose last word asks for changes.
    """

    contributions: dict[str, list[Contribution]]
    strangers: tuple[Stranger, ...]
    merger: str
    judged: tuple[Judged, ...]
    counted: dict[str, Approval]
    attesting: frozenset[str]
    requesting: tuple[str, ...]
    people: People
    revision: Revision

    @cached_property
    def contributors(self) -> dict[str, tuple[Part, ...]]:
        """The ids of `contributions`, and for each its reasons, once and sorted."""
        return {
            who: tuple(sorted({Part(found.commit, found.because) for found in parts}))
            for who, parts in sorted(self.contributions.items())
        }

    @cached_property
    def blocked_by(self) -> tuple[str, ...]:
        """Ids of the persons who ask for changes, and are active and may write: others block nothing.

        A contributor blocks too: else an author ends an objection by a trailer, or by a commit of whoever objects.
        """
        known = self.people.by_id
        return tuple(
            person
            for person in self.requesting
            if person not in known or (known[person].active and self._may_write(known[person]))
        )

    @cached_property
    def could_approve(self) -> tuple[str, ...]:
        """Ids of the persons whose approval would count, and is not there: at a forge, as far as it was asked."""
        asked = self.revision.possible_reviewers
        return tuple(
            p.id
            for p in self.people.persons
            if p.id not in self.counted
            and (self._may_approve(p) if asked is None else p.id in asked and self._is_independent(p))
        )

    def _may_approve(self, person: Person) -> bool:
        return self._is_independent(person) and self._may_write(person)

    def _is_independent(self, person: Person) -> bool:
        return (
            person.active
            and person.id not in self.attesting
            and f"person:{person.id}" not in self.contributions
            and person.id not in self._refused_at_forge
        )

    def _may_write(self, person: Person) -> bool:
        """Whether a person has write access: as the forge reported it, else by their roles."""
        if person.id in self._writers_at_forge:
            return True
        return person.id not in self._refused_at_forge and matches(self.revision.repository, person.write_access)

    @cached_property
    def _writers_at_forge(self) -> frozenset[str]:
        return frozenset([one.approval.ref_person for one in self.judged if one.approval.writer_at_forge])

    @cached_property
    def _refused_at_forge(self) -> frozenset[str]:
        refused = [one.approval for one in self.judged if one.approval.signature is Signature.MAY_NOT_WRITE]
        return frozenset([approval.ref_person for approval in refused])


def read(case: Case) -> CodeReview:
    """The code review of the case's revision."""
    revision, people = case.get(kinds.REVISION), case.get(kinds.PEOPLE)
    approvals, own = case.get(kinds.APPROVALS), case.get(kinds.COMMITS)
    removes, pushes = removes_commits(revision), case.get(kinds.PUSHES)
    carrying = [
        found
        for approved in case.get(kinds.APPROVED_HEADS)
        if not removes and (found := carried(own, revision.head, approved)) is not None
    ]
    made = _NONE.union(*[c.made for c in carrying])
    history = _history(own, carrying, pushes)
    contributions = _find_contributions(history, made, pushes)
    if removes and not pushes.preview:
        contributions.append(_pushed(head_to_approve(revision), pushes.update_pusher))
    linked = {head_to_approve(revision), *[c.id for c in own], *[c.head for c in carrying], *pushes.earlier_heads}
    statements = ReviewStatements(case, linked)
    contributors, strangers = _resolve(contributions, people, {})
    attesting = statements.attesting(contributors)
    if attesting:
        contributors, strangers = _resolve(contributions, people, statements.attested(attesting, history))
    trees = {head_to_approve(revision): ""} if removes else {}
    trees.update([(c.id, c.tree) for c in own if c.id == revision.head])
    trees.update([(c.head, commit.tree) for c in carrying for commit in c.commits if commit.id == c.head])
    judged = []
    counted: dict[str, Approval] = {}
    for approval in approvals:
        why_not = statements.why_not(approval, trees, contributors, attesting)
        judged.append(Judged(approval, not why_not, why_not))
        if not why_not:
            counted[approval.ref_person] = approval
    return CodeReview(
        contributions=contributors,
        strangers=strangers,
        merger=_merger(own, made, people),
        judged=tuple(judged),
        counted=counted,
        attesting=attesting,
        requesting=statements.requesting(),
        people=people,
        revision=revision,
    )


# Contributors


def _history(own: Iterable[Commit], carrying: Iterable[Carried], pushes: Pushes) -> dict[str, Commit]:
    """By id the commits of the change, of what carries to it and of its earlier heads."""
    history = {commit.id: commit for commit in own}
    for found in carrying:
        history.update([(commit.id, commit) for commit in found.commits])
    history.update([(commit.id, commit) for commit in pushes.earlier_commits])
    return history


def _find_contributions(history: Mapping[str, Commit], made: frozenset[str], pushes: Pushes) -> list[Contribution]:
    """Every contribution to the commits of a change, less those of the mergers of commits that a machine `made`."""
    found = []
    for commit in history.values():
        by_machine = commit.id in made
        for one in commit.contributors:
            if not by_machine or not _is_merger(commit, one):
                found.append(Contribution(commit.id, one.identity, one.role, "" if one.identity else _GONE))
    if not pushes.preview:
        first = {push.commit: push.pusher for push in pushes.first_pushes}
        found += [_pushed(commit, first.get(commit, _UNRECORDED)) for commit in sorted(history.keys() - made)]
    return found


def _pushed(commit: str, pusher: Maybe[str]) -> Contribution:
    identity, why = (pusher.value, "") if isinstance(pusher, Known) else ("", pusher.reason)
    return Contribution(commit, identity, ContributorRole.PUSHER, why)


def _is_merger(commit: Commit, hand: Contributor) -> bool:
    return hand.role in _MERGERS[len(commit.parents) > 1] or hand.role is ContributorRole.SIGNER


def _merger(own: Iterable[Commit], made: frozenset[str], people: People) -> str:
    for commit in own:
        for hand in commit.contributors if commit.id in made else ():
            if hand.role is ContributorRole.COMMITTER:
                return _name(_holder(hand.identity, people), hand.identity)
    return ""


def _name(holder: Person | Machine | None, otherwise: str) -> str:
    if holder is None:
        return otherwise
    return f"person:{holder.id}" if isinstance(holder, Person) else f"machine:{holder.id}"


def _resolve(
    contributions: Sequence[Contribution], people: People, attested: Mapping[str, str]
) -> tuple[dict[str, list[Contribution]], tuple[Stranger, ...]]:
    """Contributions by who made them, and those of strangers. `attested` maps subjects to person ids."""
    found: dict[str, list[Contribution]] = {}
    strangers: list[Stranger] = []
    machines: dict[str, Machine] = {}  # that people ask, by identity
    by_identity: dict[str, list[Contribution]] = {}  # one identity has most of a change
    for one in contributions:
        own = by_identity.get(one.identity)
        if own is None:
            subject = _subject(one)
            holder = _holder(one.identity, people) or people.by_id.get(_attested_holder(one, subject, attested))
            if holder is None:
                claimed = people.by_unconfirmed.get(one.identity)
                why = one.why or ("" if claimed is not None else _erased(people))
                strangers.append(Stranger(subject, one.commit, one.because, why, claimed.id if claimed else ""))
                if claimed is not None:  # it may be theirs, so they approve nothing here either
                    found.setdefault(_name(claimed, ""), []).append(one)
                continue
            own = found.setdefault(_name(holder, ""), [])
            if one.identity:  # without one, whose it was is attested for each commit
                by_identity[one.identity] = own
                if isinstance(holder, Machine) and holder.needs_requester:
                    machines[one.identity] = holder
        own.append(one)
    for commit, machine in _find_unrequested(contributions, machines, found).items() if machines else ():
        subject = f"commit:{commit}"
        person = people.by_id.get(attested.get(subject, ""))
        if person is None:
            why = f"{machine.id} does not say who asked it"
            strangers.append(Stranger(subject, commit, ContributorRole.REQUESTER, why))
        else:
            requested = Contribution(commit, "", ContributorRole.REQUESTER, "")
            found.setdefault(f"person:{person.id}", []).append(requested)
    return found, tuple(sorted(strangers))


def _find_unrequested(
    contributions: Iterable[Contribution], machines: Mapping[str, Machine], found: Mapping[str, Iterable[Contribution]]
) -> dict[str, Machine]:
    """Commits by one of `machines`, each with that machine, for which nobody in `found` is named as its requester."""
    requested = {
        one.commit
        for own in found.values()
        for one in own
        if one.because is ContributorRole.REQUESTER and one.identity not in machines
    }
    by_machine = {one.commit: machines[one.identity] for one in contributions if one.identity in machines}
    return {commit: machine for commit, machine in by_machine.items() if commit not in requested}


def _attested_holder(one: Contribution, subject: str, attested: Mapping[str, str]) -> str:
    """The id of the person that somebody attests a contributor to be; "" for none."""
    whole = f"{PUSHER}{one.commit}" if not one.identity and one.because is ContributorRole.PUSHER else ""
    return attested.get(subject) or attested.get(whole, "")


def _holder(identity: str, people: People) -> Person | Machine | None:
    """Person or machine with an identity. The forge's own identity is a machine without an entry in people.toml."""
    kind, _, name = identity.partition(":")
    return Machine(name, (), (), (), needs_requester=False) if kind == FORGE else people.by_identity.get(identity)


def _erased(people: People) -> str:
    """Why nobody can tell whose an identity is, where people of the fact were erased since; "" where none was."""
    return f"it may be that of a person whose object was erased ({', '.join(people.erased)})" if people.erased else ""


def _subject(one: Contribution) -> str:
    return f"account:{one.identity.partition(':')[2]}" if one.identity else f"commit:{one.commit}"


# What refusals say


class SecurityReviewers(Struct, frozen=True):
    """Persons with the security role whose approval counts, and words for whom else to ask."""

    counted: tuple[str, ...]
    ask: str


def security_reviewers(case: Case, review: CodeReview) -> SecurityReviewers:
    """Persons with the security role who approved, and those who could approve."""
    people = case.get(kinds.PEOPLE)
    could = [person for person in review.could_approve if SECURITY in people.by_id[person].roles]
    counted = tuple(person for person in review.counted if SECURITY in people.by_id[person].roles)
    return SecurityReviewers(
        counted=counted,
        ask=some([people.labels[person] for person in (*counted, *could)], 5)
        or "somebody with the security role who did not contribute to it (no such person is listed)",
    )


def place(revision: Revision) -> dict[str, str]:
    """The head and branch of a revision, for sentences."""
    return {"head": revision.head, "branch": revision.target.removeprefix("refs/heads/")}


def some(names: Sequence[str], most: int) -> str:
    """At most so many names, in words."""
    shown = ", ".join(names[:most])
    return f"{shown} or {len(names) - most} others" if len(names) > most else shown

"""Contributors of a change, and approvals that count, for every control that reads the code review.

Each rule is one function:

- a contributor never counts as a reviewer, nor does a machine, an inactive person, or one who may not write;
- an approval is for one head, one branch and one repository, and carries over only to a machine's copy of that head
(`approval_carryover`);
- an approval is spent once the branch took that head; one that is recorded later counts again;
- per person the latest statement counts (of two of one moment: that which blocks), and a withdrawal revives no older
approval;
- an unnamed contributor is unknown, and stays so until the security role attests who it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from muniment.controls.approval_carryover import Carryover, find_carryover
from muniment.controls.control import Case
from muniment.controls.review_statements import PUSHER, ReviewStatements
from muniment.controls.statement_order import (
    removes_commits,
    select_approved_head,
)
from muniment.facts import kinds
from muniment.facts.change import Commit, Contributor, ContributorRole, Pushes, Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import FORGE_ACCOUNT, SECURITY, Machine, People, Person
from muniment.facts.statements import Approval, SignatureResult
from muniment.policy.patterns import matches_any

NEEDS = (
    *(kinds.REVISION, kinds.COMMITS, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS, kinds.LANDED_HEADS),
    kinds.PEOPLE,
)

_NOT_RECORDED = "nothing says any more what was in it"
_NONE: frozenset[str] = frozenset()
_UNKNOWN_PUSHER = Unknown("nobody recorded a push")

_MERGERS = {
    False: frozenset((ContributorRole.COMMITTER,)),
    True: frozenset((ContributorRole.COMMITTER, ContributorRole.AUTHOR)),
}


class Contribution(Struct, frozen=True):
    """Role of an identity in one commit. `why` is the reason where `identity` is "" (unknown)."""

    commit: str
    identity: str
    role: ContributorRole
    why: str


class RoleInCommit(Struct, frozen=True, order=True):
    """Role in one commit, for which a person is a contributor."""

    commit: str
    role: ContributorRole


class UnknownContributor(Struct, frozen=True, order=True):
    """Contributor who is not linked to a person: the identity that was read, or why there is none.

    `unconfirmed` is the id of the person to whom it is linked, where that waits for a second person; else "".
    """

    subject: str
    commit: str
    role: ContributorRole
    why: str
    unconfirmed: str = ""


class CheckedStatement(Struct, frozen=True):
    """Statement with the reasons for which it does not count; none if it counts."""

    approval: Approval
    counted: bool
    reasons_not_counted: tuple[str, ...]


class CodeReview(Struct, frozen=True, dict=True):
    """Code review of one revision: contributors, approvals, and who may still approve.

    `contributions` by person or machine id (`person:ada`, `machine:update-bot`), as they were found; `merger` likewise,
    "" if nobody merged by machine. `counted` has one approval for each person who counts. `attesting` are ids of
    persons who attest, `requesting` of those whose last statement asks for changes.
    """

    contributions: dict[str, list[Contribution]]
    unknown_contributors: tuple[UnknownContributor, ...]
    merger: str
    statements: tuple[CheckedStatement, ...]
    counted: dict[str, Approval]
    attesting: frozenset[str]
    requesting: tuple[str, ...]
    people: People
    revision: Revision

    @cached_property
    def contributors(self) -> dict[str, tuple[RoleInCommit, ...]]:
        """Ids of `contributions`, and for each its roles, once and sorted."""
        return {
            who: tuple(sorted({RoleInCommit(found.commit, found.role) for found in parts}))
            for who, parts in sorted(self.contributions.items())
        }

    @cached_property
    def blocking_reviewers(self) -> tuple[str, ...]:
        """Ids of the persons who ask for changes, and are active and may write: others block nothing.

        A contributor blocks too: else an author could end an objection by a trailer, or by a commit of the objecting
        person.
        """
        known = self.people.by_id
        return tuple(
            person
            for person in self.requesting
            if person not in known or (known[person].active and self._may_write(known[person]))
        )

    @cached_property
    def eligible_reviewers(self) -> tuple[str, ...]:
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
        return person.id not in self._refused_at_forge and matches_any(self.revision.repository, person.write_access)

    @cached_property
    def _writers_at_forge(self) -> frozenset[str]:
        return frozenset([one.approval.ref_person for one in self.statements if one.approval.writer_at_forge])

    @cached_property
    def _refused_at_forge(self) -> frozenset[str]:
        refused = [one.approval for one in self.statements if one.approval.signature is SignatureResult.MAY_NOT_WRITE]
        return frozenset([approval.ref_person for approval in refused])


def read_code_review(case: Case) -> CodeReview:
    """Read the code review of the case's revision."""
    revision, people = case.get_fact(kinds.REVISION), case.get_fact(kinds.PEOPLE)
    approvals, own = case.get_fact(kinds.APPROVALS), case.get_fact(kinds.COMMITS)
    removes, pushes = removes_commits(revision), case.get_fact(kinds.PUSHES)
    carrying = [
        found
        for approved in case.get_fact(kinds.APPROVED_HEADS)
        if not removes and (found := find_carryover(own, revision.head, approved)) is not None
    ]
    made = _NONE.union(*[c.made for c in carrying])
    history = _collect_commits(own, carrying, pushes)
    contributions = _find_contributions(history, made, pushes)
    if removes and not pushes.preview:
        contributions.append(_create_push_contribution(select_approved_head(revision), pushes.update_pusher))
    linked = {select_approved_head(revision), *[c.id for c in own], *[c.head for c in carrying], *pushes.earlier_heads}
    statements = ReviewStatements(case, linked)
    contributors, strangers = _resolve_contributors(contributions, people, {})
    attesting = statements.find_attesting_persons(contributors)
    if attesting:
        contributors, strangers = _resolve_contributors(
            contributions, people, statements.find_attested_persons(attesting, history)
        )
    trees = {select_approved_head(revision): ""} if removes else {}
    trees.update([(c.id, c.tree) for c in own if c.id == revision.head])
    trees.update([(c.head, commit.tree) for c in carrying for commit in c.commits if commit.id == c.head])
    checked = []
    counted: dict[str, Approval] = {}
    for approval in approvals:
        why_not = statements.find_objections(approval, trees, contributors, attesting)
        checked.append(CheckedStatement(approval, not why_not, why_not))
        if not why_not:
            counted[approval.ref_person] = approval
    return CodeReview(
        contributions=contributors,
        unknown_contributors=strangers,
        merger=_find_merger(own, made, people),
        statements=tuple(checked),
        counted=counted,
        attesting=attesting,
        requesting=statements.find_requesting_persons(),
        people=people,
        revision=revision,
    )


# Contributors


def _collect_commits(own: Iterable[Commit], carrying: Iterable[Carryover], pushes: Pushes) -> dict[str, Commit]:
    """Commits by id: of the change, of the heads that carry over to it, and of its earlier heads."""
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
                found.append(Contribution(commit.id, one.identity, one.role, "" if one.identity else _NOT_RECORDED))
    if not pushes.preview:
        first = {push.commit: push.pusher for push in pushes.first_pushes}
        found += [
            _create_push_contribution(commit, first.get(commit, _UNKNOWN_PUSHER))
            for commit in sorted(history.keys() - made)
        ]
    return found


def _create_push_contribution(commit: str, pusher: Maybe[str]) -> Contribution:
    identity, why = (pusher.value, "") if isinstance(pusher, Known) else ("", pusher.reason)
    return Contribution(commit, identity, ContributorRole.PUSHER, why)


def _is_merger(commit: Commit, contributor: Contributor) -> bool:
    """Whether a contributor only merged the commit."""
    return contributor.role in _MERGERS[len(commit.parents) > 1] or contributor.role is ContributorRole.SIGNER


def _find_merger(own: Iterable[Commit], made: frozenset[str], people: People) -> str:
    for commit in own:
        for contributor in commit.contributors if commit.id in made else ():
            if contributor.role is ContributorRole.COMMITTER:
                return _name_holder(_find_holder(contributor.identity, people), contributor.identity)
    return ""


def _name_holder(holder: Person | Machine | None, otherwise: str) -> str:
    if holder is None:
        return otherwise
    return f"person:{holder.id}" if isinstance(holder, Person) else f"machine:{holder.id}"


def _resolve_contributors(
    contributions: Sequence[Contribution], people: People, attested: Mapping[str, str]
) -> tuple[dict[str, list[Contribution]], tuple[UnknownContributor, ...]]:
    """Group contributions by contributor, and list the unknown ones. `attested` maps subjects to person ids."""
    found: dict[str, list[Contribution]] = {}
    strangers: list[UnknownContributor] = []
    machines: dict[str, Machine] = {}  # that people ask, by identity
    by_identity: dict[str, list[Contribution]] = {}  # one identity has most of a change
    for one in contributions:
        own = by_identity.get(one.identity)
        if own is None:
            subject = _attestation_subject(one)
            holder = _find_holder(one.identity, people) or people.by_id.get(
                _find_attested_person(one, subject, attested)
            )
            if holder is None:
                claimed = people.by_unconfirmed.get(one.identity)
                why = one.why or ("" if claimed is not None else _explain_erasure(people))
                strangers.append(UnknownContributor(subject, one.commit, one.role, why, claimed.id if claimed else ""))
                if claimed is not None:  # it may be theirs, so they approve nothing here either
                    found.setdefault(_name_holder(claimed, ""), []).append(one)
                continue
            own = found.setdefault(_name_holder(holder, ""), [])
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
            strangers.append(UnknownContributor(subject, commit, ContributorRole.REQUESTER, why))
        else:
            requested = Contribution(commit, "", ContributorRole.REQUESTER, "")
            found.setdefault(f"person:{person.id}", []).append(requested)
    return found, tuple(sorted(strangers))


def _find_unrequested(
    contributions: Iterable[Contribution], machines: Mapping[str, Machine], found: Mapping[str, Iterable[Contribution]]
) -> dict[str, Machine]:
    """Commits by one of `machines`, each with that machine, for which no requester is named in `found`."""
    requested = {
        one.commit
        for own in found.values()
        for one in own
        if one.role is ContributorRole.REQUESTER and one.identity not in machines
    }
    by_machine = {one.commit: machines[one.identity] for one in contributions if one.identity in machines}
    return {commit: machine for commit, machine in by_machine.items() if commit not in requested}


def _find_attested_person(one: Contribution, subject: str, attested: Mapping[str, str]) -> str:
    """Id of the person that is attested as the contributor; "" for none."""
    whole = f"{PUSHER}{one.commit}" if not one.identity and one.role is ContributorRole.PUSHER else ""
    return attested.get(subject) or attested.get(whole, "")


def _find_holder(identity: str, people: People) -> Person | Machine | None:
    """Person or machine with an identity. The forge's own identity is a machine without an entry in people.toml."""
    kind, _, name = identity.partition(":")
    return (
        Machine(name, (), (), (), needs_requester=False) if kind == FORGE_ACCOUNT else people.by_identity.get(identity)
    )


def _explain_erasure(people: People) -> str:
    """Reason why an identity may be that of an erased person, where people of the fact were erased since; "" where none
    was.
    """
    return f"it may be that of a person whose object was erased ({', '.join(people.erased)})" if people.erased else ""


def _attestation_subject(one: Contribution) -> str:
    return f"account:{one.identity.partition(':')[2]}" if one.identity else f"commit:{one.commit}"


# What refusals say


class SecurityReviewers(Struct, frozen=True):
    """Persons with the security role whose approval counts, and words for the people to ask."""

    counted: tuple[str, ...]
    ask: str


def find_security_reviewers(case: Case, review: CodeReview) -> SecurityReviewers:
    """Persons with the security role who approved, and those who could approve."""
    people = case.get_fact(kinds.PEOPLE)
    could = [person for person in review.eligible_reviewers if SECURITY in people.by_id[person].roles]
    counted = tuple(person for person in review.counted if SECURITY in people.by_id[person].roles)
    return SecurityReviewers(
        counted=counted,
        ask=join_names([people.labels[person] for person in (*counted, *could)], 5)
        or "somebody with the security role who did not contribute to it (no such person is listed)",
    )


def describe_revision(revision: Revision) -> dict[str, str]:
    """Head and branch of a revision, for sentences."""
    return {"head": revision.head, "branch": revision.target.removeprefix("refs/heads/")}


def join_names(names: Sequence[str], most: int) -> str:
    """Join at most so many names, in words."""
    listed = ", ".join(names[:most])
    return f"{listed} or {len(names) - most} others" if len(names) > most else listed

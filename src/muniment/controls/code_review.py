"""Who had a hand in a change, and which approvals of it count: section 6 of the design, for every control that asks.

Rules kept here, each by one function:

- a contributor never counts as a reviewer, nor does a machine, an inactive person, or one who may not write;
- an approval is for one head, one branch and one repository, and carries only over what a machine did (`carrying`);
- per person the latest word holds, and a withdrawal never brings back an older approval;
- whoever cannot be named is a contributor that nobody knows, and stays one until the security role attests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from muniment.controls.carrying import Carried, carried
from muniment.controls.control import Case
from muniment.facts import kinds, moments
from muniment.facts.change import Because, Commit, Hand, Pushes, Revision
from muniment.facts.maybe import Known
from muniment.facts.people import FORGE, SECURITY, Machine, People, Person
from muniment.facts.statements import PROVEN, Approval, Signature, Verdict
from muniment.policy.patterns import matches

NEEDS = (kinds.REVISION, kinds.COMMITS, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS, kinds.PEOPLE)

_GONE = "nothing says any more what was in it"
_CLOCKS_DIFFER = 10  # minutes that a signer's clock may be ahead of the judge's

_MERGERS = {False: frozenset((Because.COMMITTER,)), True: frozenset((Because.COMMITTER, Because.AUTHOR))}


class WhyNot(StrEnum):
    """Why a statement does not count as an approval. Bad signatures have the codes of `facts.statements.Signature`."""

    OTHER_REPOSITORY = "other-repository"
    OTHER_BRANCH = "other-branch"
    OTHER_HEAD = "other-head"
    OTHER_TREE = "other-tree"
    REPLACED = "replaced"
    CHANGES_REQUESTED = "changes-requested"
    WITHDRAWN = "withdrawn"
    ATTESTED = "attested-a-contributor"
    CONTRIBUTOR = "contributor"
    INACTIVE = "inactive"
    MAY_NOT_WRITE = "may-not-write"
    DATED_LATER = "dated-in-the-future"


class Part(Struct, frozen=True, order=True):
    """One reason why somebody is a contributor."""

    commit: str
    because: Because


class Stranger(Struct, frozen=True, order=True):
    """A contributor whom nobody knows: the identity that was read, or what could not be learnt."""

    subject: str
    commit: str
    because: Because
    why: str


class Judged(Struct, frozen=True):
    """One statement, and whether it counts."""

    approval: Approval
    counted: bool
    why_not: tuple[str, ...]


class CodeReview(Struct, frozen=True, dict=True):
    """Everything that controls ask about the review of one revision.

    `contributors` by person or machine id (`person:ada`, `machine:update-bot`); `merger` likewise, "" if nobody
    merged by machine. `counted` has one approval for each person who counts. `attesting` are ids of persons who
    attest, `requesting` of those whose last word asks for changes.
    """

    contributors: dict[str, tuple[Part, ...]]
    strangers: tuple[Stranger, ...]
    merger: str
    judged: tuple[Judged, ...]
    counted: dict[str, Approval]
    attesting: frozenset[str]
    requesting: tuple[str, ...]
    people: People
    revision: Revision

    @cached_property
    def blocked_by(self) -> tuple[str, ...]:
        """Ids of the persons who ask for changes and may approve: others block nothing."""
        return tuple(person for person in self.requesting if self._may_approve(self.people.by_id[person]))

    @cached_property
    def could_approve(self) -> tuple[str, ...]:
        """Ids of the persons whose approval would count, and is not there."""
        return tuple(p.id for p in self.people.persons if p.id not in self.counted and self._may_approve(p))

    def _may_approve(self, person: Person) -> bool:
        return (
            person.active
            and person.id not in self.attesting
            and f"person:{person.id}" not in self.contributors
            and matches(self.revision.repository, person.writes)
        )


def read(case: Case) -> CodeReview:
    """The code review of the case's revision."""
    revision, people = case.get(kinds.REVISION), case.get(kinds.PEOPLE)
    approvals, own = case.get(kinds.APPROVALS), case.get(kinds.COMMITS)
    carrying = [
        found
        for approved in case.get(kinds.APPROVED_HEADS)
        if (found := carried(own, revision.head, approved)) is not None
    ]
    pushes = case.get(kinds.PUSHES)
    linked = {revision.head, *(c.id for c in own), *(c.head for c in carrying), *pushes.earlier_heads}
    hands = list(_hands(own, carrying, pushes))
    statements = _Statements(revision, people, approvals, linked)
    latest = moments.later(case.now, minutes=_CLOCKS_DIFFER)
    contributors, strangers = _resolve(hands, people, {})
    attesting = statements.attesting(contributors)
    if attesting:
        contributors, strangers = _resolve(hands, people, statements.attested(attesting))
    trees = {c.id: c.tree for c in own if c.id == revision.head}
    trees.update((c.head, commit.tree) for c in carrying for commit in c.commits if commit.id == c.head)
    judged = tuple(
        _judged(approval, statements.why_not(approval, trees, contributors, attesting, latest))
        for approval in approvals
    )
    counted = {j.approval.ref_person: j.approval for j in judged if j.counted}
    return CodeReview(
        contributors=contributors,
        strangers=strangers,
        merger=_merger(own, carrying, people),
        judged=judged,
        counted=counted,
        attesting=attesting,
        requesting=statements.requesting(),
        people=people,
        revision=revision,
    )


def _judged(approval: Approval, why_not: tuple[str, ...]) -> Judged:
    return Judged(approval, not why_not, why_not)


# Contributors


class _HandIn(Struct, frozen=True):
    """A hand in one commit; `why` says what could not be learnt where `identity` is "" ."""

    commit: str
    identity: str
    because: Because
    why: str = ""


def _hands(own: Iterable[Commit], carrying: Iterable[Carried], pushes: Pushes) -> Iterator[_HandIn]:
    """Every hand in the change, its earlier heads and what carries to it, less those of its mergers."""
    made = frozenset[str]().union(*(c.made for c in carrying))
    commits = {commit.id: commit for commit in own}
    for found in carrying:
        commits.update((commit.id, commit) for commit in found.commits)
    commits.update((commit.id, commit) for commit in pushes.earlier)
    for commit in commits.values():
        for hand in commit.hands:
            if commit.id not in made or not _is_merger(commit, hand):
                yield _HandIn(commit.id, hand.identity, hand.because, "" if hand.identity else _GONE)
    if not pushes.preview:
        yield from _pushers(commits.keys() - made, pushes)


def _is_merger(commit: Commit, hand: Hand) -> bool:
    return hand.because in _MERGERS[len(commit.parents) > 1] or hand.because is Because.SIGNER


def _pushers(commits: Iterable[str], pushes: Pushes) -> Iterator[_HandIn]:
    first = {push.commit: push.who for push in pushes.first}
    for commit in sorted(commits):
        who = first.get(commit)
        if isinstance(who, Known):
            yield _HandIn(commit, who.value, Because.PUSHER)
        else:
            yield _HandIn(commit, "", Because.PUSHER, "nobody recorded a push" if who is None else who.why)


def _merger(own: Iterable[Commit], carrying: Iterable[Carried], people: People) -> str:
    made = frozenset[str]().union(*(c.made for c in carrying))
    for commit in own:
        for hand in commit.hands:
            if commit.id in made and hand.because is Because.COMMITTER:
                return _name(_holder(hand.identity, people), hand.identity)
    return ""


def _name(holder: Person | Machine | None, otherwise: str) -> str:
    if holder is None:
        return otherwise
    return f"person:{holder.id}" if isinstance(holder, Person) else f"machine:{holder.id}"


def _resolve(
    hands: Iterable[_HandIn], people: People, attested: Mapping[str, str]
) -> tuple[dict[str, tuple[Part, ...]], tuple[Stranger, ...]]:
    """Whose hands they are, and those that nobody is known to own. `attested` maps subjects to person ids."""
    found: dict[str, set[Part]] = {}
    strangers: list[Stranger] = []
    unasked: dict[str, Machine] = {}
    asked: set[str] = set()
    for hand in hands:
        subject = _subject(hand)
        holder = _holder(hand.identity, people) or people.by_id.get(attested.get(subject, ""))
        if holder is None:
            strangers.append(Stranger(subject, hand.commit, hand.because, hand.why))
            continue
        found.setdefault(_name(holder, ""), set()).add(Part(hand.commit, hand.because))
        if isinstance(holder, Machine) and holder.asked:
            unasked[hand.commit] = holder
        elif hand.because is Because.ASKED:
            asked.add(hand.commit)
    for commit in unasked.keys() - asked:
        subject = f"commit:{commit}"
        person = people.by_id.get(attested.get(subject, ""))
        if person is None:
            why = f"{unasked[commit].id} does not say who asked it"
            strangers.append(Stranger(subject, commit, Because.ASKED, why))
        else:
            found.setdefault(f"person:{person.id}", set()).add(Part(commit, Because.ASKED))
    return {who: tuple(sorted(parts)) for who, parts in sorted(found.items())}, tuple(sorted(strangers))


def _holder(identity: str, people: People) -> Person | Machine | None:
    """Whose an identity is. A forge's own is a machine that no people.toml needs to name."""
    kind, _, name = identity.partition(":")
    return Machine(name, (), (), (), asked=False) if kind == FORGE else people.by_identity.get(identity)


def _subject(hand: _HandIn) -> str:
    return f"account:{hand.identity.partition(':')[2]}" if hand.identity else f"commit:{hand.commit}"


# Approvals


class _Statements:
    """What persons said about this change: per ref and branch the last valid word, over all linked heads."""

    def __init__(self, revision: Revision, people: People, approvals: Iterable[Approval], linked: set[str]) -> None:
        self._revision = revision
        self._people = people
        last: dict[tuple[str, str, str], Approval] = {}
        for approval in sorted(approvals, key=lambda a: a.order):
            if approval.signature in PROVEN and approval.repository == revision.repository:
                last[approval.ref_head, approval.ref_person, approval.target] = approval
        self._last = last
        self._words: dict[str, list[Approval]] = {}
        for (head, person, target), approval in last.items():
            if head in linked and target == revision.target and approval.head == head:
                self._words.setdefault(person, []).append(approval)

    def attesting(self, contributors: Mapping[str, object]) -> frozenset[str]:
        """Persons with the security role who attest who a contributor was, and so cannot approve."""
        said = {name for name, words in self._words.items() if any(word.verdict is Verdict.ATTEST for word in words)}
        return frozenset(
            person.id
            for person in map(self._people.by_id.get, said)
            if person is not None and person.active and SECURITY in person.roles
            if f"person:{person.id}" not in contributors
        )

    def attested(self, attesting: frozenset[str]) -> dict[str, str]:
        """Subjects and the persons they were, as attested. Two who disagree attest nothing."""
        said: dict[str, set[str]] = {}
        for person in attesting:
            for word in self._words[person]:
                for subject, who in word.attests.items():
                    said.setdefault(subject, set()).add(who)
        return {subject: next(iter(who)) for subject, who in said.items() if len(who) == 1}

    def requesting(self) -> tuple[str, ...]:
        """Ids of the known persons who asked for changes, and neither approved nor withdrew since."""
        return tuple(person for person in sorted(self._words) if person in self._people.by_id and self._asks(person))

    def _asks(self, person: str) -> bool:
        words = self._words[person]
        requests = [word.time for word in words if word.verdict is Verdict.REQUEST_CHANGES]
        lifts = [word.time for word in words if word.verdict in (Verdict.APPROVE, Verdict.WITHDRAW)]
        return bool(requests) and max(requests) >= max(lifts, default="")

    def why_not(
        self,
        approval: Approval,
        trees: Mapping[str, str],
        contributors: Mapping[str, object],
        attesting: frozenset[str],
        latest: str,
    ) -> tuple[str, ...]:
        """Every reason why one statement does not count; none if it does.

        `trees` of the heads whose approvals hold for this revision; `latest` moment that a statement may bear.
        """
        if approval.signature not in PROVEN:
            return (approval.signature.value,)
        person = self._people.by_id.get(approval.ref_person)
        if person is None:
            return (Signature.UNKNOWN_PERSON.value,)
        checks = (
            (WhyNot.OTHER_REPOSITORY, approval.repository != self._revision.repository),
            (WhyNot.OTHER_BRANCH, approval.target != self._revision.target),
            (WhyNot.OTHER_HEAD, approval.head != approval.ref_head or approval.head not in trees),
            (WhyNot.OTHER_TREE, approval.tree != trees.get(approval.ref_head, approval.tree)),
            (WhyNot.CHANGES_REQUESTED, approval.verdict is Verdict.REQUEST_CHANGES),
            (WhyNot.WITHDRAWN, approval.verdict is Verdict.WITHDRAW),
            (WhyNot.ATTESTED, approval.verdict is Verdict.ATTEST or person.id in attesting),
            (WhyNot.REPLACED, self._is_replaced(approval)),
            (WhyNot.CONTRIBUTOR, f"person:{person.id}" in contributors),
            (WhyNot.INACTIVE, not person.active),
            (WhyNot.MAY_NOT_WRITE, not matches(self._revision.repository, person.writes)),
            (WhyNot.DATED_LATER, approval.time > latest),
        )
        return tuple(why.value for why, holds in checks if holds)

    def _is_replaced(self, approval: Approval) -> bool:
        """Whether the person said something else later, here or, unless it was another yes, on a linked head."""
        if self._last.get((approval.ref_head, approval.ref_person, approval.target)) is not approval:
            return approval.repository == self._revision.repository
        return any(
            word.verdict is not Verdict.APPROVE and word.time >= approval.time
            for word in self._words.get(approval.ref_person, ())
            if word is not approval
        )


# What refusals say


class SecurityReviewers(Struct, frozen=True):
    """Persons with the security role whose approval counts, and words for whom else to ask."""

    counted: tuple[str, ...]
    ask: str


def security_reviewers(case: Case, review: CodeReview) -> SecurityReviewers:
    """Who of the security role approved, and who could."""
    people = case.get(kinds.PEOPLE).by_id
    could = [person for person in review.could_approve if SECURITY in people[person].roles]
    return SecurityReviewers(
        counted=tuple(person for person in review.counted if SECURITY in people[person].roles),
        ask=some(could, 5) or "somebody with the security role who had no hand in it (none is known)",
    )


def place(case: Case) -> dict[str, str]:
    """The head and branch of the revision, for a command that a person can copy."""
    revision = case.get(kinds.REVISION)
    return {"head": revision.head, "branch": revision.target.removeprefix("refs/heads/")}


def some(names: Sequence[str], most: int) -> str:
    """At most so many names, in words."""
    shown = ", ".join(names[:most])
    return f"{shown} or {len(names) - most} others" if len(names) > most else shown

"""Statements of persons on a change, and why a statement does not count as an approval: section 6 of the design."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from muniment.controls.control import Case
from muniment.controls.statement_order import (
    choose_blocking_statement,
    find_approving_action,
    find_spent_approvals,
    statement_key,
)
from muniment.facts import kinds, moments
from muniment.facts.change import Commit
from muniment.facts.people import SECURITY, Person
from muniment.facts.statements import APPROVING_ACTIONS, PROVEN_SIGNATURES, Approval, ReviewAction, SignatureResult
from muniment.policy.patterns import matches_any

ALL_PUSHERS = "pushers"  # the subject of an attestation: whoever pushed the commits behind its head, where unrecorded
PUSHER = "pusher:"


class Objection(StrEnum):
    """Reason why a statement does not count as an approval. Bad signatures have the codes of
    `facts.statements.SignatureResult`.
    """

    OTHER_REPOSITORY = "other-repository"
    OTHER_BRANCH = "other-branch"
    RETARGETED = "retargeted"
    OTHER_HEAD = "other-head"
    OTHER_TREE = "other-tree"
    REPLACED = "replaced"
    SPENT = "spent"
    OTHER_ACTION = "other-action"
    OTHER_TIP = "other-tip"
    CHANGES_REQUESTED = "changes-requested"
    WITHDRAWN = "withdrawn"
    ATTESTED = "attested-a-contributor"
    CONTRIBUTOR = "contributor"
    INACTIVE = "inactive"
    MAY_NOT_WRITE = "may-not-write"
    DATED_LATER = "dated-in-the-future"


_OBJECTION_BY_ACTION = {
    ReviewAction.REQUEST_CHANGES: Objection.CHANGES_REQUESTED,
    ReviewAction.WITHDRAW: Objection.WITHDRAWN,
    ReviewAction.ATTEST: Objection.ATTESTED,
}
_CLOCKS_DIFFER = 10  # minutes that a signer's clock may be ahead of the evaluator's


class ReviewStatements:
    """Review statements on a change: for each ref and branch the last valid one, over all linked heads."""

    def __init__(self, case: Case, linked: set[str]) -> None:
        revision, approvals = case.get_fact(kinds.REVISION), case.get_fact(kinds.APPROVALS)
        self._latest = moments.add_time(case.now, minutes=_CLOCKS_DIFFER)
        self._revision = revision
        self._wanted = find_approving_action(revision)
        self._people = case.get_fact(kinds.PEOPLE)
        self._spent = find_spent_approvals(approvals, case.get_fact(kinds.LANDED_HEADS))
        last: dict[tuple[str, str, str, str], Approval] = {}
        answers: dict[tuple[str, str, str, str], Approval] = {}  # the last that is no attestation: that lifts nothing
        self._stops: dict[str, list[Approval]] = {}  # by person, all that was no approval: it ends older approvals
        blocking: dict[tuple[str, ...], Approval] = {}  # of all statements of one moment, not only of two in a row
        for approval in sorted(approvals, key=lambda a: a.order):
            key = statement_key(approval)
            if approval.signature in PROVEN_SIGNATURES and approval.repository == revision.repository:
                moment = (*key, approval.time)
                last[key] = blocking[moment] = choose_blocking_statement(blocking.get(moment), approval)
                if last[key].action is not ReviewAction.ATTEST:
                    answers[key] = last[key]
                if approval.action not in APPROVING_ACTIONS and self._is_about(approval, linked):
                    self._stops.setdefault(approval.ref_person, []).append(approval)
        self._last = last
        self._words: dict[str, list[Approval]] = {}
        for approval in last.values():
            if self._is_about(approval, linked):
                self._words.setdefault(approval.ref_person, []).append(approval)
        self._requests: dict[str, list[Approval]] = {}
        for approval in answers.values():
            if approval.action is ReviewAction.REQUEST_CHANGES and self._is_about(approval, linked):
                self._requests.setdefault(approval.ref_person, []).append(approval)

    def _is_about(self, approval: Approval, linked: set[str]) -> bool:
        """Whether a statement is about a head of this change, for its branch."""
        head = approval.ref_head
        return head in linked and approval.target == self._revision.target and approval.head == head

    def find_attesting_persons(self, contributors: Mapping[str, object]) -> frozenset[str]:
        """Persons with the security role who attest who a contributor was, and so cannot approve."""
        return frozenset(
            [
                person.id
                for person in map(self._people.by_id.get, self._find_attesters())
                if person is not None and person.active and SECURITY in person.roles
                if f"person:{person.id}" not in contributors
            ]
        )

    def find_attested_persons(self, attesting: frozenset[str], history: Mapping[str, Commit]) -> dict[str, str]:
        """Subjects and the persons they were, as attested. Contradicting attestations attest nothing.

        `history`: the change's commits by id. An attestation of all pushers is one for each commit behind its head.
        """
        persons: dict[str, set[str]] = {}
        for person in attesting:
            for word in self._words[person]:
                for subject, who in word.attests.items():
                    for one in _list_pusher_subjects(word.head, history) if subject == ALL_PUSHERS else (subject,):
                        persons.setdefault(one, set()).add(who)
        return {subject: next(iter(who)) for subject, who in persons.items() if len(who) == 1}

    def find_requesting_persons(self) -> tuple[str, ...]:
        """Ids of the persons who asked for changes, and neither approved nor withdrew since.

        They are known, or their objects were erased: an erasure takes no objection away.
        """
        known = self._people.by_id
        return tuple(
            [
                person
                for person in sorted(self._requests)
                if (person in known or self._people.erased) and self._is_requesting(person)
            ]
        )

    def _find_attesters(self) -> set[str]:
        """Ids of the persons who attested somebody on a linked head, and did not replace that statement there."""
        return {person for person, words in self._words.items() for word in words if word.action is ReviewAction.ATTEST}

    def _is_requesting(self, person: str) -> bool:
        requests = [request.time for request in self._requests[person]]
        words = self._words[person]
        lifts = [word.time for word in words if word.action in (self._wanted, ReviewAction.WITHDRAW)]
        return max(requests) >= max(lifts, default="")

    def find_objections(
        self,
        approval: Approval,
        trees: Mapping[str, str],
        contributors: Mapping[str, object],
        attesting: frozenset[str],
    ) -> tuple[str, ...]:
        """Every reason why one statement does not count; none if it does.

        `trees` of the heads whose approvals are valid for this revision.
        """
        if approval.signature not in PROVEN_SIGNATURES:
            return (approval.signature.value,)
        person = self._people.by_id.get(approval.ref_person)
        if person is None:
            return (SignatureResult.UNKNOWN_PERSON.value,)
        return tuple([why.value for why in self._list_objections(approval, person, trees, contributors, attesting)])

    def _list_objections(
        self,
        approval: Approval,
        person: Person,
        trees: Mapping[str, str],
        contributors: Mapping[str, object],
        attesting: frozenset[str],
    ) -> Iterator[Objection]:
        revision, action = self._revision, approval.action
        if approval.repository != revision.repository:
            yield Objection.OTHER_REPOSITORY
        if approval.target != revision.target:
            yield Objection.OTHER_BRANCH
        if approval.retargeted and action in APPROVING_ACTIONS:
            yield Objection.RETARGETED
        if approval.head != approval.ref_head or approval.head not in trees:
            yield Objection.OTHER_HEAD
        if approval.tree != (trees.get(approval.ref_head) or approval.tree):
            yield Objection.OTHER_TREE
        if action not in APPROVING_ACTIONS:
            yield _OBJECTION_BY_ACTION[action]
        elif action is not self._wanted:
            yield Objection.OTHER_ACTION
        if action is ReviewAction.REWIND and approval.base != revision.base:
            yield Objection.OTHER_TIP
        if person.id in attesting and action is not ReviewAction.ATTEST:
            yield Objection.ATTESTED
        if self._is_replaced(approval):
            yield Objection.REPLACED
        if approval.id in self._spent:
            yield Objection.SPENT
        if f"person:{person.id}" in contributors:
            yield Objection.CONTRIBUTOR
        if not person.active:
            yield Objection.INACTIVE
        if not approval.writer_at_forge and not matches_any(revision.repository, person.write_access):
            yield Objection.MAY_NOT_WRITE
        if approval.time > self._latest:
            yield Objection.DATED_LATER

    def _is_replaced(self, approval: Approval) -> bool:
        """Whether a later statement of the same person replaces this one, here or (unless it approves again) on a
        linked head.

        Each statement that was no approval ends older approvals for good: a later approval of another head revives none
        of them.
        """
        if self._last.get(statement_key(approval)) is not approval:
            return approval.repository == self._revision.repository
        stops = self._stops.get(approval.ref_person, ())
        return any(stop.time >= approval.time for stop in stops if stop is not approval)


def _list_pusher_subjects(head: str, history: Mapping[str, Commit]) -> Iterator[str]:
    """Subject of the pusher of each commit of `history` that `head` reaches."""
    left, seen = [head], set[str]()
    while left:
        at = left.pop()
        if at in seen or at not in history:
            continue
        seen.add(at)
        yield f"{PUSHER}{at}"
        left.extend(history[at].parents)

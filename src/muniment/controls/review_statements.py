"""What persons stated on a change, and why a statement does not count as an approval: section 6 of the design."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from muniment.controls.control import Case
from muniment.controls.statement_order import (
    approving_action,
    choose_blocking,
    find_spent_approvals,
    statement_key,
)
from muniment.facts import kinds, moments
from muniment.facts.change import Commit
from muniment.facts.people import SECURITY, Person
from muniment.facts.statements import APPROVING, PROVEN, Approval, ReviewAction, Signature
from muniment.policy.patterns import matches

ALL_PUSHERS = "pushers"  # the subject of an attestation: whoever pushed the commits behind its head, where unrecorded
PUSHER = "pusher:"


class WhyNot(StrEnum):
    """Why a statement does not count as an approval. Bad signatures have the codes of `facts.statements.Signature`."""

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


_NO_APPROVAL = {
    ReviewAction.REQUEST_CHANGES: WhyNot.CHANGES_REQUESTED,
    ReviewAction.WITHDRAW: WhyNot.WITHDRAWN,
    ReviewAction.ATTEST: WhyNot.ATTESTED,
}
_CLOCKS_DIFFER = 10  # minutes that a signer's clock may be ahead of the judge's


class ReviewStatements:
    """Review statements on a change: for each ref and branch the last valid one, over all linked heads."""

    def __init__(self, case: Case, linked: set[str]) -> None:
        revision, approvals = case.get(kinds.REVISION), case.get(kinds.APPROVALS)
        self._latest = moments.later(case.now, minutes=_CLOCKS_DIFFER)
        self._revision = revision
        self._wanted = approving_action(revision)
        self._people = case.get(kinds.PEOPLE)
        self._spent = find_spent_approvals(approvals, case.get(kinds.LANDED_HEADS))
        last: dict[tuple[str, str, str, str], Approval] = {}
        verdicts: dict[tuple[str, str, str, str], Approval] = {}  # the last that is no attestation: that lifts nothing
        self._stops: dict[str, list[Approval]] = {}  # by person, all that was no approval: it ends older approvals
        blocking: dict[tuple[str, ...], Approval] = {}  # of all statements of one moment, not only of two in a row
        for approval in sorted(approvals, key=lambda a: a.order):
            key = statement_key(approval)
            if approval.signature in PROVEN and approval.repository == revision.repository:
                moment = (*key, approval.time)
                last[key] = blocking[moment] = choose_blocking(blocking.get(moment), approval)
                if last[key].action is not ReviewAction.ATTEST:
                    verdicts[key] = last[key]
                if approval.action not in APPROVING and self._is_about(approval, linked):
                    self._stops.setdefault(approval.ref_person, []).append(approval)
        self._last = last
        self._words: dict[str, list[Approval]] = {}
        for approval in last.values():
            if self._is_about(approval, linked):
                self._words.setdefault(approval.ref_person, []).append(approval)
        self._requests: dict[str, list[Approval]] = {}
        for approval in verdicts.values():
            if approval.action is ReviewAction.REQUEST_CHANGES and self._is_about(approval, linked):
                self._requests.setdefault(approval.ref_person, []).append(approval)

    def _is_about(self, approval: Approval, linked: set[str]) -> bool:
        """Whether a statement is about a head of this change, for its branch."""
        head = approval.ref_head
        return head in linked and approval.target == self._revision.target and approval.head == head

    def attesting(self, contributors: Mapping[str, object]) -> frozenset[str]:
        """Persons with the security role who attest who a contributor was, and so cannot approve."""
        return frozenset(
            [
                person.id
                for person in map(self._people.by_id.get, self._attesters())
                if person is not None and person.active and SECURITY in person.roles
                if f"person:{person.id}" not in contributors
            ]
        )

    def attested(self, attesting: frozenset[str], history: Mapping[str, Commit]) -> dict[str, str]:
        """Subjects and the persons they were, as attested. Two who disagree attest nothing.

        `history`: the change's commits by id. An attestation of all pushers is one for each commit behind its head.
        """
        said: dict[str, set[str]] = {}
        for person in attesting:
            for word in self._words[person]:
                for subject, who in word.attests.items():
                    for one in _behind(word.head, history) if subject == ALL_PUSHERS else (subject,):
                        said.setdefault(one, set()).add(who)
        return {subject: next(iter(who)) for subject, who in said.items() if len(who) == 1}

    def requesting(self) -> tuple[str, ...]:
        """Ids of the persons who asked for changes, and neither approved nor withdrew since.

        They are known, or their objects were erased: an erasure takes no objection away.
        """
        known = self._people.by_id
        return tuple(
            [
                person
                for person in sorted(self._requests)
                if (person in known or self._people.erased) and self._asks(person)
            ]
        )

    def _attesters(self) -> set[str]:
        """Ids of the persons who attested something on a linked head, and did not replace it there."""
        return {person for person, words in self._words.items() for word in words if word.action is ReviewAction.ATTEST}

    def _asks(self, person: str) -> bool:
        requests = [request.time for request in self._requests[person]]
        words = self._words[person]
        lifts = [word.time for word in words if word.action in (self._wanted, ReviewAction.WITHDRAW)]
        return max(requests) >= max(lifts, default="")

    def why_not(
        self,
        approval: Approval,
        trees: Mapping[str, str],
        contributors: Mapping[str, object],
        attesting: frozenset[str],
    ) -> tuple[str, ...]:
        """Every reason why one statement does not count; none if it does.

        `trees` of the heads whose approvals hold for this revision.
        """
        if approval.signature not in PROVEN:
            return (approval.signature.value,)
        person = self._people.by_id.get(approval.ref_person)
        if person is None:
            return (Signature.UNKNOWN_PERSON.value,)
        return tuple([why.value for why in self._objections(approval, person, trees, contributors, attesting)])

    def _objections(
        self,
        approval: Approval,
        person: Person,
        trees: Mapping[str, str],
        contributors: Mapping[str, object],
        attesting: frozenset[str],
    ) -> Iterator[WhyNot]:
        revision, action = self._revision, approval.action
        if approval.repository != revision.repository:
            yield WhyNot.OTHER_REPOSITORY
        if approval.target != revision.target:
            yield WhyNot.OTHER_BRANCH
        if approval.retargeted and action in APPROVING:
            yield WhyNot.RETARGETED
        if approval.head != approval.ref_head or approval.head not in trees:
            yield WhyNot.OTHER_HEAD
        if approval.tree != (trees.get(approval.ref_head) or approval.tree):
            yield WhyNot.OTHER_TREE
        if action not in APPROVING:
            yield _NO_APPROVAL[action]
        elif action is not self._wanted:
            yield WhyNot.OTHER_ACTION
        if action is ReviewAction.REWIND and approval.base != revision.base:
            yield WhyNot.OTHER_TIP
        if person.id in attesting and action is not ReviewAction.ATTEST:
            yield WhyNot.ATTESTED
        if self._is_replaced(approval):
            yield WhyNot.REPLACED
        if approval.id in self._spent:
            yield WhyNot.SPENT
        if f"person:{person.id}" in contributors:
            yield WhyNot.CONTRIBUTOR
        if not person.active:
            yield WhyNot.INACTIVE
        if not approval.writer_at_forge and not matches(revision.repository, person.write_access):
            yield WhyNot.MAY_NOT_WRITE
        if approval.time > self._latest:
            yield WhyNot.DATED_LATER

    def _is_replaced(self, approval: Approval) -> bool:
        """Whether a later statement of the same person replaces this one, here or (unless it approves again) on a
        linked head.

        What was no yes ends older approvals for good: a later yes to another head revives none of them.
        """
        if self._last.get(statement_key(approval)) is not approval:
            return approval.repository == self._revision.repository
        stops = self._stops.get(approval.ref_person, ())
        return any(stop.time >= approval.time for stop in stops if stop is not approval)


def _behind(head: str, history: Mapping[str, Commit]) -> Iterator[str]:
    """The subject of the pusher of each commit of `history` that `head` reaches."""
    left, seen = [head], set[str]()
    while left:
        at = left.pop()
        if at in seen or at not in history:
            continue
        seen.add(at)
        yield f"{PUSHER}{at}"
        left.extend(history[at].parents)

"""A merge request read completely: by one question where that tells all of it, else by a call for each part.

Of an answer that is older than what is known nothing is taken. GitLab does not bind an approval to a commit, so a
reading of several answers is only good if the request is at its end what it was at the beginning: the approval in a
later answer may be of a head that came after an earlier one. One answer alone needs no such proof, if a delivery told
how new it has to be:

- It names the head, those who approved, and GitLab's own notes. When they approved is not in it, but kept from a
  reading of several answers, which was proven; it is kept for just this head, these people and these notes. So an
  approval that is new is never taken from one answer, nor is a push, a withdrawal or a retarget passed over.
- What happens while GitLab makes the answer is at most left out, as if it had happened after it, and is told by a
  delivery. Where the answer took longer than a person needs to push and approve, it is proven all the same.
"""

import time
from collections.abc import Callable

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.gitlab import merging, notes, parts, question, wire
from muniment.forges.gitlab.client import Lab, change, request
from muniment.forges.gitlab.seen import Seen, same
from muniment.forges.gitlab.telling import ByQuestion, ByRest, Telling
from muniment.forges.learning import learnt, value
from muniment.forges.shapes import NOT_ASKED, Change, Reading, Repo, Review

NEEDED = "the role Reporter and the scope read_api"
AT_ONCE = 2.0  # seconds in which nobody sees a new head and approves it
_AGAIN = 3600.0  # seconds after which the question is asked again where it is not answered, or not wholly
_REFUSED = (ForgeCode.UNSUPPORTED, ForgeCode.NOT_FOUND, ForgeCode.FORBIDDEN, ForgeCode.REFUSED)
_PARTLY = (ForgeCode.TRUNCATED, ForgeCode.MALFORMED)
_EVERYWHERE = ("", 0)


class Readings:
    """The readings of one installation. `clock` counts seconds."""

    def __init__(self, lab: Lab, now: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._now = now
        self._clock = clock
        self._seen = Seen()
        self._ways = merging.Ways(lab, clock)
        self._by_rest: dict[tuple[str, int], float] = {}  # until when the question is not asked: of all, or of one

    def read(self, repository: Repo, number: int, since: str) -> Reading:
        """One of them. Without `since` REST is asked, at its end, how new it is."""
        now, apart, begun = self._now(), self._lab.apart(), self._clock()
        told = self._told(apart, repository, number)
        at_once = self._clock() - begun <= AT_ONCE
        telling: Telling
        if told is not None:
            telling = ByQuestion(self._lab, apart, repository, told)
        else:
            telling = ByRest(self._lab, repository, request(self._lab, repository, number))
        found = change(telling.request)
        if self._seen.older(repository, found, since):
            return _unread(found, now, "GitLab returned an older state of the change than before; it is read again")
        reading = self._whole(apart, repository, telling, found, now)
        alone = told is not None and apart.asked == 1 and at_once
        if alone and since:
            return reading
        return self._unmoved(repository, reading, "" if told is not None else telling.request.updated_at)

    def _told(self, apart: Lab, repository: Repo, number: int) -> question.Told | None:
        """What the question tells; None if REST has to."""
        this = (repository.id, number)
        if any(self._clock() < self._by_rest.get(key, 0.0) for key in (_EVERYWHERE, this)):
            return None
        try:
            return question.asked(apart, repository, number)
        except ForgeError as error:
            if error.code is ForgeCode.RATE_LIMITED:
                raise
            if error.code in (*_REFUSED, *_PARTLY):
                self._by_rest[this if error.code in _PARTLY else _EVERYWHERE] = self._clock() + _AGAIN
            return None

    def _whole(self, lab: Lab, repository: Repo, telling: Telling, found: Change, now: str) -> Reading:
        said = learnt(telling.notes, "the notes on the change", NEEDED)
        own = learnt(lambda: self._seen.own(repository, found.number, value(said)))
        versions = learnt(
            lambda: parts.versions(lab, repository, found, value(own)), "the versions of the change", NEEDED
        )
        moved = learnt(lambda: parts.moved(lab, repository, found, value(versions), value(own)))
        given = learnt(lambda: _reviews(telling, value(own), value(versions)), "the approvals", NEEDED)
        return Reading(
            change=found,
            read_at=now,
            moves=moved,
            retargets=learnt(lambda: notes.retargets(value(own))),
            reviews=given,
            hands=learnt(lambda: parts.hands(found, value(said), value(moved))),
            own_commits=learnt(
                lambda: parts.own_commits(lab, repository, telling.request), "the commits of the change", NEEDED
            ),
            writers=learnt(lambda: telling.writers(review.by.id for review in value(given)), "who may write", NEEDED),
            checks=NOT_ASKED,
            merging=learnt(lambda: self._ways.of(repository, telling.request), "how it is to be merged", NEEDED),
        )

    def _unmoved(self, repository: Repo, reading: Reading, touched: str) -> Reading:
        """The reading, if nothing was touched while it was read; else nothing of it is known.

        `touched` is when REST told that it was touched last, to parts of a second; "" if it was not asked.
        """
        try:
            after = request(self._lab, repository, reading.change.number)
            found = change(after)
        except ForgeError as error:
            return _unread(reading.change, reading.read_at, error.message)
        exact = touched in ("", after.updated_at)
        if not exact or not same(found, reading.change) or self._seen.older(repository, found):
            why = "the change was touched while it was read; it is read again"
            return _unread(reading.change, reading.read_at, why)
        return reading


def _reviews(telling: Telling, own: tuple[wire.Note, ...], versions: tuple[wire.Version, ...]) -> tuple[Review, ...]:
    return notes.reviews(telling.approvals(), telling.reviewers(), own, versions)


def _unread(change: Change, now: str, why: str) -> Reading:
    no = Unknown(why)
    return Reading(change, now, no, no, no, no, no, no, no, no)

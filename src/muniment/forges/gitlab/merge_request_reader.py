"""Reads a merge request completely: by one query where that is enough, else by a request for each part.

An answer older than a known state is not used. GitLab does not bind an approval to a commit, so a reading of several
answers is valid only if the request is the same at its end as at the beginning: the approval in a later answer may be
of a head that came after an earlier one. One answer alone needs no such proof, if a delivery gave its required age:

- It names the head, the approvers, and GitLab's own notes. The moments of approvals are not in it, but cached from a
  reading of several answers, which was proven; they are cached for exactly this head, these people and these notes. So
  a new approval is never taken from one answer, and no push, withdrawal or retarget is missed.
- An event while GitLab makes the answer is at most left out, as if it had been after it, and a delivery follows. If
  the answer took longer than a person needs to push and approve, it is proven all the same.
"""

import time
from collections.abc import Callable

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.gitlab import cached_parts, merge_request_query, merge_trains, notes, wire
from muniment.forges.gitlab.client import GitLabClient, convert_change, read_merge_request
from muniment.forges.gitlab.known_states import KnownStates, is_same_state
from muniment.forges.gitlab.merge_request_source import MergeRequestSource, QuerySource, RestSource
from muniment.forges.shapes import NOT_READ, Change, ForgeRepository, Reading, Review
from muniment.forges.unknowns import read_or_unknown, require_known

NEEDED_PERMISSION = "the role Reporter and the scope read_api"
_AGAIN = 3600.0  # seconds after which the question is asked again where it is not answered, or not wholly
_REFUSED = (ForgeCode.UNSUPPORTED, ForgeCode.NOT_FOUND, ForgeCode.FORBIDDEN, ForgeCode.REFUSED)
_PARTLY = (ForgeCode.TRUNCATED, ForgeCode.MALFORMED)
_EVERYWHERE = ("", 0)


class MergeRequestReader:
    """Reads the merge requests of one installation. `clock` counts seconds."""

    def __init__(self, lab: GitLabClient, now: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._now = now
        self._clock = clock
        self._seen = KnownStates()
        self._ways = merge_trains.MergeSettings(lab, clock)
        self._by_rest: dict[tuple[str, int], float] = {}  # until when the question is not asked: of all, or of one

    def read_full_change(self, repository: ForgeRepository, number: int, since: str) -> Reading:
        """Read one merge request completely. REST confirms at the end that nothing has changed.

        A delivery, which says `since`, is no proof of it: the web stores those.
        """
        now = self._now()
        queried = self._query_or_none(repository, number)
        source: MergeRequestSource
        if queried is not None:
            source = QuerySource(self._lab, repository, queried)
        else:
            source = RestSource(self._lab, repository, read_merge_request(self._lab, repository, number))
        found = convert_change(source.request)
        if self._seen.is_stale(repository, found, since):
            return _make_unread(
                found, now, "GitLab returned an older state of the change than before; it is read again"
            )
        reading = self._make_reading(repository, source, found, now)
        return self._confirm_unchanged(repository, reading, "" if queried is not None else source.request.updated_at)

    def _query_or_none(
        self, repository: ForgeRepository, number: int
    ) -> merge_request_query.QueriedMergeRequest | None:
        """Result of the query; None if REST has to be used."""
        this = (repository.id, number)
        if any(self._clock() < self._by_rest.get(key, 0.0) for key in (_EVERYWHERE, this)):
            return None
        try:
            return merge_request_query.query_merge_request(self._lab, repository, number)
        except ForgeError as error:
            if error.code is ForgeCode.RATE_LIMITED:
                raise
            if error.code in (*_REFUSED, *_PARTLY):
                self._by_rest[this if error.code in _PARTLY else _EVERYWHERE] = self._clock() + _AGAIN
            return None

    def _make_reading(
        self, repository: ForgeRepository, source: MergeRequestSource, found: Change, now: str
    ) -> Reading:
        discussion = read_or_unknown(source.read_notes, "the notes on the change", NEEDED_PERMISSION)
        own = read_or_unknown(
            lambda: self._seen.check_system_notes(repository, found.number, require_known(discussion))
        )
        versions = read_or_unknown(
            lambda: cached_parts.read_versions(self._lab, repository, found, require_known(own)),
            "the versions of the change",
            NEEDED_PERMISSION,
        )
        moved = read_or_unknown(
            lambda: cached_parts.read_moves(self._lab, repository, found, require_known(versions), require_known(own))
        )
        given = read_or_unknown(
            lambda: _make_reviews(source, require_known(own), require_known(versions)),
            "the approvals",
            NEEDED_PERMISSION,
        )
        return Reading(
            change=found,
            read_at=now,
            moves=moved,
            retargets=read_or_unknown(lambda: notes.parse_retargets(require_known(own))),
            reviews=given,
            contributors=read_or_unknown(
                lambda: cached_parts.find_work_requests(found, require_known(discussion), require_known(moved))
            ),
            own_commits=read_or_unknown(
                lambda: cached_parts.read_own_commits(self._lab, repository, source.request),
                "the commits of the change",
                NEEDED_PERMISSION,
            ),
            writers=read_or_unknown(
                lambda: source.find_writers(review.by.id for review in require_known(given)),
                "who may write",
                NEEDED_PERMISSION,
            ),
            checks=NOT_READ,
            merging=read_or_unknown(
                lambda: self._ways.read_pending_merge(repository, source.request),
                "how it is to be merged",
                NEEDED_PERMISSION,
            ),
        )

    def _confirm_unchanged(self, repository: ForgeRepository, reading: Reading, updated: str) -> Reading:
        """The reading, if the request was not updated while it was read; else all of its parts are Unknown.

        `updated` is the moment of the last update by REST, with fractions of a second; "" if it was not read.
        """
        try:
            after = read_merge_request(self._lab, repository, reading.change.number)
            found = convert_change(after)
        except ForgeError as error:
            return _make_unread(reading.change, reading.read_at, error.message)
        exact = updated in ("", after.updated_at)
        if not exact or not is_same_state(found, reading.change) or self._seen.is_stale(repository, found):
            why = "the change was touched while it was read; it is read again"
            return _make_unread(reading.change, reading.read_at, why)
        return reading


def _make_reviews(
    telling: MergeRequestSource, own: tuple[wire.DiscussionNote, ...], versions: tuple[wire.MergeRequestVersion, ...]
) -> tuple[Review, ...]:
    return notes.make_reviews(telling.read_standing_approvals(), telling.read_reviewers(), own, versions)


def _make_unread(change: Change, now: str, why: str) -> Reading:
    no = Unknown(why)
    return Reading(change, now, no, no, no, no, no, no, no, no)

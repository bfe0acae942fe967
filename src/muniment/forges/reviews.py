"""Converts a forge's reviews to statements like those that people sign: each for one head and one branch, in order.

- A review is for the branch that was the change's target when it was given. A later change of target ends approvals,
  even if the change is pointed back; requested changes stay requested.
- An approval that was dismissed, or whose author was asked to review again, approves nothing any more.
- Changes requested stay requested until that person approves or takes it back; another's dismissal does not lift them.
- A review by an account without a known owner, by a bot, or without write access does not count. Of an account whose
  link to its owner waits for a second person only a request for changes counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Person
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.forges.accounts import Accounts
from muniment.forges.shapes import Change, Retarget, Review, ReviewState


def make_statements(
    repository: str,
    change: Change,
    reviews: Iterable[Review],
    retargets: Sequence[Retarget],
    writers: Mapping[str, bool],
    accounts: Accounts,
    read_tree: Callable[[str], str],
) -> tuple[Approval, ...]:
    """Statements from reviews, oldest first.

    `repository` as revisions name it; `read_tree` of a commit, "" if it is missing. Raises ForgeError if the forge's
    answers about the change's target contradict each other.
    """
    _check_target(change, retargets)
    ordered = sorted(reviews, key=lambda review: (review.at, review.id.zfill(20)))
    found = [
        Approval(
            ref_head=review.commit,
            ref_person=_identify_person(review, accounts),
            id=review.id,
            order=order,
            signature=_assess_signature(review, accounts, writers),
            repository=repository,
            target=change.target
            if _still_requests(review, ordered, accounts, writers)
            else _find_target(change, retargets, review.at),
            base="",
            head=review.commit,
            tree=read_tree(review.commit),
            action=_assess_action(review, accounts),
            time=_assess_time(review, accounts),
            retargeted=review.at <= find_last_retarget(retargets),
            writer_at_forge=_assess_signature(review, accounts, writers) is SignatureResult.FORGE,
        )
        for order, review in enumerate(ordered)
    ]
    return tuple(found)


def find_last_retarget(retargets: Sequence[Retarget]) -> str:
    """Moment of the last change of target, "" if there was none: approvals until then do not count."""
    return max((retarget.at for retarget in retargets), default="")


def mark_retargeted(statements: Iterable[Approval], moment: str) -> Iterator[Approval]:
    """Statements, of which those made until `moment` are marked as given for another target."""
    for statement in statements:
        yield structs.replace(statement, retargeted=True) if moment and statement.time <= moment else statement


def summarize_standing(reviews: Iterable[Review]) -> tuple[tuple[str, str, str], ...]:
    """Reviews that were not dismissed, as in `StandingReviews`: a change of it means that others stand than before."""
    return tuple(sorted((one.id, one.state.value, one.commit) for one in reviews if not one.dismissed))


def merge_statements(
    signed_statements: Iterable[Approval], other_statements: Iterable[Approval]
) -> tuple[Approval, ...]:
    """Statements from several sources in one order: by their moments, but each signed chain in its own order."""
    latest: dict[tuple[str, str], str] = {}
    timed: list[tuple[str, Approval]] = []
    for one in sorted(signed_statements, key=lambda one: one.order):
        chain = (one.ref_head, one.ref_person)
        latest[chain] = max(one.time, latest.get(chain, ""))
        timed.append((latest[chain], one))
    timed += [(one.time, one) for one in other_statements]
    timed.sort(key=lambda pair: pair[0])
    return tuple(structs.replace(one, order=order) for order, (_, one) in enumerate(timed))


def is_approving(review: Review) -> bool:
    """Whether a review can approve a head."""
    return review.state is ReviewState.APPROVED and bool(review.commit)


def _check_target(change: Change, retargets: Sequence[Retarget]) -> None:
    ends = retargets[-1].new if retargets else change.target
    if ends != change.target:
        raise ForgeError(
            ForgeCode.CHANGED_MEANWHILE,
            f"the forge says that the change is for {change.target}, and that it was last pointed at {ends}",
            "It is read again.",
        )


def _find_target(change: Change, retargets: Sequence[Retarget], moment: str) -> str:
    """Target branch at `moment`. At the moment of a retarget it is still the old one, because the order is unknown."""
    for retarget in retargets:
        if moment <= retarget.at:
            return retarget.old
    return change.target


def _still_requests(review: Review, given: Iterable[Review], accounts: Accounts, writers: Mapping[str, bool]) -> bool:
    """Whether a review requests changes, and the same person approved none after it, by an account that may write."""
    holder = accounts.find_account_owner(review.by)
    return review.state is ReviewState.CHANGES_REQUESTED and not any(
        one.state is ReviewState.APPROVED
        and one.at > review.at
        and _is_by_same_person(one, review, holder, accounts)
        and _assess_signature(one, accounts, writers) is SignatureResult.FORGE
        for one in given
    )


def _is_by_same_person(one: Review, other: Review, holder: object, accounts: Accounts) -> bool:
    return one.by.id == other.by.id or (holder is not None and accounts.find_account_owner(one.by) is holder)


def _identify_person(review: Review, accounts: Accounts) -> str:
    holder = accounts.find_account_owner(review.by) or accounts.find_unconfirmed_owner(review.by)
    return holder.id if holder is not None else f"@{review.by.login}"


def _assess_signature(review: Review, accounts: Accounts, writers: Mapping[str, bool]) -> SignatureResult:
    holder = accounts.find_account_owner(review.by)
    if holder is None and accounts.find_unconfirmed_owner(review.by) is not None and not review.by.machine:
        # It may be theirs: so a request for changes blocks, and nothing else that it says has an effect.
        blocks = _assess_action(review, accounts) is ReviewAction.REQUEST_CHANGES and writers.get(review.by.id) is True
        return SignatureResult.FORGE if blocks else SignatureResult.UNCONFIRMED
    if holder is None:
        return SignatureResult.UNKNOWN_PERSON
    if review.by.machine or not isinstance(holder, Person):
        return SignatureResult.MACHINE
    return SignatureResult.FORGE if writers.get(review.by.id) is True else SignatureResult.MAY_NOT_WRITE


def _assess_action(review: Review, accounts: Accounts) -> ReviewAction:
    if review.state is ReviewState.CHANGES_REQUESTED:
        return ReviewAction.WITHDRAW if _is_taken_back(review, accounts) else ReviewAction.REQUEST_CHANGES
    return ReviewAction.WITHDRAW if review.dismissed or review.asked_again else ReviewAction.APPROVE


def _assess_time(review: Review, accounts: Accounts) -> str:
    """Moment of a review; for a request for changes that its author took back, the moment of that.

    An approval that ended counts as if it had never been given: it lifts nothing that was requested after it.
    """
    taken_back = review.state is ReviewState.CHANGES_REQUESTED and _is_taken_back(review, accounts)
    return max(review.at, review.dismissed_at) if taken_back else review.at


def _is_taken_back(review: Review, accounts: Accounts) -> bool:
    """Whether the same person dismissed their own review, possibly by another account of theirs."""
    by: Maybe[object] = (
        Known(accounts.find_account_owner(review.dismissed_by.value))
        if isinstance(review.dismissed_by, Known)
        else Unknown("nobody knows")
    )
    own = accounts.find_account_owner(review.by)
    return review.dismissed and isinstance(by, Known) and own is not None and by.value is own

"""A forge's reviews become statements like those that people sign: each for one head and one branch, in their order.

- A review is for the branch that the change was pointed at when it was given. A later change of target ends approvals,
  also where the change is pointed back; changes that were requested stay requested.
- One that was dismissed, or whose author was asked to look again, approves nothing any more, whoever did it.
- Changes requested stay requested until that person approves or takes it back; another's dismissal does not lift them.
- An account that nobody owns, a bot, or one that may not write says nothing that counts. Of an account whose link to
  its owner waits for a second person a request for changes counts alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Person
from muniment.facts.statements import Approval, ReviewAction, Signature
from muniment.forges.accounts import Accounts
from muniment.forges.shapes import Change, Retarget, Review, Said


def statements(
    repository: str,
    change: Change,
    reviews: Iterable[Review],
    retargets: Sequence[Retarget],
    writers: Mapping[str, bool],
    accounts: Accounts,
    tree: Callable[[str], str],
) -> tuple[Approval, ...]:
    """The statements, oldest first. `repository` as revisions name it; `tree` of a commit, "" if it is not there.

    Raises ForgeError if what the forge says of the change's target does not fit together.
    """
    _fits(change, retargets)
    ordered = sorted(reviews, key=lambda review: (review.at, review.id.zfill(20)))
    found = [
        Approval(
            ref_head=review.commit,
            ref_person=_person(review, accounts),
            id=review.id,
            order=order,
            signature=_signature(review, accounts, writers),
            repository=repository,
            target=change.target
            if _still_requests(review, ordered, accounts)
            else _target(change, retargets, review.at),
            base="",
            head=review.commit,
            tree=tree(review.commit),
            action=_verdict(review, accounts),
            time=_time(review, accounts),
            retargeted=review.at <= last_retarget(retargets),
            writer_at_forge=_signature(review, accounts, writers) is Signature.FORGE,
        )
        for order, review in enumerate(ordered)
    ]
    return tuple(found)


def last_retarget(retargets: Sequence[Retarget]) -> str:
    """The moment of the last change of target: what was approved until then does not count. "" if there was none."""
    return max((retarget.at for retarget in retargets), default="")


def end_by_retarget(statements: Iterable[Approval], moment: str) -> Iterator[Approval]:
    """Statements, of which those made until `moment` say that the change was pointed at another branch after them."""
    for statement in statements:
        yield structs.replace(statement, retargeted=True) if moment and statement.time <= moment else statement


def standing(given: Iterable[Review]) -> tuple[tuple[str, str, str], ...]:
    """Those that nobody dismissed, as `StandingReviews` has them: what tells whether others stand than before."""
    return tuple(sorted((one.id, one.said.value, one.commit) for one in given if not one.dismissed))


def together(signed: Iterable[Approval], others: Iterable[Approval]) -> tuple[Approval, ...]:
    """Statements of different ways in one order: by their moments, but each signed chain in its own order."""
    latest: dict[tuple[str, str], str] = {}
    timed: list[tuple[str, Approval]] = []
    for one in sorted(signed, key=lambda one: one.order):
        chain = (one.ref_head, one.ref_person)
        latest[chain] = max(one.time, latest.get(chain, ""))
        timed.append((latest[chain], one))
    timed += [(one.time, one) for one in others]
    timed.sort(key=lambda pair: pair[0])
    return tuple(structs.replace(one, order=order) for order, (_, one) in enumerate(timed))


def by_forge(review: Review) -> bool:
    """Whether a review is one that a head can be approved by."""
    return review.said is Said.APPROVED and bool(review.commit)


def _fits(change: Change, retargets: Sequence[Retarget]) -> None:
    ends = retargets[-1].new if retargets else change.target
    if ends != change.target:
        raise ForgeError(
            ForgeCode.CHANGED_MEANWHILE,
            f"the forge says that the change is for {change.target}, and that it was last pointed at {ends}",
            "It is read again.",
        )


def _target(change: Change, retargets: Sequence[Retarget], moment: str) -> str:
    """The branch at `moment`. In the very moment of a retarget it is still the old one: nobody can tell."""
    for retarget in retargets:
        if moment <= retarget.at:
            return retarget.old
    return change.target


def _still_requests(review: Review, given: Iterable[Review], accounts: Accounts) -> bool:
    """Whether a review requests changes, and the same person approved none after it."""
    holder = accounts.holder(review.by)
    return review.said is Said.CHANGES_REQUESTED and not any(
        one.said is Said.APPROVED and one.at > review.at and _is_by(one, review, holder, accounts) for one in given
    )


def _is_by(one: Review, other: Review, holder: object, accounts: Accounts) -> bool:
    return one.by.id == other.by.id or (holder is not None and accounts.holder(one.by) is holder)


def _person(review: Review, accounts: Accounts) -> str:
    holder = accounts.holder(review.by) or accounts.unconfirmed_holder(review.by)
    return holder.id if holder is not None else f"@{review.by.login}"


def _signature(review: Review, accounts: Accounts, writers: Mapping[str, bool]) -> Signature:
    holder = accounts.holder(review.by)
    if holder is None and accounts.unconfirmed_holder(review.by) is not None and not review.by.machine:
        # It may be theirs: so a request for changes blocks, and nothing else that it says has an effect.
        blocks = _verdict(review, accounts) is ReviewAction.REQUEST_CHANGES and writers.get(review.by.id) is True
        return Signature.FORGE if blocks else Signature.UNCONFIRMED
    if holder is None:
        return Signature.UNKNOWN_PERSON
    if review.by.machine or not isinstance(holder, Person):
        return Signature.MACHINE
    return Signature.FORGE if writers.get(review.by.id) is True else Signature.MAY_NOT_WRITE


def _verdict(review: Review, accounts: Accounts) -> ReviewAction:
    if review.said is Said.CHANGES_REQUESTED:
        return ReviewAction.WITHDRAW if _taken_back(review, accounts) else ReviewAction.REQUEST_CHANGES
    return ReviewAction.WITHDRAW if review.dismissed or review.asked_again else ReviewAction.APPROVE


def _time(review: Review, accounts: Accounts) -> str:
    """When it was said; for a request that its author took back, when that was. An approval that ended counts as if it
    had never been one: it lifts nothing that was said after it."""
    taken_back = review.said is Said.CHANGES_REQUESTED and _taken_back(review, accounts)
    return max(review.at, review.dismissed_at) if taken_back else review.at


def _taken_back(review: Review, accounts: Accounts) -> bool:
    """Whether the same person dismissed their own review, be it by another account of theirs."""
    by: Maybe[object] = (
        Known(accounts.holder(review.dismissed_by.value))
        if isinstance(review.dismissed_by, Known)
        else Unknown("nobody knows")
    )
    own = accounts.holder(review.by)
    return review.dismissed and isinstance(by, Known) and own is not None and by.value is own

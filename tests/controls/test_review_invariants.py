"""Section 6 of the design as an independent model: a change that the model forbids is never reviewed.

The worlds are generated around an allowed change, so that often one condition alone prevents the approval.
"""

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from muniment.controls.control import Case
from muniment.decision.catalogue import CONTROLS
from muniment.facts.change import ApprovedHead, Commit, CommitPusher, ContributorRole, Pushes, Revision, UpdateKind
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People, Person
from muniment.facts.statements import (
    PROVEN_SIGNATURES,
    Approval,
    LandedHead,
    LandedHeads,
    ReviewAction,
    SignatureResult,
    StatementRecord,
)
from tests.support.changes import BASE, MAIN, NOW, PEOPLE, approval, commit, hand, oid, person, values

REVIEW = CONTROLS["independent-review"]
TIMES = ("2026-11-24T08:00:00.000000Z", "2026-11-24T08:30:00.000000Z", NOW, "2026-11-24T10:00:00.000000Z")
LATEST = "2026-11-24T09:10:00.000000Z"  # ten minutes from now: clocks differ
OBJECTING = (ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW, ReviewAction.ATTEST)
APPROVED, PAST, OTHER = commit(2, tree=50), commit(7), commit(9)  # kept by a squash; an earlier head; another change's
ATTESTED = {"pushers": "ada", f"commit:{oid(1)}": "ada"}


class World(NamedTuple):
    """A change with its statements. `squashed`: its head is a squash of APPROVED."""

    revision: Revision
    own: tuple[Commit, ...]
    squashed: bool
    pushers: dict[str, Maybe[str]]
    mover: Maybe[str]
    people: People
    statements: tuple[Approval, ...]
    landed: LandedHeads

    @property
    def facts(self) -> dict[str, Maybe[Any]]:
        approved = (ApprovedHead(APPROVED.id, (APPROVED,), oid(60), ()),) if self.squashed else ()
        first = tuple(CommitPusher(*each) for each in self.pushers.items())
        return values(
            revision=Known(self.revision),
            commits=Known(self.own),
            approved_heads=Known(approved),
            pushes=Known(Pushes(False, first, (PAST.id,), (PAST,), self.mover)),
            people=Known(self.people),
            approvals=Known(self.statements),
            landed_heads=Known(self.landed),
        )


def draw_mostly_usual(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Nearly always the usual value, because two flaws in one world hide each other."""
    return st.sampled_from((*(usual,) * 14 * len(others), *others))


names = st.sampled_from(("bob", "carol", "sue", "dan", "ada"))
MOSTLY: dict[str, st.SearchStrategy[Any]] = {
    "signature": draw_mostly_usual(SignatureResult.VALID, *SignatureResult),
    "repository": draw_mostly_usual("shop", "other"),
    "target": draw_mostly_usual(MAIN, "refs/heads/release/1"),
    "base": draw_mostly_usual(BASE, oid(99)),
    "retargeted": draw_mostly_usual(False, True),
    "time": st.sampled_from((*TIMES[:2] * 6, *TIMES)),
}


@st.composite
def statements(draw: st.DrawFn, heads: tuple[Commit, ...], wanted: ReviewAction, least: int) -> tuple[Approval, ...]:
    """Two approvals, and other statements of any kind in any order."""
    listed: list[Approval] = []
    for number in range(draw(st.integers(least, 4))):
        first = number < least
        on = draw(draw_mostly_usual(heads[0], *heads) if first else st.sampled_from(heads))
        action = draw(
            draw_mostly_usual(wanted, *OBJECTING) if first else st.sampled_from((wanted, *OBJECTING, *ReviewAction))
        )
        more = {name: draw(found) for name, found in MOSTLY.items()}
        if action is ReviewAction.ATTEST:
            more["attests"] = ATTESTED
        name = ("bob", "carol")[number] if first else draw(names)
        listed.append(approval(name, on, action=action, id=oid(500 + number), **more))
    ordered = draw(st.permutations(range(len(listed))))
    return tuple(structs.replace(one, order=order) for one, order in zip(listed, ordered, strict=True))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    update = draw(
        st.sampled_from((UpdateKind.FAST_FORWARD, UpdateKind.FAST_FORWARD, UpdateKind.REWOUND, UpdateKind.DELETED))
    )
    stored = update is UpdateKind.FAST_FORWARD and draw(st.booleans())
    roles = st.sampled_from((ContributorRole.CO_AUTHOR, ContributorRole.COMMITTER, ContributorRole.SIGNER))
    more = [draw(st.tuples(names, roles))] if draw(draw_mostly_usual(False, True)) else []
    hands = (hand("ada"), *(hand(name, role) for name, role in more))
    head = commit(1, tree=60, hands=hands)
    gone = update is UpdateKind.DELETED
    revision = Revision("shop", MAIN, BASE, "" if gone else head.id, Known(update))
    tip = Commit(BASE, oid(77), (), ()) if gone else head
    wanted = {UpdateKind.DELETED: ReviewAction.DELETE, UpdateKind.REWOUND: ReviewAction.REWIND}.get(
        update, ReviewAction.APPROVE
    )
    heads = (APPROVED, tip, PAST, OTHER) if stored else (tip, PAST, APPROVED, OTHER)
    pushers = {}
    for one in (head, APPROVED, PAST):
        identity = draw(draw_mostly_usual("person:ada", "person:carol", "login:forge/nobody", ""))
        pushers[one.id] = Known(identity) if identity else Unknown("the server did not say")
    changed: dict[str, Any] = draw(
        draw_mostly_usual({}, {"active": False}, {"write_access": ()}, {"roles": ("security",)})
    )
    persons: list[Person] = [
        structs.replace(one, **changed) if one.id == "bob" else one for one in (*PEOPLE.persons, person("dan"))
    ]
    statement = draw(statements(heads, wanted, 2))
    positions = draw_mostly_usual(-1, 5)
    landed = LandedHeads(
        False,
        tuple(LandedHead(one.id, position) for one in heads if (position := draw(positions)) >= 0),
        tuple(StatementRecord(one.id, draw(st.sampled_from((3, 7)))) for one in statement if draw(st.booleans())),
        draw(draw_mostly_usual(-1, 4)),
    )
    by = draw(draw_mostly_usual("person:ada", "person:bob", ""))
    mover: Maybe[str] = Known(by) if by else Unknown("nobody said")
    return World(
        revision, () if gone else (head,), stored, pushers, mover, People(tuple(persons), ()), statement, landed
    )


def is_approval_carried(world: World, head: str) -> bool:
    """Whether an approval of `head` is valid for the proposed head: the same one, or made of it by a machine."""
    return head == (world.revision.head or BASE) or (world.squashed and head == APPROVED.id)


def is_linked(world: World, one: Approval) -> bool:
    """Whether a statement is authentic and about this change and its branch."""
    here = one.signature in PROVEN_SIGNATURES and one.repository == "shop" and one.target == MAIN
    return here and (
        is_approval_carried(world, one.head) or one.head == PAST.id or one.head in {each.id for each in world.own}
    )


def named_contributors(world: World) -> set[str]:
    """Persons named by a commit, a push or the update: for a squash, without its committer and signer."""
    found: set[str] = set()
    for one in {each.id: each for each in (*world.own, PAST, *((APPROVED,) if world.squashed else ()))}.values():
        merged = world.squashed and one in world.own
        for each in one.contributors:
            if not merged or each.role in (ContributorRole.AUTHOR, ContributorRole.CO_AUTHOR):
                found.add(each.identity.removeprefix("email:").partition("@")[0])
        if not merged and isinstance(pusher := world.pushers[one.id], Known):
            found.add(pusher.value.removeprefix("person:"))
    if world.revision.update != Known(UpdateKind.FAST_FORWARD) and isinstance(world.mover, Known):
        found.add(world.mover.value.removeprefix("person:"))
    return found


def is_approval_used(world: World, one: Approval) -> bool:
    """Whether the branch received the head after the statement was recorded."""
    recorded = {each.statement: each.position for each in world.landed.statements}.get(one.id, -1)
    took = {each.head: each.position for each in world.landed.heads}.get(one.head, -1)
    return recorded < max(took, world.landed.all_before)


def has_valid_approval(world: World, who: Person, wanted: ReviewAction) -> bool:
    """Whether a statement of a person can be an approval of exactly this change, by section 6 of the design."""
    own = [one for one in world.statements if one.ref_person == who.id and is_linked(world, one)]
    if not who.active or not who.write_access or who.id in named_contributors(world):
        return False
    return any(
        one.action is wanted
        and is_approval_carried(world, one.head)
        and not one.retargeted
        and not is_approval_used(world, one)
        and one.time <= LATEST
        and (one.action is not ReviewAction.REWIND or one.base == BASE)
        and not any(other.action in OBJECTING and other.time >= one.time for other in own)
        for one in own
    )


def has_open_objection(world: World, who: Person, wanted: ReviewAction) -> bool:
    """Whether a person requested changes and neither approved nor withdrew later, by time or by record."""
    own = [one for one in world.statements if one.ref_person == who.id and is_linked(world, one)]
    asked = [one for one in own if one.action is ReviewAction.REQUEST_CHANGES]
    lifting = [one for one in own if one.action in (wanted, ReviewAction.WITHDRAW)]
    open_still = [
        one
        for one in asked
        if not any(other.time > one.time or (other.head == one.head and other.order > one.order) for other in lifting)
    ]
    return bool(open_still) and who.active and bool(who.write_access)


def is_reviewed(world: World) -> bool:
    case = Case(world.facts, REVIEW.parameters(), NOW, {})
    return [reason.code for reason in REVIEW.evaluate(case)] == ["reviewed"]


def approving(world: World) -> ReviewAction:
    acts: dict[Maybe[UpdateKind], ReviewAction] = {
        Known(UpdateKind.DELETED): ReviewAction.DELETE,
        Known(UpdateKind.REWOUND): ReviewAction.REWIND,
    }
    return acts.get(world.revision.update, ReviewAction.APPROVE)


@settings(max_examples=400)
@given(worlds())
def test_reviewed_change_has_two_independent_approvals_and_no_objection(world: World) -> None:
    if is_reviewed(world):
        wanted = approving(world)
        assert sum(has_valid_approval(world, one, wanted) for one in world.people.persons) >= 2
        assert not [one.id for one in world.people.persons if has_open_objection(world, one, wanted)]


@settings(max_examples=200)
@given(worlds())
def test_change_with_unknown_pusher_is_reviewed_only_with_attestation(world: World) -> None:
    commits = [*(() if world.squashed else world.own), PAST, *((APPROVED,) if world.squashed else ())]
    unknown = [world.pushers[one.id] for one in commits]
    unknown += [world.mover] if world.revision.update != Known(UpdateKind.FAST_FORWARD) else []
    if is_reviewed(world) and any(who != Known("person:ada") and not _is_named(who) for who in unknown):
        attested = [one for one in world.statements if one.action is ReviewAction.ATTEST and is_linked(world, one)]
        officers = {one.id for one in world.people.security_officers}
        assert officers & {one.ref_person for one in attested}
        assert Known("login:forge/nobody") not in unknown, "no attestation here is about an account"


def _is_named(who: Maybe[str]) -> bool:
    return isinstance(who, Known) and who.value.startswith("person:")


@settings(max_examples=100)
@given(worlds(), st.sampled_from(OBJECTING), names)
def test_latest_objection_never_turns_deny_into_allow(world: World, action: ReviewAction, name: str) -> None:
    """Withdrawals and attestations are excluded where they may lift the cause of the denial."""
    if action is ReviewAction.REQUEST_CHANGES and not is_reviewed(world):
        tip = next(iter(world.own), Commit(BASE, oid(77), (), ()))
        result = approval(name, tip, id=oid(600), order=len(world.statements), time=NOW, action=action)
        assert not is_reviewed(world._replace(statements=(*world.statements, result)))


@settings(max_examples=100)
@given(worlds())
def test_landing_reviewed_change_uses_up_every_approval(world: World) -> None:
    heads = tuple(LandedHead(head, 8) for head in {world.revision.head or BASE, APPROVED.id})
    assert not is_reviewed(world._replace(landed=structs.replace(world.landed, heads=heads)))

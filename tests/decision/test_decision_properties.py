"""Properties of every control and policy: missing information never helps, and evaluation is deterministic."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Outcome
from muniment.decision.evaluation import evaluate_policy, list_needed_facts
from muniment.facts import canonical
from muniment.facts.change import ApprovedHead, CommitPusher, ContributorRole, Pushes, UpdateKind
from muniment.facts.facts import Fact, Facts
from muniment.facts.kinds import KINDS
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, Person
from muniment.facts.statements import LandedHead, LandedHeads, ReviewAction, SignatureResult
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from tests.support.changes import BUILDER, HEAD, NOW, PEOPLE, REVISION, approval, commit, facts, file, hand, values
from tests.support.products import product_worlds

NAMES = ("ada", "bob", "carol", "sue", "bot", "agent", "nobody")
PACK = format_built_in_policy("sec@example.test", "shop").replace("builders = []", f'builders = ["{BUILDER}"]')
POLICY = read_bound_policy(PACK, "built-in")
GONE = Unknown("it was not learnt")


def single(control: str) -> Any:
    """A policy with one clause, enforced everywhere."""
    more = {"deployment-permitted": f'with = {{ builders = ["{BUILDER}"] }}'}
    named = 'id = "one"\nname = "One"\nsection = "secure-design"\ntext = "t"'
    clause = f'{named}\ncontrol = "{control}"\nenforce = ["merge", "deploy"]\n{more.get(control, "")}'
    return read_bound_policy(f"{PACK.split('[[clause]]')[0]}\n[[clause]]\n{clause}\n", "one")


SINGLES = {name: single(name) for name in CONTROLS}

commits = st.builds(
    lambda numbers, who: tuple(commit(n, hands=tuple(hand(name, because) for name, because in who)) for n in numbers),
    st.lists(st.integers(1, 4), min_size=0, max_size=3, unique=True),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ContributorRole)), min_size=1, max_size=3),
)
approvals = st.lists(
    st.builds(
        lambda name, on, action, signature, answers, order: approval(
            name, commit(on), action=action, signature=signature, order=order, answers=answers
        ),
        st.sampled_from(("bob", "carol", "sue", "ada")),
        st.integers(1, 4),
        st.sampled_from((ReviewAction.APPROVE, ReviewAction.APPROVE, ReviewAction.APPROVE, *ReviewAction)),
        st.sampled_from((SignatureResult.VALID, SignatureResult.VALID, SignatureResult.BAD)),
        st.sampled_from(({}, {"why-large": "x"})),
        st.integers(0, 2),
    ),
    max_size=5,
).map(tuple)
files = st.lists(
    st.builds(file, st.sampled_from(("a.py", "auth/x.py", ".muniment/policy.toml", "uv.lock")), st.integers(0, 600)),
    max_size=3,
).map(tuple)
pushes = st.builds(
    Pushes,
    st.booleans(),
    st.lists(st.builds(CommitPusher, st.just(HEAD.id), st.sampled_from((Known("person:ada"), GONE))), max_size=1).map(
        tuple
    ),
    st.just(()),
    commits,
)
heads = st.lists(
    st.builds(
        lambda c, tree: ApprovedHead(c.id, (c,), tree, ()),
        st.builds(commit, st.integers(1, 4)),
        st.sampled_from(("", HEAD.tree)),
    ),
    max_size=2,
).map(tuple)
landed = st.builds(
    lambda head, all_before: LandedHeads(False, (LandedHead(HEAD.id, head),), (), all_before),
    st.sampled_from((-1, -1, 3)),
    st.sampled_from((-1, -1, 3)),
)
updates = st.sampled_from([Known(update) for update in UpdateKind])


@st.composite
def draw_facts(draw: st.DrawFn) -> dict[str, Maybe[Any]]:
    """Facts that often allow: each is the satisfying one or any other."""
    return values(
        revision=Known(
            structs.replace(REVISION, update=draw(st.one_of(st.just(Known(UpdateKind.FAST_FORWARD)), updates)))
        ),
        commits=Known(draw(st.one_of(st.just((HEAD,)), commits))),
        files=Known(draw(st.one_of(st.just((file("a.py"),)), files))),
        pushes=Known(draw(st.one_of(st.just(Pushes(True, (), (), ())), pushes))),
        approved_heads=Known(draw(st.one_of(st.just(()), heads))),
        approvals=Known(draw(st.one_of(st.just((approval("bob"), approval("sue"))), approvals))),
        landed_heads=Known(draw(landed)),
        **draw(product_worlds()),
    )


def remove_knowledge(value: Any) -> Iterator[Any]:
    """Every copy of a value with one known part replaced by Unknown."""
    if isinstance(value, Known):
        yield GONE
        yield from (Known(inner) for inner in remove_knowledge(value.value))
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from (structs.replace(value, **{name: inner}) for inner in remove_knowledge(getattr(value, name)))
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from ((*value[:at], inner, *value[at + 1 :]) for inner in remove_knowledge(item))


def remove_facts(world: dict[str, Maybe[Any]]) -> Iterator[dict[str, Maybe[Any]]]:
    """Every set of facts in which one fact, or one part of it, is unknown or missing."""
    for name, value in world.items():
        yield {other: stored for other, stored in world.items() if other != name}
        for less in remove_knowledge(value):
            yield world | {name: less}


@settings(max_examples=150)
@given(draw_facts())
def test_missing_information_never_turns_deny_into_allow(world: dict[str, Maybe[Any]]) -> None:
    for name, policy in {"": POLICY, **SINGLES}.items():
        read = list_needed_facts(policy.clauses)
        for point in EnforcementPoint if not name else [EnforcementPoint.MERGE]:
            if evaluate_policy(policy, facts(world), point, NOW).outcome is Outcome.DENY:
                for less in remove_facts({name: value for name, value in world.items() if name in read}):
                    assert evaluate_policy(policy, facts(less), point, NOW).outcome is Outcome.DENY


def erase_person(people: People, erased: Person | Machine) -> People:
    """People read again after the object of one person was erased."""
    persons = tuple(one for one in people.persons if one is not erased)
    return People(persons, tuple(one for one in people.machines if one is not erased), ("sha256:" + "e" * 64,))


@settings(max_examples=150)
@given(draw_facts())
def test_erasing_a_person_never_turns_deny_into_allow(world: dict[str, Maybe[Any]]) -> None:
    if evaluate_policy(POLICY, facts(world), EnforcementPoint.MERGE, NOW).outcome is Outcome.DENY:
        for holder in PEOPLE.holders:
            less = world | {"people": Known(erase_person(PEOPLE, holder))}
            assert evaluate_policy(POLICY, facts(less), EnforcementPoint.MERGE, NOW).outcome is Outcome.DENY


def test_changes_requested_by_erased_person_still_block() -> None:
    asked = (approval("bob"), approval("sue"), approval("carol", action=ReviewAction.REQUEST_CHANGES))
    carol = PEOPLE.by_id["carol"]
    found = evaluate_policy(
        POLICY,
        facts(values(approvals=Known(asked), people=Known(erase_person(PEOPLE, carol)))),
        EnforcementPoint.MERGE,
        NOW,
    )
    assert found.outcome is Outcome.DENY


@settings(max_examples=100)
@given(draw_facts())
def test_evaluation_is_deterministic(world: dict[str, Maybe[Any]]) -> None:
    first = facts(world)
    once = evaluate_policy(POLICY, first, EnforcementPoint.MERGE, NOW)
    content = {
        name: Fact(
            msgspec.json.decode(canonical.encode(fact.value), type=KINDS[name].shape),
            fact.source,
            fact.read_at,
            fact.salt,
        )
        for name, fact in first.items().items()
    }
    again = evaluate_policy(POLICY, Facts(content), EnforcementPoint.MERGE, NOW)
    assert canonical.encode(once) == canonical.encode(again)


def test_satisfying_facts_are_allowed() -> None:
    for policy in (POLICY, *SINGLES.values()):
        for point in (EnforcementPoint.MERGE, EnforcementPoint.DEPLOY):
            assert evaluate_policy(policy, facts(values()), point, NOW).outcome is Outcome.ALLOW

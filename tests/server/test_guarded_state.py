"""The order by which one person alone may tighten a guarded state."""

from muniment.server.acts.guarded_state import GuardedEnvironments, GuardedFact, GuardedFacts

ONE, OTHER = ("shop", "a"), ("shop", "b")


def test_ending_permission_or_adding_protection_is_not_looser() -> None:
    before = GuardedFacts(permitted=frozenset({ONE}), protected=frozenset({ONE}))
    assert not before.is_looser_than(before)
    assert not GuardedFacts(protected=frozenset({ONE, OTHER})).is_looser_than(before)
    assert GuardedFacts(permitted=frozenset({ONE, OTHER}), protected=frozenset({ONE})).is_looser_than(before)
    assert GuardedFacts(permitted=frozenset({ONE}), protected=frozenset({OTHER})).is_looser_than(before)


def order(**environments: set[GuardedFact]) -> GuardedEnvironments:
    return GuardedEnvironments({("shop", name): frozenset(needed) for name, needed in environments.items()})


def test_environment_order_is_looser_without_production_or_predecessors() -> None:
    after, production = ("after", "staging"), ("production",)
    before = order(staging=set(), live={after, production})
    assert not order(staging={production}, live={after, production}).is_looser_than(before)
    assert order(staging=set(), live={after}).is_looser_than(before)
    assert order(live={production}).is_looser_than(before)
    assert not order(staging=set()).is_looser_than(before)
    third = {after, production, ("after", "live")}
    assert not order(staging=set(), live={after, production}, third=third).is_looser_than(before)
    assert order(staging=set(), live={after, production}, third={after, production}).is_looser_than(before)
    assert order(staging=set(), live={after, production}, third=third - {production}).is_looser_than(before)
    assert not order(staging=set(), third={after, production}).is_looser_than(before)

"""An evaluation reads each fact from where it belongs, and none that no clause needs."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from muniment.decision.bound_policies import read_bound_policy
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.policy.model import EnforcementPoint
from muniment.workflows import change_evaluation, change_scan, design_evaluation
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.rule_sources import Rules
from tests.support.changes import NOW, PEOPLE, REVISION, facts, values

SCAN, DESIGN, SECRETS = kinds.CHANGE_SCAN.name, kinds.DESIGN.name, kinds.VAULT_SECRETS.name
SCANNED, DRAWN = Unknown("scanned here"), Unknown("drawn from the change")
OF_PRODUCT = Unknown("of the product")


def make_rules(*clauses: tuple[str, str]) -> Rules:
    """Rules with a clause for each (control, enforcement point)."""
    text = 'schema = 1\nowner = "a@example.test"\nrepository = "shop"\n[branches]\nprotected = ["main"]\n'
    text += '[[section]]\nid = "s"\nname = "S"\nowner = "a@example.test"\n'
    for number, (control, point) in enumerate(clauses):
        text += f'[[clause]]\nid = "c{number}"\nsection = "s"\nname = "C"\ntext = "T."\ncontrol = "{control}"\n'
        text += f'enforce = ["{point}"]\n'
    return Rules(read_bound_policy(text, "policy.toml"), PEOPLE, (), (), (), None, "")


class FakeCollector:
    """Gives the facts that it is given, and those of a small change."""

    git_repository: Any = None

    def collect_facts(
        self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[object] | Fact]
    ) -> Facts:
        self.extra = dict(extra)
        given = {name: it.value if isinstance(it, Fact) else it for name, it in extra.items()}
        return facts({**values(), **given})


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_scan, "scan_revision", lambda *_: SCANNED)
    monkeypatch.setattr(design_evaluation, "evaluate_change_design", lambda *_: DRAWN)


def read_values(rules: Rules, point: EnforcementPoint, *supplied: str) -> tuple[dict[str, Any], frozenset[str]]:
    """Values that the collector is given, where the names in `supplied` are supplied; and the names asked for."""
    collector, asked = FakeCollector(), set[str]()

    def read_facts(names: Collection[str]) -> dict[str, Fact]:
        asked.update(names)
        return {name: create_fact(OF_PRODUCT, "product", NOW) for name in supplied}

    change_evaluation.evaluate_change(collector, rules, REVISION, point, NOW, read_facts)
    return {k: v.value if isinstance(v, Fact) else v for k, v in collector.extra.items()}, frozenset(asked)


def test_change_is_scanned_where_a_clause_needs_it_and_nobody_supplies_the_scan() -> None:
    rules = make_rules(("no-new-findings", "merge"))
    given, asked = read_values(rules, EnforcementPoint.MERGE)
    assert (given[SCAN], SCAN in asked) == (SCANNED, True)
    given, _ = read_values(rules, EnforcementPoint.MERGE, SCAN)
    assert given[SCAN] == OF_PRODUCT
    given, asked = read_values(make_rules(("small-changes", "merge")), EnforcementPoint.MERGE)
    assert SCAN not in {*given, *asked}


def test_fact_that_no_clause_needs_is_not_taken() -> None:
    given, asked = read_values(make_rules(("small-changes", "merge")), EnforcementPoint.MERGE, SECRETS, SCAN, DESIGN)
    assert given.keys() == {kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name}
    assert not {SECRETS, SCAN, DESIGN} & asked


def test_design_at_a_merge_is_that_of_the_change_and_not_of_the_product() -> None:
    given, asked = read_values(make_rules(("design-review", "merge")), EnforcementPoint.MERGE, DESIGN)
    assert (given[DESIGN], DESIGN in asked) == (DRAWN, False)


def test_design_at_a_deployment_is_that_of_the_product() -> None:
    rules = make_rules(("least-privilege", "deploy"))
    given, asked = read_values(rules, EnforcementPoint.DEPLOY, DESIGN)
    assert (given[DESIGN], DESIGN in asked) == (OF_PRODUCT, True)


def test_clauses_of_another_point_and_branch_ask_for_nothing() -> None:
    rules = make_rules(("no-new-findings", "deploy"), ("small-changes", "merge"))
    given, asked = read_values(rules, EnforcementPoint.MERGE)
    assert SCAN not in {*given, *asked}


def test_freezes_are_none_where_no_home_is_read_and_else_those_given() -> None:
    rules, collector = make_rules(("small-changes", "merge")), FakeCollector()
    unread: Maybe[Any] = Unknown("the home cannot be read")
    for freezes, outcome in ((Known(()), "allow"), (unread, "deny")):
        found = change_evaluation.evaluate_change(
            collector, rules, REVISION, EnforcementPoint.MERGE, NOW, lambda _: {}, freezes
        )
        assert (collector.extra[kinds.FREEZES.name], found.decision.outcome.value) == (freezes, outcome)
    found = change_evaluation.evaluate_change(collector, rules, REVISION, EnforcementPoint.MERGE, NOW, lambda _: {})
    assert collector.extra[kinds.FREEZES.name] == Known(())


def test_unknown_people_stay_unknown() -> None:
    rules = make_rules(("independent-review", "merge"))
    lost = Rules(rules.policy, PEOPLE, (), (), (), None, "", people_unknown="they are hidden here")
    collector = FakeCollector()
    found = change_evaluation.evaluate_change(collector, lost, REVISION, EnforcementPoint.MERGE, NOW, lambda _: {})
    people = collector.extra[kinds.PEOPLE.name]
    assert isinstance(people, Fact)
    assert (people.value, found.decision.outcome.value) == (Unknown("they are hidden here"), "deny")

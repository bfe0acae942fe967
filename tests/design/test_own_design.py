"""Muniment's own design.toml is a design without violations, and names code that exists."""

import datetime
from importlib import import_module
from pathlib import Path

from msgspec import structs

from dev import own_design
from muniment.design.evaluation import evaluate_design
from muniment.design.findings import DesignStatus, Principle
from muniment.design.model import DesignGrant
from muniment.design.model_file import read_design
from muniment.design.separation import check_separation

ROOT = Path(__file__).parents[2]
MODEL = read_design((ROOT / "design.toml").read_text("utf-8"), "design.toml")
RESULTS = {result.principle: result for result in evaluate_design(MODEL, datetime.date(2026, 11, 30))}


def test_no_principle_is_violated() -> None:
    assert [
        finding.message
        for result in RESULTS.values()
        for finding in result.findings
        if finding.status is DesignStatus.VIOLATED
    ] == []


def test_every_asset_is_mediated_by_two_mechanisms() -> None:
    for principle in (Principle.COMPLETE_MEDIATION, Principle.SECURITY_LAYERS):
        assert RESULTS[principle].status is DesignStatus.MET


def test_what_each_process_may_do_is_separated() -> None:
    assert RESULTS[Principle.PRIVILEGE_SEPARATION].status is DesignStatus.MET


def test_a_process_with_two_rights_that_are_kept_apart_is_a_violation() -> None:
    grants = (*MODEL.grants, DesignGrant(to="worker-process", actions=("record.sign",)))
    result = check_separation(structs.replace(MODEL, grants=grants))
    assert "worker-process can do decision.record and record.sign" in " ".join(one.message for one in result.findings)


def test_lint_evaluates_the_own_design() -> None:
    assert own_design.list_problems(MODEL, datetime.date(2026, 11, 30)) == []
    bare = structs.replace(MODEL, flows=tuple(structs.replace(flow, guards=()) for flow in MODEL.flows))
    assert any(
        "can be reached from outside" in line for line in own_design.list_problems(bare, datetime.date(2026, 11, 30))
    )


def test_each_function_that_a_guard_asks_exists() -> None:
    for guard in MODEL.guards:
        for name in guard.asks:
            module, _, function = name.partition(":")
            assert callable(getattr(import_module(module), function)), name


def test_each_guard_that_the_code_names_exists() -> None:
    for guard in MODEL.guards:
        for name in guard.code:
            module, _, member = name.rpartition(".")
            path = ROOT / "src" / Path(*module.split(".")).with_suffix(".py")
            assert f"class {member}" in path.read_text("utf-8"), name

"""Checklist of requirements: it covers the fourteen areas, names rules that exist, and what is not known is unknown."""

import json

import pytest
from msgspec.structs import replace

from muniment.errors import UsageError
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.requirements.checklist import AREAS, VerifiedBy, load_checklist, parse_official_list
from muniment.scanners.requirements.states import (
    EvidenceStatement,
    NamedTest,
    ProductEvidence,
    find_official_states,
    find_requirement_states,
)

CHECKLIST = load_checklist()
NOTHING = ProductEvidence(frozenset(), "the code was not scanned", {}, {}, {})
GOOD = EvidenceStatement("Sue", False, "minutes of 12 November", "2027-11-12")


def find(name: str, evidence: ProductEvidence) -> tuple[str, str]:
    ((state),) = find_requirement_states({name: CHECKLIST[name]}, evidence)
    return state.status.value, state.because


def test_the_fourteen_areas_are_covered_and_every_way_of_verifying_is_used() -> None:
    assert {one.area for one in CHECKLIST.values()} == set(AREAS)
    assert len(AREAS) == 14
    assert {one.verified_by for one in CHECKLIST.values()} == set(VerifiedBy)


@pytest.mark.parametrize("name", CHECKLIST)
def test_a_requirement_says_how_it_is_verified(name: str) -> None:
    one = CHECKLIST[name]
    assert one.text.endswith(".")
    assert one.asvs
    assert 1 <= one.level <= 3
    assert set(one.rules) <= load_own_rules().keys()
    needed = {
        VerifiedBy.RULE: bool(one.rules),
        VerifiedBy.DESIGN: bool(one.check),
        VerifiedBy.CONFIGURATION: bool(one.check),
        VerifiedBy.NAMED_TEST: True,
        VerifiedBy.ATTESTATION: bool(one.role) and one.valid_days > 0,
    }
    assert needed[one.verified_by]


def test_what_is_not_known_is_unknown_and_never_met() -> None:
    states = find_requirement_states(CHECKLIST, NOTHING)
    assert len(states) == len(CHECKLIST)
    assert {state.status.value for state in states} == {"unknown"}
    assert all(state.because for state in states)


def test_rules_need_scanned_code_without_an_open_finding() -> None:
    scanned = replace(NOTHING, unscanned="")
    assert find("bound-statements", scanned)[0] == "met"
    found = replace(scanned, open_rules=frozenset({"sql-injection", "weak-hash"}))
    assert find("bound-statements", found) == ("violated", "open findings of sql-injection")


def test_no_person_attests_what_a_rule_verifies() -> None:
    stated = {"bound-statements": GOOD}
    assert find("bound-statements", replace(NOTHING, statements=stated))[0] == "unknown"
    excluded = {"bound-statements": replace(GOOD, excludes=True)}
    assert find("bound-statements", replace(NOTHING, statements=excluded))[0] == "not_applicable"
    found = replace(NOTHING, statements=excluded, open_rules=frozenset({"sql-injection"}))
    assert find("bound-statements", found)[0] == "violated"


def test_tests_and_checks_count_by_their_result() -> None:
    for passed, status in ((True, "met"), (False, "violated"), (None, "unknown")):
        tests = {"second-factor": NamedTest("sign-in", passed, "it did not run")}
        assert find("second-factor", replace(NOTHING, tests=tests, statements={"second-factor": GOOD}))[0] == status
    assert find("few-rights", replace(NOTHING, checks={"least-privilege": True}))[0] == "met"
    stated = {"strict-transport": GOOD}
    failed = replace(NOTHING, checks={"Strict-Transport-Security": False}, statements=stated)
    assert find("strict-transport", failed)[0] == "violated"


def test_a_statement_counts_where_no_machine_answers() -> None:
    for name in ("strict-transport", "few-rights", "second-factor", "uploads-never-run"):
        ((state),) = find_requirement_states({name: CHECKLIST[name]}, replace(NOTHING, statements={name: GOOD}))
        assert (state.status.value, state.until) == ("met", "2027-11-12")
        assert state.because == "Sue: minutes of 12 November"


@pytest.mark.parametrize("stated", [replace(GOOD, reason=" "), replace(GOOD, until="")])
@pytest.mark.parametrize("excludes", [True, False])
def test_a_statement_needs_a_reason_and_a_last_day(stated: EvidenceStatement, *, excludes: bool) -> None:
    evidence = replace(NOTHING, statements={"uploads-never-run": replace(stated, excludes=excludes)})
    assert find("uploads-never-run", evidence)[0] == "unknown"


def test_official_requirements_are_tested_or_attested() -> None:
    listed = parse_official_list(json.dumps(make_list("V1.1.1", "V1.1.2", "V1.1.3")).encode())
    tests = {"Standard 5.0.0: 1.1.1": NamedTest("unit", passed=True)}
    evidence = replace(NOTHING, tests=tests, statements={"Standard 5.0.0: 1.1.2": GOOD})
    found = [(one.name, one.list_name, one.status.value) for one in find_official_states([listed], evidence)]
    assert found == [
        ("1.1.1", "Standard 5.0.0", "met"),
        ("1.1.2", "Standard 5.0.0", "met"),
        ("1.1.3", "Standard 5.0.0", "unknown"),
    ]


def make_list(*codes: str) -> dict[str, object]:
    entries = [{"Shortcode": code, "Ordinal": 1, "Description": "Text.", "L": "2"} for code in codes]
    section = {"Shortcode": "V1.1", "Name": "S", "Items": entries}
    chapter = {"Shortcode": "V1", "Name": "Chapter", "Items": [section]}
    return {"Name": "Standard", "ShortName": "S", "Version": "5.0.0", "Requirements": [chapter]}


def test_an_official_list_is_read_whole() -> None:
    found = parse_official_list(json.dumps(make_list("V1.1.1", "V1.1.2")).encode())
    assert (found.name, found.version) == ("Standard", "5.0.0")
    assert [(one.id, one.chapter, one.level) for one in found.requirements] == [
        ("1.1.1", "Chapter", 2),
        ("1.1.2", "Chapter", 2),
    ]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b'{"Name": 1}', b"[" * 100_000),
        json.dumps(make_list()).encode(),
        json.dumps(make_list("V1.1.1", "V1.1.1")).encode(),
        json.dumps(make_list("V1")).replace('"2"', '"x"').encode(),
    ],
)
def test_a_list_that_cannot_be_read_whole_is_an_error(content: bytes) -> None:
    with pytest.raises(UsageError, match="list"):
        parse_official_list(content)

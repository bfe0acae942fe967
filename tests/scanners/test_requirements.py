"""Checklist of requirements: it covers the fourteen areas, names rules that exist, and what is not known is unknown."""

import json

import pytest
from msgspec.structs import replace

from muniment.errors import UsageError
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.requirements.checklist import AREAS, VerifiedBy, load_checklist, parse_official_list
from muniment.scanners.requirements.states import Attestation, ProductEvidence, find_requirement_states

CHECKLIST = load_checklist()
NOTHING = ProductEvidence(frozenset(), "the code was not scanned", {}, {}, {}, {})
TODAY = "2026-12-01"


def find(name: str, evidence: ProductEvidence) -> tuple[str, str]:
    ((state),) = find_requirement_states({name: CHECKLIST[name]}, evidence, 3, TODAY)
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
    states = find_requirement_states(CHECKLIST, NOTHING, 3, TODAY)
    assert {state.status.value for state in states} == {"unknown"}
    assert all(state.because for state in states)


def test_a_level_leaves_out_what_is_above_it() -> None:
    assert len(find_requirement_states(CHECKLIST, NOTHING, 1, TODAY)) < len(CHECKLIST)
    assert len(find_requirement_states(CHECKLIST, NOTHING, 2, TODAY)) == len(CHECKLIST)


def test_rules_need_scanned_code_without_an_open_finding() -> None:
    scanned = replace(NOTHING, unscanned="")
    assert find("bound-statements", scanned)[0] == "met"
    found = replace(scanned, open_rules=frozenset({"sql-injection", "weak-hash"}))
    assert find("bound-statements", found) == ("violated", "open findings of sql-injection")


def test_tests_and_checks_count_by_their_result() -> None:
    assert find("second-factor", replace(NOTHING, tests={"second-factor": True}))[0] == "met"
    assert find("second-factor", replace(NOTHING, tests={"second-factor": False}))[0] == "violated"
    assert find("few-rights", replace(NOTHING, checks={"least-privilege": True}))[0] == "met"
    assert find("strict-transport", replace(NOTHING, checks={"Strict-Transport-Security": False}))[0] == "violated"


GOOD = Attestation("sue", ("security",), "minutes of 12 November", "2026-11-12", "2027-11-12")


@pytest.mark.parametrize(
    ("stated", "status", "because"),
    [
        (GOOD, "met", "minutes of 12 November"),
        (replace(GOOD, roles=("developer",)), "unknown", "without the role security"),
        (replace(GOOD, evidence=" "), "unknown", "without evidence"),
        (replace(GOOD, until="2026-11-30"), "unknown", "counted until 2026-11-30"),
        (replace(GOOD, day="2026-12-02"), "unknown", "counted until"),
    ],
)
def test_an_attestation_needs_a_role_evidence_and_a_day(stated: Attestation, status: str, because: str) -> None:
    found = find("uploads-never-run", replace(NOTHING, attestations={"uploads-never-run": stated}))
    assert found[0] == status
    assert because in found[1]


def test_a_requirement_is_excluded_only_with_a_reason() -> None:
    assert find("safe-memory", replace(NOTHING, excluded={"safe-memory": "no such language"}))[0] == "not_applicable"
    assert find("safe-memory", replace(NOTHING, excluded={"safe-memory": " "}))[0] == "unknown"


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

"""Open Threat Model: what is exported is read again, and a file of another form is refused with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.design.model_file import read_design
from muniment.design.open_threat_model import draft_from_threat_model, export_threat_model
from muniment.errors import DesignError

ROOT = Path(__file__).parents[2]
MODEL = read_design((ROOT / "design.toml").read_text("utf-8"), "design.toml")
FOREIGN: dict[str, Any] = {
    "otmVersion": "0.2.0",
    "project": {"name": "Shop", "id": "my shop"},
    "trustZones": [{"id": "b61d", "name": "Public Cloud", "risk": {"trustRating": 60}}],
    "components": [
        {"id": "c 1", "name": 'Web "app"', "type": "ec2", "parent": {"trustZone": "b61d"}},
        {"id": "c/2", "name": "Orders", "type": "rds-database", "parent": {"trustZone": "b61d"}},
        {"id": "u", "name": "Customer", "type": "web-client", "parent": {"trustZone": "b61d"}},
    ],
    "dataflows": [
        {"id": "f", "name": "browse", "source": "u", "destination": "c 1", "bidirectional": True, "assets": ["a"]},
        {"id": "g", "name": "store", "source": "c 1", "destination": "c/2"},
    ],
    "assets": [{"id": "a", "name": "Addresses", "risk": {"confidentiality": 90}}],
}


def test_an_exported_design_has_its_parts_and_is_read_again() -> None:
    exported = export_threat_model(MODEL)
    again = read_design(draft_from_threat_model(json.dumps(exported).encode(), "x.json", "ada"), "design.toml")
    assert {each.id for each in again.components} == {each.id for each in MODEL.components}
    assert {each.id for each in again.actors} == {each.id for each in MODEL.actors}
    assert [(flow.source, flow.target) for flow in again.flows] == [(flow.source, flow.target) for flow in MODEL.flows]
    assert {(each.id, each.sensitivity) for each in again.data} == {(each.id, each.sensitivity) for each in MODEL.data}
    threats: Any = exported["threats"]
    assert any(each["id"].startswith("stride:tampering:store:database") for each in threats)


def test_a_model_of_another_tool_becomes_a_draft_that_permits_nothing() -> None:
    model = read_design(draft_from_threat_model(json.dumps(FOREIGN).encode(), "x.json", "ada"), "design.toml")
    assert [(each.id, each.kind.value, each.label) for each in model.components] == [
        ("c-1", "process", 'Web "app"'),
        ("c-2", "store", "Orders"),
    ]
    assert [actor.id for actor in model.actors] == ["u"]
    assert [(flow.source, flow.target, flow.guards) for flow in model.flows] == [("u", "c-1", ()), ("c-1", "c-2", ())]
    assert [(each.id, each.sensitivity.value) for each in model.data] == [("a", "secret")]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (b"nonsense", "expected JSON"),
        ({"otmVersion": None}, ""),
        ({"components": {"id": "x"}}, "expected a list of objects"),
        ({"components": [{"name": "x"}]}, "an entry has no id"),
        ({"dataflows": [{"source": "u", "destination": "nowhere"}]}, "of which one is missing"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(changed: Any, why: str) -> None:
    if changed == {"otmVersion": None}:
        changed, why = {name: value for name, value in FOREIGN.items() if name != "otmVersion"}, "otmVersion is missing"
        data = json.dumps(changed).encode()
    else:
        data = changed if isinstance(changed, bytes) else json.dumps(FOREIGN | changed).encode()
    with pytest.raises(DesignError, match=why):
        draft_from_threat_model(data, "x.json", "ada")

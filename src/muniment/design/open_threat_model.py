"""Open Threat Model (OTM 0.2.0, JSON): writes a design in that form, and drafts a design from a file of that form.

The form has trust zones, components, data flows, assets, threats and mitigations. It has no roles, grants or tasks:
those are not exported, and a draft from it leaves them to be written.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from muniment.design.comparison import describe_flow
from muniment.design.drafting import quote_toml, quote_toml_list
from muniment.design.model import ComponentKind, DesignModel, Sensitivity
from muniment.design.threats import list_threats
from muniment.errors import DesignError

_VERSION = "0.2.0"
_OUTSIDE = "outside"
_RATINGS = {Sensitivity.PUBLIC: 10, Sensitivity.INTERNAL: 40, Sensitivity.CONFIDENTIAL: 75, Sensitivity.SECRET: 100}
_STORE_WORDS = ("store", "storage", "database", "db", "bucket", "queue", "cache")
_ACTOR_WORDS = ("actor", "user", "client", "browser", "person")
LARGEST_THREAT_MODEL = 20_000_000  # bytes
_REMEDY = "Export the file again as JSON, in the form of Open Threat Model 0.2.0."


def export_threat_model(model: DesignModel) -> dict[str, object]:
    """Design as an Open Threat Model, with its threats by STRIDE and the guards as mitigations."""
    zones = [{"id": _OUTSIDE, "name": "Outside", "risk": {"trustRating": 0}}]
    zones += [{"id": each.id, "name": each.label or each.id, "risk": {"trustRating": 100}} for each in model.boundaries]
    components = [
        {"id": each.id, "name": each.label or each.id, "type": "actor", "parent": {"trustZone": _OUTSIDE}}
        for each in model.actors
    ]
    components += [
        {
            "id": each.id,
            "name": each.label or each.id,
            "type": each.kind.value,
            "parent": {"trustZone": each.boundary or _OUTSIDE},
        }
        for each in model.components
    ]
    return {
        "otmVersion": _VERSION,
        "project": {"id": model.product, "name": model.product, "owner": model.owner},
        "trustZones": zones,
        "components": components,
        "dataflows": list(_export_flows(model)),
        "assets": [
            {
                "id": each.id,
                "name": each.label or each.id,
                "risk": {"confidentiality": _RATINGS[each.sensitivity], "integrity": 0, "availability": 0},
            }
            for each in model.data
        ],
        "threats": [
            {
                "id": threat.identity,
                "name": threat.sentence,
                "categories": [threat.kind.value],
                "risk": {"likelihood": 50, "impact": min(100, threat.score * 6)},
            }
            for threat in list_threats(model)
        ],
        "mitigations": [
            {
                "id": each.id,
                "name": each.label or each.id,
                "riskReduction": 50,
                "description": ", ".join(each.mechanisms),
            }
            for each in model.guards
        ],
    }


def _export_flows(model: DesignModel) -> Iterator[dict[str, object]]:
    homes = {resource.id: resource.component for resource in model.resources}
    offered = {each.id: each.component for each in model.interfaces}
    for number, flow in enumerate(model.flows, 1):
        target = homes.get(flow.target, flow.target) or offered.get(flow.interface)
        if target is None:  # an interface of another repository has no component here
            continue
        yield {
            "id": f"flow-{number}",
            "name": describe_flow(flow),
            "source": flow.source,
            "destination": target,
            "assets": list(flow.data),
            "mitigations": [{"mitigation": guard, "state": "implemented"} for guard in flow.guards],
        }


def draft_from_threat_model(data: bytes, where: str, owner: str) -> str:
    """Text of a first `design.toml` from an Open Threat Model as JSON. A flow without a known guard has none.

    Raises DesignError for a file of another form.
    """
    if len(data) > LARGEST_THREAT_MODEL:
        raise DesignError(where, "", f"the file has more than {LARGEST_THREAT_MODEL} bytes", _REMEDY)
    try:
        given = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise DesignError(where, "", f"expected JSON, found something else: {error}", _REMEDY) from None
    if "otmVersion" not in given:
        raise DesignError(where, "otmVersion", "the key otmVersion is missing", _REMEDY)
    names = _Names()
    project = _read_table(given, "project")
    lines = ["schema = 1", f"product = {quote_toml(names.find_identifier(str(project.get('id') or 'product')))}"]
    lines += [f"owner = {quote_toml(owner)}"]
    for zone in _read_list(given, "trustZones", where):
        lines += ["", "[[boundary]]", f"id = {quote_toml(names.find_identifier(_read_id(zone, where)))}"]
        lines.append(f"label = {quote_toml(str(zone.get('name') or zone['id']))}")
    kinds = {_read_id(each, where): _guess_kind(each) for each in _read_list(given, "components", where)}
    for each in _read_list(given, "components", where):
        lines += _draft_component(each, kinds[each["id"]], names)
    for asset in _read_list(given, "assets", where):
        risk = _read_table(asset, "risk")
        lines += ["", "[[data]]", f"id = {quote_toml(names.find_identifier(_read_id(asset, where)))}"]
        lines += [f"label = {quote_toml(str(asset.get('name') or asset['id']))}"]
        lines += [f"sensitivity = {quote_toml(_find_sensitivity(risk.get('confidentiality')))}"]
    lines += _draft_flows(given, names, kinds, where)
    lines += ["", "# Still to write: [[guard]] with guards of each flow, [[resource]], [[role]], [[grant]], [[task]]."]
    return "\n".join(lines) + "\n"


class _Names:
    """Identifiers of a design for those of another form: letters, digits, dots and hyphens, each once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def find_identifier(self, name: str) -> str:
        """Identifier for a name; the same for the same name."""
        if name not in self._known:
            wanted = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:90] or "entry"
            identifier, number = wanted, 2
            while identifier in self._known.values():
                identifier, number = f"{wanted}-{number}", number + 1
            self._known[name] = identifier
        return self._known[name]


def _read_list(given: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    found = given.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DesignError(where, key, "expected a list of objects", _REMEDY)
    return found


def _read_table(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Table with what the form leaves to choice; empty where there is none."""
    found = given.get(key)
    return found if isinstance(found, dict) else {}


def _read_id(entry: Mapping[str, Any], where: str) -> str:
    found = entry.get("id")
    if not isinstance(found, str) or not found:
        raise DesignError(where, "id", "an entry has no id", _REMEDY)
    return found


def _guess_kind(entry: Mapping[str, Any]) -> str:
    """Kind of a component by the words of its type: `actor`, or one of a design."""
    words = re.findall(r"[a-z]+", str(entry.get("type") or "").lower())
    if any(word in _ACTOR_WORDS for word in words):
        return "actor"
    if any(word in _STORE_WORDS for word in words):
        return ComponentKind.STORE.value
    return ComponentKind.EXTERNAL.value if "external" in words else ComponentKind.PROCESS.value


def _draft_component(entry: Mapping[str, Any], kind: str, names: _Names) -> Iterator[str]:
    yield ""
    yield "[[actor]]" if kind == "actor" else "[[component]]"
    yield f"id = {quote_toml(names.find_identifier(entry['id']))}"
    yield f"label = {quote_toml(str(entry.get('name') or entry['id']))}"
    if kind != "actor":
        yield f"kind = {quote_toml(kind)}"
        parent = entry.get("parent")
        if isinstance(parent, dict) and isinstance(parent.get("trustZone"), str):
            yield f"boundary = {quote_toml(names.find_identifier(parent['trustZone']))}"


def _find_sensitivity(rating: object) -> str:
    """Step of sensitivity for a rating of 0 to 100. Without one, data counts as confidential."""
    if not isinstance(rating, int | float):
        return Sensitivity.CONFIDENTIAL.value
    return next((step.value for step, most in _RATINGS.items() if rating <= most), Sensitivity.SECRET.value)


def _draft_flows(given: Mapping[str, Any], names: _Names, kinds: Mapping[str, str], where: str) -> Iterator[str]:
    known = {_read_id(each, where) for each in _read_list(given, "assets", where)}
    for flow in _read_list(given, "dataflows", where):
        ends = [flow.get("source"), flow.get("destination")]
        pairs = [ends, ends[::-1]] if flow.get("bidirectional") is True else [ends]
        for source, target in pairs:
            if not isinstance(source, str) or not isinstance(target, str) or not {source, target} <= set(kinds):
                raise DesignError(
                    where, "dataflows", f"a flow names {source} and {target}, of which one is missing", _REMEDY
                )
            if kinds[target] == "actor":  # an answer is no way in
                continue
            carried = [each for each in flow.get("assets") or () if each in known]
            yield from ("", "[[flow]]", f"from = {quote_toml(names.find_identifier(source))}")
            yield f"to = {quote_toml(names.find_identifier(target))}"
            if carried:
                yield f"data = {quote_toml_list([names.find_identifier(each) for each in carried])}"

"""The drawing is well-formed and shows findings; threats keep their identity; a draft can be read."""

import datetime
import xml.etree.ElementTree as ElementTree

from msgspec import structs

from muniment.design.drafting import draft_design
from muniment.design.drawing import draw_design
from muniment.design.evaluation import evaluate_design
from muniment.design.model import (
    Boundary,
    Component,
    ComponentKind,
    Data,
    DesignActor,
    DesignModel,
    DesignResource,
    Flow,
    Guard,
    Sensitivity,
)
from muniment.design.model_file import read_design
from muniment.design.threats import list_threats
from tests.design.models import generate_model

TODAY = datetime.date(2026, 11, 30)
SVG = "{http://www.w3.org/2000/svg}"
MODEL = DesignModel(
    schema=1,
    product="shop",
    owner="security",
    boundaries=(Boundary(id="cloud", label='Cloud "<A>"'),),
    actors=(DesignActor(id="visitor"),),
    components=(
        Component(id="web", boundary="cloud"),
        Component(id="database", kind=ComponentKind.STORE, boundary="cloud"),
        Component(id="log", kind=ComponentKind.STORE),
    ),
    data=(
        Data(id="orders", sensitivity=Sensitivity.CONFIDENTIAL, personal=True),
        Data(id="pages", sensitivity=Sensitivity.PUBLIC),
    ),
    guards=(Guard(id="sign-in", mechanisms=("password",)),),
    flows=(
        Flow(source="visitor", target="web", guards=("sign-in",), encrypted=True, data=("pages",)),
        Flow(source="visitor", target="database"),
        Flow(source="web", target="database", data=("orders",)),
    ),
    resources=(DesignResource(id="orders", component="database", data=("orders",)),),
)


def drawing_of(model: DesignModel) -> ElementTree.Element:
    findings = [finding for result in evaluate_design(model, TODAY) for finding in result.findings]
    return ElementTree.fromstring(draw_design(model, findings))


def test_the_drawing_marks_the_path_and_the_component_of_a_finding() -> None:
    root = drawing_of(MODEL)
    opened = [path for path in root.iter(f"{SVG}path") if "bad" in path.get("class", "").split()]
    assert [path.findtext(f"{SVG}title") for path in opened] == ["visitor -> database: no guard"]
    marked = [each.get("class") for each in root.iter(f"{SVG}rect") if "bad" in each.get("class", "").split()]
    assert marked == ["store bad"]
    assert 'Cloud "<A>"' in [text.text for text in root.iter(f"{SVG}text")]


def test_every_generated_design_can_be_drawn() -> None:
    for seed in range(40):
        drawing_of(generate_model(seed))


def test_hostile_names_do_not_leave_their_place() -> None:
    component = Component(id="web", label="</text><script>alert(1)</script>\x00")
    root = drawing_of(structs.replace(MODEL, components=(component, *MODEL.components[1:])))
    assert not list(root.iter(f"{SVG}script"))


def test_threats_are_ranked_by_data_and_exposure() -> None:
    threats = list_threats(MODEL)
    assert [threat.score for threat in threats] == sorted((threat.score for threat in threats), reverse=True)
    by_identity = {threat.identity: threat for threat in threats}
    store = by_identity["stride:information-disclosure:store:database"]
    assert store.score == 4 * 3  # confidential and personal, open from outside
    flow = by_identity["stride:tampering:flow:visitor -> web"]
    assert flow.mitigations == ("sign-in", "encryption")
    assert "stride:spoofing:store:database" not in by_identity


def test_a_threat_keeps_its_identity_when_other_parts_change() -> None:
    before = {threat.identity for threat in list_threats(MODEL)}
    moved = structs.replace(
        MODEL,
        components=(Component(id="queue"), *reversed(MODEL.components)),
        flows=(Flow(source="web", target="queue"), *reversed(MODEL.flows)),
    )
    assert before < {threat.identity for threat in list_threats(moved)}


SHOP = {
    "shop/app.py": """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from .auth import admin_only
app = Flask(__name__)
db = SQLAlchemy(app)
class Order(db.Model):
    price = db.Column(db.Integer)
    note = db.Column(db.String)
@app.get("/orders")
@admin_only
def orders(): pass
@app.get('/quote"')
def quote(): pass
""",
    "shop/auth.py": """
from flask import abort
from .rights import may
def admin_only(view):
    def inner():
        if not may():
            abort(403)
    return inner
""",
    "shop/rights.py": "def may(): return False\n",
}


def test_a_draft_is_a_design_that_permits_nothing() -> None:
    text, _ = draft_design(SHOP, "my shop", "security@example.org")
    model = read_design(text, "design.toml")
    assert model.product == "my-shop"
    assert [(guard.id, guard.asks) for guard in model.guards] == [("admin-only", ("shop.rights:may",))]
    assert [(resource.id, resource.properties) for resource in model.resources] == [("Order", ("price",))]
    assert [flow.guards for flow in model.flows if flow.source == "visitor"] == [(), ("admin-only",)]
    assert not model.public_routes, "a person states why a route is public"
    assert '# route = "/quote\\""' in text


def test_a_draft_of_nothing_can_be_read() -> None:
    text, lists = draft_design({}, "...", "x")
    assert read_design(text, "design.toml").product == "product"
    assert not lists

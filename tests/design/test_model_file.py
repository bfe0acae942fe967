"""`design.toml` is read strictly: an error names file, line, key and remedy."""

import json

import msgspec
import pytest
from jsonschema import Draft202012Validator

from muniment.design.model import DesignModel, build_design_schema
from muniment.design.model_file import read_design
from muniment.design.model_union import join_designs
from muniment.errors import DesignError

SHOP = """
schema = 1
product = "shop"
owner = "security@example.org"

[[actor]]
id = "visitor"
roles = ["customer"]

[[role]]
id = "customer"
sign_up = true

[[component]]
id = "web"

[[component]]
id = "database"
kind = "store"

[[guard]]
id = "sign-in"
mechanisms = ["password", "second-factor"]
asks = ["shop.rights:may"]
on_failure = "deny"

[[flow]]
from = "visitor"
to = "web"
guards = ["sign-in"]

[[flow]]
from = "web"
to = "database"

[[resource]]
id = "orders"
component = "database"
properties = ["price"]

[[action]]
id = "orders.edit"
resource = "orders"
verb = "modify"
changes = ["price"]
undo = "transaction"

[[grant]]
to = "customer"
actions = ["orders.edit"]
read_on = 2026-11-01
"""


def error_of(text: str) -> DesignError:
    with pytest.raises(DesignError) as caught:
        read_design(text, "design.toml")
    return caught.value


def test_a_design_is_read() -> None:
    model = read_design(SHOP, "design.toml")
    assert model.flows[0].source == "visitor"
    assert model.actors[0].outside
    assert model.guards[0].mechanisms == ("password", "second-factor")


@pytest.mark.parametrize(
    ("old", "new", "where", "key", "problem", "remedy"),
    [
        ("schema = 1", "schema = 2", "design.toml:2", "schema", "<= 1", "muniment design schema"),
        ('owner = "security@example.org"', "", "design.toml:1", "", "owner is missing", "Add owner"),
        ("sign_up = true", "signup = true", "design.toml:12", "role.signup", "unknown", "Correct its spelling"),
        ('verb = "modify"', 'verb = "edit"', "design.toml:44", "action.verb", "invalid enum value", "schema"),
        ('id = "sign-in"', 'id = "sign in"', "design.toml:22", "guard.id", "regex", "letters, digits"),
        ('guards = ["sign-in"]', 'guards = ["sign-up"]', "design.toml:30", "flow 1.guards", "no guard sign-up", "Add"),
        ('id = "database"\n', 'id = "web"\n', "design.toml:18", 'component "web"', "used twice", "Rename"),
        (
            'id = "customer"\n',
            'id = "visitor"\n',
            "design.toml:11",
            'role "visitor"',
            "an actor has the same",
            "Rename",
        ),
        (
            'properties = ["price"]',
            "",
            "design.toml:45",
            'action "orders.edit".changes',
            "no protected",
            "Add it there",
        ),
        ('verb = "modify"', 'verb = "read"', "design.toml:45", 'action "orders.edit".changes', "only reads", "modify"),
        ('to = "web"\n', "", "design.toml:27", "flow 1", "either to a component", "Write one of"),
        ("sign_up = true", "sign_up = ", "design.toml:12", "", "expected TOML", "Correct the line"),
    ],
)
def test_an_error_names_line_key_and_remedy(
    old: str, new: str, where: str, key: str, problem: str, remedy: str
) -> None:
    error = error_of(SHOP.replace(old, new, 1))
    assert (error.where, error.key) == (where, key)
    assert problem in error.problem
    assert remedy in error.remedy


def test_a_file_that_is_too_large_is_refused() -> None:
    assert "characters" in error_of("#" * 1_048_577).problem


def test_lists_that_lie_too_deep_are_refused() -> None:
    assert error_of("a = " + "[" * 100_000).where == "design.toml:1"


def test_the_schema_permits_what_the_reader_permits() -> None:
    validator = Draft202012Validator(json.loads(build_design_schema()))
    written = json.loads(msgspec.json.encode(read_design(SHOP, "design.toml")))
    validator.validate(written)
    written["role"][0]["signup"] = True
    assert not validator.is_valid(written)


PAYMENTS = """
schema = 1
product = "shop"
owner = "security@example.org"

[[component]]
id = "web"

[[interface]]
id = "payments"
component = "web"

[[role]]
id = "customer"

[[resource]]
id = "cards"
component = "web"
"""


def joined(*texts: str) -> DesignModel:
    return join_designs({f"part{n}": read_design(text, f"{n}/design.toml") for n, text in enumerate(texts)})


def test_repositories_are_joined_by_named_interfaces() -> None:
    model = joined(SHOP + '\n[[flow]]\nfrom = "web"\ninterface = "payments"\n', PAYMENTS)
    assert [component.id for component in model.components] == ["part0/web", "part0/database", "part1/web"]
    assert [interface.component for interface in model.interfaces] == ["part1/web"]
    assert [flow.source for flow in model.flows] == ["visitor", "part0/web", "part0/web"]
    assert [role.id for role in model.roles] == ["customer"]
    assert model.roles[0].sign_up, "the reading of the first repository needs more protection"
    assert model.grants[0].actions == ("part0/orders.edit",)


def test_one_design_keeps_its_names() -> None:
    assert joined(SHOP).components[0].id == "web"

"""Tables and outside calls that a change brings are unknown until the model has them."""

import datetime

import pytest

from muniment.design.findings import FindingCode
from muniment.design.product_design import DesignRequest, RepositorySources, evaluate_request
from muniment.design.stored_results import load_finding

DESIGN = """schema = 1
product = "shop"
owner = "security"
[[application]]
framework = "flask"
[[actor]]
id = "visitor"
[[component]]
id = "web"
[[component]]
id = "orders-db"
kind = "store"
{more}
"""
MODEL = "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n"
TABLE = "class Invoice(db.Model):\n    price = 1\n"
CALL = 'import requests\ndef pay(order):\n    requests.post(f"https://pay.example.net/v1/{order}")\n'
RESOURCE = '[[resource]]\nid = "Invoice"\ncomponent = "orders-db"\n'
OUTSIDE = '[[component]]\nid = "pay.example.net"\nkind = "external"\n\n[[flow]]\nfrom = "web"\nto = "pay.example.net"\n'


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        (MODEL, "", []),
        (MODEL + TABLE, "", [(FindingCode.UNKNOWN_STORE, "Invoice", RESOURCE)]),
        (MODEL + TABLE, RESOURCE, []),
        (MODEL + CALL, "", [(FindingCode.UNKNOWN_OUTSIDE_CALL, "pay.example.net", OUTSIDE)]),
        (MODEL + CALL, OUTSIDE, []),
        (MODEL + CALL.replace("pay.example.net", "localhost"), "", []),
    ],
)
def test_new_elements_are_unknown_with_their_lines(
    code: str, more: str, expected: list[tuple[FindingCode, str, str]]
) -> None:
    before = RepositorySources("shop", DESIGN.format(more=""), {"app.py": MODEL})
    after = RepositorySources("shop", DESIGN.format(more=more), {"app.py": code})
    answer = evaluate_request(DesignRequest(datetime.date(2026, 1, 1), (after,), (before,)))
    assert answer.difference is not None
    new = (FindingCode.UNKNOWN_STORE, FindingCode.UNKNOWN_OUTSIDE_CALL)
    found = [finding for each in answer.difference.findings if (finding := load_finding(each)).code in new]
    assert [(each.code, each.subject, each.suggested_lines) for each in found] == expected
    listed = {each.code for result in answer.after.results for each in result.findings}
    assert listed & {code.name for code in new} == {each.code.name for each in found}


def test_a_line_that_moves_brings_nothing_and_a_second_place_does() -> None:
    lost = "app.register_blueprint(load())\n"
    head = "from flask import Flask\napp = Flask(__name__)\n"

    def compare(code: str) -> list[str]:
        states = [RepositorySources("shop", DESIGN.format(more=""), {"app.py": each}) for each in (head + lost, code)]
        answer = evaluate_request(DesignRequest(datetime.date(2026, 1, 1), (states[1],), (states[0],)))
        assert answer.difference is not None
        return [each.code for each in answer.difference.findings]

    assert compare(head + "\n\n" + lost) == []
    assert compare(head + lost + lost) == ["UNREAD_SOURCE"]

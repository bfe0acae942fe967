"""Values of acts: the form of a page, the API and a document accept exactly the same ones."""

import json
import re
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import RequestFactory
from django.utils.http import urlencode

from muniment.access.authorization import Actor
from muniment.access.roles import Grant, Role
from muniment.errors import ActInputError, FieldProblem, ParseError
from muniment.server.acts.act import Act
from muniment.server.acts.forms import ActForm
from muniment.server.acts.inputs import Answers, Choice, Generated, InputCode, MultipleChoice, Reference
from muniment.server.acts.parser import find_inputs, find_typed_inputs, parse_act
from muniment.server.api_operations import read_body_fields
from muniment.server.error_text import format_error_text
from muniment.server.pages.product_import import read_product_file
from muniment.server.requests.registry import ACTS_OF_PERSONS
from tests.support.act_recipe import find_doors
from tests.support.doors import HOSTILE

pytestmark = pytest.mark.usefixtures("postgres")  # nothing is written

_LONG = 100_000  # characters
_NO_PLAIN = re.compile(r"[^ !#-\[\]-~]")  # in a string of TOML
ACTOR = Actor("ada", active=True, grants=tuple(Grant(role) for role in Role), second_factor=True)
DOORS = {act: find_doors(act) for act in ACTS_OF_PERSONS}
SEVERAL_DOORS = [act for act in ACTS_OF_PERSONS if len(DOORS[act]) > 1]

TEXTS = (  # some field takes each of the first ones
    *(
        "x",
        "nl",
        "shop",
        "Shop 1",
        "ada",
        "1",
        "0",
        "60",
        "yes",
        "no",
        "on",
        "true",
        "2099-01-31",
        "09:00",
        "main",
        "policy.toml",
    ),
    *(
        "09:00",
        "ada@example.test",
        "https://forge.example.test",
        "/srv/git/x.git",
        "a" * 40,
        "sha256:" + "a" * 64,
        "github",
    ),
    *("auditor", "email", "daily", "fixed", "a\nb", "a\r\nb", "e\u0301", "\u00e9", "see-product", "SECRET_NAME"),
    *("", " ", "\n", "\t", "x\n", "\nx", " x ", "x\t", "x\r", "a\rb", "a\n\nb", "\u00a0x", "\u3000"),
    *("-", "--", "-x", "--help", "-1", "+1", "1.0", "1e5", "0x10", "00", "\u0661", "9" * 19, "9" * 5000, "\u00b2"),
    *("\x00", "x\x00", "\x1b[31m", "\x7f", "\x85", "\u202exyz", "\u2066x", "\u200b", "\ufeffx", "\u2028", "\u2029"),
    *("\ufffd", "\U000e0041", "\ue000", "\ufdd0", "\uff41uditor", "Auditor", "null", "None", "NaN", "[]", "{}"),
    *("2027-02-30", "20270131", "2027-W01-1", "2099-12-31T00:00:00", "31.12.2099", "'; --", "<b>x</b>", "%s", "{0}"),
    *("file:///x", "ext::sh", "../x", "/", ".", "..", "refs/heads/x", "x" * 201, "x" * 2001),
    *(text for text in HOSTILE if not any("\ud800" <= sign <= "\udfff" for sign in text)),
)
VALUES: tuple[Any, ...] = (  # a form has texts alone
    *(0, 1, -1, 60, 10**18, 10**30, 1.5, -0.0, 1e300, True, False),
    *([], [""], ["x"], ["x", "x"], [1], [["x"]], ["\u202ex"], {}, {"x": "y"}, {"x": 1}, {"x": {}}),
)


def by_page(act: type[Act], pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The problems that the form of a page has with fields, each as (field, code)."""
    form = ActForm(act, ACTOR, QueryDict(urlencode(list(pairs))))
    if form.is_valid():
        return set()
    assert form.problem is not None
    return {(one.field, one.code) for one in form.problem.problems}


def by_api(act: type[Act], body: str) -> set[tuple[str, str]]:
    request = RequestFactory().generic("POST", "/api/x", body.encode("utf-8", "surrogatepass"))
    try:
        parse_act(act, read_body_fields(request), ACTOR)
    except ActInputError as error:
        return {(one.field, one.code) for one in error.problems}
    return set()


def by_document(act: type[Act], text: str) -> set[tuple[str, str]]:
    try:
        parse_act(act, tomllib.loads(text), ACTOR)
    except ActInputError as error:
        return {(one.field, one.code) for one in error.problems}
    return set()


def toml(name: str, value: Any) -> str:
    """A TOML line that sets a key to a value."""
    return f"{name} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(toml(key, one) for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        return f'"{_NO_PLAIN.sub(lambda found: f"{chr(92)}U{ord(found[0]):08x}", value)}"'
    return json.dumps(value)


def test_every_act_of_person_has_entry_point_and_most_have_several() -> None:
    assert [act.act_tag() for act in ACTS_OF_PERSONS if not DOORS[act]] == []
    assert len(SEVERAL_DOORS) > 40


@pytest.mark.parametrize("act", SEVERAL_DOORS, ids=lambda act: act.act_tag())
def test_text_is_accepted_or_refused_alike_at_each_entry_point(act: type[Act]) -> None:
    for text in TEXTS:  # in every field at once: each is read by itself
        few = 2 if len(text) > _LONG else None  # no body has more than a megabyte
        names = (*list(find_typed_inputs(act))[:few], "no_such_field")
        page = by_page(act, [(name, text) for name in names])
        api = by_api(act, json.dumps(dict.fromkeys(names, text)))
        document = by_document(act, "\n".join(toml(name, text) for name in names))
        assert page == api == document, text[:40]
        assert ("no_such_field", "unknown-field") in page


@pytest.mark.parametrize("act", SEVERAL_DOORS, ids=lambda act: act.act_tag())
def test_value_other_than_text_is_accepted_or_refused_alike_by_api_and_document(act: type[Act]) -> None:
    for value in VALUES:
        document = "\n".join(toml(name, value) for name in find_typed_inputs(act))
        assert by_api(act, json.dumps(dict.fromkeys(find_typed_inputs(act), value))) == by_document(act, document), (
            value
        )


@pytest.mark.parametrize("act", SEVERAL_DOORS, ids=lambda act: act.act_tag())
def test_field_sent_twice_is_refused_at_each_entry_point(act: type[Act]) -> None:
    for name, field in find_typed_inputs(act).items():
        wanted = (name, InputCode.REPEATED.value)
        assert wanted in by_api(act, f'{{"{name}": "x", "{name}": "x"}}'), name
        if not isinstance(field, MultipleChoice):  # a form sends one field for each choice
            assert wanted in by_page(act, [(name, "x"), (name, "x")]), name
        with pytest.raises(tomllib.TOMLDecodeError):
            by_document(act, f'{name} = "x"\n{name} = "x"')


@pytest.mark.parametrize("act", SEVERAL_DOORS, ids=lambda act: act.act_tag())
def test_lone_surrogate_is_refused_at_each_entry_point(act: type[Act]) -> None:
    """A form cannot send a lone surrogate: its bytes are no UTF-8, and Django replaces them by U+FFFD."""
    for name, field in find_typed_inputs(act).items():
        if isinstance(field, Generated):
            continue
        sent = QueryDict(f"{name}=x%ED%A0%80".encode())
        form = ActForm(act, ACTOR, sent)
        assert not form.is_valid(), name
        for body in (f'{{"{name}": "x\\ud800"}}', f'{{"{name}": "x\ud800"}}'):
            codes = {code for field_name, code in by_api(act, body) if field_name == name}
            assert codes, name
            assert form.problem is not None
            assert codes == {one.code for one in form.problem.problems if one.field == name}, name


NEEDS_MORE = frozenset(  # their value is looked up in what is there, or has a form of its own
    {
        "scopes",
        "accounts",
        "clause",
        "resolution",
        "answers",
        "public_key",
        "key",
        "content",
        "ref_patterns",
        "vendor",
        "kind",
        "artifact",
        "text",
        "contributor",
        "purpose",
        "workflow_paths",
        "people",
        "grants",
    }
)


@pytest.mark.parametrize("act", ACTS_OF_PERSONS, ids=lambda act: act.act_tag())
def test_each_free_field_accepts_some_value(act: type[Act]) -> None:
    """Ensures that the tests above do not compare refusals alone."""
    others = Reference, Generated, Answers, MultipleChoice
    fields = find_inputs(act)
    wanted = {name for name, field in fields.items() if not isinstance(field, others)} - NEEDS_MORE
    members = [str(option.value) for field in fields.values() if isinstance(field, Choice) for option in field.options]
    for text in filter(str.strip, (*members, *TEXTS)):
        wanted &= {field for field, _code in by_document(act, "\n".join(toml(name, text) for name in wanted))}
    assert wanted == set()


@pytest.mark.parametrize("body", ["[]", "null", '"x"', "1", "{", "{'a': 1}", '{"a": NaN}', "[" * 100_000, "\x00"])
def test_a_body_that_is_no_json_object_is_refused(body: str) -> None:
    from muniment.server.api_serving import ApiProblem

    with pytest.raises(ApiProblem) as caught:
        read_body_fields(RequestFactory().generic("POST", "/api/x", body.encode()))
    assert caught.value.code == "malformed"


def test_duplicate_key_in_nested_json_object_is_refused() -> None:
    with pytest.raises(ActInputError) as caught:
        read_body_fields(RequestFactory().generic("POST", "/api/x", b'{"answers": {"a": "x", "a": "y"}}'))
    assert [one.code for one in caught.value.problems] == ["repeated"]


@pytest.mark.parametrize(
    "data",
    [
        b'[[product]]\nid = "a"\nid = "b"\nname = "A"\n',
        b'[[product]]\nid = "a"\nname = "A"\n[product.repositories]\nx = "/a"\nx = "/b"\n',
    ],
)
def test_duplicate_key_in_document_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_product_file("x.toml", data)
    with pytest.raises(ParseError):
        read_product_file("x.csv", b"id,name,name\na,A,B\n")


def test_the_text_of_a_problem_names_its_field_once() -> None:
    one = FieldProblem("name", "Name", "missing", "It is missing.", "Fill it in.")
    other = FieldProblem("until", "Last day", "not-a-date", "It is not a date.", "Write a date.")
    assert format_error_text(ActInputError((one,))) == "Name: It is missing. Fill it in."
    assert format_error_text(ActInputError((one, one._replace(label="Path")))) == (
        "Name: It is missing. Path: It is missing. Fill it in."
    )
    assert format_error_text(ActInputError((one, other))) == (
        "Name: It is missing. Last day: It is not a date. Name: Fill it in. Last day: Write a date."
    )

"""Canonical JSON of RFC 8785: exact encoding, and strict refusal of any other."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, inspect

from muniment.decision.decision import Decision
from muniment.decision.report import DecisionReport
from muniment.errors import NotCanonicalError
from muniment.facts import canonical
from muniment.facts.canonical import LARGEST_INTEGER, decode, encode, refuse_repeated_keys
from muniment.facts.kinds import KINDS
from muniment.git import approvals, run_statements
from muniment.ledger import record_kinds, record_objects
from muniment.policy.exception_files import SignedException
from muniment.policy.model import Policy
from muniment.workflows.branch_replay import Summary


class Pair(Struct, frozen=True):
    """Two values in an order that differs from that of their keys."""

    z: str
    a: int = 0


# RFC 8785, section 3.2.3: the sorted names of its example; beyond the BMP, UTF-16 and code points differ.
NAMES = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\U0001f600": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
}
SORTED = (
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",'
    '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
)


def test_keys_are_sorted_as_in_the_example_of_the_rfc() -> None:
    assert encode(NAMES) == SORTED.encode()
    assert encode([{"x": NAMES}]) == f'[{{"x":{SORTED}}}]'.encode()
    assert decode(SORTED.encode(), dict[str, str]) == NAMES


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('\u20ac$\u000f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),  # section 3.2.2.2's string
        ("\b\t\n\f\r\x00\x1f\x7f", '"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"'),
        ([None, True, False], "[null,true,false]"),  # its literals
        ({"peach": [], "p\u00eache": {}, "p\u00e9ch\u00e9": 3}, '{"peach":[],"p\u00e9ch\u00e9":3,"p\u00eache":{}}'),
        ([0, -1, LARGEST_INTEGER, -LARGEST_INTEGER], "[0,-1,9007199254740991,-9007199254740991]"),
        (Pair("\U0001f600"), '{"a":0,"z":"\U0001f600"}'),
    ],
)
def test_value_has_the_encoding_of_the_rfc(value: Any, text: str) -> None:
    assert encode(value) == text.encode()


@pytest.mark.parametrize("value", [1.5, [0.0], {"a": [float("nan")]}, 2**53, (-(2**53),), "\ud800", {"\udc00": 1}])
def test_value_without_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonicalError):
        encode(value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"z":"x","z":"x"}',
        b'{"a":2,"a":1,"z":"x"}',
        b'{"a":1,"z":"y","z":"x"}',
        b'{"z":"x","a":1}',
        b'{"a":1, "z":"x"}',
        b'{"a":1,"z":"x"}\n',
        b'{"a":1,"z":"\\u0078"}',
        b'{"a":1,"z":"\\/"}',
        b'{"a":1.0,"z":"x"}',
        b'{"a":1e0,"z":"x"}',
        b'{"a":-0,"z":"x"}',
        b'{"a":9007199254740992,"z":"x"}',
        b'{"a":1,"b":2,"z":"x"}',
        b'{"z":"x"}',
        b'{"a":1,"z":"\xff"}',
        b'{"a":1,"z":"\\ud800"}',
        b"[" * 100_000,
        b"",
    ],
)
def test_text_that_is_not_canonical_is_refused(text: bytes) -> None:
    with pytest.raises(NotCanonicalError):
        decode(text, Pair)


def test_canonical_text_is_read() -> None:
    assert decode(b'{"a":1,"z":"x"}', Pair) == Pair("x", 1)


@pytest.mark.parametrize("text", [b'{"a":1,"a":1}', b'[{"b":{"a":1,"\\u0061":2}}]', b"{", b"\xff", b"[" * 100_000])
def test_foreign_document_with_a_duplicate_key_is_refused(text: bytes) -> None:
    with pytest.raises(NotCanonicalError):
        refuse_repeated_keys(text)


def test_foreign_document_may_have_any_form() -> None:
    refuse_repeated_keys(b'{ "b": 1.5, "a": {"b": 1} }\n')


def naive(value: Any) -> str:
    """Encode by RFC 8785 as simply as possible."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: list(_units(key)))
        return "{" + ",".join(f"{naive(key)}:{naive(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(naive, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or value is True or value is False
        else str(value)
    )


def _units(text: str) -> Iterator[int]:
    for letter in text:
        point = ord(letter)
        if point < 0x10000:
            yield point
        else:
            yield 0xD800 + ((point - 0x10000) >> 10)
            yield 0xDC00 + ((point - 0x10000) & 0x3FF)


def _escaped(letter: str) -> str:
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    return short.get(letter) or (f"\\u{ord(letter):04x}" if letter < " " else letter)


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | texts,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4),
    max_leaves=20,
)


@given(values)
def test_random_values_are_encoded_by_the_rfc_and_read_back(value: Any) -> None:
    assert encode(value) == naive(value).encode()
    assert decode(encode(value), Any) == value


def number_types(shape: Any, seen: set[str]) -> Iterator[str]:
    """Names of types in a structure that could contain a fraction."""
    todo = [inspect.type_info(shape)]
    while todo:
        found = todo.pop()
        if isinstance(found, inspect.FloatType | inspect.DecimalType):
            yield repr(shape)
        if isinstance(found, inspect.StructType):
            if found.cls.__name__ in seen:
                continue
            seen.add(found.cls.__name__)
            todo += [field.type for field in found.fields]
        for name in ("types", "item_types"):
            todo += getattr(found, name, ())
        for name in ("item_type", "key_type", "value_type"):
            if isinstance(getattr(found, name, None), inspect.Type):
                todo.append(getattr(found, name))


def test_no_digested_structure_has_a_field_for_fractions() -> None:
    others = [
        one
        for one in vars(record_objects).values()
        if isinstance(one, type) and issubclass(one, Struct) and one is not Struct
    ]
    shapes = [
        *(kind.shape for kind in KINDS.values()),
        *(record_kinds.AnyEntry, Policy, Decision, DecisionReport, SignedException, Summary),
        *(approvals.ApprovalStatement, run_statements.RunStatement, *others),
    ]
    assert [name for shape in shapes for name in number_types(shape, set())] == []


def test_a_digest_names_its_algorithm() -> None:
    assert canonical.digest_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert canonical.digest_value(Pair("x", 1)) == canonical.digest_bytes(b'{"a":1,"z":"x"}')
    assert msgspec.json.decode(encode(Pair("x", 1)), type=Pair) == Pair("x", 1)

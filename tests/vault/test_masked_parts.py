"""Secrets of ten shapes, printed in many ways by real programs: no secret part shows, and harmless text stays."""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

import pytest
import yaml

from muniment.vault.engines import create_ahocorasick_finder
from muniment.vault.entropy import estimate_bits
from muniment.vault.masking import MASK, Masker
from muniment.vault.secret_parts import find_parts, is_secret_key, list_part_paths
from muniment.vault.shell_escapes import interpret_backslashes

LETTERS = "Zx9Kq2Lw7Rt4Vb8Nm3Pd6Fs1Hj5Gc0YT"
PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(LETTERS[n:] + LETTERS[:n] for n in range(1, 9)) + "\n-----END-----\n"
ACCOUNT = {
    "type": "service_account",
    "project_id": "shop-production",
    "private_key_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
    "private_key": PEM,
    "client_email": "deploy@shop.example.test",
    "auth_uri": "https://accounts.example.test/o/auth",
    "nested": {"users": [{"name": "ada", "password": "p4ss&<w>'d\"9"}]},
}


class Shape(NamedTuple):
    """Secret with its separately masked parts, and words of it that may show."""

    value: str
    parts: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


USER = ACCOUNT["nested"]["users"][0]["password"]  # type: ignore[index]
PARTS = (PEM, str(ACCOUNT["private_key_id"]), USER)
SHAPES = {
    "letters": Shape(LETTERS),
    "signs": Shape("p4ss'w\"ord/with?all&of+it=\\ $x `y` <z> %41"),
    "words": Shape("correct horse battery staple"),
    "PEM": Shape(PEM),
    "JSON": Shape(json.dumps(ACCOUNT), PARTS, ("service_account", "shop-production", "deploy@shop.example.test")),
    "indented JSON": Shape(json.dumps(ACCOUNT, indent=2), PARTS, ("shop-production",)),
    "YAML": Shape(yaml.safe_dump(ACCOUNT, sort_keys=False), PARTS, ("shop-production",)),
    "address": Shape(f"postgres://shop:{LETTERS}%21@db.example.test:5432/shop", (f"{LETTERS}!",), ("db.example.test",)),
    "assignments": Shape(f"HOST=db.example.test\nexport API_TOKEN='{LETTERS}'\n", (LETTERS,), ("db.example.test",)),
    "base64": Shape(base64.b64encode(json.dumps(ACCOUNT).encode()).decode(), PARTS, ("shop-production",)),
    "backslashes": Shape(r"C:\new\table\0101" + "\\" + LETTERS),
    "not ASCII": Shape("ünïcödé-ßecret-€-" + LETTERS),
}
# Each prints its first argument in its own way; what is between two lines of @@ is one way.
SH = r"""
say() { echo "@@ $1"; }
say echo; echo "$1"
say echo-field; echo "x $1 y"
say printf; printf %s "$1"; echo
say printf-b; printf %b "$1"; echo
say printf-as-format; printf "$1" 2>/dev/null; echo
say base64; printf %s "$1" | base64
say base64-of-echo; echo "$1" | base64 -w0; echo
say base32; printf %s "$1" | base32
say xxd; printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; echo
say HEX; printf %s "$1" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F; echo
say fold; printf %s "$1" | fold -w 13; echo
say indented; printf %s "$1" | sed 's/^/    /'; echo
say pieces; printf %s "$1" | while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done
say upper-CRLF; printf '%s' "$1" | sed 's/$/\r/'; echo
say set-x; (set -x; : "$1") 2>&1
"""
BASH = r"""
say() { echo "@@ $1"; }
say echo-e; echo -e "$1"
say printf-q; printf '%q\n' "$1"
say quoted; echo "${1@Q}"
say declare; v=$1; declare -p v
say bash-x; (set -x; : "$1") 2>&1
"""
PYTHON = r"""
import base64, csv, html, io, json, pprint, sys, urllib.parse, xml.sax.saxutils, xml.etree.ElementTree as tree, yaml
v = sys.argv[1]
def say(name, text): sys.stdout.write(f"@@ {name}\n{text}\n")
element = tree.Element("a", b=v); element.text = v
rows = io.StringIO(); csv.writer(rows).writerow([v, "x"])
say("repr", repr(v))
say("ascii", ascii({"k": v}))
say("bytes", repr(v.encode()))
say("pprint", pprint.pformat([v], width=1000))
say("json", json.dumps({"a": v}))
say("json-utf8", json.dumps([v], ensure_ascii=False))
say("json-json", json.dumps(json.dumps(v)))
say("json-slash", json.dumps(v).replace("/", "\\/"))
say("url", urllib.parse.quote(v, safe=""))
say("form", urllib.parse.urlencode({"a": v}))
say("html", html.escape(v))
say("xml", xml.sax.saxutils.escape(v))
say("attribute", xml.sax.saxutils.quoteattr(v))
say("element", tree.tostring(element).decode())
say("yaml", yaml.safe_dump({"a": v}))
say("csv", rows.getvalue())
say("yaml-quoted", yaml.safe_dump({"a": v}, default_style='"', width=100000, allow_unicode=True))
say("yaml-narrow", yaml.safe_dump({"a": v}, default_style='"', width=40) if not v.isascii() and " " not in v else "")
say("sql", v.replace("'", "''"))
say("yaml-single", yaml.safe_dump({"a": v}, default_style="'"))
say("urlsafe", base64.urlsafe_b64encode(b"user:" + v.encode()).decode())
"""
WAYS = {"sh": ["dash", "-c", SH, "-"], "bash": ["bash", "-c", BASH, "-"], "python": [sys.executable, "-c", PYTHON]}


def printed(value: str, way: str) -> Mapping[str, bytes]:
    """Output of a program that prints a value in the given way."""
    done = subprocess.run([*WAYS[way], value], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    sections = (part.partition(b"\n") for part in done.stdout.split(b"@@ ")[1:])
    return {name.decode(): text for name, _, text in sections}


def masked(value: str, data: bytes) -> bytes:
    masker = Masker([value], create_ahocorasick_finder)
    return bytes(masker.feed(data)) + masker.flush()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_secret_is_masked_in_every_printed_form(shape: str, way: str) -> None:
    value, parts, _ = SHAPES[shape]
    hidden = [printed(part, way) for part in parts]
    for name, data in printed(value, way).items():
        visible = masked(value, data)
        stored = visible.replace(MASK, b"")
        for text in (one[name] for one in hidden) if hidden else (data,):
            common = longest_common(b"".join(stored.split()), b"".join(text.split()))
            assert len(common) < 24, (name, common, visible)  # names of fields, and what stands around
        assert MASK in visible or not data.strip(), name


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [name for name, shape in SHAPES.items() if shape.parts])
def test_part_printed_alone_is_masked(shape: str, way: str) -> None:
    value, parts, words = SHAPES[shape]
    masker = Masker([value], create_ahocorasick_finder)
    for part in parts:
        for name, data in printed(part, way).items():
            again = masker.copy_for_stream()
            visible = bytes(again.feed(data)) + again.flush()
            assert len(longest_common(visible.replace(MASK, b""), data)) < 24, (name, visible)
            assert MASK in visible or not data.strip(), name  # printf takes a format with a dash for an option
    for word in words:
        assert masked(value, f"to {word} now".encode()) == f"to {word} now".encode()


def longest_common(stored: bytes, data: bytes) -> bytes:
    """Longest run of bytes common to both."""
    best = b""
    for at in range(len(stored)):
        while stored[at : at + len(best) + 1] in data and at + len(best) < len(stored):
            best = stored[at : at + len(best) + 1]
    return best


def test_masked_parts_are_listed_by_their_keys() -> None:
    expected = ("private_key_id", "private_key", "nested.users[0].password")
    for shape in ("JSON", "indented JSON", "YAML"):
        assert list_part_paths(find_parts(SHAPES[shape].value)) == expected
    assert list_part_paths(find_parts(SHAPES["base64"].value))[1:] == tuple(f"(decoded).{path}" for path in expected)


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ('{"a": "short", "b": "shop-production-eu", "c": "https://example.test/a/b"}', ()),
        ('{"key": "k1"}', ("key",)),
        ('{"keys": ["alpha", {"id": 7}]}', ("keys[0]", "keys[1].id")),
        ('{"apiToken": "x", "dbPassword": "y", "clientSecret": "z"}', ("apiToken", "dbPassword", "clientSecret")),
        ('{"a": "1", "a": "Zx9Kq2Lw7Rt4Vb8Nm3"}', ("a",)),
        ("a: &x Zx9Kq2Lw7Rt4\nsecret: *x\n", ("a",)),
        ("a: &x short\nsecret: *x\n", ("secret",)),
        ("a: [b, {password: c}]\n? [k]\n: d\n", ("a[1].password",)),
        ("- {token: |\n  one\n  two\n}", ()),
        ("Server=db;Password=hunter22;Port=1", ("Password",)),
        ('{"Zx9Kq2Lw7Rt4Vb8Nm3": {"token": "x"}}', ("(hidden).token",)),
        ("[" * 5000, ()),
        ("Zx9Kq2Lw7Rt4Vb8Nm3", ()),
        ("{}", ()),
        ("", ()),
    ],
)
def test_random_or_secret_named_parts_of_a_value_are_masked(value: str, paths: tuple[str, ...]) -> None:
    assert list_part_paths(find_parts(value)) == paths


LONG = {
    "letters": "a" * 65_000,
    "letters and a sign": "a" * 65_000 + "=",
    "blanks": "a=b" + " " * 65_000 + "c",
    "lines": "a" + "\n" * 65_000 + "b",
    "brackets": "[" * 65_000,
    "braces": "{" * 65_000,
    "objects": '{"a":' * 13_000,
    "colons": ":" * 65_000 + "x",
    "dots": "a@" + "." * 65_000 + " ",
    "labels": "a." * 32_000,
    "zeros": "%" + "0" * 65_000,
    "sequences": "- " * 30_000,
    "mappings": "a:\n" * 20_000,
    "backslashes": "\\" * 65_000,
    "quotes": 'a="' * 20_000,
    "schemes": "://:" * 16_000,
}


@pytest.mark.parametrize("name", LONG)
def test_hostile_value_is_parsed_in_linear_time(name: str) -> None:
    """With more than linear time, a repetition of 65,000 would never end."""
    value = LONG[name]
    assert all(is_secret_key(path) for path in list_part_paths(find_parts(value)))
    assert all(isinstance(made, str) for made in interpret_backslashes(value))


@pytest.mark.parametrize(
    "text", ["Zx9Kq2Lw7Rt4", "JBSWY3DPEHPK3PXP", "zx9kq2lw7rt4", "0f1e2d3c4b5a6978", "Xq!7p@Rz#9Lw", "JalrUtnfEmikMden"]
)
def test_random_text_is_not_guessable(text: str) -> None:
    assert estimate_bits(text) >= 60


@pytest.mark.parametrize(
    "text",
    [
        *(
            "service_account",
            "correct horse battery",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "shop-production-2026",
            "ababababababab",
        ),
        *("2026-11-29T16:05:54Z", "eu-central-1", "application/json", "databaseusers", "123456789012"),
    ],
)
def test_text_of_words_is_guessable(text: str) -> None:
    assert estimate_bits(text) < 60


def test_backslashes_are_interpreted_as_each_shell_does() -> None:
    value = r"a\tb\\c\0101\x41\101\u20ac\q\xff and\cmore"
    assert set(interpret_backslashes(value)) == {
        "a\tb\\cA\\x41\\101\\u20ac\\q\\xff and",
        "a\tb\\cAA\\101€\\q",
        "a\tb\\c\x081AA€\\q",
        " and",
    }

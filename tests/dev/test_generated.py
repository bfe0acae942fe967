"""Generated documents match the current code."""

import json
import subprocess

import pytest
from jsonschema import Draft202012Validator

from dev import architecture
from dev.generate import MANUAL, REFERENCE, documents
from dev.manual_pages import render_manual_pages
from dev.setting_reference import INTERNAL, described_variables, find_variables
from tests.support.shop import Shop, keys, shop

__all__ = ["keys", "shop"]


@pytest.mark.parametrize("name", sorted(documents()))
def test_generated_document_is_current(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == documents()[name], "run: python -m dev.generate"


def test_manual_pages_are_current() -> None:
    kept = {page.name: page.read_text(encoding="utf-8") for page in MANUAL.iterdir()}
    assert kept == render_manual_pages(), "run: python -m dev.generate"


def test_formatter_of_manual_pages_has_no_complaint() -> None:
    for page in sorted(MANUAL.iterdir()):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", page], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), page.name


def test_output_of_check_follows_the_schema(shop: Shop) -> None:
    schema = json.loads((REFERENCE / "check.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], author="Mallory <m@evil.test>")
    validator.validate(shop.check(head))
    shop.approve("bob", head)
    validator.validate(shop.check(head))


def test_each_environment_variable_of_the_code_is_documented() -> None:
    described = {name for name in described_variables() if name.startswith("MUNIMENT_")}
    assert find_variables() - INTERNAL == described


def test_layer_diagram_is_current() -> None:
    text = architecture.DOCUMENT.read_text(encoding="utf-8")
    assert text == architecture.replace_picture(text), "run: python -m dev.architecture"


def test_each_layer_of_a_contract_is_drawn_with_its_size() -> None:
    text = architecture.DOCUMENT.read_text(encoding="utf-8")
    for container, layers in architecture.layer_contracts():
        stack = text.partition(f"┌─ {container} ")[2].partition("└")[0]
        drawn = architecture.drawn_sizes(stack)
        sizes = architecture.sizes_of(container, layers)
        assert list(drawn) == list(sizes)
        assert all(architecture.is_close(drawn[name], size) for name, size in sizes.items())


@pytest.mark.parametrize(("drawn", "real", "close"), [(100, 109, True), (100, 112, False), (5000, 5400, True)])
def test_drawn_size_differs_by_at_most_a_tenth(drawn: int, real: int, close: bool) -> None:
    assert architecture.is_close(drawn, real) is close

"""The reference of the API lists every operation of the service."""

from dev.api_reference import DOCUMENT, describe_api
from muniment.server.api_serving import api


def test_the_reference_of_the_api_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == describe_api(), "run: python -m dev.generate"


def test_reference_lists_each_operation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    schema = api.get_openapi_schema()
    listed = [f"`{method.upper()} {path}`" for path, methods in schema["paths"].items() for method in methods]
    assert listed
    assert [each for each in listed if each not in text] == []

"""Schemas of design.toml, for editors, and of reports of tests, from their structs."""

from muniment.design.model import build_design_schema
from muniment.design.tested_report import build_test_report_schema


def describe_design() -> str:
    """Build the text of `docs/reference/design.schema.json`."""
    return build_design_schema().decode() + "\n"


def describe_design_tests() -> str:
    """Build the text of `docs/reference/design-tests.schema.json`."""
    return build_test_report_schema().decode() + "\n"

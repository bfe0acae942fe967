"""Schema of design.toml, for editors, from the structs of the model."""

from muniment.design.model import build_design_schema


def describe_design() -> str:
    """Build the text of `docs/reference/design.schema.json`."""
    return build_design_schema().decode() + "\n"

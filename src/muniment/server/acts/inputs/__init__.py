"""Inputs of acts' fields: each reads a form, JSON, TOML or CSV, always to the same value or the same problem.

A field of an act is annotated with its Input: `name: Annotated[str, Text(label=_("Name"), most=200)]`. From any
source (a string of a form, a JSON number, a TOML date), `read_value` gives the one value that the act stores.
"""

from muniment.server.acts.inputs.base import (
    Choices,
    Generated,
    Input,
    InputCode,
    Label,
    is_blank_value,
    make_choice_error,
)
from muniment.server.acts.inputs.choices import Answers, Choice, Flag, MultipleChoice, Option
from muniment.server.acts.inputs.dates import Day, Moment
from muniment.server.acts.inputs.integers import Integer
from muniment.server.acts.inputs.references import Reference
from muniment.server.acts.inputs.texts import Email, Text, TextLines, read_visible_text

__all__ = [
    "Answers",
    "Choice",
    "Choices",
    "Day",
    "Email",
    "Flag",
    "Generated",
    "Input",
    "InputCode",
    "Integer",
    "Label",
    "Moment",
    "MultipleChoice",
    "Option",
    "Reference",
    "Text",
    "TextLines",
    "is_blank_value",
    "make_choice_error",
    "read_visible_text",
]

"""How each field of an act is read: from a form, JSON, TOML or CSV, always to the same value or the same problem.

A field of an act is annotated with its Input: `name: Annotated[str, Text(label=_("Name"), most=200)]`. Whatever a
door hands over (a string of a form, a JSON number, a TOML date), `read` gives the one value that the act stores.
"""

from muniment.server.acts.inputs.base import Choices, Generated, Input, InputCode, Label, is_blank, not_a_choice
from muniment.server.acts.inputs.choices import Answers, Choice, Flag, Option, Several
from muniment.server.acts.inputs.dates import Day, Moment
from muniment.server.acts.inputs.integers import Integer
from muniment.server.acts.inputs.references import Reference
from muniment.server.acts.inputs.texts import Email, Lines, Text, read_text

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
    "Lines",
    "Moment",
    "Option",
    "Reference",
    "Several",
    "Text",
    "is_blank",
    "not_a_choice",
    "read_text",
]

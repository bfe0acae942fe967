"""Inputs of choices: one of a closed set or of a list, several of a list, answers to questions, booleans."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.server.acts.inputs.base import Choices, Input, Label, is_blank_value, make_choice_error
from muniment.server.acts.inputs.texts import Text, read_visible_text

_TRUE, _FALSE = frozenset({"yes", "true", "on"}), frozenset({"no", "false", "off"})


@dataclass(frozen=True, kw_only=True)
class Choice(Input):
    """Member of a closed set, written exactly."""

    options: type[Enum]
    labels: Callable[[Any], Label] = str

    def read_value(self, value: object, actor: Actor) -> Enum:
        """Read the member. Raises ParseError for a text that is none."""
        text, allowed = read_visible_text(value, multiline=False), [option.value for option in self.options]
        if text not in allowed:
            raise make_choice_error(allowed)
        return self.options(text)

    def build_schema(self) -> dict[str, object]:
        """JSON string of the set."""
        return {"type": "string", "enum": [option.value for option in self.options]}

    def list_choices(self, actor: Actor) -> Choices:
        return tuple((option.value, self.labels(option)) for option in self.options)

    def format_for_reader(self, value: object) -> str:
        """Label of the member."""
        return "" if value is None else str(self.labels(value))


@dataclass(frozen=True, kw_only=True)
class Option(Input):
    """Value that `options` gives for the actor, as (value, label)."""

    options: Callable[[Actor], Choices]

    def read_value(self, value: object, actor: Actor) -> str:
        """Read the value. Raises ParseError for a text that is none."""
        text, allowed = read_visible_text(value, multiline=False), [option for option, _label in self.options(actor)]
        if text not in allowed:
            raise make_choice_error(allowed)
        return text

    def build_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": 100}

    @property
    def has_varying_choices(self) -> bool:
        """Whether the choices depend on the actor: always."""
        return True

    def list_choices(self, actor: Actor) -> Choices:
        return self.options(actor)


@dataclass(frozen=True, kw_only=True)
class MultipleChoice(Input):
    """Values that `options` gives, at least one, each once: a list, or a text with white space between them."""

    options: Callable[[Actor], Choices]
    group: "Callable[[str], Label] | None" = None  # of an option, as forms show it; options of a group need not adjoin

    def read_value(self, value: object, actor: Actor) -> tuple[str, ...]:
        """Read the values, in the order of `options`. Raises ParseError."""
        texts = value if isinstance(value, list | tuple) else (value,)
        given = [word for text in texts for word in read_visible_text(text, multiline=True).split()]
        allowed = [option for option, _label in self.options(actor)]
        if not given or any(one not in allowed for one in given):
            raise make_choice_error(allowed)
        return tuple(option for option in allowed if option in given)

    def build_schema(self) -> dict[str, object]:
        """JSON list of strings."""
        return {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 100}}

    @property
    def has_varying_choices(self) -> bool:
        """Whether the choices depend on the actor: always."""
        return True

    def list_choices(self, actor: Actor) -> Choices:
        return self.options(actor)

    def list_groups(self, actor: Actor) -> "Choices | tuple[tuple[Label, Choices], ...]":
        """Options in their groups, the groups in the order of their first options; plain options without groups."""
        options = self.options(actor)
        if self.group is None:
            return options
        found: dict[Label, list[tuple[str, Label]]] = {}
        for code, label in options:
            found.setdefault(self.group(code), []).append((code, label))
        return tuple((group, tuple(rows)) for group, rows in found.items())

    def format_for_form(self, value: object) -> str:
        """Values with spaces between them."""
        return " ".join(value) if isinstance(value, tuple | list) else super().format_for_form(value)


@dataclass(frozen=True, kw_only=True)
class Answers(Input):
    """Answers to questions, by their ids, without blank ones. A form has a field `<name>-<id>` for each."""

    questions: Choices
    most: int  # characters of one answer

    def read_value(self, value: object, actor: Actor) -> dict[str, str]:
        """Read the answers. Raises ParseError for a question that there is not."""
        if not isinstance(value, dict) or not set(value) <= self._question_ids():
            raise make_choice_error(sorted(self._question_ids()))
        one = Text(label=self.label, most=self.most, multiline=True)
        return {name: one.read_value(text, actor) for name, text in sorted(value.items()) if not is_blank_value(text)}

    def build_schema(self) -> dict[str, object]:
        """JSON object of strings."""
        answer = {"type": "string", "maxLength": self.most}
        answers = {name: answer | {"title": str(label)} for name, label in self.questions}
        return {"type": "object", "properties": answers, "additionalProperties": False}

    def _question_ids(self) -> set[str]:
        return {name for name, _label in self.questions}


@dataclass(frozen=True, kw_only=True)
class Flag(Input):
    """Boolean: a box to tick, or with `ask` a choice of "yes" and "no"."""

    ask: bool = False

    def read_value(self, value: object, actor: Actor) -> bool:
        """Whether it is true. Raises ParseError."""
        if isinstance(value, bool):
            return value
        text = value.strip() if isinstance(value, str) else ""
        if text not in _TRUE | _FALSE:
            raise make_choice_error(["yes", "no"])
        return text in _TRUE

    def build_schema(self) -> dict[str, object]:
        """JSON boolean; "yes" and "no" are read too."""
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["yes", "no"]}]}

    def list_choices(self, actor: Actor) -> Choices | None:
        """Choices "yes" and "no", with `ask`."""
        return (("yes", _("Yes")), ("no", _("No"))) if self.ask else None

    def format_for_form(self, value: object) -> str:
        """Format as "yes" or "no"."""
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else super().format_for_form(value)

    def format_for_reader(self, value: object) -> str:
        """Format in the reader's language."""
        return (_("yes") if value else _("no")) if isinstance(value, bool) else ""

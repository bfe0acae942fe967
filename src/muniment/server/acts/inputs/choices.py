"""Inputs of choices: one of a closed set or of a list, several of a list, answers to questions, yes or no."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _

from muniment.access.authorize import Actor
from muniment.server.acts.inputs.base import Choices, Input, Label, is_blank, not_a_choice
from muniment.server.acts.inputs.texts import Text, read_text

_TRUE, _FALSE = frozenset({"yes", "true", "on"}), frozenset({"no", "false", "off"})


@dataclass(frozen=True, kw_only=True)
class Choice(Input):
    """One of a closed set, written exactly."""

    options: type[Enum]
    labels: Callable[[Any], Label] = str

    def read(self, value: object, actor: Actor) -> Enum:
        """The member. Raises ParseError for a text that is none."""
        text, allowed = read_text(value, multiline=False), [option.value for option in self.options]
        if text not in allowed:
            raise not_a_choice(allowed)
        return self.options(text)

    def schema(self) -> dict[str, Any]:
        """A JSON string of the set."""
        return {"type": "string", "enum": [option.value for option in self.options]}

    def choices(self, actor: Actor) -> Choices:
        """Every member."""
        return tuple((option.value, self.labels(option)) for option in self.options)


@dataclass(frozen=True, kw_only=True)
class Option(Input):
    """One of what `options` gives for the actor, as (value, label)."""

    options: Callable[[Actor], Choices]

    def read(self, value: object, actor: Actor) -> str:
        """The value. Raises ParseError for a text that is none."""
        text, allowed = read_text(value, multiline=False), [option for option, _label in self.options(actor)]
        if text not in allowed:
            raise not_a_choice(allowed)
        return text

    def schema(self) -> dict[str, Any]:
        """A JSON string."""
        return {"type": "string", "maxLength": 100}

    def choices(self, actor: Actor) -> Choices:
        """Every value."""
        return self.options(actor)


@dataclass(frozen=True, kw_only=True)
class Several(Input):
    """One or more of what `options` gives, each once: a list, or a text with white space between them."""

    options: Callable[[Actor], Choices]

    def read(self, value: object, actor: Actor) -> tuple[str, ...]:
        """The values, in the order of `options`. Raises ParseError."""
        texts = value if isinstance(value, list | tuple) else (value,)
        given = [word for text in texts for word in read_text(text, multiline=True).split()]
        allowed = [option for option, _label in self.options(actor)]
        if not given or any(one not in allowed for one in given):
            raise not_a_choice(allowed)
        return tuple(option for option in allowed if option in given)

    def schema(self) -> dict[str, Any]:
        """A JSON list of strings."""
        return {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 100}}

    def choices(self, actor: Actor) -> Choices:
        """Every value."""
        return self.options(actor)

    def to_text(self, value: object) -> str:
        """With spaces between them."""
        return " ".join(value) if isinstance(value, tuple | list) else super().to_text(value)


@dataclass(frozen=True, kw_only=True)
class Answers(Input):
    """Answers to questions, by their ids; one that is blank is left out. A form has a field `<name>-<id>` for each."""

    questions: Choices
    most: int  # characters of one answer

    def read(self, value: object, actor: Actor) -> dict[str, str]:
        """The answers. Raises ParseError for a question that is not asked."""
        if not isinstance(value, dict) or not set(value) <= self._ids():
            raise not_a_choice(sorted(self._ids()))
        one = Text(label=self.label, most=self.most, multiline=True)
        return {name: one.read(text, actor) for name, text in sorted(value.items()) if not is_blank(text)}

    def schema(self) -> dict[str, Any]:
        """A JSON object of strings."""
        answer = {"type": "string", "maxLength": self.most}
        answers = {name: answer | {"title": str(label)} for name, label in self.questions}
        return {"type": "object", "properties": answers, "additionalProperties": False}

    def _ids(self) -> set[str]:
        return {name for name, _label in self.questions}


@dataclass(frozen=True, kw_only=True)
class Flag(Input):
    """Yes or no: a box to tick, or with `ask` a choice of the two words."""

    ask: bool = False

    def read(self, value: object, actor: Actor) -> bool:
        """Whether it is yes. Raises ParseError."""
        if isinstance(value, bool):
            return value
        text = value.strip() if isinstance(value, str) else ""
        if text not in _TRUE | _FALSE:
            raise not_a_choice(["yes", "no"])
        return text in _TRUE

    def schema(self) -> dict[str, Any]:
        """A JSON boolean; "yes" and "no" are read too."""
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["yes", "no"]}]}

    def choices(self, actor: Actor) -> Choices | None:
        """The two words, where it is asked for."""
        return (("yes", _("yes")), ("no", _("no"))) if self.ask else None

    def to_text(self, value: object) -> str:
        """The word."""
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else super().to_text(value)

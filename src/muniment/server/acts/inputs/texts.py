"""Inputs of texts: one text, several lines, an e-mail address."""

import re
import unicodedata
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import ParseError
from muniment.server.acts.inputs.base import Input, InputCode, Label, is_blank_value

_ALSO_IN_LINES = frozenset("\n\t\u200c\u200d")  # the last two join letters in some scripts
_REPLACEMENT = "\ufffd"  # of bytes of a form that are no UTF-8; half a surrogate pair of JSON is refused the same
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Cf has the marks that turn the direction of text


@dataclass(frozen=True, kw_only=True)
class Text(Input):
    """Text of at most `most` characters, without white space around it; of one line unless `multiline`.

    `verbatim` preserves white space around it, for a file whose bytes count.
    """

    most: int
    multiline: bool = False
    verbatim: bool = False
    pattern: str = ""
    form: Label = ""  # the form that `pattern` asks for, as a sentence

    def read_value(self, value: object, actor: Actor) -> str:
        """Read the text. Raises ParseError if it is too long, or has signs that a reader cannot see."""
        text = read_visible_text(value, multiline=self.multiline, verbatim=self.verbatim)
        if len(text) > self.most:
            raise ParseError(
                InputCode.TOO_LONG,
                _("It has %(length)d characters; %(most)d are allowed.") % {"length": len(text), "most": self.most},
                _("Shorten it."),
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise ParseError(InputCode.MALFORMED, _("It is not of the form that is needed."), str(self.form))
        return text

    def build_schema(self) -> dict[str, object]:
        found: dict[str, object] = {"type": "string", "maxLength": self.most}
        return found | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True, kw_only=True)
class TextLines(Input):
    """Several texts, each on a line of its own; the API takes a list too. No line is empty, none is there twice."""

    most: int  # characters of one line
    most_lines: int = 20
    pattern: str = ""
    form: Label = ""

    def read_value(self, value: object, actor: Actor) -> tuple[str, ...]:
        """Read the lines in their order. Raises ParseError."""
        given = value if isinstance(value, list | tuple) else read_visible_text(value, multiline=True).split("\n")
        one = Text(label=self.label, most=self.most, pattern=self.pattern, form=self.form)
        found = tuple(dict.fromkeys(one.read_value(line, actor) for line in given if not is_blank_value(line)))
        if len(found) > self.most_lines:
            raise ParseError(
                InputCode.TOO_LONG,
                _("It has %(length)d lines; %(most)d are allowed.") % {"length": len(found), "most": self.most_lines},
                _("Shorten it."),
            )
        return found

    def build_schema(self) -> dict[str, object]:
        """JSON list of strings."""
        item: dict[str, object] = {"type": "string", "maxLength": self.most}
        return {"type": "array", "maxItems": self.most_lines, "items": item}

    def format_for_form(self, value: object) -> str:
        """Format each text on a line of its own."""
        return "\n".join(value) if isinstance(value, tuple | list) else super().format_for_form(value)


@dataclass(frozen=True, kw_only=True)
class Email(Text):
    """E-mail address, checked for its form."""

    most: int = 254

    def read_value(self, value: object, actor: Actor) -> str:
        """Read the address. Raises ParseError."""
        text = super().read_value(value, actor)
        try:
            validate_email(text)
        except ValidationError:
            raise ParseError(
                InputCode.MALFORMED, _("It is no e-mail address."), _("Write one address, such as ada@example.com.")
            ) from None
        return text

    def build_schema(self) -> dict[str, object]:
        return {"type": "string", "format": "email", "maxLength": self.most}


def read_visible_text(value: object, *, multiline: bool, verbatim: bool = False) -> str:
    """Read a text, without white space around it unless it is `verbatim`.

    Raises ParseError for a value that is no text, or has signs that nobody can see.
    """
    if not isinstance(value, str):
        raise ParseError(InputCode.NOT_TEXT, _("It is not a text."), _("Write it as text."))
    text = value.replace("\r\n", "\n")
    text = text if verbatim else text.strip()
    if _REPLACEMENT in text:
        raise ParseError(
            InputCode.UNPRINTABLE,
            _("It contains U+FFFD, which stands in place of bytes that are no UTF-8."),
            _("Send the text in UTF-8."),
        )
    signs = dict.fromkeys(text)  # each once, in their order: a text may have a million
    unseen = next((sign for sign in signs if not _is_visible_character(sign, multiline=multiline)), None)
    if unseen is not None and unicodedata.category(unseen) == "Cs":
        raise ParseError(
            InputCode.UNPRINTABLE, _("It contains one half of a surrogate pair."), _("Send the text in UTF-8.")
        )
    if unseen is not None:
        raise ParseError(
            InputCode.UNPRINTABLE,
            _("It contains the invisible character U+%(number)04X.") % {"number": ord(unseen)},
            _("Remove this character: a reader could be shown another text than the stored one."),
        )
    return text


def _is_visible_character(sign: str, *, multiline: bool) -> bool:
    """Whether a reader sees the character, or the room that it takes, where it stands."""
    if not multiline:
        return sign.isprintable()
    return sign in _ALSO_IN_LINES or unicodedata.category(sign) not in _UNSEEN

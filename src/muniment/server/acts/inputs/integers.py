"""Input of a whole number."""

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import ParseError
from muniment.server.acts.inputs.base import Input, InputCode

_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, kw_only=True)
class Integer(Input):
    """Whole number from `least` to `most`, in the digits 0 to 9."""

    least: int
    most: int

    def read_value(self, value: object, actor: Actor) -> int:
        """Read the number. Raises ParseError."""
        text = value.strip() if isinstance(value, str) else str(value) if type(value) is int else ""
        if not _INTEGER.fullmatch(text):
            raise ParseError(InputCode.NOT_A_NUMBER, _("It is not a whole number."), self._describe_range())
        number = int(text)
        if not self.least <= number <= self.most:
            raise ParseError(InputCode.OUT_OF_RANGE, _("It is too small or too large."), self._describe_range())
        return number

    def _describe_range(self) -> str:
        return _("Write a number from %(least)d to %(most)d.") % {"least": self.least, "most": self.most}

    def build_schema(self) -> dict[str, object]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

"""Texts of the core, for a page: commits are told by their first twelve digits, as in a terminal."""

import re

from django import template

register = template.Library()

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")


@register.filter
def short(text: str) -> str:
    """The text, with long ids cut."""
    return _ID.sub(r"\1", str(text))

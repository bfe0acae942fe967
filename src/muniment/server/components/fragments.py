"""Parts of pages that a process renders once for the values that they show: rows of lists above all."""

from collections.abc import Hashable
from datetime import date
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language

_MOST = 4096  # about 4 MB


def render_fragment(template: str, values: Hashable) -> SafeString:
    """Template with `values`, such as a named tuple, as its only variable `row`: they hold all that it shows.

    The same values give the same text, so it is rendered once for them, each language and each day: templates name days
    as "tomorrow". No request is at hand, so a fragment has no form and nothing of the person who reads it.
    """
    return _render_once(template, get_language(), timezone.now().date(), values)


@lru_cache(maxsize=_MOST)
def _render_once(template: str, language: str | None, today: date, values: Hashable) -> SafeString:
    return SafeString(render_to_string(template, {"row": values}))

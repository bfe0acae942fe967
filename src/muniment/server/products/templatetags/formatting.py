"""Template filters: commits by their first twelve digits, as in a terminal; durations in words."""

import re
from datetime import timedelta
from typing import Any

from django import template
from django.utils.translation import gettext as _

register = template.Library()

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")


@register.filter
def short(text: str) -> str:
    """The text, with long ids cut."""
    return _ID.sub(r"\1", str(text))


@register.filter
def lasting(span: timedelta | None) -> str:
    """Duration in its two largest units; a dash for an unknown one."""
    if span is None:
        return "–"
    minutes = round(span.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return _("%(minutes)d min") % {"minutes": minutes}


@register.filter
def plain(value: Any) -> str:
    """Parameter as people write it: lists with commas between, yes and no."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return ", ".join(map(str, value)) or "–" if isinstance(value, list | tuple) else str(value)

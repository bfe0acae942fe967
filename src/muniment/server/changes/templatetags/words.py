"""What templates tell of decisions, in the reader's language."""

from django import template
from django.utils.translation import gettext

from muniment.decision.account import ReasonTold
from muniment.server.changes import words
from muniment.workflows import telling_forge

register = template.Library()


@register.filter
def said(reason: ReasonTold, control: str = "") -> str:
    """What is so."""
    return words.sentences(reason, control)[0]


@register.filter
def remedy(reason: ReasonTold, control: str = "") -> str:
    """What to do next; "" where there is nothing to do."""
    return words.sentences(reason, control)[1]


@register.filter
def at_forge(remedy: str) -> str:
    """What to do next for a change at a forge, where nobody needs a command."""
    return telling_forge.here(remedy)


@register.filter
def verdict(code: str) -> str:
    """What somebody said of a change."""
    return str(words.SAID.get(code, code))


@register.filter
def hand(code: str) -> str:
    """What somebody did to a commit."""
    return str(words.HANDS.get(code, code))


@register.filter
def why_not(codes: tuple[str, ...]) -> str:
    """Why a statement does not count."""
    return ", ".join(str(words.WHY_NOT.get(code, code)) for code in codes)


@register.filter
def core(text: str) -> str:
    """A fixed text of the core: an action, a role."""
    return gettext(text)

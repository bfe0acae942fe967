"""What templates tell of decisions, in the reader's language."""

from django import template
from django.utils.translation import gettext

from muniment.decision import uncounted
from muniment.decision.account import ReasonReport
from muniment.server.changes import words

register = template.Library()


@register.filter
def said(reason: ReasonReport, control: str = "") -> str:
    """What is so."""
    return words.sentences(reason, control)[0]


@register.filter
def remedy(reason: ReasonReport, control: str = "") -> str:
    """What to do next; "" where there is nothing to do."""
    return words.sentences(reason, control)[1]


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
    return ", ".join(gettext(uncounted.TEXTS.get(code, code)) for code in codes)


@register.filter
def named(people: str | tuple[str, ...], names: dict[str, str]) -> str | list[str]:
    """The name of a person or of several, each given by id, where an account has one."""
    if isinstance(people, str):
        prefix, _, person = people.rpartition(":")
        return names.get(person, people) if prefix in ("", "person") else people
    return [names.get(person, person) for person in people]


@register.filter
def core(text: str) -> str:
    """A fixed text of the core: an action, a role."""
    return gettext(text)

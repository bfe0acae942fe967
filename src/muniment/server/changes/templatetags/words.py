"""Template filters that show decisions in the reader's language."""

from django import template
from django.utils.translation import gettext

from muniment.decision import uncounted_statements
from muniment.decision.report import ReasonReport
from muniment.policy import guide
from muniment.server.changes import reason_text

register = template.Library()


@register.filter
def finding(reason: ReasonReport, control: str = "") -> str:
    """Finding of a reason: the present state."""
    return reason_text.translate_reason(reason, control)[0]


@register.filter
def remedy(reason: ReasonReport, control: str = "") -> str:
    """Next step of a reason, "" where there is none."""
    return reason_text.translate_reason(reason, control)[1]


@register.filter
def review_label(code: str) -> str:
    """Label of a review's result."""
    return str(reason_text.REVIEW_RESULTS.get(code, code))


@register.filter
def review_question(code: str) -> str:
    """Text of a question of the review guide; the code itself for one that this version does not ask."""
    return next((gettext(question.text) for question in guide.QUESTIONS if question.id == code), code)


@register.filter
def why_not(codes: tuple[str, ...]) -> str:
    """Reason why a statement does not count."""
    return ", ".join(gettext(uncounted_statements.TEXTS.get(code, code)) for code in codes)


@register.filter
def named(people: str | tuple[str, ...], names: dict[str, str]) -> str | list[str]:
    """Name of a person or of several, each given by id, where the decision has one."""
    if isinstance(people, str):
        prefix, _, person = people.rpartition(":")
        return names.get(person, people) if prefix in ("", "person") else people
    return [names.get(person, person) for person in people]


@register.filter
def core(text: str) -> str:
    """Translation of a fixed text of the core: an action, a role."""
    return gettext(text)


@register.filter
def branch(ref: str) -> str:
    """Short name of a branch, as people type it."""
    return ref.removeprefix("refs/heads/")

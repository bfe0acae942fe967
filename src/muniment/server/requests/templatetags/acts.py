"""Template tag for the fields of an act within a form: `{% act_fields "grant-role" omit="person" %}`."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from muniment.access.authorization import ANYBODY, Actor
from muniment.server.acts.forms import ActForm
from muniment.server.acts.parser import find_typed_inputs
from muniment.server.guarding.mediation import current_actor
from muniment.server.requests.registry import ACTS_BY_TAG

register = template.Library()


@register.simple_tag(takes_context=True)
def act_fields(
    context: RequestContext, tag: str, *, omit: str = "", hidden: str = "", prefix: str = "", **initial: Any
) -> SafeString:
    """Labels, inputs and hints of an act's fields, and its tag. Raises KeyError for an unknown act.

    `omit` names fields that the address has, `hidden` those that the page itself fills in; `initial` are values,
    and `prefix` distinguishes several forms of one act on a page.
    """
    if not initial and not _is_form_varying(tag):
        return _render_blank(get_language(), tag, omit, hidden, str(prefix))
    return _render_fields(current_actor(context["request"]), tag, omit, hidden, str(prefix), initial)


@cache
def _is_form_varying(tag: str) -> bool:
    """Whether the form of an act differs between people or moments."""
    return any(field.has_varying_choices for field in find_typed_inputs(ACTS_BY_TAG[tag]).values())


@lru_cache(maxsize=256)
def _render_blank(language: str | None, tag: str, omit: str, hidden: str, prefix: str) -> SafeString:
    """Blank fields, which are the same for everybody: to render them takes longer than to render a list."""
    return _render_fields(ANYBODY, tag, omit, hidden, prefix, {})


def _render_fields(
    actor: Actor, tag: str, omit: str, hidden: str, prefix: str, initial: Mapping[str, object]
) -> SafeString:
    form = ActForm(
        ACTS_BY_TAG[tag],
        actor,
        fixed=dict.fromkeys(omit.split()),
        initial=initial,
        hidden=tuple(hidden.split()),
        prefix=prefix,
    )
    return render_to_string("acts/fields.html", {"form": form, "tag": tag})

"""Template tag for the fields of an act within a form: `{% act_fields "grant-role" omit="person" %}`."""

from typing import Any

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from muniment.server.acts.forms import ActForm
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
    form = ActForm(
        ACTS_BY_TAG[tag],
        current_actor(context["request"]),
        fixed=dict.fromkeys(omit.split()),
        initial=initial,
        hidden=tuple(hidden.split()),
        prefix=str(prefix),
    )
    return render_to_string("acts/fields.html", {"form": form, "tag": tag})

"""Submits an act from a page: reads the form, performs the act, and shows its outcome."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.forms import TAG, ActForm
from muniment.server.acts.inputs import InputCode
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor

INVALID = 422


def submit_act(
    request: HttpRequest,
    acts: type[Act] | tuple[type[Act], ...],
    fixed: dict[str, object],
    success_message: str,
    return_view: str,
    *place: Any,
    secret: object = None,
    form_data: QueryDict | None = None,
    build_response: Callable[[Any], HttpResponse] | None = None,
    show_again: bool = True,
) -> HttpResponse:
    """Perform the act that was sent, then go to the address `return_view`, with a message.

    `acts` are those that this address takes: with several, the form's field `act` names one. `fixed` are fields
    that the address has. `form_data` is the form, if it is not the unchanged body. `build_response` makes the page
    of an act's result in place of going back. A form that cannot be read is shown again as it was typed; with
    `show_again` False, since a secret was typed with it, a message alone says what is wrong. Raises Http404 for an
    act that the address does not take, and for an address of nothing.
    """
    cls = _choose_act(request, acts)
    form = ActForm(cls, current_actor(request), request.POST if form_data is None else form_data, fixed=fixed)
    if not form.is_valid() or form.act is None:
        _refuse_address(form)
        if not show_again and form.problem is not None:
            messages.error(request, format_error_text(form.problem))
            return redirect(return_view, *place)
        context = {"form": form, "tag": cls.act_tag(), "title": cls.title, "back": reverse(return_view, args=place)}
        return render(request, "acts/form.html", context, status=INVALID)
    try:
        with transaction.atomic():
            outcome = execute_act(current_actor(request), form.act, secret=secret)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
        return redirect(return_view, *place)
    if outcome.request is None and build_response is not None:
        return build_response(outcome.result)
    messages.success(request, success_message if outcome.request is None else outcome.waits_for)
    return redirect(return_view, *place)


def _choose_act(request: HttpRequest, acts: type[Act] | tuple[type[Act], ...]) -> type[Act]:
    allowed = acts if isinstance(acts, tuple) else (acts,)
    tag = request.POST.get(TAG, allowed[0].act_tag() if len(allowed) == 1 else "")
    for cls in allowed:
        if cls.act_tag() == tag:
            return cls
    raise Http404


def _refuse_address(form: ActForm) -> None:
    """Raise Http404 where the address itself names nothing."""
    problems = form.problem.problems if form.problem is not None else ()
    if any(problem.field in form.fixed and problem.code == InputCode.NOT_FOUND for problem in problems):
        raise Http404

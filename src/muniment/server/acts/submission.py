"""Submits an act from a page: reads the form, has the act performed, and says what came of it."""

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
from muniment.server.error_text import error_text
from muniment.server.guarding.mediation import acting

INVALID = 422


def submit_act(
    request: HttpRequest,
    acts: type[Act] | tuple[type[Act], ...],
    fixed: dict[str, object],
    done: str,
    back: str,
    *place: Any,
    secret: object = None,
    sent: QueryDict | None = None,
    answer: Callable[[Any], HttpResponse] | None = None,
    show_again: bool = True,
) -> HttpResponse:
    """Perform the act that was sent, then go to the address `back`, with a message.

    `acts` are those that this address takes: with several, the form's field `act` names one. `fixed` are fields that
    the address has. `sent` is the form, if it is not the body as it came. `answer` gives the page of an act's result
    in place of going back. A form that cannot be read is shown again as it was typed; with `show_again` False, since
    a secret was typed beside it, a message alone says what is wrong. Http404 for an act that the address does not
    take, and for an address of nothing.
    """
    cls = _chosen(request, acts)
    form = ActForm(cls, acting(request), request.POST if sent is None else sent, fixed=fixed)
    if not form.is_valid() or form.act is None:
        _refuse_address(form)
        if not show_again and form.problem is not None:
            messages.error(request, error_text(form.problem))
            return redirect(back, *place)
        context = {"form": form, "tag": cls.tag(), "title": cls.title, "back": reverse(back, args=place)}
        return render(request, "acts/form.html", context, status=INVALID)
    try:
        with transaction.atomic():
            outcome = execute_act(acting(request), form.act, secret=secret)
    except RefusedError as error:
        messages.error(request, error_text(error))
        return redirect(back, *place)
    if outcome.request is None and answer is not None:
        return answer(outcome.result)
    messages.success(request, done if outcome.request is None else outcome.waits_for)
    return redirect(back, *place)


def _chosen(request: HttpRequest, acts: type[Act] | tuple[type[Act], ...]) -> type[Act]:
    allowed = acts if isinstance(acts, tuple) else (acts,)
    tag = request.POST.get(TAG, allowed[0].tag() if len(allowed) == 1 else "")
    for cls in allowed:
        if cls.tag() == tag:
            return cls
    raise Http404


def _refuse_address(form: ActForm) -> None:
    """Raise Http404 where the address itself names nothing."""
    problems = form.problem.problems if form.problem is not None else ()
    if any(problem.field in form.fixed and problem.code == InputCode.NOT_FOUND for problem in problems):
        raise Http404

"""The words that Muniment uses, for people who are not developers."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.guarding.mediation import own, requires
from muniment.server.registration import read_contributions


def _labels(roles: frozenset[Role]) -> list[str]:
    return [gettext(role.label) for role in Role if role in roles]


@require_GET
@requires(Action.SEE_POLICY)
def access(request: HttpRequest) -> HttpResponse:
    """Who may do what: the one table, as authorize() reads it."""
    rows = [(action.rule, _labels(action.rule.roles), _labels(action.rule.second)) for action in Action]
    return render(request, "access.html", {"rows": rows, "all": len(Role)})


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def glossary(request: HttpRequest) -> HttpResponse:
    """All of them."""
    return render(request, "glossary.html", {"words": _words()})


def _words() -> list[tuple[Any, Any]]:
    entries = sorted((entry for app in read_contributions() for entry in app.glossary), key=lambda one: one.position)
    return [(entry.word, entry.meaning) for entry in entries]

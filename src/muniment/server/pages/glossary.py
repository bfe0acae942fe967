"""Page of the words that Muniment uses, for people who are not developers."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.guarding.mediation import find_own_resource, require_action
from muniment.server.registration import read_contributions


def _list_labels(roles: frozenset[Role]) -> list[str]:
    return [gettext(role.label) for role in Role if role in roles]


@require_GET
@require_action(Action.SEE_POLICY)
def show_access_table(request: HttpRequest) -> HttpResponse:
    """Show which roles may do what: the one table, as authorize() reads it."""
    rows = [(action.rule, _list_labels(action.rule.roles), _list_labels(action.rule.second)) for action in Action]
    return render(request, "access.html", {"rows": rows, "all": len(Role)})


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_glossary(request: HttpRequest) -> HttpResponse:
    """Show the words with their meanings."""
    return render(request, "glossary.html", {"words": _words()})


def _words() -> list[tuple[Any, Any]]:
    entries = sorted((entry for app in read_contributions() for entry in app.glossary), key=lambda one: one.position)
    return [(entry.word, entry.meaning) for entry in entries]

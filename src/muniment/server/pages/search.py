"""Search in all resources that the person may see: by a name, words or a digest, with one query for each kind."""

from itertools import islice

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.registration import SearchKind, read_contributions

_MOST = 30  # of each kind


@require_GET
@require_action(Action.SEE_PRODUCT, find_no_resource)
def show_search(request: HttpRequest) -> HttpResponse:
    """Show resources whose name or words contain the text, and commits and digests that begin with it."""
    text = request.GET.get("q", "").strip()[:200]
    found = (
        [(kind.template, list(islice(kind.find(current_actor(request), text), _MOST))) for kind in _kinds()]
        if text
        else []
    )
    return render(request, "search.html", {"q": text, "found": [one for one in found if one[1]]})


def _kinds() -> list[SearchKind]:
    kinds = (kind for app in read_contributions() for kind in app.search)
    return sorted(kinds, key=lambda kind: kind.position)

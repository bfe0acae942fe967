"""Search across all: what somebody may see, by the name, the words or the digest that they typed, one query a kind."""

from itertools import islice

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.guarding.mediation import acting, anywhere, requires
from muniment.server.registration import SearchKind, read_contributions

_MOST = 30  # of each kind


@require_GET
@requires(Action.SEE_PRODUCT, anywhere)
def search(request: HttpRequest) -> HttpResponse:
    """Everything that has what was typed in its name or words, or, of a commit or digest, at its beginning."""
    text = request.GET.get("q", "").strip()[:200]
    found = (
        [(kind.template, list(islice(kind.find(acting(request), text), _MOST))) for kind in _kinds()] if text else []
    )
    return render(request, "search.html", {"q": text, "found": [one for one in found if one[1]]})


def _kinds() -> list[SearchKind]:
    kinds = (kind for app in read_contributions() for kind in app.search)
    return sorted(kinds, key=lambda kind: kind.position)

"""What people do about a change at a forge, on our page: read, answer, approve, attest, ask, merge."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.facts.statements import Verdict
from muniment.policy import guide
from muniment.server.changes.models import Change
from muniment.server.changes.views import of
from muniment.server.connections.acts import terms
from muniment.server.connections.models import Statement
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.pages import given, tried
from muniment.server.proposals.doing import ask


@require_GET
@requires(Action.SEE_CHANGE, of)
def look(request: HttpRequest, number: int) -> HttpResponse:
    """The lines that touch what protects the product, first; then the questions on them, bound to this head."""
    found = _change(number)
    attention = getattr(found, "attention", None)
    topics = attention.topics if attention is not None and attention.head == found.head else ()
    said = Statement.objects.filter(change=found, head=found.head).select_related("person").order_by("at")
    context: dict[str, Any] = {
        "change": found,
        "attention": attention if topics else None,
        "lines": _lines(attention.lines) if topics and attention is not None else (),
        "questions": guide.questions(topics),
        "statements": said,
        "may_review": may(request, Action.REVIEW_CHANGE, Resource(product=found.repository.product.slug)),
    }
    return render(request, "connections/review.html", context)


@require_POST
@requires(Action.REVIEW_CHANGE, of)
def review(request: HttpRequest, number: int) -> HttpResponse:
    """Approve exactly that head, with the answers; or take that back."""
    found = _change(number)
    fields = given(request, ("do", "head", *(question.id for question in guide.QUESTIONS)))
    if fields["do"] not in ("approve", "withdraw"):
        raise Http404
    answers = {one.id: fields[one.id].strip() for one in guide.QUESTIONS if fields[one.id].strip()}
    what = {"id": found.pk, "do": fields["do"], "head": fields["head"], "answers": answers}
    what["terms"] = terms(found, fields["head"], Verdict(fields["do"]), answers)
    told = f"{fields['do']} {fields['head'][:12]} of {found.repository.name} for {found.target}"
    slug = found.repository.product.slug
    act = lambda: ask(acting(request), Action.REVIEW_CHANGE, what, told, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Recorded. The change is being judged again."), "change", number)


@require_POST
@requires(Action.ATTEST, of)
def attest(request: HttpRequest, number: int) -> HttpResponse:
    """Say whose hand it was that nobody can tell."""
    found = _change(number)
    what: dict[str, Any] = {"id": found.pk, **given(request, ("head", "subject", "who"))}
    what["terms"] = terms(found, what["head"], Verdict.ATTEST, {what["subject"]: what["who"]})
    told = f"attest that {what['subject']} in {found.repository.name} was {what['who']}"
    slug = found.repository.product.slug
    act = lambda: ask(acting(request), Action.ATTEST, what, told, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Recorded. The change is being judged again."), "change", number)


@require_POST
@requires(Action.ASK_REVIEW, of)
def request_(request: HttpRequest, number: int) -> HttpResponse:
    """Ask those who could approve, or have an allowed change merged."""
    found = _change(number)
    what = {"id": found.pk, **given(request, ("do", "head"))}
    if what["do"] not in ("ask", "merge"):
        raise Http404
    words = {"ask": "ask people to review", "merge": "merge"}
    told = f"{words[what['do']]} {found.name} of {found.repository.name}"
    slug = found.repository.product.slug
    act = lambda: ask(acting(request), Action.ASK_REVIEW, what, told, product=slug)  # noqa: E731 -- short
    done = {"ask": _("They are being asked."), "merge": _("It is read once more, and merged if it is allowed then.")}
    return tried(request, act, done[what["do"]], "change", number)


def _change(number: int) -> Change:
    rows = Change.objects.select_related("repository__product", "at_forge", "attention")
    return get_object_or_404(rows, pk=number, at_forge__isnull=False)


def _lines(text: str) -> list[tuple[str, str]]:
    """Each with what it is, for the sheet of styles: added, removed, a place, or neither."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [(kinds.get(line[:1], ""), line) for line in text.split("\n")]

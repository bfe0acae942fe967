"""Pages of a change at a forge: read it for security, approve it, attest a contributor, request a review, merge."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.policy import guide
from muniment.server.acts.forms import TAG
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.changes.views import of
from muniment.server.connections.change_acts import (
    ApproveChange,
    AttestContributor,
    AttestOpenChanges,
    MergeChange,
    RequestReview,
    WithdrawApproval,
)
from muniment.server.connections.models import ReviewStatement
from muniment.server.guarding.mediation import may, requires


@require_GET
@requires(Action.SEE_CHANGE, of)
def look(request: HttpRequest, number: int) -> HttpResponse:
    """The lines that touch what protects the product, first; then the questions on them, bound to this head."""
    found = _change(number)
    attention = getattr(found, "security_attention", None)
    topics = attention.topics if attention is not None and attention.head == found.head else ()
    said = ReviewStatement.objects.filter(change=found, head=found.head).select_related("person").order_by("stated_at")
    context: dict[str, Any] = {
        "change": found,
        "attention": attention if topics else None,
        "lines": _lines(attention.lines) if topics and attention is not None else (),
        "questions": _questions(found),
        "statements": said,
        "may_review": may(request, Action.REVIEW_CHANGE, Resource(product=found.repository.product.slug)),
    }
    return render(request, "connections/review.html", context)


@require_POST
@requires(Action.REVIEW_CHANGE, of)
def review(request: HttpRequest, number: int) -> HttpResponse:
    """Approve one head of a change with the answers to the questions, or withdraw that."""
    acts, done = (ApproveChange, WithdrawApproval), _recorded(request, number)
    return submit_act(request, acts, {"change": number}, done, "change", number)


@require_POST
@requires(Action.ATTEST_CONTRIBUTOR, of)
def attest(request: HttpRequest, number: int) -> HttpResponse:
    """Attest which person an unknown contributor is, of one change or of all that were open at the connection."""
    acts, done = (AttestContributor, AttestOpenChanges), _("Recorded. The change is being evaluated again.")
    return submit_act(request, acts, {"change": number}, done, "change", number)


@require_POST
@requires(Action.REQUEST_REVIEW, of)
def request_(request: HttpRequest, number: int) -> HttpResponse:
    """Request reviews from people whose approval would count, or have an allowed change merged."""
    merges = request.POST.get(TAG) == MergeChange.tag()
    asked = _("Reviews are being requested.")
    done = _("It is read once more, and merged if it is allowed then.") if merges else asked
    return submit_act(request, (RequestReview, MergeChange), {"change": number}, done, "change", number)


def _recorded(request: HttpRequest, number: int) -> str:
    """What is said of a recorded review: which questions an approval left without an answer, too."""
    done = _("Recorded. The change is being evaluated again.")
    asked = [name for name in _questions(_change(number)) if request.POST.get(TAG) == ApproveChange.tag()]
    missing = [name for name in asked if not request.POST.get(f"answers-{name}", "").strip()]
    if not missing:
        return done
    unanswered = _(
        "It counts as an approval, and not as the review with attention to security: these questions have no answer: "
        "%(questions)s. Approve again with answers to them."
    )
    return f"{done} {unanswered % {'questions': ', '.join(missing)}}"


def _questions(change: Change) -> dict[str, str]:
    """The questions that its newest head brings up, by id, none of them answered."""
    attention = getattr(change, "security_attention", None)
    topics = attention.topics if attention is not None and attention.head == change.head else ()
    return {question.id: "" for question in guide.questions(topics)}


def _change(number: int) -> Change:
    rows = Change.objects.select_related("repository__product", "forge_change", "security_attention")
    return get_object_or_404(rows, pk=number, forge_change__isnull=False)


def _lines(text: str) -> list[tuple[str, str]]:
    """Each with what it is, for the sheet of styles: added, removed, a place, or neither."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [(kinds.get(line[:1], ""), line) for line in text.split("\n")]

"""Pages of a change at a forge: read it for security, approve it, attest a contributor, request a review, merge."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.policy import guide
from muniment.server.acts.forms import TAG
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.changes.views import find_change_resource
from muniment.server.connections.change_acts import (
    ApproveChange,
    AttestContributor,
    AttestOpenChanges,
    MergeChange,
    RequestReview,
    WithdrawApproval,
)
from muniment.server.connections.models import ReviewStatement
from muniment.server.guarding.mediation import is_action_allowed, require_action


@require_GET
@require_action(Action.SEE_CHANGE, find_change_resource)
def show_review_page(request: HttpRequest, number: int) -> HttpResponse:
    """Show the lines that touch what protects the product; then the questions on them, bound to this head."""
    found = _load_change(number)
    attention = getattr(found, "security_attention", None)
    topics = attention.topics if attention is not None and attention.head == found.head else ()
    statements = (
        ReviewStatement.objects.filter(change=found, head=found.head).select_related("person").order_by("stated_at")
    )
    context: dict[str, object] = {
        "change": found,
        "attention": attention if topics else None,
        "questions": _find_questions(found),
        "statements": statements,
        "may_review": is_action_allowed(request, Action.REVIEW_CHANGE, Resource(product=found.repository.product.slug)),
    }
    return render(request, "connections/review.html", context)


@require_POST
@require_action(Action.REVIEW_CHANGE, find_change_resource)
def review_change(request: HttpRequest, number: int) -> HttpResponse:
    """Approve one head of a change with the answers to the questions, or withdraw the approval."""
    acts, done = (ApproveChange, WithdrawApproval), _format_recorded(request, number)
    return submit_act(request, acts, {"change": number}, done, "change", number)


@require_POST
@require_action(Action.ATTEST_CONTRIBUTOR, find_change_resource)
def attest_contributor(request: HttpRequest, number: int) -> HttpResponse:
    """Attest which person an unknown contributor is, of one change or of all that were open at the connection."""
    acts, done = (AttestContributor, AttestOpenChanges), _("Recorded. The change is being evaluated again.")
    return submit_act(request, acts, {"change": number}, done, "change", number)


@require_POST
@require_action(Action.REQUEST_REVIEW, find_change_resource)
def request_review_or_merge(request: HttpRequest, number: int) -> HttpResponse:
    """Request reviews from eligible reviewers, or have an allowed change merged."""
    merges = request.POST.get(TAG) == MergeChange.act_tag()
    asked = _("Reviews are being requested.")
    done = _("It is read once more, and merged if it is allowed then.") if merges else asked
    return submit_act(request, (RequestReview, MergeChange), {"change": number}, done, "change", number)


def _format_recorded(request: HttpRequest, number: int) -> str:
    """Message about a recorded review, with the questions that an approval left unanswered."""
    done = _("Recorded. The change is being evaluated again.")
    asked = [name for name in _find_questions(_load_change(number)) if request.POST.get(TAG) == ApproveChange.act_tag()]
    missing = [name for name in asked if not request.POST.get(f"answers-{name}", "").strip()]
    if not missing:
        return done
    unanswered = _(
        "It counts as an approval, and not as the review with attention to security: these questions have no answer: "
        "%(questions)s. Approve again with answers to them."
    )
    return f"{done} {unanswered % {'questions': ', '.join(missing)}}"


def _find_questions(change: Change) -> dict[str, str]:
    """Questions on the change's present head, by id, with empty answers."""
    attention = getattr(change, "security_attention", None)
    topics = attention.topics if attention is not None and attention.head == change.head else ()
    return {question.id: "" for question in guide.select_questions(topics)}


def _load_change(number: int) -> Change:
    rows = Change.objects.select_related("repository__product", "forge_change", "security_attention")
    return get_object_or_404(rows, pk=number, forge_change__isnull=False)

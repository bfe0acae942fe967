"""What waits, runs and failed in the background."""

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.pages import tried
from muniment.server.record.entering import act

_SHOWN = 100
STATES = ("failed", "doing", "todo")


@require_GET
@requires(Action.SEE_WORK)
def work(request: HttpRequest) -> HttpResponse:
    """The queue, what failed first."""
    jobs = ProcrastinateJob.objects
    counts = {row["status"]: row["n"] for row in jobs.values("status").annotate(n=Count("id"))}
    rows = [(status, list(jobs.filter(status=status).order_by("-id")[:_SHOWN])) for status in STATES]
    context = {
        "counts": counts,
        "rows": rows,
        "workers": list(ProcrastinateWorker.objects.order_by("id")[:_SHOWN]),
        "may_retry": may(request, Action.RETRY_WORK),
    }
    return render(request, "record/work.html", context)


@require_POST
@requires(Action.RETRY_WORK)
def retry(request: HttpRequest, number: int) -> HttpResponse:
    """Try a failed task again."""
    job = get_object_or_404(ProcrastinateJob, pk=number, status="failed")

    return tried(request, lambda: retry_task(acting(request), job), _("It is tried again."), "work")


def retry_task(actor: Actor, job: Any) -> None:
    """Have a task that failed done again."""
    act(actor, Action.RETRY_WORK, f"task:{job.pk}", {"task": job.task_name})
    app.configure_task(job.task_name, queue=job.queue_name, lock=job.lock).defer(**job.args)

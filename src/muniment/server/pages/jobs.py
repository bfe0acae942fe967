"""Page of waiting, running and failed background jobs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.access.actions import Action
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.pages.job_sentences import describe_job, find_job_subjects
from muniment.server.records.models import TaskFailure
from muniment.server.records.record_acts import RetryJob

_SHOWN = 100
STATES = ("failed", "doing", "todo")


class JobLine(NamedTuple):
    """Job as a sentence, with the name of its subject, and why its process ended: None for most."""

    job: Any
    text: str
    subject: str
    failure: TaskFailure | None


@require_GET
@require_action(Action.SEE_JOBS)
def list_jobs(request: HttpRequest) -> HttpResponse:
    """List the jobs of the queue, failed ones first."""
    jobs = ProcrastinateJob.objects
    counts = {row["status"]: row["n"] for row in jobs.values("status").annotate(n=Count("id"))}
    rows = [(status, describe_jobs(jobs.filter(status=status).order_by("-id")[:_SHOWN])) for status in STATES]
    context = {
        "counts": counts,
        "rows": rows,
        "workers": list(ProcrastinateWorker.objects.order_by("id")[:_SHOWN]),
        "may_retry": is_action_allowed(request, Action.RETRY_JOB),
    }
    return render(request, "records/work.html", context)


def describe_jobs(rows: Iterable[ProcrastinateJob]) -> list[JobLine]:
    """Each job with its sentence, the repository or connection that it is about, and its failure."""
    found = add_failures(rows)
    names = find_job_subjects(job.args for job, _failure in found)
    return [
        JobLine(job, describe_job(job.task_name), _name_subject(job.args, names), failure) for job, failure in found
    ]


def _name_subject(arguments: dict[str, object], names: dict[tuple[str, int], str]) -> str:
    subject = next((names[one] for one in arguments.items() if one in names), "")
    return f"{subject} #{arguments['number']}" if subject and "number" in arguments else subject


def add_failures(rows: Iterable[ProcrastinateJob]) -> list[tuple[ProcrastinateJob, TaskFailure | None]]:
    """Each job with the reason why its process ended, None for the others."""
    jobs = list(rows)
    failures = TaskFailure.objects.in_bulk([job.pk for job in jobs])
    return [(job, failures.get(job.pk)) for job in jobs]


@require_POST
@require_action(Action.RETRY_JOB)
def retry_job(request: HttpRequest, number: int) -> HttpResponse:
    """Have a failed job tried again."""
    return submit_act(request, RetryJob, {"job": number}, _("It is tried again."), "work")

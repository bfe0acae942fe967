"""Contributions of the requests that wait for a second person."""

from collections.abc import Iterable, Iterator, Mapping

from django.utils.translation import gettext_lazy as _

from muniment.server.registration import AppContributions, InboxKind, Metric, PersonalData
from muniment.server.requests.inbox import find_approvable
from muniment.server.requests.models import Request
from muniment.server.requests.personal_data import end_requests


def measure_requests() -> Iterator[Metric]:
    """Measure the number of waiting requests."""
    waiting = Request.objects.filter(state=Request.State.WAITING).count()
    yield Metric("muniment_requests_waiting", "Acts that wait for a second person.", waiting)


def read_requests(person: str) -> Iterable[Mapping[str, object]]:
    """The requests of a person."""
    return list(Request.objects.filter(requester=person).values("summary", "reason", "requested_at", "state"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.requests.urls",
    inbox=(InboxKind(10, "requests/inbox.html", find_approvable, _("Requests that wait for you")),),
    metrics=(measure_requests,),
    personal_data=(PersonalData("requests", read_requests),),
    erasure_preparations=(end_requests,),
)

"""Contributions of the incidents."""

from collections.abc import Iterable, Iterator, Mapping

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.incidents.breach_acts import (
    AdviseOnBreach,
    DecideNotification,
    EndBreachDuty,
    RecordAwareness,
    SetBreachDuty,
)
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.models import BreachAdvice, BreachClock, Incident, find_overdue_incidents
from muniment.server.incidents.visibility import find_handled_incidents, visible_incident_filter
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    PersonalData,
    ProductTab,
    RetentionRule,
    SearchKind,
)


def find_incidents(actor: Actor, text: str) -> Iterable[object]:
    """The incidents with a text in their summary, cause or subject."""
    words = Q(summary__icontains=text) | Q(cause__icontains=text) | Q(subject__icontains=text)
    rows = Incident.objects.select_related("product", "owner")
    return rows.filter(words, visible_incident_filter(actor)).order_by("-id")


def measure_incidents() -> Iterator[Metric]:
    """Open incidents by kind, and those past their deadline."""
    kinds = Incident.objects.filter(closed_at=None).values("kind").annotate(n=Count("id"))
    by_kind = {each["kind"]: each["n"] for each in kinds}
    yield Metric("muniment_open_incidents", "Open incidents, by kind.", by_kind, "kind")
    yield Metric(
        "muniment_overdue_incidents",
        "Incidents open past their deadline.",
        find_overdue_incidents(timezone.now()).count(),
    )


def read_incidents(person: str) -> Iterable[Mapping[str, object]]:
    """The incidents that a person owned, closed or was involved in."""
    rows = Incident.objects.filter(Q(owner=person) | Q(closed_by=person) | Q(involved_people__contains=[person]))
    return list(rows.values("kind", "summary", "opened_at", "closed_at", "cause"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.incidents.urls",
    acts=(
        TakeOverIncident,
        CloseIncident,
        SetBreachDuty,
        EndBreachDuty,
        RecordAwareness,
        AdviseOnBreach,
        DecideNotification,
    ),
    menu=(MenuEntry(MenuGroup.ASSURE, 60, "incidents", _("Incidents"), "alert-triangle", Action.SEE_INCIDENTS),),
    search=(SearchKind(40, "incidents/found.html", find_incidents),),
    inbox=(InboxKind(5, "incidents/inbox.html", find_handled_incidents, _("Incidents, first due first")),),
    metrics=(measure_incidents,),
    glossary=(
        GlossaryEntry(
            70,
            _("incident"),
            _("A violation of the policy that a person has to resolve by a due date."),
        ),
    ),
    retention=(
        RetentionRule(
            _("Closed incidents"),
            _("To notice incidents that recur"),
            "incident_days",
            lambda moment: drop_rows(Incident.objects.filter(closed_at__lt=moment)),
        ),
    ),
    personal_data=(
        PersonalData("incidents", read_incidents),
        PersonalData(
            "breach_decisions",
            lambda person: list(
                BreachClock.objects.filter(Q(decided_by=person) | Q(aware_person=person)).values(
                    "regime", "aware_at", "is_notified", "reason", "decided_at"
                )
            ),
        ),
        PersonalData(
            "breach_advice",
            lambda person: list(BreachAdvice.objects.filter(person=person).values("text", "written_at")),
        ),
    ),
    product_tabs=(ProductTab(83, "breach-duties", _("Breaches"), Action.SEE_INCIDENTS),),
    demonstration="muniment.server.incidents.demonstration",
)

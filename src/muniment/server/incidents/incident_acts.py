"""Acts on an incident: take it over as its owner, close it with its cause."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input, reason_input
from muniment.server.acts.inputs import Choices, Label, Option
from muniment.server.incidents.kinds import RESOLUTIONS
from muniment.server.incidents.lifecycle import close_incident
from muniment.server.incidents.models import Incident
from muniment.server.incidents.visibility import visible_incident_filter
from muniment.server.people.models import Person


def _visible_incidents(actor: Actor) -> "QuerySet[Incident]":
    return Incident.objects.filter(visible_incident_filter(actor))


def _offer_resolutions(actor: Actor) -> Choices:
    """Resolutions that a person can give."""
    return tuple((name, how.text) for name, how in RESOLUTIONS.items() if how.by_hand)


class IncidentAct(Act, frozen=True):
    """Base of acts on one open incident."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_INCIDENT,)

    incident: Annotated[
        int,
        number_input(
            label=gettext_lazy("Incident"),
            rows=_visible_incidents,
            missing=gettext_lazy("There is no such incident."),
            remedy=gettext_lazy("Choose one that the page Incidents shows."),
            recorded=True,
        ),
    ]

    def find_resource(self) -> Resource:
        """The product of the incident, or the organisation."""
        return self.find_incident_row().resource

    def format_subject(self) -> str:
        return f"incident:{self.incident}"

    def find_incident_row(self) -> Incident:
        """Row of the incident. Raises RefusedError if it was deleted meanwhile, as its retention rule says."""
        found = Incident.objects.select_related("product").filter(pk=self.incident).first()
        if found is None:
            raise RefusedError(
                "incident-gone", _("The incident is no longer stored."), _("Look at the page Incidents.")
            )
        return found

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the incident is open."""
        if self.find_incident_row().closed_at is not None:
            raise RefusedError(
                "incident-closed", _("It was closed already."), _("Its page shows who closed it, and the cause.")
            )


class TakeOverIncident(IncidentAct, frozen=True):
    """Take over an incident as its owner."""

    title: ClassVar[Label] = gettext_lazy("Take over incident")

    def describe_act(self) -> str:
        return _("take over the incident %(number)d") % {"number": self.incident}

    def carry_out(self, context: ActContext) -> None:
        """Make the requester its owner."""
        Incident.objects.filter(pk=self.incident).update(owner=context.requester)


class CloseIncident(IncidentAct, frozen=True):
    """Close an incident with its cause. People who were involved in it cannot close it."""

    title: ClassVar[Label] = gettext_lazy("Close incident")

    resolution: Annotated[str, Option(label=gettext_lazy("Resolution"), options=_offer_resolutions, recorded=True)]
    cause: Annotated[
        str,
        reason_input(
            label=gettext_lazy("Cause"),
            hint=gettext_lazy("Say what caused it, and what prevents it from happening again."),
        ),
    ]

    def describe_act(self) -> str:
        return _("close the incident %(number)d") % {"number": self.incident}

    def given_reason(self) -> str:
        """Cause of the incident, as the reason."""
        return self.cause

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is open, that a person may close its kind, and that this one was not involved in it."""
        super().check_preconditions(context)
        row = self.find_incident_row()
        if not row.what.by_hand:
            raise RefusedError("closes-itself", _("Nobody closes this by hand."), str(row.what.next))
        if context.requester in row.involved_people:
            raise RefusedError(
                "own-incident", _("You were involved in it."), _("Another person has to review and close it.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Record the closing, and close it."""
        close_incident(self.find_incident_row(), self.resolution, self.cause, Person.objects.get(pk=context.requester))

"""Ends the days for objections: the silence of everybody who did not object is recorded, as "no objection"."""

import logging
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import MunimentError, RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label
from muniment.server.acts.system_actors import SystemActor
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.taking_part import find_objection_end

_log = logging.getLogger("muniment.minutes")


def _closed_minutes(actor: Actor) -> "QuerySet[Minutes]":
    return Minutes.objects.filter(closed_at__isnull=False)


class EndObjections(Act, frozen=True):
    """Record that the days for objections are over. It is no signature of those who were silent."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHAIR_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Record no objection")

    minutes: Annotated[
        int,
        number_input(
            label=gettext_lazy("Minutes"),
            rows=_closed_minutes,
            missing=gettext_lazy("There are no such minutes."),
            remedy=gettext_lazy("Nothing is left to do."),
            recorded=True,
        ),
    ]

    def load_minutes(self) -> Minutes:
        """Row of the minutes, with meeting and product."""
        return Minutes.objects.select_related("meeting__product").get(pk=self.minutes)

    def find_resource(self) -> Resource:
        return self.load_minutes().meeting.product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.load_minutes().meeting_id}"

    def describe_act(self) -> str:
        """Sentence about the silence."""
        return _("record that everybody else had no objection to the minutes")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse before the last day is over, and a second time."""
        minutes = self.load_minutes()
        last = find_objection_end(minutes)
        if minutes.silent_since is not None or last is None or timezone.localdate() <= last:
            raise RefusedError(
                "objections-open", _("The days for objections are not over."), _("Nothing is left to do.")
            )

    def carry_out(self, context: ActContext) -> None:
        Minutes.objects.filter(pk=self.minutes).update(silent_since=timezone.now())


def end_objections() -> int:
    """Record the silence over each minutes whose days for objections are over; how many."""
    ended = 0
    for minutes in _closed_minutes_without_end():
        last = find_objection_end(minutes)
        if last is None or timezone.localdate() <= last:
            continue
        try:
            execute_system_act(SystemActor.EXPIRY, EndObjections, {"minutes": minutes.pk})
            ended += 1
        except MunimentError as error:
            _log.warning("the end of objections to minutes %s was not recorded: %s", minutes.pk, error.message)
    return ended


def _closed_minutes_without_end() -> "QuerySet[Minutes]":
    return Minutes.objects.filter(closed_at__isnull=False, silent_since=None).order_by("pk")

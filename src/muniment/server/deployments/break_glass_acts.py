"""Break-glass act: two people permit one denied artifact in one environment, once; it is reviewed afterwards."""

from datetime import timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Integer, Label, Text
from muniment.server.deployments.environment_acts import EnvironmentAct
from muniment.server.deployments.models import BreakGlassPermission
from muniment.server.job_queue import enqueue

LONGEST_BREAK_GLASS = 60  # minutes
_SHOWN = 19  # characters of a digest in a sentence


class BreakGlass(EnvironmentAct, frozen=True, kw_only=True):
    """Permit one deployment of one artifact although it is denied, for some minutes from the approval on."""

    actions: ClassVar[tuple[Action, ...]] = (Action.BREAK_GLASS_DEPLOYMENT,)
    title: ClassVar[Label] = gettext_lazy("Request break-glass deployment")

    artifact: Annotated[
        str,
        Text(
            label=gettext_lazy("Artifact, by its digest"),
            most=71,
            pattern=r"sha256:[0-9a-f]{64}",
            form=gettext_lazy("Name the artifact by its digest: sha256: and 64 digits."),
            monospace=True,
            recorded=True,
        ),
    ]
    minutes: Annotated[
        int, Integer(label=gettext_lazy("Minutes, 60 at most"), least=1, most=LONGEST_BREAK_GLASS, recorded=True)
    ] = 15
    reason: Annotated[
        str,
        reason_input(label=gettext_lazy("What cannot wait, and why"), hint=gettext_lazy("It is reviewed afterwards.")),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The artifacts that may be deployed although they are denied."""
        rows = BreakGlassPermission.objects.all()
        found = rows.values_list("environment__product__slug", "environment__name", "artifact", "expires_at")
        return GuardedFacts(permitted=frozenset((*place, str(moment)) for *place, moment in found))

    def describe_act(self) -> str:
        """The artifact, the environment and the time."""
        details = {"artifact": self.artifact[:_SHOWN], "minutes": self.minutes}
        details |= {"environment": self.environment, "product": self.product}
        return (
            _(
                "break glass: permit %(artifact)s in %(environment)s of %(product)s although it is denied, "
                "for %(minutes)d minutes"
            )
            % details
        )

    def carry_out(self, context: ActContext) -> None:
        """Permit it; the worker opens the incident in which it is reviewed."""
        row = BreakGlassPermission.objects.create(
            environment=self.find_environment_row(),
            artifact=self.artifact,
            reason=self.reason,
            requester_id=context.requester,
            approver_id=str(context.approver),
            expires_at=timezone.now() + timedelta(minutes=self.minutes),
        )
        enqueue("review-break-glass-deployment", permission=row.pk)

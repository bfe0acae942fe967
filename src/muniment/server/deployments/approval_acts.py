"""Acts by which a person approves an artifact for an environment, and withdraws that approval."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Label, Text
from muniment.server.deployments.environment_acts import EnvironmentAct
from muniment.server.deployments.models import DeploymentApproval

_SHOWN = 19  # characters of a digest in a sentence


class ArtifactAct(EnvironmentAct, frozen=True):
    """Base of acts on one artifact in one environment."""

    actions: ClassVar[tuple[Action, ...]] = (Action.APPROVE_DEPLOYMENT,)

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

    def summary_values(self) -> dict[str, str]:
        """Values that a sentence about the act names."""
        return {"artifact": self.artifact[:_SHOWN], "environment": self.environment, "product": self.product}


class ApproveDeployment(ArtifactAct, frozen=True):
    """Approve an artifact for an environment: a clause with the control approved-for-deployment counts such
    approvals.
    """

    title: ClassVar[Label] = gettext_lazy("Approve deployment")

    def describe_act(self) -> str:
        """The artifact and the environment."""
        return _("approve the deployment of %(artifact)s to %(environment)s of %(product)s") % self.summary_values()

    def carry_out(self, context: ActContext) -> None:
        """Add the row, unless this person approved it already."""
        DeploymentApproval.objects.get_or_create(
            environment=self.find_environment_row(),
            artifact=self.artifact,
            person_id=context.requester,
            withdrawn_at=None,
        )


class WithdrawDeploymentApproval(ArtifactAct, frozen=True):
    """Withdraw one's own approval of an artifact for an environment."""

    title: ClassVar[Label] = gettext_lazy("Withdraw approval of a deployment")

    def describe_act(self) -> str:
        """The artifact and the environment."""
        return (
            _("withdraw the approval of the deployment of %(artifact)s to %(environment)s of %(product)s")
            % self.summary_values()
        )

    def carry_out(self, context: ActContext) -> None:
        """End the approval of the person who withdraws it."""
        rows = DeploymentApproval.objects.filter(
            environment=self.find_environment_row(), artifact=self.artifact, withdrawn_at=None
        )
        found = rows.filter(person_id=context.requester).first()
        if found is None:
            raise RefusedError(
                "not-approved",
                _("You have not approved that."),
                _("Choose an artifact that you approved, on the page of the product's environments."),
            )
        found.withdrawn_at = timezone.now()
        found.save(update_fields=["withdrawn_at"])

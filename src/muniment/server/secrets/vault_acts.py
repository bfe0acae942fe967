"""Acts of the operator about the vault: change it, on its machine, and end the watch of a worker that is gone."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Label, Text, TextLines
from muniment.server.secrets.models import PlannedVaultWrite, VaultWatch

_MOST_PATHS = 2000


class ChangeVault(Act, frozen=True):
    """Change the vault by its plan, with a credential of one's own: the resources at these paths."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Change vault")

    paths: Annotated[tuple[str, ...], TextLines(label=gettext_lazy("Paths"), most=1000, most_lines=_MOST_PATHS)]

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return "vault:muniment"

    def describe_act(self) -> str:
        """How much is changed."""
        return _("change %(number)d pieces of the vault") % {"number": len(self.paths)}

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The paths, as many as there is room for."""
        return {"paths": " ".join(self.paths)[:2000]}

    def carry_out(self, context: ActContext) -> None:
        """Announce each write to the watch of the audit log.

        The command changes the vault once this is committed, since the vault undoes nothing.
        """
        PlannedVaultWrite.objects.bulk_create([PlannedVaultWrite(path=path) for path in self.paths])


class EndVaultWatch(Act, frozen=True):
    """End the watch of a worker which followed the vault's audit log and is gone for good, so that nothing waits
    for it.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("End watch of the vault")

    worker: Annotated[str, Text(label=gettext_lazy("Worker"), most=200)]

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return "vault:muniment"

    def describe_act(self) -> str:
        return _("end the watch of the vault by the worker %(worker)s") % {"worker": self.worker}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the worker still watches."""
        if not VaultWatch.objects.filter(worker=self.worker, ended_at=None).exists():
            raise RefusedError(
                "no-such-watch",
                _("No worker of this name watches the vault."),
                _("Choose one that this shows: muniment doctor"),
            )

    def carry_out(self, context: ActContext) -> None:
        """End it. A worker of this name that is there after all goes on at its next look."""
        VaultWatch.objects.filter(worker=self.worker, ended_at=None).update(ended_at=timezone.now())

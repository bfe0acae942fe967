"""Acts of the operator about the vault: to change it, on its machine, and to say that a worker watches it no more."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Label, Lines, Text
from muniment.server.secrets.models import PlannedVaultWrite, VaultWatch

_MOST_PATHS = 2000


class ChangeVault(Act, frozen=True):
    """Change the vault by its plan, with a credential of one's own: what stands at these paths."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Change vault")

    paths: Annotated[tuple[str, ...], Lines(label=gettext_lazy("Paths"), most=1000, most_lines=_MOST_PATHS)]

    def resource(self) -> Resource:
        """The organisation."""
        return ORGANISATION

    def subject(self) -> str:
        """The vault."""
        return "vault:muniment"

    def summary(self) -> str:
        """How much is changed."""
        return _("change %(number)d pieces of the vault") % {"number": len(self.paths)}

    def details(self, context: ActContext) -> dict[str, str]:
        """The paths, as many as there is room for."""
        return {"paths": " ".join(self.paths)[:2000]}

    def execute(self, context: ActContext) -> None:
        """Announce each write to the watch of the audit log.

        The command changes the vault once this is committed, since the vault undoes nothing.
        """
        PlannedVaultWrite.objects.bulk_create([PlannedVaultWrite(path=path) for path in self.paths])


class EndVaultWatch(Act, frozen=True):
    """Say that a worker which followed the vault's audit log is gone for good, so that nothing waits for it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("End watch of the vault")

    worker: Annotated[str, Text(label=gettext_lazy("Worker"), most=200)]

    def resource(self) -> Resource:
        """The organisation."""
        return ORGANISATION

    def subject(self) -> str:
        """The vault."""
        return "vault:muniment"

    def summary(self) -> str:
        """The worker."""
        return _("end the watch of the vault by the worker %(worker)s") % {"worker": self.worker}

    def check(self, context: ActContext) -> None:
        """It watches."""
        if not VaultWatch.objects.filter(worker=self.worker, ended_at=None).exists():
            raise RefusedError(
                "no-such-watch",
                _("No worker of this name watches the vault."),
                _("Choose one that this shows: muniment doctor"),
            )

    def execute(self, context: ActContext) -> None:
        """End it. A worker of this name that is there after all goes on at its next look."""
        VaultWatch.objects.filter(worker=self.worker, ended_at=None).update(ended_at=timezone.now())

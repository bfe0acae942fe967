"""The act of whoever changes the vault itself, on its machine."""

from typing import Annotated, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Resource
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Label, Lines
from muniment.server.secrets.models import PlannedVaultWrite

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

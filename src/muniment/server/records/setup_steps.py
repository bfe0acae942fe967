"""Step of the set-up that is about backups."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.records.models import Backup
from muniment.server.registration import SetupProgress, SetupStep


def check_backup(actor: Actor) -> SetupProgress:
    """Whether a backup was ever made."""
    made = Backup.objects.order_by("-made_at").values_list("made_at", flat=True).first()
    if made is None:
        return SetupProgress(False, _("Make one at the shell of this machine, and keep it on another machine."))
    return SetupProgress(True, _("Last backup: %(day)s.") % {"day": f"{made:%a} {made.day} {made:%b %Y}"})


BACKUP = SetupStep(
    70,
    gettext_lazy("Make a backup"),
    check_backup,
    Action.CHANGE_SETTINGS,
    2,
    command="muniment backup FILE",
)

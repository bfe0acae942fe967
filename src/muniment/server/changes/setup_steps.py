"""Step of the set-up that is about decisions."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.changes.models import Decision
from muniment.server.products.models import Repository
from muniment.server.registration import SetupProgress, SetupStep


def check_first_decision(actor: Actor) -> SetupProgress:
    """Whether any change was evaluated."""
    if Decision.objects.exists():
        return SetupProgress(True, _("Changes are evaluated by the policy."))
    if Repository.objects.exists():
        return SetupProgress(False, _("The repository is being read. The first decision follows by itself."))
    return SetupProgress(False, _("Past changes are evaluated once a repository is there. Nothing is blocked."))


FIRST_DECISION = SetupStep(
    50,
    gettext_lazy("See your first decision"),
    check_first_decision,
    Action.SEE_PRODUCT,
    1,
    "products",
    gettext_lazy("Open products"),
)

"""Steps of the set-up that are about people: one's own account, and who the others are."""

from allauth.mfa.models import Authenticator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.server.people.bootstrap import NEEDED_ADMINISTRATORS, count_eligible_holders
from muniment.server.people.models import Person
from muniment.server.registration import SetupProgress, SetupStep


def check_own_account(actor: Actor) -> SetupProgress:
    """Whether the actor has a second factor, and codes for the day on which it is lost."""
    kinds = set(Authenticator.objects.filter(user=actor.person).values_list("type", flat=True))
    codes = Authenticator.Type.RECOVERY_CODES in kinds
    factors = kinds - {Authenticator.Type.RECOVERY_CODES}
    if not factors:
        return SetupProgress(False, _("Add a passkey, or an app for codes. Then save your recovery codes."))
    if not codes:
        return SetupProgress(False, _("A second factor is there. Save your recovery codes."))
    return SetupProgress(True, _("Second factor added, recovery codes saved."))


def check_people(actor: Actor) -> SetupProgress:
    """Whether two people can decide in each of the two roles, and each person is linked to an account."""
    administrators, officers = count_eligible_holders(Role.ADMIN), count_eligible_holders(Role.SECURITY)
    unlinked = Person.objects.filter(active=True, accounts=None).count()
    details = {
        "administrators": administrators,
        "officers": officers,
        "needed": NEEDED_ADMINISTRATORS,
        "unlinked": unlinked,
    }
    text = (
        _(
            "With a second factor: %(administrators)d of %(needed)d administrators, %(officers)d of %(needed)d "
            "security officers."
        )
        % details
    )
    if unlinked:
        more = ngettext(
            "%(unlinked)d person has no linked account yet.",
            "%(unlinked)d people have no linked account yet.",
            unlinked,
        )
        text += f" {more % details}"
    return SetupProgress(
        administrators >= NEEDED_ADMINISTRATORS and officers >= NEEDED_ADMINISTRATORS and not unlinked, text
    )


OWN_ACCOUNT = SetupStep(
    10,
    gettext_lazy("Secure your account"),
    check_own_account,
    Action.MANAGE_OWN_ACCOUNT,
    2,
    "mfa_index",
    gettext_lazy("Add second factor"),
)
PEOPLE_STEP = SetupStep(
    40, gettext_lazy("Add people"), check_people, Action.CHANGE_PERSON, 5, "people", gettext_lazy("Add people")
)

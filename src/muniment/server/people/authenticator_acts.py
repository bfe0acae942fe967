"""Acts on the authenticators with which a person signs dangerous acts: enrol one, remove one."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label, Reference
from muniment.server.people import authenticators
from muniment.server.people.act_fields import label_person
from muniment.server.people.models import EnrolledAuthenticator
from muniment.server.people.own_account_acts import OwnAct

_LONGEST = 2100  # characters of the name of an authenticator


def _find_candidate(text: str, actor: Actor) -> str | None:
    found = {one.name: one.stored_text for one in authenticators.find_candidates(actor.person)}
    return found.get(text)


def _offer_candidates(actor: Actor) -> Iterable[tuple[str, Label]]:
    return [(one.name, one.name) for one in authenticators.find_candidates(actor.person)]


def _name_stored(stored: str) -> str:
    return authenticators.parse_stored(stored).name


class EnrolAuthenticator(OwnAct, frozen=True):
    """Enrol a passkey or SSH key of one's own, to confirm dangerous acts with it.

    The act has the whole public key. A second person approves it, or the same person by an older authenticator.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.ENROL_AUTHENTICATOR,)
    title: ClassVar[Label] = gettext_lazy("Enrol authenticator")

    authenticator: Annotated[
        str,
        Reference(
            label=gettext_lazy("Passkey or SSH key"),
            find=_find_candidate,
            name=_name_stored,
            offer=_offer_candidates,
            missing=gettext_lazy("You have no such passkey or verified SSH key, or it is enrolled already."),
            remedy=gettext_lazy("Add a passkey, or verify an SSH key, on your own page first."),
            most=_LONGEST,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Every authenticator that is enrolled, with its person."""
        rows = EnrolledAuthenticator.objects.filter(removed_at=None)
        return GuardedFacts(permitted=frozenset(rows.values_list("person", "identifier")))

    def describe_act(self) -> str:
        """The person, the kind and the id of the authenticator."""
        details = {"person": label_person(self.person), "name": _name_stored(self.authenticator)}
        return _("enrol for %(person)s, to confirm acts: %(name)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an authenticator that was removed from the page, or was enrolled before: a removed one does not
        return.
        """
        stored = authenticators.parse_stored(self.authenticator)
        if EnrolledAuthenticator.objects.filter(identifier=stored.identifier).exists():
            raise RefusedError(
                "authenticator-enrolled",
                _("It is enrolled already, or was removed."),
                _("Enrol another passkey or SSH key."),
            )
        if self.authenticator not in {one.stored_text for one in authenticators.find_candidates(self.person)}:
            raise RefusedError(
                "authenticator-gone",
                _("It is no longer on the person's page."),
                _("Add it again, and request it anew."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the row. It counts once it is as old as the policy demands."""
        stored = authenticators.parse_stored(self.authenticator)
        EnrolledAuthenticator.objects.create(
            person_id=self.person, kind=stored.kind, identifier=stored.identifier, public_key=stored.public_key
        )


def _visible_authenticators(actor: Actor) -> "QuerySet[EnrolledAuthenticator]":
    return EnrolledAuthenticator.objects.filter(person=actor.person, removed_at=None)


class RemoveAuthenticator(OwnAct, frozen=True):
    """Remove an authenticator of one's own: it signs nothing more from this moment on."""

    title: ClassVar[Label] = gettext_lazy("Remove authenticator")

    authenticator: Annotated[
        int,
        number_input(
            label=gettext_lazy("Authenticator"),
            rows=_visible_authenticators,
            missing=gettext_lazy("You have no such authenticator."),
            remedy=gettext_lazy("Choose one that your page shows."),
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        """The kind and the id."""
        return _("remove an authenticator: %(name)s") % {"name": self._load_enrolment().label}

    def carry_out(self, context: ActContext) -> None:
        """Record the moment of the removal."""
        authenticators.remove_enrolments(EnrolledAuthenticator.objects.filter(pk=self.authenticator))

    def _load_enrolment(self) -> EnrolledAuthenticator:
        return EnrolledAuthenticator.objects.get(pk=self.authenticator)

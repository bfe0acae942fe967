"""Acts of the Data Protection Officer on the personal data of a person: export, legal hold, erasure."""

from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label
from muniment.server.people.act_fields import PersonId, label_of
from muniment.server.people.erasing import refuse_with_obstacles
from muniment.server.people.models import Person
from muniment.server.people.person_acts import refuse_erased
from muniment.server.people.privacy import kept_of, known_as, words_naming
from muniment.server.products.act_fields import Reason
from muniment.server.registration import ErasureRequest, read_contributions


class PersonalDataAct(Act, frozen=True):
    """An act on what is stored about one person."""

    person: PersonId

    def resource(self) -> Resource:
        """The organisation: a person belongs to no product."""
        return ORGANISATION

    def subject(self) -> str:
        """The person."""
        return f"person:{self.person}"

    def row(self) -> Person:
        """The person's row."""
        return Person.objects.get(pk=self.person)


class ExportPersonalData(PersonalDataAct, frozen=True):
    """Export what is stored about a person, to be handed to them."""

    actions: ClassVar[tuple[Action, ...]] = (Action.EXPORT_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Export personal data")

    def summary(self) -> str:
        """The person."""
        return _("export the personal data of %(person)s") % {"person": label_of(self.person)}

    def execute(self, context: ActContext) -> dict[str, Any]:
        """All that is stored, as JSON values."""
        return kept_of(self.row())


class PlaceLegalHold(PersonalDataAct, frozen=True):
    """Place a legal hold: nothing of a person is erased while it lasts."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLACE_LEGAL_HOLD,)
    title: ClassVar[Label] = gettext_lazy("Place legal hold")

    reason: Reason

    def summary(self) -> str:
        """The person."""
        return _("place a legal hold on the personal data of %(person)s") % {"person": label_of(self.person)}

    def check(self, context: ActContext) -> None:
        """Something is left to hold."""
        refuse_erased(self.row())

    def execute(self, context: ActContext) -> None:
        """Store the reason, in place of an earlier one."""
        Person.objects.filter(pk=self.person).update(legal_hold=self.reason)


class LiftLegalHold(PersonalDataAct, frozen=True):
    """Lift a legal hold."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLACE_LEGAL_HOLD,)
    title: ClassVar[Label] = gettext_lazy("Lift legal hold")

    def summary(self) -> str:
        """The person."""
        return _("lift the legal hold on the personal data of %(person)s") % {"person": label_of(self.person)}

    def check(self, context: ActContext) -> None:
        """One is placed."""
        if not self.row().legal_hold:
            raise RefusedError("no-legal-hold", _("No legal hold is placed."), _("Nothing is left to do."))

    def execute(self, context: ActContext) -> None:
        """Remove the reason."""
        Person.objects.filter(pk=self.person).update(legal_hold="")


class ErasePersonalData(PersonalDataAct, frozen=True):
    """Erase what is stored about a person who left. An administrator has to approve it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ERASE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Erase personal data")

    reason: Reason

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Whose data is here, and whose was erased for good."""
        rows = Person.objects.values_list("pk", "erased_at")
        return GuardedFacts(protected=frozenset((person, "erased" if moment else "kept") for person, moment in rows))

    def summary(self) -> str:
        """The person."""
        return _("erase the personal data of %(person)s") % {"person": label_of(self.person)}

    def check(self, context: ActContext) -> None:
        """The person left, no legal hold is placed, and nothing was erased yet."""
        person = self.row()
        if person.active:
            raise RefusedError(
                "person-active", _("%(name)s is active.") % {"name": person.name}, _("They have to leave first.")
            )
        if person.legal_hold:
            sentence = _("It is kept for a legal claim: %(reason)s") % {"reason": person.legal_hold}
            raise RefusedError("legal-hold", sentence, _("Lift the legal hold first."))
        if person.erased_at is not None:
            raise RefusedError("person-erased", _("It was erased already."), _("Nothing is left to do."))
        refuse_with_obstacles(person)

    def execute(self, context: ActContext) -> None:
        """Mark it as approved: the eraser looks for that, verifies who approved it, and erases.

        Each app first ends what the eraser may not write, such as exceptions of the person and requests that name them.
        """
        person = self.row()
        erasure = ErasureRequest(person.pk, words_naming(known_as(person)), context.request_record)
        for prepare in (one for app in read_contributions() for one in app.erasure_preparations):
            prepare(erasure)
        Person.objects.filter(pk=person.pk).update(erasure_approved_at=timezone.now())

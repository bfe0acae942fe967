"""Acts of the Data Protection Officer on the personal data of a person: export, legal hold, erasure."""

from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label
from muniment.server.people.act_fields import PersonId, label_person
from muniment.server.people.models import Person
from muniment.server.people.person_acts import refuse_erased
from muniment.server.people.person_erasure import refuse_with_obstacles
from muniment.server.people.privacy import collect_personal_data, compile_name_pattern, load_known_person
from muniment.server.products.act_fields import GivenReason
from muniment.server.registration import ErasureRequest, read_contributions


class PersonalDataAct(Act, frozen=True):
    """Act on the stored data of one person."""

    person: PersonId

    def find_resource(self) -> Resource:
        """The organisation: a person belongs to no product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return f"person:{self.person}"

    def load_person(self) -> Person:
        return Person.objects.get(pk=self.person)


class ExportPersonalData(PersonalDataAct, frozen=True):
    """Export the stored data of a person, to be given to them."""

    actions: ClassVar[tuple[Action, ...]] = (Action.EXPORT_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Export personal data")

    def describe_act(self) -> str:
        return _("export the personal data of %(person)s") % {"person": label_person(self.person)}

    def carry_out(self, context: ActContext) -> dict[str, object]:
        """Return all stored data, as JSON values."""
        return collect_personal_data(self.load_person())


class PlaceLegalHold(PersonalDataAct, frozen=True):
    """Place a legal hold: no data of a person is erased while it lasts."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLACE_LEGAL_HOLD,)
    title: ClassVar[Label] = gettext_lazy("Place legal hold")

    reason: GivenReason

    def describe_act(self) -> str:
        return _("place a legal hold on the personal data of %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an erased person."""
        refuse_erased(self.load_person())

    def carry_out(self, context: ActContext) -> None:
        """Store the reason, in place of an earlier one."""
        Person.objects.filter(pk=self.person).update(legal_hold=self.reason)


class LiftLegalHold(PersonalDataAct, frozen=True):
    """Lift the legal hold on a person's data."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLACE_LEGAL_HOLD,)
    title: ClassVar[Label] = gettext_lazy("Lift legal hold")

    def describe_act(self) -> str:
        return _("lift the legal hold on the personal data of %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse if no legal hold is placed."""
        if not self.load_person().legal_hold:
            raise RefusedError("no-legal-hold", _("No legal hold is placed."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        Person.objects.filter(pk=self.person).update(legal_hold="")


class ErasePersonalData(PersonalDataAct, frozen=True):
    """Erase the stored data of a person who left. An administrator has to approve it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ERASE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Erase personal data")

    reason: GivenReason

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Persons whose data is stored, and persons whose data was erased."""
        rows = Person.objects.values_list("pk", "erased_at")
        return GuardedFacts(protected=frozenset((person, "erased" if moment else "kept") for person, moment in rows))

    def describe_act(self) -> str:
        return _("erase the personal data of %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an active person, a legal hold, an earlier erasure, and a name that a policy in use has."""
        person = self.load_person()
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

    def carry_out(self, context: ActContext) -> None:
        """Mark the erasure as approved: the eraser verifies who approved it, and erases.

        The person's exceptions end here: the proof of their requester or approver is about to be erased, and the eraser
        may not write them. So do waiting requests that name the person: a stored act cannot change without its digest.
        """
        person = self.load_person()
        erasure = ErasureRequest(person.pk, compile_name_pattern(load_known_person(person)), context.request_record)
        for prepare in (one for app in read_contributions() for one in app.erasure_preparations):
            prepare(erasure)
        Person.objects.filter(pk=person.pk).update(erasure_approved_at=timezone.now())

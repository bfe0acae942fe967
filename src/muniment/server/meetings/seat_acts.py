"""Acts on who takes part: roles in the meetings of a product, the answer to an invitation, a deputy."""

from typing import Annotated, ClassVar

from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Choice, Flag, Label
from muniment.server.meetings.act_fields import RoleInMeeting, SeatAct
from muniment.server.meetings.meeting_changes import touch_meeting
from muniment.server.meetings.models import AnswerChoice, InvitationAnswer, MeetingAttendee, MeetingRole, RoleHolder
from muniment.server.people.act_fields import PersonId, label_person
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition
from muniment.server.people.role_conflicts import DPO_CONFLICTS
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.models import Product

_TEAM = frozenset({Role.DEVELOPER, Role.OWNER})


class NameForMeetings(ProductAct, frozen=True):
    """Name a person for a role in the meetings of a product, or as a deputy."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Name person")

    role: RoleInMeeting
    person: PersonId
    deputy: Annotated[
        bool, Flag(label=gettext_lazy("As a deputy, who is asked if the first cannot come"), recorded=True)
    ] = False

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Seats of the Data Protection Officer whose holder was never granted that role, which takes two people."""
        officers = set(RoleGrant.objects.filter(role=Role.DPO.value).values_list("person", flat=True))
        rows = MeetingAttendee.objects.filter(role=MeetingRole.DPO).select_related("meeting__product")
        holders = {(row.meeting.lasting_key, row.deputises_for_id or row.person_id) for row in rows}
        return GuardedFacts(permitted=frozenset(one for one in holders if one[1] not in officers))

    def describe_act(self) -> str:
        """The person and the role."""
        details = {"person": label_person(self.person), "role": self.role.label, "product": self.product}
        return _("name %(person)s as %(role)s for the meetings of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse people who left, or whose other roles conflict with this one."""
        person = Person.objects.get(pk=self.person)
        if not person.active:
            raise RefusedError("person-left", _("%(name)s has left.") % {"name": person.name}, _("Name someone else."))
        grants = Actor(person.pk, active=True, grants=person.load_roles())
        if authorize(grants, Action.SEE_MEETINGS, self.find_resource()) is not AccessResult.YES:
            raise RefusedError(
                "no-role-here",
                _("%(name)s has no role for this product, and so cannot see its meetings.") % {"name": person.name},
                _("Ask an administrator to grant a role first, such as stakeholder."),
            )
        refuse_conflicting_roles(self.role, person, self.find_product_row())
        if not self.deputy:
            refuse_other_officer(self.role, person, self.find_product_row())

    def carry_out(self, context: ActContext) -> None:
        """Give the seat to the person, whose former holder becomes the first deputy; or add a deputy."""
        product = self.find_product_row()
        rows = RoleHolder.objects.filter(product=product, role=self.role)
        rows.filter(person=self.person).delete()
        if self.deputy:
            last = rows.aggregate(last=Max("position"))["last"]
            RoleHolder.objects.create(
                product=product, role=self.role, person_id=self.person, position=max(1, (last or 0) + 1)
            )
            return
        if self.role != MeetingRole.MEMBER:
            for row in rows.order_by("-position"):
                RoleHolder.objects.filter(pk=row.pk).update(position=row.position + 1)
        RoleHolder.objects.create(product=product, role=self.role, person_id=self.person, position=0)


class RemoveFromMeetings(ProductAct, frozen=True):
    """Remove a person from a role in the meetings of a product. The next deputy gets the seat."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Remove person")

    role: RoleInMeeting
    person: PersonId

    def describe_act(self) -> str:
        """The person and the role."""
        details = {"person": label_person(self.person), "role": self.role.label, "product": self.product}
        return _("remove %(person)s as %(role)s from the meetings of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a person who is not named."""
        if not RoleHolder.objects.filter(product__slug=self.product, role=self.role, person=self.person).exists():
            raise RefusedError("not-named", _("This person does not have the role."), _("Open the page again."))

    def carry_out(self, context: ActContext) -> None:
        RoleHolder.objects.get(product__slug=self.product, role=self.role, person=self.person).delete()


class AnswerInvitation(SeatAct, frozen=True):
    """Answer the invitation to a meeting."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Answer invitation")

    answer: Annotated[
        AnswerChoice,
        Choice(label=gettext_lazy("Answer"), options=AnswerChoice, labels=lambda answer: answer.label, recorded=True),
    ]

    def describe_act(self) -> str:
        """Sentence that names the answer."""
        return _("answer the invitation: %(answer)s") % {"answer": self.answer.label}

    def check_preconditions(self, context: ActContext) -> None:
        refuse_ended_meeting(self.load_seat())

    def carry_out(self, context: ActContext) -> None:
        """Store the newest answer."""
        seat = self.load_seat()
        values = {"answer": self.answer, "answered_at": timezone.now()}
        InvitationAnswer.objects.update_or_create(meeting=seat.meeting, person=seat.person, defaults=values)


class SendDeputy(SeatAct, frozen=True):
    """Give one's seat in a meeting to a deputy."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Send deputy")

    person: PersonId

    def describe_act(self) -> str:
        """Sentence that names the deputy."""
        return _("send %(person)s as deputy") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a person who is no deputy of this role, has a seat already, or left."""
        seat = self.load_seat()
        refuse_ended_meeting(seat)
        product = seat.meeting.product
        named = RoleHolder.objects.filter(product=product, role=seat.role, person=self.person, person__active=True)
        if not named.exists() and self.person != seat.deputises_for_id:
            raise RefusedError(
                "no-deputy",
                _("This person is no deputy for your role."),
                _("Choose a deputy, or ask the product owner to name one."),
            )
        if MeetingAttendee.objects.filter(meeting=seat.meeting, person=self.person).exists():
            raise RefusedError(
                "has-a-seat", _("This person takes part already, in another role."), _("Choose another deputy.")
            )
        refuse_conflicting_roles(MeetingRole(seat.role), Person.objects.get(pk=self.person), product)

    def carry_out(self, context: ActContext) -> None:
        """Reseat: the holder of the seat stays known."""
        seat = self.load_seat()
        holder = seat.deputises_for_id or seat.person_id
        seat.deputises_for_id = None if self.person == holder else holder
        seat.person_id = self.person
        seat.save(update_fields=["person_id", "deputises_for_id"])
        touch_meeting(seat.meeting)


def refuse_ended_meeting(seat: MeetingAttendee) -> None:
    """Raise RefusedError if the meeting of a seat was held or cancelled."""
    if not seat.meeting.is_open:
        raise RefusedError(
            "meeting-ended", _("The meeting was held or cancelled."), _("Its page shows what became of it.")
        )


def refuse_other_officer(role: MeetingRole, person: Person, product: Product) -> None:
    """Raise RefusedError for the seat of the Data Protection Officer if a person has not that role: two people grant
    it, and whoever plans meetings is one. Her deputies are others, whom she sends herself.
    """
    if role != MeetingRole.DPO:
        return
    here = Q(product=product) | Q(product=None)
    if not RoleGrant.objects.filter(build_in_force_condition(), here, person=person, role=Role.DPO.value).exists():
        raise RefusedError(
            "not-dpo",
            _("%(name)s is not the Data Protection Officer.") % {"name": person.name},
            _("Name them as a deputy, or ask an administrator to grant the role first."),
        )


def refuse_conflicting_roles(role: MeetingRole, person: Person, product: Product) -> None:
    """Raise RefusedError if a person's roles conflict with a role in meetings.

    The DPO advises, and so decides nothing of what is reviewed, and confirms no minutes from another seat. A
    stakeholder is nobody of the team.
    """
    barred = Q(role__in=DPO_CONFLICTS) if role == MeetingRole.DPO else Q(role=Role.DPO.value)
    if role == MeetingRole.STAKEHOLDER:
        barred |= Q(role__in=_TEAM, product=product)
    rows = RoleGrant.objects.filter(build_in_force_condition(), barred, person=person)
    found = rows.values_list("role", flat=True).first()
    if found is not None:
        details = {"name": person.name, "other": Role(found).label, "role": role.label}
        raise RefusedError(
            "roles-conflict",
            _("%(name)s is %(other)s, which conflicts with the role %(role)s.") % details,
            _("Name someone without that role."),
        )

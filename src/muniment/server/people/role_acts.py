"""Acts on the roles of people: grant, revoke, and record an expiry."""

from datetime import date
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.access.roles import EVERYWHERE, Role
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Choice, Day, Label
from muniment.server.job_queue import enqueue
from muniment.server.people.act_fields import PersonId, label_person
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.people.models import GrantExpiry, Person, RoleGrant, build_in_force_condition, current_day
from muniment.server.people.role_conflicts import refuse_role_conflict
from muniment.server.products.act_fields import find_product, find_product_name, make_product_input

RoleName = Annotated[
    Role, Choice(label=gettext_lazy("Role"), options=Role, labels=lambda role: _(role.label), recorded=True)
]
RoleScope = Annotated[
    str, make_product_input(label=gettext_lazy("Product"), blank=gettext_lazy("the whole organisation"))
]


def is_changing_role(role: Role) -> bool:
    """Whether a role may do more than look, request, and manage its own account."""
    everybody = frozenset(Role)
    return any(role in row.rule.roles and row.rule.changes for row in Action if row.rule.roles != everybody)


class RoleAct(Act, frozen=True):
    """An act on one role of one person: for a product, or "" for the whole organisation."""

    person: PersonId
    role: RoleName
    product: RoleScope = EVERYWHERE

    def find_resource(self) -> Resource:
        """The organisation: who may grant roles may grant them for every product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return f"person:{self.person}"

    def _is_held(self) -> bool:
        return RoleGrant.objects.filter(
            build_in_force_condition(), person=self.person, role=self.role, product=find_product(self.product)
        ).exists()

    def _end_grant(self) -> None:
        """End the grant that is not ended yet, even if it has expired."""
        rows = RoleGrant.objects.filter(
            person=self.person, role=self.role, product=find_product(self.product), ended_at=None
        )
        rows.update(ended_at=timezone.now())


class GrantRole(RoleAct, frozen=True):
    """Grant a role, through a last day if one is given. A role that changes things waits for a second person."""

    actions: ClassVar[tuple[Action, ...]] = (Action.GRANT_ROLE, Action.GRANT_CHANGING_ROLE)
    title: ClassVar[Label] = gettext_lazy("Grant role")

    until: Annotated[
        date | None,
        Day(
            label=gettext_lazy("Last day; empty for no end"),
            hint=gettext_lazy("For example, the role of an auditor ends with the engagement."),
            recorded=True,
        ),
    ] = None

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Persons who may change things."""
        return read_changing_roles()

    def required_action(self) -> Action:
        """The action with a second person, for a role that changes things."""
        return Action.GRANT_CHANGING_ROLE if is_changing_role(self.role) else Action.GRANT_ROLE

    def describe_act(self) -> str:
        """The person, the role, and where and until when it holds."""
        product = find_product_name(self.product)
        details = {"person": label_person(self.person), "role": _(self.role.label), "product": product}
        if self.product:
            sentence = _("grant %(person)s the role %(role)s for %(product)s") % details
        else:
            sentence = _("grant %(person)s the role %(role)s") % details
        until = _("until the end of %(day)s") % {"day": self.until.isoformat()} if self.until is not None else ""
        return f"{sentence} {until}".strip()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an inactive person, a role that is held or conflicts with another, and a last day that is over."""
        person = Person.objects.get(pk=self.person)
        if self._is_held():
            raise RefusedError(
                "role-held",
                _("%(name)s has that role already.") % {"name": person.name},
                _("Revoke it first, to grant it until another day."),
            )
        if not person.active:
            raise RefusedError(
                "person-inactive", _("%(name)s has left.") % {"name": person.name}, _("Reactivate the person first.")
            )
        refuse_role_conflict(person, self.role)
        if self.until is not None and self.until < current_day():
            raise RefusedError(
                "day-over", _("That last day is over already."), _("Choose a day from today on, or none.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the grant, in place of an expired one."""
        self._end_grant()
        RoleGrant.objects.create(
            person_id=self.person,
            role=self.role,
            product=find_product(self.product),
            granted_by_id=context.requesting_person,
            approver_id=context.approver,
            bootstrap=context.alone,
            last_day=self.until,
        )
        enqueue("reevaluate-all")


def read_changing_roles() -> GuardedFacts:
    """Persons who may change things now, and until when."""
    roles = [role for role in Role if is_changing_role(role)]
    rows = RoleGrant.objects.filter(build_in_force_condition(), role__in=roles, person__active=True)
    found = rows.values_list("person", "role", "product__slug", "last_day")
    return GuardedFacts(
        permitted=frozenset((person, role, product or EVERYWHERE, str(day)) for person, role, product, day in found)
    )


class RevokeRole(RoleAct, frozen=True):
    """Revoke a role at once."""

    actions: ClassVar[tuple[Action, ...]] = (Action.GRANT_ROLE,)
    title: ClassVar[Label] = gettext_lazy("Revoke role")

    def describe_act(self) -> str:
        """The person, the role, and where it held."""
        product = find_product_name(self.product)
        details = {"person": label_person(self.person), "role": _(self.role.label), "product": product}
        if self.product:
            return _("revoke the role %(role)s of %(person)s for %(product)s") % details
        return _("revoke the role %(role)s of %(person)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a role that the person does not hold."""
        if not self._is_held():
            name = Person.objects.get(pk=self.person).name
            raise RefusedError(
                "role-not-held",
                _("%(name)s does not have that role.") % {"name": name},
                _("Choose a role that their page shows."),
            )

    def carry_out(self, context: ActContext) -> None:
        self._end_grant()
        enqueue("reevaluate-all")


def _find_expired_grants(actor: Actor) -> "QuerySet[RoleGrant]":
    return RoleGrant.objects.filter(ended_at=None, last_day__lt=current_day(), expiry=None)


class ExpireRole(Act, frozen=True):
    """Record that a role has ended, since its last day is over."""

    actions: ClassVar[tuple[Action, ...]] = (Action.GRANT_ROLE,)
    title: ClassVar[Label] = gettext_lazy("End role")

    grant: Annotated[
        int,
        number_input(
            label=gettext_lazy("Grant"),
            rows=_find_expired_grants,
            missing=gettext_lazy("No such grant has lapsed, or it was recorded already."),
            remedy=gettext_lazy("Nothing is left to do."),
        ),
    ]

    def load_grant(self) -> RoleGrant:
        return RoleGrant.objects.select_related("person", "product").get(pk=self.grant)

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"person:{self.load_grant().person_id}"

    def describe_act(self) -> str:
        """The person, the role, and its last day."""
        row = self.load_grant()
        details = {"person": label_person(row.person_id), "role": row.label, "day": str(row.last_day)}
        return _("end the role %(role)s of %(person)s, whose last day was %(day)s") % details

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The role, its product and its last day."""
        row = self.load_grant()
        product = {"product": row.product.slug} if row.product is not None else {}
        return {"role": row.role, "last_day": str(row.last_day)} | product

    def carry_out(self, context: ActContext) -> None:
        """Record the end, notify the person and the administrators, and evaluate again what counted on the role."""
        row = self.load_grant()
        person, product = row.person, row.product
        GrantExpiry.objects.create(grant=row)
        where = f" for {product.name}" if product is not None else ""
        text = f"Role ended: {person.name}, {row.label}{where}. The last day was {row.last_day}."
        notify_people({person, *find_role_holders([Role.ADMIN], None)}, text, f"/people/{person.slug}")
        enqueue("reevaluate-all")

"""Acts of the company sign-in: grant and revoke the roles of groups, link the address that the provider verified."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Email, InputCode, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.account_values import make_account_taken
from muniment.server.people.act_fields import PersonId, label_person
from muniment.server.people.models import Account, Person, RoleGrant, build_in_force_condition
from muniment.server.people.role_acts import RoleName, is_changing_role
from muniment.server.people.role_conflicts import refuse_role_conflict
from muniment.server.people.verifications import link_account

LONGEST_GROUP = 200  # characters


class CompanyAct(Act, frozen=True):
    """An act on one person who signs in with the company's account."""

    actions: ClassVar[tuple[Action, ...]] = (Action.GRANT_ROLE,)

    person: PersonId

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"person:{self.person}"


class GrantGroupRole(CompanyAct, frozen=True):
    """Grant a role that changes nothing, since the provider names a group of the person that gives it."""

    title: ClassVar[Label] = gettext_lazy("Grant role of group")

    role: RoleName
    group: Annotated[str, Text(label=gettext_lazy("Group"), most=LONGEST_GROUP, recorded=True)]

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for a role that changes things."""
        if is_changing_role(self.role):
            raise ParseError(
                InputCode.NOT_A_CHOICE,
                _("No group gives a role that changes things."),
                _("Have two people grant this role."),
                "role",
            )
        return self

    def describe_act(self) -> str:
        """The person, the role and the group."""
        details = {"person": label_person(self.person), "role": _(self.role.label), "group": self.group}
        return _("grant %(person)s the role %(role)s of the group %(group)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a role that the person holds, or that conflicts with another."""
        if _find_unended_grants(self.person, self.role).filter(build_in_force_condition()).exists():
            name = Person.objects.get(pk=self.person).name
            raise RefusedError(
                "role-held", _("%(name)s has that role already.") % {"name": name}, _("Nothing is left to do.")
            )
        refuse_role_conflict(Person.objects.get(pk=self.person), self.role)

    def carry_out(self, context: ActContext) -> None:
        """Add the grant, in place of one that has lapsed."""
        _find_unended_grants(self.person, self.role).update(ended_at=timezone.now())
        RoleGrant.objects.create(person_id=self.person, role=self.role, company_group=self.group)
        enqueue("reevaluate-all")


class RevokeGroupRole(CompanyAct, frozen=True):
    """Revoke a role that a group gave, since the provider names no group of the person that gives it."""

    title: ClassVar[Label] = gettext_lazy("Revoke role of group")

    role: RoleName

    def describe_act(self) -> str:
        """The person and the role."""
        details = {"person": label_person(self.person), "role": _(self.role.label)}
        return _("revoke the role %(role)s of %(person)s, whom no group gives it any more") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a role that no group granted."""
        if not self._find_group_grants().exists():
            name = Person.objects.get(pk=self.person).name
            raise RefusedError(
                "role-not-held", _("No group gave %(name)s that role.") % {"name": name}, _("Nothing is left to do.")
            )

    def carry_out(self, context: ActContext) -> None:
        self._find_group_grants().update(ended_at=timezone.now())
        enqueue("reevaluate-all")

    def _find_group_grants(self) -> "QuerySet[RoleGrant]":
        return _find_unended_grants(self.person, self.role).exclude(company_group="")


class LinkCompanyAddress(CompanyAct, frozen=True):
    """Link the e-mail address that the provider verified to the person who signs in with it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Link address")

    address: Annotated[str, Email(label=gettext_lazy("E-mail address"))]

    def describe_act(self) -> str:
        return _("link the address with which %(person)s signs in") % {"person": label_person(self.person)}

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """Kind of the account, and how it was verified."""
        return {"kind": Account.Kind.EMAIL.value, "proof": Account.Verification.SINGLE_SIGN_ON.value}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an address that is linked to another person."""
        same = Account.objects.filter(identity_hash=Account.hash_identity(Account.Kind.EMAIL, self.address))
        if same.exclude(person=self.person).exists():
            raise make_account_taken()

    def carry_out(self, context: ActContext) -> None:
        """Link the account, as proven. Raises RefusedError where it was linked to somebody else meanwhile."""
        person = Person.objects.get(pk=self.person)
        link_account(person, Account.Kind.EMAIL, self.address, Account.Verification.SINGLE_SIGN_ON)
        enqueue("reevaluate-all")


def _find_unended_grants(person: str, role: str) -> "QuerySet[RoleGrant]":
    """Grants of a role for the whole organisation that are not ended, including expired ones."""
    return RoleGrant.objects.filter(person=person, role=role, product=None, ended_at=None)

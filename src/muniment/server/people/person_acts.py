"""Acts on the entry of a person: add, change, rename, deactivate, reactivate, invite."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import field

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Generated, Label
from muniment.server.job_queue import enqueue
from muniment.server.people import recovery
from muniment.server.people.act_fields import EmailAddress, Handle, PersonId, PersonName, find_handle, label_person
from muniment.server.people.invitations import create_invitation
from muniment.server.people.models import (
    Account,
    AccountNotice,
    FormerHandle,
    Invitation,
    Machine,
    Person,
    new_person_id,
)
from muniment.server.people.waiting_requests import waiting_requests


class PersonAct(Act, frozen=True):
    """An act on the entry of one person, for an administrator."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON,)

    person: PersonId

    def find_resource(self) -> Resource:
        """The organisation: a person belongs to no product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return f"person:{self.person}"


class AddPerson(PersonAct, frozen=True, kw_only=True):
    """Add a person, who has no role yet and cannot sign in without an invitation."""

    title: ClassVar[Label] = gettext_lazy("Add person")

    person: Annotated[str, Generated(label=gettext_lazy("Person"))] = field(default_factory=new_person_id)
    handle: Handle
    name: PersonName
    email: EmailAddress = ""

    def describe_act(self) -> str:
        """The person's name and handle."""
        return _("add %(name)s (%(handle)s)") % {"name": self.name, "handle": self.handle}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a handle or address of another person."""
        refuse_taken_handle(self.handle)
        refuse_taken_address(self.email)

    def carry_out(self, context: ActContext) -> None:
        """Add the row, without a password."""
        person = Person(pk=self.person, slug=self.handle, name=self.name, email=self.email or None)
        person.set_unusable_password()
        person.save(force_insert=True)
        enqueue("reevaluate-all")


class ChangePerson(PersonAct, frozen=True):
    """Change the name of a person, and the address that they sign in with."""

    title: ClassVar[Label] = gettext_lazy("Change name or address")

    name: PersonName
    email: EmailAddress = ""

    def describe_act(self) -> str:
        """Sentence with the person's present name."""
        return _("change the name or address of %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse another person's address, an erased person, and a new name while a request shows the present one."""
        person = Person.objects.get(pk=self.person)
        refuse_erased(person)
        refuse_taken_address(self.email, but=self.person)
        if self.name != person.name:
            refuse_while_requested(self.format_subject())

    def carry_out(self, context: ActContext) -> None:
        person = Person.objects.get(pk=self.person)
        if person.email and person.email != self.email:
            recovery.create_account_notice(
                person, AccountNotice.Kind.ADDRESS, context.requesting_person
            )  # to the old address
        Person.objects.filter(pk=self.person).update(name=self.name, email=self.email or None)
        enqueue("reevaluate-all")


class ChangeHandle(PersonAct, frozen=True):
    """Change the handle of a person. References to the person name the internal id, and stay valid."""

    title: ClassVar[Label] = gettext_lazy("Change handle")

    handle: Handle

    def describe_act(self) -> str:
        details = {"person": label_person(self.person), "handle": self.handle}
        return _("change the handle of %(person)s to %(handle)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse another person's handle, and an erased person."""
        refuse_erased(Person.objects.get(pk=self.person))
        refuse_taken_handle(self.handle, but=self.person)
        refuse_while_requested(self.format_subject())

    def carry_out(self, context: ActContext) -> str:
        """Change the row; the new handle, for the address of the person's page. The former one stays reserved."""
        FormerHandle.objects.get_or_create(handle=find_handle(self.person), defaults={"person_id": self.person})
        Person.objects.filter(pk=self.person).update(slug=self.handle)
        enqueue("reevaluate-all")
        return self.handle


class DeactivatePerson(PersonAct, frozen=True):
    """Deactivate a person who leaves: tokens, invitations and requests by and about them end at once."""

    title: ClassVar[Label] = gettext_lazy("Deactivate person")

    def describe_act(self) -> str:
        return _("deactivate %(person)s") % {"person": label_person(self.person)}

    def carry_out(self, context: ActContext) -> None:
        """End all access of the person. Sessions end by themselves: inactive persons are not signed in."""
        person, now = Person.objects.get(pk=self.person), timezone.now()
        person.active = False
        person.save(update_fields=["active"])
        person.api_tokens.filter(ended_at=None).update(ended_at=now)
        person.invitations.filter(ended_at=None).update(ended_at=now)
        waiting_requests().withdraw_of(person, self.format_subject())
        enqueue("reevaluate-all")


class ReactivatePerson(PersonAct, frozen=True):
    """Reactivate a person who returns, without the former roles, which are granted anew."""

    title: ClassVar[Label] = gettext_lazy("Reactivate person")

    def describe_act(self) -> str:
        return _("reactivate %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a person who is active or was erased."""
        person = Person.objects.get(pk=self.person)
        refuse_erased(person)
        if person.active:
            raise RefusedError(
                "person-active", _("%(name)s is active.") % {"name": person.name}, _("Nothing is left to do.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Activate the row, and end the former grants."""
        person = Person.objects.get(pk=self.person)
        person.active = True
        person.set_unusable_password()
        person.save(update_fields=["active", "password"])
        person.role_grants.filter(ended_at=None).update(ended_at=timezone.now())
        enqueue("reevaluate-all")


class InvitePerson(PersonAct, frozen=True):
    """Invite a person: the execution returns the path of a link that lets them in once. Older links end.

    Two people are required for a person who has a second factor, a role that changes things, or an account that counts.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON, Action.RECOVER_ACCOUNT)
    title: ClassVar[Label] = gettext_lazy("Create invitation link")

    def describe_act(self) -> str:
        """The person, and that it is a recovery."""
        if self.required_action() is Action.RECOVER_ACCOUNT:
            return _("recover the account of %(person)s by a new sign-in link") % {"person": label_person(self.person)}
        return _("invite %(person)s") % {"person": label_person(self.person)}

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Links that let in a person who has a second factor, a role that changes things, or an account."""
        rows = Invitation.objects.filter(recovers=True, ended_at=None)
        return GuardedFacts(permitted=frozenset((one.person_id, one.token_hash) for one in rows))

    def required_action(self) -> Action:
        """The action with a second person, if the link lets somebody act as a second person."""
        person = Person.objects.get(pk=self.person)
        return Action.RECOVER_ACCOUNT if recovery.needs_recovery(person) else Action.CHANGE_PERSON

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a person who left."""
        person = Person.objects.get(pk=self.person)
        if not person.active:
            raise RefusedError(
                "person-inactive", _("%(name)s has left.") % {"name": person.name}, _("Reactivate the person first.")
            )

    def carry_out(self, context: ActContext) -> str:
        """Add the invitation, and notify the person; the path of its link, which is stored nowhere."""
        person = Person.objects.get(pk=self.person)
        recovers, by = recovery.needs_recovery(person), context.requesting_person
        recovery.create_link_notice(person, by)
        alone = None if recovers else by
        return create_invitation(person, made_by=alone, recovers=recovers, by_operator=by is None)


def refuse_taken_handle(handle: str, but: str = "") -> None:
    """Raise RefusedError for a handle by which anybody but `but` is known, or that a waiting request names.

    People and machines are known by their handles, former ones too, and by their logins at forges.
    """
    if Person.objects.filter(slug=handle).exclude(pk=but).exists():
        raise _make_handle_taken(_("Another person has this handle."))
    if Machine.objects.filter(slug=handle).exists():
        raise _make_handle_taken(_("A machine has this handle."))
    if FormerHandle.objects.filter(handle=handle).exclude(person=but).exists():
        raise _make_handle_taken(_("Another person had this handle, and is still known by it."))
    logins = Account.objects.filter(kind=Account.Kind.LOGIN, value__iendswith=f"/{handle}")
    if any(row.person_id != but for row in logins):
        raise _make_handle_taken(_("Another person or machine has a login of this name."))
    if waiting_requests().has_value(handle):
        raise _make_handle_taken(_("A request that waits for a second person names this handle."))


def _make_handle_taken(sentence: str) -> RefusedError:
    return RefusedError("handle-taken", sentence, _("Choose another handle."))


def refuse_while_requested(subject: str) -> None:
    """Raise RefusedError while a request about a person waits: its approver reads the former name."""
    if waiting_requests().is_about(subject):
        raise RefusedError(
            "request-waits",
            _("A request about this person waits for a second person, who reads the name of now."),
            _("Have the request approved, rejected or withdrawn first."),
        )


def refuse_taken_address(email: str, but: str = "") -> None:
    """Raise RefusedError for an address with which another person than `but` signs in; "" is no address."""
    if email and Person.objects.filter(email__iexact=email).exclude(pk=but).exists():
        raise RefusedError("address-taken", _("Another person signs in with this address."), _("Use another address."))


def refuse_erased(person: Person) -> None:
    """Raise RefusedError for a person whose data was erased."""
    if person.erased_at is not None:
        raise RefusedError(
            "person-erased",
            _("The personal data of this person was erased."),
            _("Add the person anew, under another handle."),
        )

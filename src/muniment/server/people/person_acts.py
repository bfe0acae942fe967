"""Acts on the entry of a person: add, change, rename, deactivate, reactivate, invite."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import field

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Generated, Label
from muniment.server.people import recovery
from muniment.server.people.act_fields import EmailAddress, Handle, PersonId, PersonName, handle_of, label_of
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
from muniment.server.work import soon


class PersonAct(Act, frozen=True):
    """An act on the entry of one person, for an administrator."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON,)

    person: PersonId

    def resource(self) -> Resource:
        """The organisation: a person belongs to no product."""
        return ORGANISATION

    def subject(self) -> str:
        """The person."""
        return f"person:{self.person}"


class AddPerson(PersonAct, frozen=True, kw_only=True):
    """Add a person, who has no role yet and cannot sign in before somebody invites them."""

    title: ClassVar[Label] = gettext_lazy("Add person")

    person: Annotated[str, Generated(label=gettext_lazy("Person"))] = field(default_factory=new_person_id)
    handle: Handle
    name: PersonName
    email: EmailAddress = ""

    def summary(self) -> str:
        """The person's name and handle."""
        return _("add %(name)s (%(handle)s)") % {"name": self.name, "handle": self.handle}

    def check(self, context: ActContext) -> None:
        """Handle and address are nobody's."""
        refuse_taken_handle(self.handle)
        refuse_taken_address(self.email)

    def execute(self, context: ActContext) -> None:
        """Add the row, without a password."""
        person = Person(pk=self.person, slug=self.handle, name=self.name, email=self.email or None)
        person.set_unusable_password()
        person.save(force_insert=True)
        soon("reevaluate-all")


class ChangePerson(PersonAct, frozen=True):
    """Change the name of a person, and the address that they sign in with."""

    title: ClassVar[Label] = gettext_lazy("Change name or address")

    name: PersonName
    email: EmailAddress = ""

    def summary(self) -> str:
        """The person, by the name of now."""
        return _("change the name or address of %(person)s") % {"person": label_of(self.person)}

    def check(self, context: ActContext) -> None:
        """The address is nobody else's, the person was not erased, and no request waits that shows another name."""
        person = Person.objects.get(pk=self.person)
        refuse_erased(person)
        refuse_taken_address(self.email, but=self.person)
        if self.name != person.name:
            refuse_while_requested(self.subject())

    def execute(self, context: ActContext) -> None:
        """Change the row."""
        person = Person.objects.get(pk=self.person)
        if person.email and person.email != self.email:
            recovery.notify(person, AccountNotice.Kind.ADDRESS, context.requesting_person)  # to the old address
        Person.objects.filter(pk=self.person).update(name=self.name, email=self.email or None)
        soon("reevaluate-all")


class ChangeHandle(PersonAct, frozen=True):
    """Change the handle of a person. What refers to the person refers to the internal id, and stays theirs."""

    title: ClassVar[Label] = gettext_lazy("Change handle")

    handle: Handle

    def summary(self) -> str:
        """Both handles."""
        details = {"person": label_of(self.person), "handle": self.handle}
        return _("change the handle of %(person)s to %(handle)s") % details

    def check(self, context: ActContext) -> None:
        """The handle is nobody else's, and the person was not erased."""
        refuse_erased(Person.objects.get(pk=self.person))
        refuse_taken_handle(self.handle, but=self.person)
        refuse_while_requested(self.subject())

    def execute(self, context: ActContext) -> str:
        """Change the row; the new handle, for the address of the person's page. The old one stays theirs."""
        FormerHandle.objects.get_or_create(handle=handle_of(self.person), defaults={"person_id": self.person})
        Person.objects.filter(pk=self.person).update(slug=self.handle)
        soon("reevaluate-all")
        return self.handle


class DeactivatePerson(PersonAct, frozen=True):
    """Deactivate a person who leaves: tokens, invitations and requests by and about them end at once."""

    title: ClassVar[Label] = gettext_lazy("Deactivate person")

    def summary(self) -> str:
        """The person."""
        return _("deactivate %(person)s") % {"person": label_of(self.person)}

    def execute(self, context: ActContext) -> None:
        """End what is theirs. Sessions end by themselves: nobody who is not active is signed in."""
        person, now = Person.objects.get(pk=self.person), timezone.now()
        person.active = False
        person.save(update_fields=["active"])
        person.api_tokens.filter(ended_at=None).update(ended_at=now)
        person.invitations.filter(ended_at=None).update(ended_at=now)
        waiting_requests().withdraw_of(person, self.subject())
        soon("reevaluate-all")


class ReactivatePerson(PersonAct, frozen=True):
    """Reactivate a person who comes back: without the roles of before, which are granted anew."""

    title: ClassVar[Label] = gettext_lazy("Reactivate person")

    def summary(self) -> str:
        """The person."""
        return _("reactivate %(person)s") % {"person": label_of(self.person)}

    def check(self, context: ActContext) -> None:
        """The person is not active, and was not erased."""
        person = Person.objects.get(pk=self.person)
        refuse_erased(person)
        if person.active:
            raise RefusedError(
                "person-active", _("%(name)s is active.") % {"name": person.name}, _("Nothing is left to do.")
            )

    def execute(self, context: ActContext) -> None:
        """Make the row active, and end the grants of before."""
        person = Person.objects.get(pk=self.person)
        person.active = True
        person.set_unusable_password()
        person.save(update_fields=["active", "password"])
        person.role_grants.filter(ended_at=None).update(ended_at=timezone.now())
        soon("reevaluate-all")


class InvitePerson(PersonAct, frozen=True):
    """Invite a person: the execution returns the path of a link that lets them in once. Older links end.

    Somebody who has a second factor, a role that changes things, or an account that counts, is let in by two people.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON, Action.RECOVER_ACCOUNT)
    title: ClassVar[Label] = gettext_lazy("Create invitation link")

    def summary(self) -> str:
        """The person, and that it is a recovery."""
        if self.action() is Action.RECOVER_ACCOUNT:
            return _("recover the account of %(person)s by a new sign-in link") % {"person": label_of(self.person)}
        return _("invite %(person)s") % {"person": label_of(self.person)}

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The links that let somebody in who has a second factor, a role that changes things, or an account."""
        rows = Invitation.objects.filter(recovers=True, ended_at=None)
        return GuardedFacts(permitted=frozenset((one.person_id, one.token_hash) for one in rows))

    def action(self) -> Action:
        """Another action, with a second person, where the link lets somebody act as a second person."""
        person = Person.objects.get(pk=self.person)
        return Action.RECOVER_ACCOUNT if recovery.needs_recovery(person) else Action.CHANGE_PERSON

    def check(self, context: ActContext) -> None:
        """The person is active."""
        person = Person.objects.get(pk=self.person)
        if not person.active:
            raise RefusedError(
                "person-inactive", _("%(name)s has left.") % {"name": person.name}, _("Reactivate the person first.")
            )

    def execute(self, context: ActContext) -> str:
        """Add the invitation, and have the person told; the path of its link, which is stored nowhere."""
        person = Person.objects.get(pk=self.person)
        recovers, by = recovery.needs_recovery(person), context.requesting_person
        recovery.make_link_notice(person, by)
        alone = None if recovers else by
        return create_invitation(person, made_by=alone, recovers=recovers, by_operator=by is None)


def refuse_taken_handle(handle: str, but: str = "") -> None:
    """Raise RefusedError for a handle by which anybody else than `but` is known, or which a request names that waits.

    People and machines are known by their handles, those of before too, and by their logins at forges.
    """
    if Person.objects.filter(slug=handle).exclude(pk=but).exists():
        raise _handle_taken(_("Another person has this handle."))
    if Machine.objects.filter(slug=handle).exists():
        raise _handle_taken(_("A machine has this handle."))
    if FormerHandle.objects.filter(handle=handle).exclude(person=but).exists():
        raise _handle_taken(_("Another person had this handle, and is still known by it."))
    logins = Account.objects.filter(kind=Account.Kind.LOGIN, value__iendswith=f"/{handle}")
    if any(row.person_id != but for row in logins):
        raise _handle_taken(_("Another person or machine has a login of this name."))
    if waiting_requests().has_value(handle):
        raise _handle_taken(_("A request that waits for a second person names this handle."))


def _handle_taken(sentence: str) -> RefusedError:
    return RefusedError("handle-taken", sentence, _("Choose another handle."))


def refuse_while_requested(subject: str) -> None:
    """Raise RefusedError while a request about a person waits: the one who approves it reads the name of before."""
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
    """Raise RefusedError for somebody whose data was erased."""
    if person.erased_at is not None:
        raise RefusedError(
            "person-erased",
            _("The personal data of this person was erased."),
            _("Add the person anew, under another handle."),
        )

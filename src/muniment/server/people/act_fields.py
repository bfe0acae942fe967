"""Fields that acts on people share. A person is typed by handle, and stored by the internal id."""

from typing import Annotated

from django.utils.translation import gettext_lazy as _

from muniment.access.authorization import Actor
from muniment.policy.people_document import PERSON_ID
from muniment.server.acts.inputs import Choice, Email, Reference, Text
from muniment.server.people.models import Account, Person

HANDLE_FORM = _("Write small letters and digits, with . _ - between them, such as ada or ada.lovelace.")


def find_person_id(handle: str, actor: Actor) -> str | None:
    """Internal id of the person with a handle; None if nobody has it."""
    found: str | None = Person.objects.filter(slug=handle).values_list("pk", flat=True).first()
    return found


def find_handle(person: str) -> str:
    """Handle of a person, "" for an unknown id."""
    return Person.objects.filter(pk=person).values_list("slug", flat=True).first() or ""


def label_person(person: str) -> str:
    """Name and handle of a person, for the sentence that another person approves: two persons may share a name."""
    found = Person.objects.filter(pk=person).values_list("name", "slug").first()
    return f"{found[0]} ({found[1]})" if found is not None else ""


PersonId = Annotated[
    str,
    Reference(
        label=_("Person"),
        find=find_person_id,
        name=find_handle,
        show=label_person,
        missing=_("There is nobody of that handle."),
        remedy=_("Write a handle that the page People shows."),
        recorded=True,
        most=64,
    ),
]
Handle = Annotated[str, Text(label=_("Handle"), most=64, pattern=PERSON_ID, form=HANDLE_FORM)]
PersonName = Annotated[str, Text(label=_("Name"), most=200)]
EmailAddress = Annotated[str, Email(label=_("E-mail address for signing in"))]
AccountKind = Annotated[
    Account.Kind, Choice(label=_("Kind"), options=Account.Kind, labels=lambda kind: kind.label, recorded=True)
]
AccountValue = Annotated[
    str,
    Text(
        label=_("Value"),
        hint=_("A login has its forge before it, such as github/ada."),
        most=2000,
        multiline=True,
        monospace=True,
    ),
]

"""Act that adds many people at once. Their accounts are imported after that, and confirmed by a second person."""

import csv
import re
from typing import Annotated, ClassVar, NamedTuple, Self

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import ParseError, RefusedError
from muniment.policy.people_document import PERSON_ID
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.models import Account, FormerHandle, Machine, Person
from muniment.server.people.waiting_requests import waiting_requests

MOST_PEOPLE = 2_000  # that one act adds
_LONGEST_HANDLE, _LONGEST_NAME, _LONGEST_ADDRESS = 64, 200, 254
_COLUMNS = 3


class ImportedPerson(NamedTuple):
    """Line of the act: handle, name and the address for signing in, "" for none."""

    handle: str
    name: str
    email: str


def format_person_lines(people: "tuple[ImportedPerson, ...]") -> str:
    """Lines of the act for people."""
    return "\n".join(",".join(f'"{text.replace(chr(34), chr(34) * 2)}"' for text in one) for one in people)


def read_people(text: str) -> tuple[ImportedPerson, ...]:
    """Read the lines of the act. Raises ParseError for the first one that names no person, or one again."""
    found: dict[str, ImportedPerson] = {}
    addresses: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        person = _read_line(line)
        if person is None or person.handle in found or person.email.casefold() in addresses:
            sentence = _("Line %(number)d names no person of its own: %(line)s") % {"number": number, "line": line[:80]}
            remedy = _("Write handle, name and e-mail address with commas between them, each person once.")
            raise ParseError(InputCode.MALFORMED, sentence, remedy, "people")
        found[person.handle] = person
        addresses |= {person.email.casefold()} - {""}
    return tuple(found.values())


def _read_line(line: str) -> ImportedPerson | None:
    try:
        (cells,) = csv.reader([line], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    handle, name, email = (cell.strip() for cell in (*cells, "", "")[:_COLUMNS])
    if len(cells) > _COLUMNS or not name or len(name) > _LONGEST_NAME:
        return None
    if len(handle) > _LONGEST_HANDLE or not re.fullmatch(PERSON_ID, handle):
        return None
    return ImportedPerson(handle, name, email) if _is_address(email) else None


def _is_address(email: str) -> bool:
    """Whether a text is an e-mail address, or "" for none."""
    try:
        validate_email(email or "none@example.com")
    except ValidationError:
        return False
    return len(email) <= _LONGEST_ADDRESS


class ImportPeople(Act, frozen=True, kw_only=True):
    """Add many people, who have no role yet and cannot sign in without an invitation."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON,)
    title: ClassVar[Label] = gettext_lazy("Import people")

    people: Annotated[
        str,
        Text(
            label=gettext_lazy("People"),
            hint=gettext_lazy("One a line: handle, name, e-mail address, such as: ada, Ada Lovelace, ada@example.com"),
            most=500_000,
            multiline=True,
            monospace=True,
        ),
    ]

    def normalise_fields(self) -> Self:
        """Leave all fields as they are. Raises ParseError for a line that cannot be read, and for too many."""
        if len(read_people(self.people)) > MOST_PEOPLE:
            sentence = _("These are more than %(most)d people.") % {"most": MOST_PEOPLE}
            raise ParseError(InputCode.TOO_LONG, sentence, _("Import them in parts."), "people")
        return self

    def find_resource(self) -> Resource:
        """The organisation: people belong to no product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return "organisation:"

    def describe_act(self) -> str:
        """Number of the people."""
        return _("add %(number)d people") % {"number": len(read_people(self.people))}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a handle or an address by which anybody is known, or that a waiting request names."""
        people = read_people(self.people)
        taken = sorted(find_taken_handles({one.handle for one in people}))
        if taken:
            sentence = _("These handles belong to somebody: %(handles)s.") % {"handles": ", ".join(taken[:3])}
            raise RefusedError("handle-taken", sentence, _("Choose other handles for them."))
        wanted = {one.email.casefold(): one.handle for one in people if one.email}
        known = Person.objects.filter(email__isnull=False).values_list("email", flat=True)
        same = sorted(wanted[email.casefold()] for email in known if email and email.casefold() in wanted)
        if same:
            sentence = _("Another person signs in with the address of: %(handles)s.") % {"handles": ", ".join(same[:3])}
            raise RefusedError("address-taken", sentence, _("Use other addresses for them."))

    def carry_out(self, context: ActContext) -> None:
        """Add the rows, without passwords."""
        for one in read_people(self.people):
            person = Person(slug=one.handle, name=one.name, email=one.email or None)
            person.set_unusable_password()
            person.save(force_insert=True)
        enqueue("reevaluate-all")


def find_taken_handles(handles: set[str]) -> set[str]:
    """Handles by which people or machines are known, formerly or by a login, or which a waiting request names."""
    taken = set(Person.objects.filter(slug__in=handles).values_list("slug", flat=True))
    taken |= set(Machine.objects.filter(slug__in=handles).values_list("slug", flat=True))
    taken |= set(FormerHandle.objects.filter(handle__in=handles).values_list("handle", flat=True))
    logins = Account.objects.filter(kind=Account.Kind.LOGIN).values_list("value", flat=True)
    known = {login.rpartition("/")[2].casefold() for login in logins}
    taken |= {handle for handle in handles if handle.casefold() in known}
    waiting = waiting_requests()
    return taken | {handle for handle in handles if waiting.has_value(handle)}

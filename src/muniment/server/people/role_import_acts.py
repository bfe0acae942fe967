"""Act that grants many roles by one request, so that a second person decides on all of them together."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.access.roles import Role
from muniment.errors import ParseError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.people.models import Person
from muniment.server.people.role_acts import GrantRole, is_changing_role, read_changing_roles
from muniment.server.products.models import Product

MOST_GRANTS = 1_000  # that one request lists: a person reads them


class GrantRoles(Act, frozen=True):
    """Grant roles to many people, each as `GrantRole` does. If one of them changes things, all wait for a second
    person.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.GRANT_ROLE, Action.GRANT_CHANGING_ROLE)
    title: ClassVar[Label] = gettext_lazy("Grant roles")

    grants: Annotated[
        str,
        Text(
            label=gettext_lazy("Roles"),
            hint=gettext_lazy(
                "One a line: handle, role, and the id of a product if it is for one, such as: ada owner shop"
            ),
            most=150_000,
            multiline=True,
            monospace=True,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Persons who may change things."""
        return read_changing_roles()

    def normalise_fields(self) -> Self:
        """Act that names persons by their internal ids. Raises ParseError for a line that names no role of somebody."""
        lines = [line.split() for line in self.grants.split("\n") if line.strip()]
        ids = dict(Person.objects.filter(slug__in={line[0] for line in lines}).values_list("slug", "pk"))
        products = set(Product.objects.filter(slug__in={line[-1] for line in lines}).values_list("slug", flat=True))
        found: dict[str, None] = {}
        for line in lines:
            person, role, product = (*line, "", "")[:3]
            known = person in ids and role in {one.value for one in Role} and len(line) <= 3
            if not known or (product and product not in products):
                sentence = _("This line names no role of a person: %(line)s") % {"line": " ".join(line)[:80]}
                remedy = _("Write a handle, a role, and the id of a product if the role is for one.")
                raise ParseError(InputCode.MALFORMED, sentence, remedy, "grants")
            found[f"{ids[person]} {role} {product}".strip()] = None
        if len(found) > MOST_GRANTS:
            sentence = _("These are more than %(most)d roles.") % {"most": MOST_GRANTS}
            raise ParseError(InputCode.TOO_LONG, sentence, _("Grant them in parts."), "grants")
        return structs.replace(self, grants="\n".join(found))

    def list_grants(self) -> Iterator[GrantRole]:
        """Each grant as an act of its own."""
        for line in self.grants.split("\n"):
            person, role, product = (*line.split(), "")[:3]
            yield GrantRole(person=person, role=Role(role), product=product)

    def required_action(self) -> Action:
        """The action with a second person, if one of the roles changes things."""
        changes = any(is_changing_role(one.role) for one in self.list_grants())
        return Action.GRANT_CHANGING_ROLE if changes else Action.GRANT_ROLE

    def find_resource(self) -> Resource:
        """The organisation: who may grant roles may grant them for every product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return "organisation:"

    def describe_act(self) -> str:
        """Sentence that lists each person with the role, for the person who approves."""
        grants = "; ".join(one.describe_act() for one in self.list_grants())
        return _("grant these roles: %(grants)s") % {"grants": grants}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse what a single grant is refused for."""
        for one in self.list_grants():
            one.check_preconditions(context)

    def carry_out(self, context: ActContext) -> None:
        """Add each grant. Two roles of the list can be in conflict with each other, so each is checked again."""
        for one in self.list_grants():
            one.check_preconditions(context)
            one.carry_out(context)

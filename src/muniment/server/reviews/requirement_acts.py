"""Acts on requirements of the market: add one, import a questionnaire, answer one."""

import csv
import io
from datetime import date
from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.access.roles import Role
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Day, InputCode, Label, Text
from muniment.server.people.act_fields import PersonId
from muniment.server.people.models import RoleGrant, build_in_force_condition
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.visible_products import within_reach
from muniment.server.reviews.models import MarketRequirement, RequirementSource, RequirementState

_MOST_ROWS, _LONGEST = 500, 1000

Source = Annotated[
    RequirementSource,
    Choice(
        label=gettext_lazy("Source"),
        options=RequirementSource,
        labels=lambda one: RequirementSource(one).label,
        recorded=True,
    ),
]
Origin = Annotated[
    str,
    Text(
        label=gettext_lazy("Origin"),
        hint=gettext_lazy("The law, the customer or the standard, such as ISO 27001, 5.18."),
        most=200,
    ),
]
DueDay = Annotated[date | None, Day(label=gettext_lazy("Due"), recorded=True)]


class AddRequirement(ProductAct, frozen=True):
    """Add a requirement of the market to a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.KEEP_REQUIREMENTS,)
    title: ClassVar[Label] = gettext_lazy("Add requirement")

    text: Annotated[str, Text(label=gettext_lazy("Requirement"), most=_LONGEST)]
    source: Source
    origin: Origin = ""

    def describe_act(self) -> str:
        """Sentence that names the product."""
        return _("add a requirement of the market to %(product)s") % {"product": self.product}

    def carry_out(self, context: ActContext) -> None:
        """Add the row, which nobody answered yet."""
        MarketRequirement.objects.create(
            product=self.find_product_row(),
            text=self.text,
            source=self.source,
            origin=self.origin,
            added_by_id=context.requester,
        )


class ImportRequirements(ProductAct, frozen=True, kw_only=True):
    """Import a questionnaire as CSV, one question a row: the first column is the question."""

    actions: ClassVar[tuple[Action, ...]] = (Action.KEEP_REQUIREMENTS,)
    title: ClassVar[Label] = gettext_lazy("Import questionnaire")

    source: Source
    origin: Origin = ""
    table: Annotated[
        str,
        Text(
            label=gettext_lazy("Questions (CSV)"),
            hint=gettext_lazy("One question a row, in the first column. No row of headings."),
            most=200_000,
            multiline=True,
        ),
    ]

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for a table that cannot be read."""
        self.read_questions()
        return self

    def read_questions(self) -> list[str]:
        """Questions in the order of their rows, each once. Raises ParseError."""
        try:
            rows = list(csv.reader(io.StringIO(self.table), strict=True))
        except csv.Error as error:
            raise _make_table_error(_("It is not CSV: %(why)s.") % {"why": error}) from None
        found = list(dict.fromkeys(" ".join(row[0].split()) for row in rows if row and row[0].strip()))
        if not found or len(found) > _MOST_ROWS:
            details = {"found": len(found), "most": _MOST_ROWS}
            raise _make_table_error(_("It has %(found)d questions; 1 to %(most)d are read.") % details)
        if any(len(text) > _LONGEST for text in found):
            raise _make_table_error(_("A question is longer than %(most)d characters.") % {"most": _LONGEST})
        return found

    def describe_act(self) -> str:
        """Sentence that says how many."""
        count = len(self.read_questions())
        sentence = ngettext(
            "import %(count)d question for %(product)s", "import %(count)d questions for %(product)s", count
        )
        return sentence % {"count": count, "product": self.product}

    def carry_out(self, context: ActContext) -> None:
        """Add a row for each question that the product does not have yet."""
        product = self.find_product_row()
        known = set(
            MarketRequirement.objects.filter(product=product, origin=self.origin).values_list("text", flat=True)
        )
        MarketRequirement.objects.bulk_create(
            MarketRequirement(
                product=product, text=text, source=self.source, origin=self.origin, added_by_id=context.requester
            )
            for text in self.read_questions()
            if text not in known
        )


def _make_table_error(problem: str) -> ParseError:
    return ParseError(InputCode.MALFORMED, problem, _("Save the questionnaire as CSV, and paste it."), "table")


def visible_requirements(actor: Actor) -> "QuerySet[MarketRequirement]":
    """Requirements of the products that a person may see."""
    rows = MarketRequirement.objects.select_related("product", "owner", "answered_by")
    return rows.filter(within_reach(actor, Action.SEE_MEETINGS, "product"))


class AnswerRequirement(Act, frozen=True):
    """Answer a requirement: met by a clause, unmet with an improvement, refused with a reason, or not decided."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ANSWER_REQUIREMENT,)
    title: ClassVar[Label] = gettext_lazy("Save answer")

    requirement: Annotated[
        int,
        number_input(
            label=gettext_lazy("Requirement"),
            rows=visible_requirements,
            missing=gettext_lazy("There is no such requirement."),
            remedy=gettext_lazy("Choose one that the page Market requirements shows."),
            recorded=True,
        ),
    ]
    state: Annotated[
        RequirementState,
        Choice(
            label=gettext_lazy("Answer"),
            options=RequirementState,
            labels=lambda one: RequirementState(one).label,
            recorded=True,
        ),
    ]
    clause: Annotated[str, Text(label=gettext_lazy("Clause"), most=100, recorded=True)] = ""
    reason: Annotated[str, Text(label=gettext_lazy("Reason or improvement"), most=2000, multiline=True)] = ""
    person: PersonId = ""
    due: DueDay = None

    def load_requirement(self) -> MarketRequirement:
        """Row of the requirement, with its product."""
        return MarketRequirement.objects.select_related("product").get(pk=self.requirement)

    def find_resource(self) -> Resource:
        return Resource(product=self.load_requirement().product.slug)

    def format_subject(self) -> str:
        return f"market-requirement:{self.requirement}"

    def describe_act(self) -> str:
        """Sentence that names the answer."""
        details = {"number": self.requirement, "answer": RequirementState(self.state).label}
        return _("answer the requirement %(number)d: %(answer)s") % details

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError where what belongs to the answer is missing."""
        if self.state is RequirementState.REFUSED and not self.reason:
            raise _make_missing_error("reason", _("A refusal needs a reason."))
        if self.state is RequirementState.UNMET and not (self.reason and self.person and self.due):
            raise _make_missing_error("reason", _("An unmet requirement needs an improvement, its owner and a day."))
        if self.state is RequirementState.OPEN and not (self.person and self.due):
            raise _make_missing_error("person", _("Name who decides, and by when."))
        if self.state is RequirementState.MET and not self.clause:
            raise _make_missing_error("clause", _("Name the clause of the policy that meets it."))
        return self

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a clause that the policy does not have, and the Data Protection Officer as owner."""
        if self.clause and all(one.id != self.clause for one in current_clauses()):
            raise RefusedError(
                "no-such-clause", _("The policy has no such clause."), _("Choose a clause of the page Policy.")
            )
        held = RoleGrant.objects.filter(build_in_force_condition(), person=self.person, role=Role.DPO.value)
        if self.person and held.exists():
            raise RefusedError(
                "dpo-owns-nothing",
                _("The Data Protection Officer advises, and owns no risk."),
                _("Choose another person."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the answer in the row."""
        MarketRequirement.objects.filter(pk=self.requirement).update(
            state=self.state,
            clause=self.clause if self.state is RequirementState.MET else "",
            reason=self.reason,
            owner_id=self.person or None,
            due_on=self.due,
            answered_at=timezone.now(),
            answered_by_id=context.requester,
        )


def _make_missing_error(field: str, sentence: str) -> ParseError:
    return ParseError(InputCode.MISSING, sentence, _("Fill in this field."), field)

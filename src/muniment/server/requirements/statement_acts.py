"""Acts on a requirement of a product: attest it, state that it does not apply, name its test, end a statement."""

from datetime import date, timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.access.roles import EVERYWHERE, Role
from muniment.errors import RefusedError
from muniment.scanners.requirements.checklist import VerifiedBy, load_checklist
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, Label, Text
from muniment.server.people.models import Person
from muniment.server.products.act_fields import ProductAct
from muniment.server.requirements.act_fields import RequirementKey, StatementNumber, find_requirement_text
from muniment.server.requirements.models import RequirementStatement, StatementKind

LONGEST_STATEMENT = timedelta(days=365)

_Until = Annotated[
    date,
    Day(label=gettext_lazy("Counts until"), hint=gettext_lazy("At most a year from today."), recorded=True),
]


class RequirementAct(ProductAct, frozen=True):
    """Base of acts that state something about one requirement. A second person with the security role approves."""

    actions: ClassVar[tuple[Action, ...]] = (Action.STATE_REQUIREMENT,)
    kind: ClassVar[StatementKind]

    requirement: RequirementKey

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The statements that count."""
        rows = RequirementStatement.find_in_force().select_related("product")
        return GuardedFacts(
            permitted=frozenset(
                (one.product.slug, one.requirement, one.kind, one.test, str(one.until), str(one.made_at))
                for one in rows
            )
        )

    def describe_details(self) -> dict[str, str]:
        """Requirement and product, for a sentence."""
        return {"requirement": find_requirement_text(self.requirement), "product": self.find_product_row().name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require a product that is not retired."""
        if self.find_product_row().retired_at is not None:
            raise RefusedError("product-retired", _("The product is retired."), _("Choose another product."))

    def find_test(self) -> str:
        """Name of the test; "" for a statement of a person."""
        return ""

    def find_last_day(self) -> date | None:
        """Last day on which the statement counts; None for one that counts until it is ended."""
        return None

    def carry_out(self, context: ActContext) -> None:
        """End the statement that was in force about the requirement, and add this one."""
        product = self.find_product_row()
        rows = RequirementStatement.objects.filter(product=product, requirement=self.requirement, ended_at=None)
        rows.update(ended_at=timezone.now())
        RequirementStatement.objects.create(
            product=product,
            requirement=self.requirement,
            kind=self.kind,
            test=self.find_test(),
            reason=self.given_reason(),
            requester_id=context.requester,
            approver_id=context.approver,
            until=self.find_last_day(),
        )


class _DatedStatement(RequirementAct, frozen=True):
    """Base of statements of a person that count until a day."""

    until: _Until

    def find_last_day(self) -> date:
        return self.until

    def check_preconditions(self, context: ActContext) -> None:
        """Require a day within a year."""
        super().check_preconditions(context)
        today = timezone.localdate()
        if not today <= self.until <= today + LONGEST_STATEMENT:
            raise RefusedError(
                "until-out-of-range",
                _("A statement counts for a year at most."),
                _("Choose a day from today on, at most a year ahead."),
            )


class AttestRequirement(_DatedStatement, frozen=True):
    """Attest, with evidence, that a requirement is met."""

    title: ClassVar[Label] = gettext_lazy("Attest requirement")
    kind: ClassVar[StatementKind] = StatementKind.ATTESTED

    reason: Annotated[
        str,
        reason_input(
            label=gettext_lazy("Evidence"),
            hint=gettext_lazy("Name the document, the test or the day on which you looked, so that others can check."),
        ),
    ]

    def describe_act(self) -> str:
        details = self.describe_details() | {"day": self.until.isoformat()}
        return _("attest for %(product)s until %(day)s: %(requirement)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse requirements that rules verify, and people without the role that the checklist asks for."""
        super().check_preconditions(context)
        own = load_checklist().get(self.requirement)
        if own is not None and own.verified_by is VerifiedBy.RULE:
            raise RefusedError(
                "verified-by-rule",
                _("Rules verify this requirement: no person attests it."),
                _("Correct the findings, or have the code scanned."),
            )
        if own is not None and own.role:
            _require_role(context.requester, Role(own.role), self.product)


def _require_role(person: str, role: Role, product: str) -> None:
    grants = Person.objects.get(pk=person).load_roles()
    if not any(grant.role is role and grant.product in (EVERYWHERE, product) for grant in grants):
        raise RefusedError(
            "role-needed",
            _("Somebody with the role %(role)s attests this requirement.") % {"role": role.label},
            _("Request the attestation from them."),
        )


class ExcludeRequirement(_DatedStatement, frozen=True):
    """State that a requirement does not apply to a product, and why."""

    title: ClassVar[Label] = gettext_lazy("State that it does not apply")
    kind: ClassVar[StatementKind] = StatementKind.EXCLUDED

    reason: Annotated[str, reason_input(label=gettext_lazy("Reason why it does not apply"))]

    def describe_act(self) -> str:
        details = self.describe_details() | {"day": self.until.isoformat()}
        return _("exclude for %(product)s until %(day)s: %(requirement)s") % details


class NameRequirementTest(RequirementAct, frozen=True):
    """Name the test whose result verifies a requirement."""

    title: ClassVar[Label] = gettext_lazy("Name its test")
    kind: ClassVar[StatementKind] = StatementKind.TESTED

    test: Annotated[
        str,
        Text(
            label=gettext_lazy("Name of the check or pipeline"),
            hint=gettext_lazy("As the pull request shows it. A trusted test runner has to report it on the branch."),
            most=200,
            monospace=True,
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        sentence = _("verify by the test %(test)s for %(product)s: %(requirement)s")
        return sentence % (self.describe_details() | {"test": self.test})

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse requirements that rules verify."""
        super().check_preconditions(context)
        own = load_checklist().get(self.requirement)
        if own is not None and own.verified_by is VerifiedBy.RULE:
            raise RefusedError(
                "verified-by-rule", _("Rules verify this requirement."), _("Correct the findings, or scan the code.")
            )

    def find_test(self) -> str:
        return self.test


class EndRequirementStatement(Act, frozen=True):
    """End a statement about a requirement, which is then unknown or found by machines."""

    actions: ClassVar[tuple[Action, ...]] = (Action.END_REQUIREMENT_STATEMENT,)
    title: ClassVar[Label] = gettext_lazy("End statement")

    statement: StatementNumber

    def load_statement(self) -> RequirementStatement:
        """Row of the statement, with its product."""
        return RequirementStatement.objects.select_related("product").get(pk=self.statement)

    def find_resource(self) -> Resource:
        return self.load_statement().access_resource

    def format_subject(self) -> str:
        return f"requirement-statement:{self.statement}"

    def describe_act(self) -> str:
        row = self.load_statement()
        details = {"requirement": find_requirement_text(row.requirement), "product": row.product.name}
        return _("end the statement about %(product)s: %(requirement)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in force."""
        if self.load_statement().ended_at is not None:
            raise RefusedError("statement-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it from now on."""
        RequirementStatement.objects.filter(pk=self.statement).update(ended_at=timezone.now())

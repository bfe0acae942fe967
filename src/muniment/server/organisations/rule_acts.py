"""Acts on the rules by which repositories are connected: set one, end one."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Choice, Flag, InputCode, Label, Text, TextLines
from muniment.server.connections.connection_acts import ConnectionAct
from muniment.server.connections.repository_list import COVER_TASK
from muniment.server.job_queue import enqueue
from muniment.server.organisations.models import RepositoryRule
from muniment.server.organisations.repository_choice import ChoiceRule, ProductMapping, find_rule_problem
from muniment.server.products.act_fields import SLUG_FORM
from muniment.server.products.models import SLUG_PATTERN

MAPPING_LABELS: dict[ProductMapping, Label] = {
    ProductMapping.EACH: gettext_lazy("One product for each repository"),
    ProductMapping.GROUP: gettext_lazy("One product for each group or owner"),
    ProductMapping.ONE: gettext_lazy("One product for all of them"),
}
_MOST = 200  # characters of a pattern, an owner or a topic
_MOST_LINES = 100

RuleName = Annotated[
    str, Text(label=gettext_lazy("Name of the rule"), most=64, pattern=SLUG_PATTERN, form=SLUG_FORM, recorded=True)
]


def _make_lines(label: Label, hint: Label = "") -> TextLines:
    return TextLines(label=label, hint=hint, most=_MOST, most_lines=_MOST_LINES, recorded=True)


class SetRepositoryRule(ConnectionAct, frozen=True, kw_only=True):
    """Set the rule that chooses repositories of a connection, in place of one of the same name."""

    title: ClassVar[Label] = gettext_lazy("Set repository rule")

    name: RuleName
    everything: Annotated[bool, Flag(label=gettext_lazy("All repositories"), recorded=True)] = False
    owners: Annotated[
        tuple[str, ...],
        _make_lines(gettext_lazy("Owners or groups"), gettext_lazy("One a line; groups below one count too.")),
    ] = ()
    patterns: Annotated[
        tuple[str, ...],
        _make_lines(
            gettext_lazy("Patterns of paths"), gettext_lazy("One a line, such as shop/*; ** is any number of folders.")
        ),
    ] = ()
    topics: Annotated[tuple[str, ...], _make_lines(gettext_lazy("Topics"), gettext_lazy("One a line."))] = ()
    excluded: Annotated[tuple[str, ...], _make_lines(gettext_lazy("Patterns of paths to leave out"))] = ()
    mapping: Annotated[
        ProductMapping,
        Choice(
            label=gettext_lazy("Products"),
            options=ProductMapping,
            labels=lambda mapping: MAPPING_LABELS[mapping],
            recorded=True,
        ),
    ] = ProductMapping.EACH
    product: Annotated[
        str,
        Text(
            label=gettext_lazy("Id of the one product"),
            hint=gettext_lazy("Only if all repositories join one product."),
            most=64,
            pattern=SLUG_PATTERN,
            form=SLUG_FORM,
            recorded=True,
        ),
    ] = ""
    automatic: Annotated[
        bool,
        Flag(
            label=gettext_lazy("Connect by itself"),
            hint=gettext_lazy("The repositories of now, and those that are made later at the forge."),
            recorded=True,
        ),
    ] = False

    def make_rule(self) -> ChoiceRule:
        """The rule as the choice takes it."""
        return ChoiceRule(
            name=self.name,
            mapping=self.mapping,
            product=self.product,
            patterns=self.patterns,
            owners=self.owners,
            topics=self.topics,
            excluded=self.excluded,
            everything=self.everything,
            automatic=self.automatic,
        )

    def normalise_fields(self) -> Self:
        """Act without a product, unless all join one. Raises ParseError for a rule that chooses nothing."""
        act = self if self.mapping is ProductMapping.ONE else structs.replace(self, product="")
        if problem := find_rule_problem(act.make_rule()):
            sentence = _("This rule cannot be used: %(problem)s.") % {"problem": problem}
            raise ParseError(InputCode.MALFORMED, sentence, _("Correct the rule."), "everything")
        return act

    def describe_act(self) -> str:
        """The rule and the connection."""
        return _("set the rule %(name)s, which chooses repositories of %(connection)s") % {
            "name": self.name,
            "connection": self.connection,
        }

    def carry_out(self, context: ActContext) -> None:
        """Store the rule in place of the former one, and have its repositories connected if it says so."""
        connection = self.load_connection()
        rule = self.make_rule()
        values = {
            **{name: list(getattr(rule, name)) for name in ("patterns", "owners", "topics", "excluded")},
            "mapping": rule.mapping.value,
            "product": rule.product,
            "everything": rule.everything,
            "automatic": rule.automatic,
        }
        rows = RepositoryRule.objects.filter(connection=connection, name=self.name, ended_at=None)
        if not rows.update(**values):
            RepositoryRule.objects.create(connection=connection, name=self.name, **values)
        enqueue(COVER_TASK, connection=connection.pk)


class EndRepositoryRule(ConnectionAct, frozen=True, kw_only=True):
    """End a rule that chooses repositories. Those that are connected stay."""

    title: ClassVar[Label] = gettext_lazy("End repository rule")

    name: RuleName

    def describe_act(self) -> str:
        """The rule and the connection."""
        return _("end the rule %(name)s of %(connection)s") % {"name": self.name, "connection": self.connection}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a rule that does not exist."""
        if not self._find_rows().exists():
            raise RefusedError(
                "no-rule", _("There is no such rule."), _("Choose a rule that the page of the connection shows.")
            )

    def carry_out(self, context: ActContext) -> None:
        self._find_rows().update(ended_at=timezone.now())

    def _find_rows(self) -> "QuerySet[RepositoryRule]":
        return RepositoryRule.objects.filter(connection__slug=self.connection, name=self.name, ended_at=None)

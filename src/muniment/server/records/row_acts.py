"""Act of the operator, at the machine, who accepts a row that differs from the ledger as it is."""

from typing import Annotated, ClassVar

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.records import row_checks
from muniment.server.records.recorded_rows import list_recorded_models, note_rows


class AcceptRow(Act, frozen=True):
    """Accept a row of the database as it is now, or its absence, although no act wrote it so."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Accept row")

    table: Annotated[str, Text(label=gettext_lazy("Table"), most=63, recorded=True)]
    key: Annotated[str, Text(label=gettext_lazy("Key of the row"), most=64, recorded=True)]
    reason: Annotated[str, reason_input()]

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"row:{self.table}/{self.key}"

    def describe_act(self) -> str:
        return _("accept the row %(key)s of %(table)s as it is") % {"key": self.key, "table": self.table}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a row that matches the ledger."""
        found = row_checks.find_row_problems([self._find_model()])
        if all(one.key != self.key for one in found):
            raise RefusedError(
                "row-agrees",
                _("This row is what the ledger says."),
                _("See which rows are not with: muniment doctor"),
            )

    def carry_out(self, context: ActContext) -> None:
        """Write no row: the record of the act has the state of the row."""
        note_rows(self._find_model(), [self.key])

    def _find_model(self) -> type[models.Model]:
        found = next((model for model in list_recorded_models() if model._meta.db_table == self.table), None)
        if found is None:
            raise RefusedError(
                "no-such-table",
                _("No rows of this table are compared with the ledger."),
                _("Copy the name from what muniment doctor says."),
            )
        return found

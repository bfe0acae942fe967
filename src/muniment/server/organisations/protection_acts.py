"""Acts that plan the protection of many branches, and that carry out the plan which a person read."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Label, Text
from muniment.server.connections.connection_acts import ConnectionAct
from muniment.server.connections.models import Connection
from muniment.server.job_queue import enqueue
from muniment.server.organisations.models import ProtectionProposal


class PlanProtection(ConnectionAct, frozen=True):
    """Plan how the default branches of all connected repositories are protected. Nothing is changed at the forge."""

    title: ClassVar[Label] = gettext_lazy("Plan protection")

    def describe_act(self) -> str:
        return _("plan the protection of the branches of %(connection)s") % {"connection": self.connection}

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the planning for the worker, which has the credential."""
        enqueue("plan-protection", connection=self.load_connection().pk)


class ApplyProtection(ConnectionAct, frozen=True, kw_only=True):
    """Carry out the protection plan with this digest: each change that the plan shows, and no other."""

    title: ClassVar[Label] = gettext_lazy("Protect branches")

    digest: Annotated[str, Text(label=gettext_lazy("Digest of the plan"), most=71, recorded=True)]

    def describe_act(self) -> str:
        return _("protect the branches of %(connection)s as planned") % {"connection": self.connection}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a plan that is not the present one."""
        if digest_proposals(list_open_proposals(self.load_connection())) != self.digest:
            raise RefusedError(
                "plan-changed",
                _("The plan is not the one that was confirmed: something changed since."),
                _("Read the plan again, and confirm that one."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the application for the worker, with the record of this act."""
        number = self.load_connection().pk
        enqueue("apply-protection", connection=number, digest=self.digest, record=context.record)


def list_open_proposals(connection: Connection) -> "QuerySet[ProtectionProposal]":
    """Proposals that change something, and that nobody has requested yet."""
    rows = ProtectionProposal.objects.filter(link__connection=connection, applied_at=None, problem="")
    return rows.filter(requested_by="").select_related("link__repository").order_by("pk")


def digest_proposals(rows: Iterable[ProtectionProposal]) -> str:
    """Digest of the changes of several branches, "" for none."""
    found = sorted(row.digest for row in rows)
    return canonical.digest_value(found) if found else ""

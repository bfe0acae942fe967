"""Executes acts for the apps below: at once, or as a request that waits for a second person."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.server.acts.act import Act
from muniment.server.acts.execution import ActOutcome
from muniment.server.acts.system_actors import SystemActor
from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.requests.approvers import find_permission
from muniment.server.requests.execution import perform_act, perform_system_act
from muniment.server.requests.models import Request


class RequestExecutor:
    """Executor that stores an act which is due for a second person as a request."""

    def execute_for_person(self, actor: Actor, act: Act, secret: object) -> ActOutcome:
        """Carry out an act of a person, or have it wait. Raises PermissionDenied, RefusedError."""
        outcome = perform_act(actor, act, secret=secret)
        if outcome.request is None:
            return ActOutcome(outcome.result)
        return ActOutcome(outcome.result, outcome.request.pk, _describe_waiting(outcome.request))

    def execute_for_system(self, system: SystemActor, cls: type[Act], values: Mapping[str, object]) -> Any:
        """Carry out an act that no person does; what it returned. Raises PermissionDenied, RefusedError."""
        return perform_system_act(system, cls, values)


def _describe_waiting(waiting: Request) -> str:
    """Sentence that says which role a request waits for."""
    if is_proof_demanded(find_permission(waiting)[0]):
        return _("It waits for your signature, and for that of a second person: sign it on its page.")
    return _("It waits for a second person now.")

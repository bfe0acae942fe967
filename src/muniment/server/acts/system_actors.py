"""Actors that are no person: the service itself, and the operator on the machine."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from muniment.access.authorization import Actor
from muniment.access.roles import Grant, Role
from muniment.server.acts.inputs import Label


class SystemActor(StrEnum):
    """Actor that is no person. Its value stands in the record in place of a person's id, which has no such signs."""

    OPERATOR = "(operator at the shell)"
    COMPANY_SIGN_IN = "(company sign-in)"
    EXPIRY = "(expiry)"
    POLICY_BRANCH = "(policy branch)"
    PLANNING = "(planning of meetings)"
    REPLY_MAILBOX = "(mailbox of replies)"
    CODE_SCAN = "(scan of the code)"
    DEPENDENCY_SCAN = "(scan of the dependencies)"
    DESIGN_EVALUATION = "(evaluation of the design)"
    REPOSITORY_RULES = "(rules for repositories)"

    @property
    def label(self) -> Label:
        """Name of the actor for people."""
        return _LABELS[self]

    def make_actor(self) -> Actor:
        """Actor that its acts are read and recorded for. Roles permit it nothing: a list of acts does."""
        return Actor(self.value, active=True, grants=_SIGHT if self is SystemActor.OPERATOR else ())


_SIGHT = (Grant(Role.ADMIN),)  # the operator can name every product; without a second factor it changes none
_LABELS: dict[SystemActor, Label] = {
    SystemActor.OPERATOR: _("Operator at the shell"),
    SystemActor.COMPANY_SIGN_IN: _("Company sign-in"),
    SystemActor.EXPIRY: _("Expiry"),
    SystemActor.POLICY_BRANCH: _("Policy branch"),
    SystemActor.PLANNING: _("Planning of meetings"),
    SystemActor.REPLY_MAILBOX: _("Mailbox of replies"),
    SystemActor.CODE_SCAN: _("Scan of the code"),
    SystemActor.DEPENDENCY_SCAN: _("Scan of the dependencies"),
    SystemActor.DESIGN_EVALUATION: _("Evaluation of the design"),
    SystemActor.REPOSITORY_RULES: _("Rules for repositories"),
}
SYSTEM_IDS = frozenset(one.value for one in SystemActor)

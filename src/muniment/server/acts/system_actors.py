"""Actors that are no person: what acts by itself, or by the hand of the operator on the machine."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from muniment.access.authorize import Actor
from muniment.access.roles import Grant, Role
from muniment.server.acts.inputs import Label


class SystemActor(StrEnum):
    """An actor that is no person. Its value stands in the record in place of a person's id, which has no such signs."""

    OPERATOR = "(operator at the shell)"
    COMPANY_SIGN_IN = "(company sign-in)"
    EXPIRY = "(expiry)"
    POLICY_BRANCH = "(policy branch)"

    @property
    def label(self) -> Label:
        """The name for people."""
        return _LABELS[self]

    def actor(self) -> Actor:
        """The actor that its acts are read and recorded for. Roles permit it nothing: a list of acts does."""
        return Actor(self.value, active=True, grants=_SIGHT if self is SystemActor.OPERATOR else ())


_SIGHT = (Grant(Role.ADMIN),)  # the operator can name every product; without a second factor it changes none
_LABELS: dict[SystemActor, Label] = {
    SystemActor.OPERATOR: _("Operator at the shell"),
    SystemActor.COMPANY_SIGN_IN: _("Company sign-in"),
    SystemActor.EXPIRY: _("Expiry"),
    SystemActor.POLICY_BRANCH: _("Policy branch"),
}
SYSTEM_IDS = frozenset(one.value for one in SystemActor)

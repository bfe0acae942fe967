"""Acts on an environment: two people change its order, and whether it is production."""

from typing import Annotated, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedState
from muniment.server.acts.inputs import Flag, Integer, Label
from muniment.server.products.act_fields import EnvironmentName, ProductId, find_active_environment
from muniment.server.products.environment_acts import read_environment_order
from muniment.server.products.models import Environment

MOST_ORDER = 100


class EnvironmentAct(Act, frozen=True):
    """Base of acts on one environment of a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_ENVIRONMENT,)

    product: ProductId
    environment: EnvironmentName

    def find_resource(self) -> Resource:
        return Resource(product=self.product)

    def format_subject(self) -> str:
        return f"environment:{self.product}/{self.environment}"

    def find_environment_row(self) -> Environment:
        """Row of the environment. Raises RefusedError if it is not in use."""
        return find_active_environment(self.product, self.environment)

    def check_preconditions(self, context: ActContext) -> None:
        """The environment is in use."""
        self.find_environment_row()


class ChangeEnvironment(EnvironmentAct, frozen=True):
    """Change the order of an environment, and whether it is production."""

    title: ClassVar[Label] = gettext_lazy("Change environment")

    order: Annotated[
        int,
        Integer(
            label=gettext_lazy("Order"),
            hint=gettext_lazy("An artifact is deployed to environments of a lower order first."),
            least=1,
            most=MOST_ORDER,
            recorded=True,
        ),
    ]
    production: Annotated[bool, Flag(label=gettext_lazy("Production: people depend on it"), ask=True, recorded=True)]

    def describe_act(self) -> str:
        """The environment, and what it will be."""
        details = {"environment": self.environment, "product": self.product, "order": self.order}
        if self.production:
            return _("give %(environment)s of %(product)s the order %(order)d, as production") % details
        return _("give %(environment)s of %(product)s the order %(order)d, not as production") % details

    @classmethod
    def guarded_state(cls) -> GuardedState:
        """Conditions for a deployment to each environment."""
        return read_environment_order()

    def carry_out(self, context: ActContext) -> None:
        row = self.find_environment_row()
        row.order, row.production = self.order, self.production
        row.save(update_fields=["order", "production"])

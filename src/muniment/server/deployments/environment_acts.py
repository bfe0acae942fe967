"""Acts on an environment: two people change its order, and whether it is production."""

from typing import Annotated, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedState
from muniment.server.acts.inputs import Flag, Integer, Label
from muniment.server.products.act_fields import EnvironmentName, ProductId, find_environment
from muniment.server.products.environment_acts import read_environment_order
from muniment.server.products.models import Environment

MOST_ORDER = 100


class EnvironmentAct(Act, frozen=True):
    """An act on one environment of a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_ENVIRONMENT,)

    product: ProductId
    environment: EnvironmentName

    def resource(self) -> Resource:
        """The product."""
        return Resource(product=self.product)

    def subject(self) -> str:
        """The environment."""
        return f"environment:{self.product}/{self.environment}"

    def row(self) -> Environment:
        """The environment's row. Raises RefusedError if it is not in use."""
        return find_environment(self.product, self.environment)

    def check(self, context: ActContext) -> None:
        """The environment is in use."""
        self.row()


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

    def summary(self) -> str:
        """The environment, and what it will be."""
        details = {"environment": self.environment, "product": self.product, "order": self.order}
        if self.production:
            return _("give %(environment)s of %(product)s the order %(order)d, as production") % details
        return _("give %(environment)s of %(product)s the order %(order)d, not as production") % details

    @classmethod
    def guarded_state(cls) -> GuardedState:
        """Everything that each environment needs before something is deployed there."""
        return read_environment_order()

    def execute(self, context: ActContext) -> None:
        """Change the row."""
        row = self.row()
        row.order, row.production = self.order, self.production
        row.save(update_fields=["order", "production"])

"""Acts on the environments of a product, before anything may be deployed there: add one, remove one."""

from typing import ClassVar

from django.db.models import Max, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedEnvironments, GuardedFact
from muniment.server.acts.inputs import Label
from muniment.server.products.act_fields import EnvironmentName, ProductAct, Slug, find_active_environment
from muniment.server.products.models import Environment


class AddEnvironment(ProductAct, frozen=True):
    """Add an environment: after all others, and production until two people say otherwise."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Add environment")

    name: Slug

    def describe_act(self) -> str:
        """The environment and its product."""
        return _("add the environment %(name)s to %(product)s") % {"name": self.name, "product": self.product}

    def check_preconditions(self, context: ActContext) -> None:
        """The product has none of that name."""
        if self.find_product_row().environments.filter(name=self.name, ended_at=None).exists():
            raise RefusedError(
                "name-taken", _("It has an environment of that name already."), _("Choose another name.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the row; a removed environment comes back without pipelines."""
        product = self.find_product_row()
        last = product.environments.filter(ended_at=None).aggregate(last=Max("order"))["last"]
        values = {"order": 1 if last is None else last + 1, "production": True, "ended_at": None}
        Environment.objects.update_or_create(product=product, name=self.name, defaults=values)


def read_environment_order() -> GuardedEnvironments:
    """For each environment in use, those that come before it, and whether it is production."""
    rows = list(Environment.objects.filter(ended_at=None).select_related("product"))
    needed: dict[tuple[str, str], frozenset[GuardedFact]] = {}
    for row in rows:
        before = {("after", one.name) for one in rows if one.product_id == row.product_id and one.order < row.order}
        production = {("production",)} if row.production else set()
        needed[row.product.slug, row.name] = frozenset({*before, *production})
    return GuardedEnvironments(needed)


def find_later_environments(product: str, name: str) -> "QuerySet[Environment]":
    """Environments of a product to which an artifact goes only after this one."""
    rows = Environment.objects.filter(product__slug=product, ended_at=None)
    return rows.filter(order__gt=Subquery(rows.filter(name=name).values("order")))


class RemoveEnvironment(ProductAct, frozen=True):
    """Remove an environment: nothing is deployed there any more; its past stays known.

    Two people remove one that others come after: an artifact would reach those without it, and the environment, added
    anew, would come last.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT, Action.CHANGE_ENVIRONMENT)
    title: ClassVar[Label] = gettext_lazy("Remove environment")

    environment: EnvironmentName

    @classmethod
    def guarded_state(cls) -> GuardedEnvironments:
        """Conditions for a deployment to each environment."""
        return read_environment_order()

    def required_action(self) -> Action:
        """Another action, with a second person, for an environment that others come after."""
        later = find_later_environments(self.product, self.environment)
        return Action.CHANGE_ENVIRONMENT if later.exists() else Action.CHANGE_PRODUCT

    def describe_act(self) -> str:
        """The environment and its product."""
        details = {"environment": self.environment, "product": self.product}
        return _("remove the environment %(environment)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in use."""
        find_active_environment(self.product, self.environment)

    def carry_out(self, context: ActContext) -> None:
        """End it, and the trust in its pipelines."""
        environment, now = find_active_environment(self.product, self.environment), timezone.now()
        environment.pipelines.filter(ended_at=None).update(ended_at=now)
        environment.ended_at = now
        environment.save(update_fields=["ended_at"])

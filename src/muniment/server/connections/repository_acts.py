"""Act that connects a repository at a forge to a product."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, Actor, authorize
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.connections.models import RepositoryLink, VisibleRepository
from muniment.server.job_queue import enqueue
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.models import FORGE, Repository


def _visible_repositories(actor: Actor) -> "QuerySet[VisibleRepository]":
    if authorize(actor, Action.SEE_CONNECTIONS, ORGANISATION) is not AccessResult.YES:
        return VisibleRepository.objects.none()
    return VisibleRepository.objects.filter(connection__ended_at=None)


def _find_path(number: int) -> str:
    return VisibleRepository.objects.filter(pk=number).values_list("path", flat=True).first() or ""


class ConnectRepository(ProductAct, frozen=True):
    """Connect a repository that a connection sees to a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Connect repository")

    repository: Annotated[
        int,
        number_input(
            label=gettext_lazy("Repository at the forge"),
            rows=_visible_repositories,
            missing=gettext_lazy("No connection sees such a repository."),
            remedy=gettext_lazy("Choose a repository that a connection sees."),
            recorded=True,
        ),
    ]
    name: Annotated[str, Text(label=gettext_lazy("Name; empty for its path at the forge"), most=200)] = ""

    def describe_act(self) -> str:
        """The repository and the product."""
        return _("connect %(path)s to %(product)s") % {"path": _find_path(self.repository), "product": self.product}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a retired product, a repository of another product, and a name that is taken."""
        visible = self._load_visible()
        if self.find_product_row().retired_at is not None:
            raise RefusedError("product-retired", _("The product is retired."), _("Choose a product that is in use."))
        forge = {"connection__vendor": visible.connection.vendor, "connection__url": visible.connection.url}
        if RepositoryLink.objects.filter(**forge, forge_id=visible.forge_id, connection__ended_at=None).exists():
            raise RefusedError(
                "repository-connected", _("It belongs to a product already."), _("Choose another repository.")
            )
        if Repository.objects.filter(name=self.name or visible.path).exists():
            raise RefusedError(
                "name-taken", _("Another repository has that name."), _("Give the repository a name that no other has.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the repository with its link to the forge, and have it read."""
        visible = self._load_visible()
        path = f"{FORGE}{visible.connection.slug}/{visible.forge_id}"
        repository = Repository.objects.create(
            product=self.find_product_row(), name=self.name or visible.path, path=path
        )
        RepositoryLink.objects.create(
            repository=repository,
            connection=visible.connection,
            forge_id=visible.forge_id,
            path=visible.path,
            default_branch=visible.default_branch,
            clone_url=visible.clone_url,
            url=visible.url,
        )
        enqueue("reconcile-repository", repository=repository.pk)

    def _load_visible(self) -> VisibleRepository:
        found = VisibleRepository.objects.select_related("connection").filter(pk=self.repository).first()
        if found is None:  # its connection was listed again meanwhile
            raise RefusedError(
                "repository-gone",
                _("No connection sees the repository any more."),
                _("Choose a repository that a connection sees."),
            )
        return found

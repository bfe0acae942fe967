"""Acts on the repositories of a product on a git server: add or correct one, read the log of its server hook."""

from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import ParseError, RefusedError
from muniment.ledger.ledger_keys import LOG, parse_public_key
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.changes.models import ServerHookLog
from muniment.server.job_queue import enqueue
from muniment.server.policies.models import PolicySource
from muniment.server.products.act_fields import ProductAct, RepositoryId, find_repository_name
from muniment.server.products.models import FORGE, Repository
from muniment.server.products.repository_folders import REMEDY, UNNAMED, is_in_named_folder

RepositoryNameField = Annotated[str, Text(label=gettext_lazy("Name, as approvals call it"), most=200)]

RepositoryPath = Annotated[
    str,
    Text(
        label=gettext_lazy("Full path on the worker's machine"),
        most=1000,
        pattern=r"(?:/|file:///).*",
        form=gettext_lazy("Write the full path of the repository on the worker's machine, such as /srv/git/shop.git."),
        monospace=True,
    ),
]


class AddRepository(ProductAct, frozen=True):
    """Add a repository, by the path where the worker finds it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Add repository")

    name: RepositoryNameField
    path: RepositoryPath

    def describe_act(self) -> str:
        """The repository and its product."""
        return _("add the repository %(name)s to %(product)s") % {"name": self.name, "product": self.product}

    def check_preconditions(self, context: ActContext) -> None:
        """The operator named a folder above it, and no other repository has the name."""
        _require_allowed_path(self.path)
        if Repository.objects.filter(name=self.name).exists():
            raise _make_name_error()

    def carry_out(self, context: ActContext) -> None:
        """Add the row, and have it read."""
        try:
            with transaction.atomic():
                row = Repository.objects.create(product=self.find_product_row(), name=self.name, path=self.path)
        except IntegrityError:  # added by somebody else at the same moment
            raise _make_name_error() from None
        enqueue("scan-repository", repository=row.pk)


class CorrectRepository(ProductAct, frozen=True):
    """Correct the name and the path of a repository that was never read, such as one that was mistyped."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Correct repository")

    repository: RepositoryId
    name: RepositoryNameField
    path: RepositoryPath

    def describe_act(self) -> str:
        """The repository, as it was called, and its product."""
        details = {"repository": find_repository_name(self.repository), "product": self.product}
        return _("correct the repository %(repository)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """The operator named a folder above it, no other repository has the name, and nothing of it was read."""
        _require_allowed_path(self.path)
        if not select_never_read(self.find_product_row().repositories.all()).filter(pk=self.repository).exists():
            raise RefusedError(
                "repository-was-read",
                _("The product has no such repository of which nothing was read."),
                _("Add another repository. What was read of this one, and what was decided, stays."),
            )
        if Repository.objects.filter(name=self.name).exclude(pk=self.repository).exists():
            raise _make_name_error()

    def carry_out(self, context: ActContext) -> None:
        """Change the row, and have it read by whichever worker has the path."""
        row = Repository.objects.get(pk=self.repository)
        row.name, row.path, row.worker, row.worker_seen_at = self.name, self.path, "", None
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:  # named by somebody else at the same moment
            raise _make_name_error() from None
        enqueue("scan-repository", repository=row.pk)


def select_never_read(rows: "QuerySet[Repository]") -> "QuerySet[Repository]":
    """Repositories that a path names, and of which neither a commit nor a hook's log was ever read."""
    unread = rows.filter(hook_log=None, changes=None).exclude(path__startswith=FORGE)
    return unread.filter(Q(scan=None) | Q(scan__tip="")).exclude(pk__in=PolicySource.objects.values("repository"))


class AddServerHookLog(ProductAct, frozen=True):
    """Read the log of the server hook on a repository: its ledger, verified with its public key."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Read server hook's log")

    repository: RepositoryId
    path: Annotated[
        str,
        Text(
            label=gettext_lazy("Full path of the hook's home, or of a copy of its ledger"),
            most=1000,
            pattern=r"/.*",
            form=gettext_lazy(
                "Write the full path of the hook's home, or of a copy of its ledger, on the worker's machine."
            ),
            monospace=True,
        ),
    ]
    key: Annotated[
        str,
        Text(label=gettext_lazy("Public key of its ledger: the line of keys/ledger.pub"), most=500, monospace=True),
    ]

    def normalise_fields(self) -> Self:
        """As it is. Raises ParseError for a key that is no ledger's."""
        if not _is_ledger_key(self.key):
            remedy = _("Take the one line of keys/ledger.pub in the hook's home.")
            raise ParseError(InputCode.MALFORMED, _("This is no public key of a ledger."), remedy, "key")
        return self

    def describe_act(self) -> str:
        """The repository and its product."""
        details = {"repository": find_repository_name(self.repository), "product": self.product}
        return _("read the log of the server hook on %(repository)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """The operator named a folder above it; the repository is the product's, and has no log yet."""
        _require_allowed_path(self.path)
        if not self.find_product_row().repositories.filter(pk=self.repository, hook_log=None).exists():
            raise RefusedError(
                "no-repository-without-log",
                _("The product has no such repository without a log."),
                _("Choose a repository of the product whose hook's log is not read yet."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the row, and have it read."""
        log = ServerHookLog.objects.create(repository_id=self.repository, path=self.path, public_key=self.key)
        enqueue("import-hook-log", log=log.pk)


def _require_allowed_path(path: str) -> None:
    if not is_in_named_folder(path):
        raise RefusedError("folder-not-named", _(UNNAMED), _(REMEDY))


def _make_name_error() -> RefusedError:
    return RefusedError(
        "name-taken", _("Another repository has this name."), _("Give the repository a name that no other has.")
    )


def _is_ledger_key(text: str) -> bool:
    try:
        return parse_public_key(text).kind == LOG
    except ParseError:
        return False

"""Acts on secrets. A value passes through the web's memory once, to the vault, and is stored or shown nowhere.

The record is written first, in the transaction of the act; the vault last, before it ends. If the vault refuses,
nothing was done and nothing is recorded.
"""

import secrets
from datetime import timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Flag, Integer, Label, Text
from muniment.server.products.act_fields import EnvironmentName, ProductId, find_environment
from muniment.server.products.models import Environment
from muniment.server.secrets.models import Secret, SecretVersion
from muniment.server.vault_access import refuse_without_vault, session
from muniment.vault import forms, layout, versions
from muniment.vault.leaves import ValueSummary, summarize_value
from muniment.vault.variable_names import find_obeyed_variable

LONGEST = 64 * 1024  # characters
RESTORABLE = timedelta(days=1)  # after a removal
_GENERATED_BYTES = 32


class SecretAct(Act, frozen=True):
    """An act on one secret of an environment."""

    product: ProductId
    environment: EnvironmentName
    name: Annotated[
        str,
        Text(
            label=gettext_lazy("Name, as the program reads it"),
            most=layout.LONGEST_NAME,
            pattern=layout.NAME_PATTERN,
            form=gettext_lazy("Write letters, digits and underscores, such as DATABASE_URL."),
            monospace=True,
            recorded=True,
        ),
    ]

    def resource(self) -> Resource:
        """The product."""
        return Resource(product=self.product)

    def subject(self) -> str:
        """The secret."""
        return f"secret:{self.product}/{self.environment}/{self.name}"

    def place(self) -> Environment:
        """The environment. Raises RefusedError if it is not in use."""
        return find_environment(self.product, self.environment)

    def row(self) -> Secret | None:
        """The secret's row, locked; None if there is none, or it was removed."""
        found = self.any_row()
        return None if found is None or found.removed_at is not None else found

    def any_row(self) -> Secret | None:
        """The secret's row, locked, also after its removal; None if there is none."""
        return Secret.objects.select_for_update().filter(environment=self.place(), name=self.name).first()


class SetSecret(SecretAct, frozen=True):
    """Set a secret, or replace it. The value accompanies the act; without one, one is generated that nobody sees."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SET_SECRET,)
    carries_secret: ClassVar[bool] = True
    title: ClassVar[Label] = gettext_lazy("Set secret")

    public: Annotated[
        bool, Flag(label=gettext_lazy("Public: it hides nothing, and need not be masked"), recorded=True)
    ] = False
    replace: Annotated[
        bool | None,
        Flag(
            label=gettext_lazy("Replace"),
            hint=gettext_lazy("yes: it has to be there already; no: it must not be; left out: either"),
            ask=True,
        ),
    ] = None

    def summary(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("set the secret %(name)s of %(environment)s of %(product)s") % details

    def details(self, context: ActContext) -> dict[str, str]:
        """Whether there was one, and where the value is from."""
        value = "generated" if context.secret is None else "typed"
        return {"effect": "set" if self.row() is None else "replaced", "value": value}

    def check(self, context: ActContext) -> None:
        """It is there, or not, as it has to be; name and value can be stored."""
        _check_name(self.name)
        found = self.row() is not None
        if self.replace is True and not found:
            raise no_secret(self.name)
        if self.replace is False and found:
            raise RefusedError(
                "secret-exists",
                _("There is a secret %(name)s there already.") % {"name": self.name},
                _("Rotate it instead: muniment secret rotate NAME --product PRODUCT --env ENVIRONMENT"),
            )
        if context.secret is not None:
            _check_value(context.secret, public=self.public)

    def execute(self, context: ActContext) -> ValueSummary | None:
        """Note who set it and when, then put the value into the vault. What may be said of a typed value; else None."""
        found = self.any_row()
        row = found or Secret(environment=self.place(), name=self.name)
        numbers = [] if found is None else list(found.versions.values_list("number", flat=True))
        row.set_by_id, row.set_at = context.requester, timezone.now()
        row.generated, row.public = context.secret is None, self.public
        row.version, row.removed_at = max(numbers, default=0) + 1, None
        row.save()
        SecretVersion.objects.create(
            secret=row,
            number=row.version,
            set_at=row.set_at,
            set_by_id=row.set_by_id,
            generated=row.generated,
            public=row.public,
        )
        dropped = numbers[versions.MOST - 1 :]
        row.versions.filter(number__in=dropped).delete()
        value = secrets.token_urlsafe(_GENERATED_BYTES) if context.secret is None else context.secret
        _write(self, versions.set_value(self.name, row.version, value, dropped))
        return None if context.secret is None else summarize_value(context.secret)


class RollBackSecret(SecretAct, frozen=True):
    """Let an earlier version of a secret count again. The vault chooses it by its number; nobody reads a value."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SET_SECRET,)
    title: ClassVar[Label] = gettext_lazy("Roll back secret")

    version: Annotated[
        int | None,
        Integer(
            label=gettext_lazy("Version"),
            hint=gettext_lazy("the number that the page of the product's secrets shows; left out: the one before"),
            least=1,
            most=999_999_999,
            recorded=True,
        ),
    ] = None

    def summary(self) -> str:
        """The secret's name, version and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        if self.version is None:
            return _("roll back the secret %(name)s of %(environment)s of %(product)s") % details
        details["version"] = str(self.version)
        return _("roll back the secret %(name)s of %(environment)s of %(product)s to version %(version)s") % details

    def details(self, context: ActContext) -> dict[str, str]:
        """The version that counted, and the one that counts now."""
        row, chosen = self.row(), self._chosen()
        if row is None or chosen is None:
            return {}
        return {"effect": "rolled back", "from": str(row.version), "to": str(chosen.number)}

    def check(self, context: ActContext) -> None:
        """The secret has such a version, and another counts."""
        row = self.row()
        if row is None:
            raise no_secret(self.name)
        if self._chosen() is None:
            raise RefusedError(
                "no-version",
                _("The vault has no such earlier version of %(name)s.") % {"name": self.name},
                _("Choose a version that the page of the product's secrets shows, or set the value again."),
            )

    def execute(self, context: ActContext) -> None:
        """Note which version counts, with its age, then have the vault choose it."""
        row, chosen = self.row(), self._chosen()
        if row is None or chosen is None:
            raise no_secret(self.name)
        row.version, row.set_at, row.set_by_id = chosen.number, chosen.set_at, chosen.set_by_id
        row.generated, row.public = chosen.generated, chosen.public
        row.save()
        _write(self, versions.choose_version(self.name, row.version))

    def _chosen(self) -> SecretVersion | None:
        """The version to take; None if there is none, or it counts already."""
        row = self.row()
        if row is None:
            return None
        others = row.versions.exclude(number=row.version)
        return (
            others.filter(number__lt=row.version).first()
            if self.version is None
            else others.filter(number=self.version).first()
        )


class RemoveSecret(SecretAct, frozen=True):
    """Remove a secret. No pipeline gets it any more; within a day it can be restored, then its values are destroyed."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REMOVE_SECRET,)
    title: ClassVar[Label] = gettext_lazy("Remove secret")

    reason: Annotated[str, reason_input()] = ""

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The secrets that pipelines rely on."""
        present = Secret.objects.filter(removed_at=None)
        rows = present.values_list("environment__product__slug", "environment__name", "name")
        return GuardedFacts(protected=frozenset(rows))

    def summary(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("remove the secret %(name)s of %(environment)s of %(product)s") % details

    def check(self, context: ActContext) -> None:
        """It is there."""
        if self.row() is None:
            raise no_secret(self.name)

    def execute(self, context: ActContext) -> None:
        """Note when it was removed, then have the vault give it to nobody."""
        row = self.row()
        if row is not None:
            row.removed_at = timezone.now()
            row.save()
        _write(self, versions.remove_name(self.name))


class RestoreSecret(SecretAct, frozen=True):
    """Undo the removal of a secret within a day: the version that counted before counts again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SET_SECRET,)
    title: ClassVar[Label] = gettext_lazy("Restore secret")

    def summary(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("restore the secret %(name)s of %(environment)s of %(product)s") % details

    def check(self, context: ActContext) -> None:
        """It was removed, less than a day ago."""
        found = self.any_row()
        if found is None or found.removed_at is None or found.removed_at <= timezone.now() - RESTORABLE:
            raise RefusedError(
                "not-removed",
                _("No secret %(name)s was removed there within the last day.") % {"name": self.name},
                _("Set it again: muniment secret set NAME --product PRODUCT --env ENVIRONMENT"),
            )

    def execute(self, context: ActContext) -> None:
        """Note that it is there again, then have the vault give it to pipelines."""
        row = self.any_row()
        if row is None:
            raise no_secret(self.name)
        row.removed_at = None
        row.save()
        _write(self, versions.choose_version(self.name, row.version))


def no_secret(name: str) -> RefusedError:
    """The refusal of an act on a secret that is not there."""
    return RefusedError(
        "no-secret",
        _("There is no secret %(name)s there.") % {"name": name},
        _("Choose a secret that the page of the product's secrets shows."),
    )


def _check_name(name: str) -> None:
    """Raise RefusedError for a name by which whoever writes a secret could take over the job that gets it."""
    if obeyed := find_obeyed_variable(name):
        raise RefusedError(
            "name-obeyed",
            _("Programs obey the variable %(name)s, so no secret may set it.") % {"name": obeyed},
            _("Use another name; the pipeline file can say which variable gets it: --secret NAME=VARIABLE"),
        )


def _check_value(value: object, *, public: bool) -> None:
    """Raise RefusedError for a value that cannot be stored. No message holds it."""
    if not isinstance(value, str) or not value or len(value) > LONGEST or "\x00" in value:
        raise RefusedError(
            "value-length",
            _("A secret has between 1 and %(most)d characters, none of them NUL.") % {"most": LONGEST},
            _("Give another value."),
        )
    if not public and forms.length(value) < forms.SHORTEST:
        raise RefusedError(
            "value-short",
            _("A value of fewer than %(least)d characters cannot be masked, and is soon guessed.")
            % {"least": forms.SHORTEST},
            _("Take a longer one, or say that it is public."),
        )


def _write(act: SecretAct, changes: versions.Changes) -> None:
    """Change what is in the vault. Raises RefusedError if the vault does not take it."""
    with refuse_without_vault():
        session().patch(act.product, act.environment, changes)

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
from muniment.access.authorization import Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Flag, Integer, Label, Text
from muniment.server.products.act_fields import EnvironmentName, ProductId, find_active_environment
from muniment.server.products.models import Environment
from muniment.server.secrets.models import Secret, SecretVersion
from muniment.server.vault_access import open_vault_session, refuse_without_vault
from muniment.vault import layout, secret_forms, versions
from muniment.vault.secret_parts import ValueSummary, summarize_value
from muniment.vault.variable_names import find_obeyed_variable

LONGEST_SECRET = 64 * 1024  # characters
RESTORABLE = timedelta(days=1)  # after a removal
_GENERATED_BYTES = 32


class SecretAct(Act, frozen=True):
    """Base of acts on one secret of an environment."""

    product: ProductId
    environment: EnvironmentName
    name: Annotated[
        str,
        Text(
            label=gettext_lazy("Name, as the program reads it"),
            most=layout.LONGEST_SECRET_NAME,
            pattern=layout.NAME_PATTERN,
            form=gettext_lazy("Write letters, digits and underscores, such as DATABASE_URL."),
            monospace=True,
            recorded=True,
        ),
    ]

    def find_resource(self) -> Resource:
        return Resource(product=self.product)

    def format_subject(self) -> str:
        return f"secret:{self.product}/{self.environment}/{self.name}"

    def find_act_environment(self) -> Environment:
        """Environment of the secret. Raises RefusedError if it is not in use."""
        return find_active_environment(self.product, self.environment)

    def lock_secret_row(self) -> Secret | None:
        """Row of the secret, locked; None if there is none."""
        found = self.any_row()
        return None if found is None or found.removed_at is not None else found

    def any_row(self) -> Secret | None:
        """The secret's row, locked, also after its removal; None if there is none."""
        # Locked: whether the act sets or replaces a value is decided by the row as it is when the act is carried out.
        return (
            Secret.objects.select_for_update().filter(environment=self.find_act_environment(), name=self.name).first()
        )


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

    def describe_act(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("set the secret %(name)s of %(environment)s of %(product)s") % details

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """Whether the secret existed, and the source of the value."""
        value = "generated" if context.secret is None else "typed"
        return {"effect": "set" if self.lock_secret_row() is None else "replaced", "value": value}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it exists, or does not, as the act says, and that name and value can be stored."""
        _require_safe_name(self.name)
        found = self.lock_secret_row() is not None
        if self.replace is True and not found:
            raise make_missing_error(self.name)
        if self.replace is False and found:
            raise RefusedError(
                "secret-exists",
                _("There is a secret %(name)s there already.") % {"name": self.name},
                _("Rotate it instead: muniment secret rotate NAME --product PRODUCT --env ENVIRONMENT"),
            )
        if context.secret is not None:
            _require_storable(context.secret, public=self.public)

    def carry_out(self, context: ActContext) -> ValueSummary | None:
        """Note who set it and when, then put the value into the vault. What may be said of a typed value; else None."""
        found = self.any_row()
        row = found or Secret(environment=self.find_act_environment(), name=self.name)
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
        dropped = numbers[versions.MOST_VERSIONS - 1 :]
        row.versions.filter(number__in=dropped).delete()
        value = secrets.token_urlsafe(_GENERATED_BYTES) if context.secret is None else context.secret
        _write_to_vault(self, versions.set_value(self.name, row.version, value, dropped))
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

    def describe_act(self) -> str:
        """The secret's name, version and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        if self.version is None:
            return _("roll back the secret %(name)s of %(environment)s of %(product)s") % details
        details["version"] = str(self.version)
        return _("roll back the secret %(name)s of %(environment)s of %(product)s to version %(version)s") % details

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The version that counted, and the one that counts now."""
        row, chosen = self.lock_secret_row(), self._chosen()
        if row is None or chosen is None:
            return {}
        return {"effect": "rolled back", "from": str(row.version), "to": str(chosen.number)}

    def check_preconditions(self, context: ActContext) -> None:
        """The secret has such a version, and another counts."""
        row = self.lock_secret_row()
        if row is None:
            raise make_missing_error(self.name)
        if self._chosen() is None:
            raise RefusedError(
                "no-version",
                _("The vault has no such earlier version of %(name)s.") % {"name": self.name},
                _("Choose a version that the page of the product's secrets shows, or set the value again."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Note which version counts, with its age, then have the vault choose it."""
        row, chosen = self.lock_secret_row(), self._chosen()
        if row is None or chosen is None:
            raise make_missing_error(self.name)
        row.version, row.set_at, row.set_by_id = chosen.number, chosen.set_at, chosen.set_by_id
        row.generated, row.public = chosen.generated, chosen.public
        row.save()
        _write_to_vault(self, versions.choose_version(self.name, row.version))

    def _chosen(self) -> SecretVersion | None:
        """The version to take; None if there is none, or it counts already."""
        row = self.lock_secret_row()
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

    def describe_act(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("remove the secret %(name)s of %(environment)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it exists."""
        if self.lock_secret_row() is None:
            raise make_missing_error(self.name)

    def carry_out(self, context: ActContext) -> None:
        """Note when it was removed, then have the vault give it to nobody."""
        row = self.lock_secret_row()
        if row is not None:
            row.removed_at = timezone.now()
            row.save()
        _write_to_vault(self, versions.remove_name(self.name))


class RestoreSecret(SecretAct, frozen=True):
    """Undo the removal of a secret within a day: the version that counted before counts again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SET_SECRET,)
    title: ClassVar[Label] = gettext_lazy("Restore secret")

    def describe_act(self) -> str:
        """The secret's name and environment."""
        details = {"name": self.name, "environment": self.environment, "product": self.product}
        return _("restore the secret %(name)s of %(environment)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the secret was removed less than a day ago."""
        found = self.any_row()
        if found is None or found.removed_at is None or found.removed_at <= timezone.now() - RESTORABLE:
            raise RefusedError(
                "not-removed",
                _("No secret %(name)s was removed there within the last day.") % {"name": self.name},
                _("Set it again: muniment secret set NAME --product PRODUCT --env ENVIRONMENT"),
            )

    def carry_out(self, context: ActContext) -> None:
        """Note that it is there again, then have the vault give it to pipelines."""
        row = self.any_row()
        if row is None:
            raise make_missing_error(self.name)
        row.removed_at = None
        row.save()
        _write_to_vault(self, versions.choose_version(self.name, row.version))


def make_missing_error(name: str) -> RefusedError:
    """Refusal of an act on a secret that does not exist."""
    return RefusedError(
        "no-secret",
        _("There is no secret %(name)s there.") % {"name": name},
        _("Choose a secret that the page of the product's secrets shows."),
    )


def _require_safe_name(name: str) -> None:
    """Raise RefusedError for a name by which a writer of secrets could take over the job that gets it."""
    if obeyed := find_obeyed_variable(name):
        raise RefusedError(
            "name-obeyed",
            _("Programs obey the variable %(name)s, so no secret may set it.") % {"name": obeyed},
            _("Use another name; the pipeline file can say which variable gets it: --secret NAME=VARIABLE"),
        )


def _require_storable(value: object, *, public: bool) -> None:
    """Raise RefusedError for a value that cannot be stored. No message contains it."""
    if not isinstance(value, str) or not value or len(value) > LONGEST_SECRET or "\x00" in value:
        raise RefusedError(
            "value-length",
            _("A secret has between 1 and %(most)d characters, none of them NUL.") % {"most": LONGEST_SECRET},
            _("Give another value."),
        )
    if not public and secret_forms.maskable_length(value) < secret_forms.SHORTEST:
        raise RefusedError(
            "value-short",
            _("A value of fewer than %(least)d characters cannot be masked, and is soon guessed.")
            % {"least": secret_forms.SHORTEST},
            _("Take a longer one, or say that it is public."),
        )


def _write_to_vault(act: SecretAct, changes: versions.Changes) -> None:
    """Write a value to the vault; None removes it. Raises RefusedError if the vault does not take it."""
    with refuse_without_vault():
        open_vault_session().patch_secrets(act.product, act.environment, changes)

"""Contributions of the secrets: names alone, for the vault has the values."""

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import AppContributions, PersonalData, ProductTab, RetentionRule
from muniment.server.secrets.models import SecretRead, SecretVersion
from muniment.server.secrets.secret_acts import RemoveSecret, RestoreSecret, RollBackSecret, SetSecret
from muniment.server.secrets.secret_facts import SecretSupplier, describe_secret_state
from muniment.server.secrets.vault_acts import ChangeVault, EndVaultWatch


def read_secrets(person: str) -> Iterable[Mapping[str, object]]:
    """The names of the secrets that a person set, with each version that is still in the vault."""
    rows = SecretVersion.objects.filter(set_by=person)
    place = ("secret__environment__product__slug", "secret__environment__name", "secret__name")
    return list(rows.values(*place, "number", "set_at"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.secrets.urls",
    product_tabs=(ProductTab(50, "secrets", _("Secrets"), Action.SEE_SECRETS),),
    acts=(
        SetSecret,
        RollBackSecret,
        RemoveSecret,
        RestoreSecret,
    ),
    system_acts={SystemActor.OPERATOR: (ChangeVault, EndVaultWatch)},
    retention=(
        RetentionRule(
            _("Who read secrets, from the vault's audit log"),
            _("To check that only pipelines read them"),
            "secret_read_days",
            lambda moment: drop_rows(SecretRead.objects.filter(last_read_at__lt=moment)),
        ),
    ),
    personal_data=(PersonalData("secrets", read_secrets),),
    fact_suppliers=(SecretSupplier(),),
    fact_states=(describe_secret_state,),
)

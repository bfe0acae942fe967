"""Whether products are active, by what is known of them: see `calendars.activity`."""

import datetime
from collections.abc import Mapping

from django.db.models import Max
from django.utils import timezone

from muniment.calendars.activity import ProductActivity, ProductSignals, Retirement, determine_activity
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.server.deployments.models import Deployment
from muniment.server.products.models import Product

_NOT_STATED = Unknown("nobody stated it")


def find_activities(today: datetime.date) -> dict[str, ProductActivity]:
    """Activity of every product on a day, by its handle."""
    rows = Deployment.objects.values("environment__product").annotate(last=Max("requested_at"))
    deployed: dict[int, datetime.datetime] = dict(rows.values_list("environment__product", "last"))
    return {row.slug: determine_product_activity(row, deployed, today) for row in Product.objects.all()}


def determine_product_activity(
    product: Product, deployed: Mapping[int, datetime.datetime], today: datetime.date
) -> ProductActivity:
    """Activity of a product; `deployed` has the moment of the last deployment of each."""
    is_retired = product.retired_at is not None
    signals = ProductSignals(
        last_deployed=_find_last_deployment(product, deployed),
        used=_read_signal(product.has_users),
        sold=Known(False) if is_retired else _NOT_STATED,  # a retirement says that it is sold no more
        supported=_read_signal(product.supported),
        personal_data=_read_signal(product.holds_personal_data),
    )
    return determine_activity(signals, today, find_retirement(product))


def find_retirement(product: Product) -> Retirement | None:
    """Retirement of a product, as two people decided it; None for one in use."""
    if product.retired_at is None:
        return None
    since = product.retired_since or timezone.localtime(product.retired_at).date()
    return Retirement(since, product.data_after_retirement, stated_by="", approved_by="")


def _find_last_deployment(product: Product, deployed: Mapping[int, datetime.datetime]) -> Maybe[datetime.date | None]:
    last = deployed.get(product.pk)
    if last is not None:
        return Known(timezone.localtime(last).date())
    if product.deployed is None:
        return _NOT_STATED
    return Known(None) if product.deployed is False else Unknown("no deployment was seen, though it is deployed")


def _read_signal(value: bool | None) -> Maybe[bool]:
    return _NOT_STATED if value is None else Known(value)

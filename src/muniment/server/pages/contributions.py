"""Contributions of the pages about several apps."""

from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.pages.service_metrics import (
    measure_fact_ages,
    measure_queue_age,
    measure_rate_limits,
    measure_time_to_status,
)
from muniment.server.registration import AppContributions, GlossaryEntry, ProductTab

CONTRIBUTIONS = AppContributions(
    urls="muniment.server.pages.urls",
    product_tabs=(
        ProductTab(10, "product", _("Overview"), Action.SEE_PRODUCT),
        ProductTab(100, "product-settings", _("Settings"), Action.SEE_PRODUCT),
    ),
    metrics=(measure_time_to_status, measure_queue_age, measure_rate_limits, measure_fact_ages),
    glossary=(
        GlossaryEntry(
            110, _("commit"), _("A saved version of the code, with its author. A long number identifies it.")
        ),
        GlossaryEntry(
            120, _("branch"), _("A series of commits. The company delivers its products from protected branches.")
        ),
        GlossaryEntry(
            130,
            _("unknown"),
            _("A required fact is missing. Muniment then blocks, and names who can provide the fact."),
        ),
    ),
)

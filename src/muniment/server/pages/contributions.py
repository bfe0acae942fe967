"""Contributions of the pages about several apps."""

from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.registration import AppContributions, GlossaryEntry, ProductTab

CONTRIBUTIONS = AppContributions(
    urls="muniment.server.pages.urls",
    product_tabs=(
        ProductTab(10, "product", _("Overview"), Action.SEE_PRODUCT),
        ProductTab(100, "product-settings", _("Settings"), Action.SEE_PRODUCT),
    ),
    glossary=(
        GlossaryEntry(
            110, _("commit"), _("One saved state of a program, with who made it. Its name is a long number.")
        ),
        GlossaryEntry(120, _("branch"), _("A line of commits. A protected one is what the company ships.")),
        GlossaryEntry(
            130, _("unknown"), _("It could not be learnt. Muniment then says no, and tells who can settle it.")
        ),
    ),
)

"""Coverage of the OWASP Top 10 by our rules: weaknesses that a rule looks for, and what no source code can show."""

from typing import NamedTuple

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.scanners.owasp_categories import load_categories
from muniment.scanners.own_rules import load_own_rules
from muniment.server.acts.inputs import Label
from muniment.server.findings.coverage import find_percentage
from muniment.server.findings.due_dates import find_open_findings, read_due_days
from muniment.server.findings.models import ProductFinding
from muniment.server.products.visible_products import within_reach

_EDITION = 2025
_NOT_IN_SOURCE: dict[str, Label] = {
    "A01:2025": _("Whether each person sees their own data only. Named tests and the design show it."),
    "A02:2025": _("Settings of cloud consoles and servers that no file describes."),
    "A03:2025": _("Vulnerable components. Advisories and lock files show them."),
    "A04:2025": _("Key lengths that are set at run time."),
    "A05:2025": _("Statements that are built outside of the code, as in the database."),
    "A06:2025": _("Rules of the business, and the design itself. The six principles show it."),
    "A07:2025": _("Strength of the company's own sign-in."),
    "A08:2025": _("Artifacts after the build. Provenance and signatures show them."),
    "A09:2025": _("Whether somebody reads the alerts."),
    "A10:2025": _("Time limits and failures of other systems."),
}


class CategoryCoverage(NamedTuple):
    """Coverage of one category. `checked` of `listed` CWEs have a rule of ours."""

    code: str
    name: str
    rules: int
    checked: int
    listed: int
    not_in_source: Label
    open_findings: int

    @property
    def checked_percentage(self) -> int:
        """Percentage of the CWEs of the category that a rule looks for."""
        return find_percentage(self.checked, self.listed)

    @property
    def short_code(self) -> str:
        """Number without the edition, such as A01."""
        return self.code.partition(":")[0]


def read_category_coverage(actor: Actor) -> list[CategoryCoverage]:
    """Read the coverage of each category, with the open findings that the actor may see."""
    days, _problem = read_due_days()
    rows = ProductFinding.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product"))
    counted = find_open_findings(rows, days).order_by().values_list("owasp_2025").annotate(n=Count("pk"))
    found = dict(counted.values_list("owasp_2025", "n"))
    cwes = [rule.cwe for rule in load_own_rules().values()]
    return [
        CategoryCoverage(
            code=code,
            name=category.name,
            rules=sum(cwe in category.cwe for cwe in cwes),
            checked=len(category.cwe & set(cwes)),
            listed=len(category.cwe),
            not_in_source=_NOT_IN_SOURCE[code],
            open_findings=found.get(code, 0),
        )
        for code, category in sorted(load_categories().items())
        if code.endswith(f":{_EDITION}")
    ]

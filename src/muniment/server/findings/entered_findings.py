"""Act by which a person enters a finding: of a penetration test, a report, or a customer."""

import hashlib
from typing import Annotated, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.scanners.owasp_categories import find_category
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Choice, Integer, Label, Text
from muniment.server.findings.finding_events import ENTERED, add_events
from muniment.server.findings.models import FindingSeverity, FindingSource, ProductFinding
from muniment.server.products.act_fields import ProductAct

BY_HAND = "person"  # in place of the tool


class EnterFinding(ProductAct, frozen=True, kw_only=True):
    """Enter a finding by hand. Its due date counts from now."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("Enter finding")

    weakness: Annotated[
        str,
        Text(
            label=gettext_lazy("Weakness"),
            hint=gettext_lazy("In a few words, such as: session stays valid after a password change"),
            most=200,
        ),
    ]
    severity: Annotated[
        FindingSeverity,
        Choice(label=gettext_lazy("Severity"), options=FindingSeverity, labels=lambda one: one.label, recorded=True),
    ]
    reported_in: Annotated[
        str,
        Text(
            label=gettext_lazy("Reported in"),
            hint=gettext_lazy("The penetration test, the report or the customer, with the day"),
            most=200,
        ),
    ]
    cwe: Annotated[
        int,
        Integer(
            label=gettext_lazy("CWE"), hint=gettext_lazy("Its number; 0 if you do not know it"), least=0, most=9999
        ),
    ] = 0
    path: Annotated[str, Text(label=gettext_lazy("File, if it is in one"), most=300, monospace=True)] = ""
    impact: Annotated[str, Text(label=gettext_lazy("Impact, in one sentence"), most=500)] = ""
    description: Annotated[
        str,
        Text(
            label=gettext_lazy("Requirement that is not met, and where"),
            hint=gettext_lazy("Describe no way to attack it: many people read this page."),
            most=2000,
            multiline=True,
        ),
    ]

    def describe_act(self) -> str:
        return _("enter a finding of %(product)s") % {"product": self.find_product_row().name}

    def carry_out(self, context: ActContext) -> None:
        """Add the finding. The same one may be entered twice: both are then decided."""
        product = self.find_product_row()
        digest = hashlib.sha256(f"{self.digest_act()} {context.requested_at}".encode()).hexdigest()
        row = ProductFinding.objects.create(
            product=product,
            source=FindingSource.ENTERED,
            tool=BY_HAND,
            rule=self.weakness,
            fingerprint=digest[:32],
            severity=self.severity,
            cwe=self.cwe,
            owasp_2021=find_category(self.cwe, 2021),
            owasp_2025=find_category(self.cwe, 2025),
            impact=self.impact,
            message=self.description,
            reported_in=self.reported_in,
            path=self.path,
        )
        add_events([row.pk], ENTERED, context.requesting_person)

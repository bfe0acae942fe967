"""Requirements of a product as its page shows them: filtered, with figures, levels, and the proof of each."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import msgspec
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.controls.requirements_met import CONTROL, Parameters
from muniment.facts.requirement_facts import RequirementStatus
from muniment.policy.model import Clause
from muniment.scanners.requirements.checklist import VerifiedBy
from muniment.scanners.requirements.states import OPEN_FINDINGS
from muniment.server.acts.inputs import Label
from muniment.server.products.models import Product
from muniment.server.requirements.product_evidence import ProductRequirement

_ENDS_SOON = timedelta(days=30)
_STATUS_TEXTS: dict[RequirementStatus, Label] = {
    RequirementStatus.MET: _("Met"),
    RequirementStatus.VIOLATED: _("Not met"),
    RequirementStatus.UNKNOWN: _("Unknown"),
    RequirementStatus.NOT_APPLICABLE: _("Not applicable"),
}
SHOWN_STATES: tuple[tuple[str, Label], ...] = (
    *((status.value, text) for status, text in _STATUS_TEXTS.items()),
    ("ends-soon", _("Ends in 30 days")),
)
VERIFIERS: tuple[tuple[str, Label], ...] = (("machine", _("Machine")), ("person", _("Attested")), ("none", _("None")))
_VERIFIER_TEXTS = dict(VERIFIERS)
_ICONS = {"machine": "robot", "person": "user-check", "none": "circle-minus"}


class RequirementLine(NamedTuple):
    """Requirement as a row of the table. `verifier` is a code of VERIFIERS."""

    requirement: ProductRequirement
    reference: str
    status: RequirementStatus
    text: Label
    verifier: str
    verifier_text: Label
    icon: str
    proof: str
    until: date | None
    ends_soon: bool

    @property
    def open_rule(self) -> str:
        """Rule with an open finding that keeps the requirement from being met; "" for none."""
        prefix, _separator, rules = self.requirement.state.because.partition(OPEN_FINDINGS)
        is_rule = self.requirement.verified_by is VerifiedBy.RULE and self.status is RequirementStatus.VIOLATED
        return rules.split(", ")[0] if is_rule and not prefix else ""


class LevelRow(NamedTuple):
    """Number of requirements of one level, and of those that are met or do not apply."""

    level: int
    met: int
    total: int

    @property
    def open_count(self) -> int:
        """Number of those that are neither met nor excluded."""
        return self.total - self.met


class TableFilter(NamedTuple):
    """Filter of the table; "" and 0 for all."""

    text: str = ""
    verifier: str = ""
    state: str = ""
    level: int = 0
    listing: str = ""


class RequirementScope(NamedTuple):
    """Level and official lists that the policy in force asks for."""

    level: int
    lists: tuple[str, ...]


def find_requirement_scope(product: Product, clauses: Iterable[Clause]) -> RequirementScope:
    """Highest level that a clause asks for, and all lists. Without such a clause, those of the control."""
    own = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    given = own or [Parameters()]
    personal = product.holds_personal_data is not False
    level = max(max(one.level, one.personal_data_level if personal else 1) for one in given)
    return RequirementScope(level, tuple(dict.fromkeys(name for one in given for name in one.lists)))


def make_lines(
    found: Iterable[ProductRequirement], scope: RequirementScope, listing: str = ""
) -> list[RequirementLine]:
    """Lines of the requirements in scope; with `listing`, those of one official list."""
    lists = (listing,) if listing else ("", *scope.lists)
    today = timezone.localdate()
    chosen = (one for one in found if one.state.level <= scope.level and one.state.list_name in lists)
    return [_make_line(one, today) for one in chosen]


def _make_line(one: ProductRequirement, today: date) -> RequirementLine:
    state = one.state
    until = date.fromisoformat(state.until) if state.until else None
    verifier = _find_verifier(one)
    reference = f"{state.list_name} {state.name}" if state.list_name else "ASVS " + ", ".join(one.asvs)
    return RequirementLine(
        requirement=one,
        reference=reference,
        status=state.status,
        text=_STATUS_TEXTS[state.status],
        verifier=verifier,
        verifier_text=_VERIFIER_TEXTS[verifier],
        icon=_ICONS[verifier],
        proof=state.because[:1].upper() + state.because[1:],
        until=until,
        ends_soon=until is not None and until <= today + _ENDS_SOON,
    )


def _find_verifier(one: ProductRequirement) -> str:
    if one.state.status in (RequirementStatus.UNKNOWN, RequirementStatus.NOT_APPLICABLE):
        return "none"
    return "person" if one.state.until else "machine"


def filter_lines(lines: Iterable[RequirementLine], chosen: TableFilter) -> list[RequirementLine]:
    """Lines that a filter chooses, those that are not met first, then the unknown ones."""
    order = (RequirementStatus.VIOLATED, RequirementStatus.UNKNOWN, RequirementStatus.MET)
    found = [one for one in lines if _is_chosen(one, chosen)]
    return sorted(found, key=lambda one: order.index(one.status) if one.status in order else len(order))


def _is_chosen(one: RequirementLine, chosen: TableFilter) -> bool:
    if chosen.text and chosen.text.lower() not in f"{one.requirement.text} {one.reference}".lower():
        return False
    if chosen.verifier and one.verifier != chosen.verifier:
        return False
    if chosen.level and one.requirement.state.level != chosen.level:
        return False
    if chosen.state == "ends-soon":
        return one.ends_soon
    return not chosen.state or one.status == chosen.state


def count_statuses(lines: Iterable[RequirementLine]) -> dict[str, int]:
    """Number of lines by status and by verifier."""
    found = dict.fromkeys([status.value for status in RequirementStatus] + [code for code, _text in VERIFIERS], 0)
    for one in lines:
        found[one.status.value] += 1
        found[one.verifier] += 1
    return found


def count_levels(lines: Iterable[RequirementLine]) -> list[LevelRow]:
    """Number of requirements by level."""
    found: dict[int, list[int]] = {}
    for one in lines:
        row = found.setdefault(one.requirement.state.level, [0, 0])
        row[0] += one.status in (RequirementStatus.MET, RequirementStatus.NOT_APPLICABLE)
        row[1] += 1
    return [LevelRow(level, met, total) for level, (met, total) in sorted(found.items())]

"""Values of the page of a product's design: results, picture, path, tables, threats and open changes."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from muniment.design.drawing import DrawingStyle, draw_design
from muniment.design.findings import DesignFinding, DesignStatus, Evidence, Principle, PrincipleResult
from muniment.design.model import DesignModel
from muniment.design.privileges import HeldPrivileges, name_holders
from muniment.design.product_design import DesignAnswer
from muniment.design.separation import find_changers
from muniment.design.stored_results import EvaluatedDesign, load_finding, load_result
from muniment.server.acts.inputs import Label
from muniment.server.designs.models import ChangeDesign
from muniment.server.designs.threat_texts import PRINCIPLE_TEXTS
from muniment.workflows.design_evaluation import describe_change

_WORST_FIRST = (DesignStatus.VIOLATED, DesignStatus.UNKNOWN, DesignStatus.MET, DesignStatus.NOT_APPLICABLE)
_MOST_LISTED = 100
_EMPTY = DrawingStyle(alone=False)


class PrincipleCard(NamedTuple):
    """Result of a principle as a page shows it."""

    code: str
    name: Label
    sentence: Label
    status: str
    summary: str
    basis: str
    findings: tuple[DesignFinding, ...]


class CounterExample(NamedTuple):
    """Path that shows a problem: the principle that it is about, and its steps from outside."""

    principle: Label
    finding: DesignFinding
    steps: tuple[tuple[str, str], ...]


class ChangerLine(NamedTuple):
    """Holders who can change a resource or a protected property, against the limit; None where there is no limit."""

    resource: str
    protected: str
    holders: tuple[str, ...]
    most: int | None

    @property
    def status_code(self) -> str:
        """Code of the state for the components."""
        if self.most is None:
            return "unknown"
        return "met" if len(self.holders) <= self.most else "violated"


class DesignView(NamedTuple):
    """Everything of an evaluated design that a page shows."""

    cards: tuple[PrincipleCard, ...]
    drawing: SafeString
    example: CounterExample | None
    changers: tuple[ChangerLine, ...]
    unknown: tuple[DesignFinding, ...]


class ChangeView(NamedTuple):
    """Design before and after a change. Drawings are "" without a design. `problem` says what cannot be read."""

    problem: str
    before: SafeString
    after: SafeString
    added: tuple[str, ...]
    removed: tuple[str, ...]
    weaker: tuple[DesignFinding, ...]
    brought: tuple[DesignFinding, ...]


def view_design(design: EvaluatedDesign) -> DesignView | None:
    """Values of a page about a design; None where no repository has one."""
    model = design.model
    if model is None:
        return None
    results = [load_result(result) for result in design.results]
    findings = [finding for result in results for finding in result.findings]
    example = find_counter_example(model, results)
    style = _EMPTY._replace(path=example.finding.path if example is not None else ())
    on_path = [example.finding] if example is not None else []
    marked = [*on_path, *(finding for finding in findings if finding not in on_path and not finding.path)]
    return DesignView(
        cards=tuple(_make_card(principle, results) for principle in Principle),
        drawing=draw_on_page(model, marked, style),
        example=example,
        changers=list_changers(model),
        unknown=tuple(one for one in findings if one.status is DesignStatus.UNKNOWN)[:_MOST_LISTED],
    )


def draw_on_page(model: DesignModel, findings: Iterable[DesignFinding], style: DrawingStyle) -> SafeString:
    """Picture of a design as a part of a page. Each name of the design is escaped where it is drawn."""
    return mark_safe(draw_design(model, findings, style))  # noqa: S308 -- `drawing._escape_text` escapes each text


def _make_card(principle: Principle, results: list[PrincipleResult]) -> PrincipleCard:
    own = [result for result in results if result.principle is principle]
    name, sentence = PRINCIPLE_TEXTS[principle]
    status = min((result.status for result in own), key=_WORST_FIRST.index, default=DesignStatus.UNKNOWN)
    findings = [finding for result in own for finding in result.findings]
    findings.sort(key=lambda finding: _WORST_FIRST.index(finding.status))
    basis = list(dict.fromkeys(_EVIDENCE_TEXTS[kind]() for result in own for kind in result.evidence))
    return PrincipleCard(
        code=principle.value,
        name=name,
        sentence=sentence,
        status=status.value,
        summary=_count_problems(findings, sum(result.examined for result in own)),
        basis="; ".join(basis),
        findings=tuple(findings[:_MOST_LISTED]),
    )


_EVIDENCE_TEXTS = {
    Evidence.MODEL: lambda: _("shown on the model"),
    Evidence.PARSED: lambda: _("parsed from the code"),
    Evidence.TESTED: lambda: _("tested"),
    Evidence.MEASURED: lambda: _("measured"),
    Evidence.STATED: lambda: _("stated by a person"),
}


def _count_problems(findings: list[DesignFinding], examined: int) -> str:
    violated = sum(finding.status is DesignStatus.VIOLATED for finding in findings)
    if violated:
        return ngettext("%(n)d problem", "%(n)d problems", violated) % {"n": violated}
    if findings:
        return ngettext("%(n)d thing is unknown", "%(n)d things are unknown", len(findings)) % {"n": len(findings)}
    return ngettext("%(n)d part examined", "%(n)d parts examined", examined) % {"n": examined}


def find_counter_example(model: DesignModel, results: Iterable[PrincipleResult]) -> CounterExample | None:
    """First problem that has a path, in the order of the principles: a violation before what is unknown, and a path of
    the picture before one of rights.
    """
    outside = {actor.id for actor in model.actors}
    found = [(finding, result) for result in results for finding in result.findings if len(finding.path) > 1]
    if not found:
        return None
    finding, result = min(
        found, key=lambda each: (each[0].status is not DesignStatus.VIOLATED, each[0].path[0] not in outside)
    )
    return CounterExample(PRINCIPLE_TEXTS[result.principle][0], finding, tuple(itertools.pairwise(finding.path)))


def list_changers(model: DesignModel) -> tuple[ChangerLine, ...]:
    """List the holders who can change each resource and protected property, those over their limit first."""
    privileges = HeldPrivileges(model)
    holdings = {holder: privileges.find_holdings(holder) for holder in privileges.holders}
    limits = {(limit.resource, limit.protected): limit.most for limit in model.limits}
    names = name_holders(model)
    lines = []
    for resource in model.resources:
        for protected in ("", *resource.properties):
            holders = find_changers(privileges, holdings, resource.id, protected)
            most = limits.get((resource.id, protected))
            if holders or most is not None:
                labels = tuple(sorted(names[holder] for holder in holders))
                lines.append(ChangerLine(resource.label or resource.id, protected, labels, most))
    order = ("violated", "unknown", "met")
    return tuple(sorted(lines, key=lambda line: order.index(line.status_code)))[:_MOST_LISTED]


def view_change(row: ChangeDesign) -> ChangeView:
    """Values of a card about the design before and after a change."""
    nothing = SafeString("")
    if row.problem and not row.answer:
        return ChangeView(row.problem, nothing, nothing, (), (), (), ())
    answer = msgspec.msgpack.decode(bytes(row.answer), type=DesignAnswer)
    effect = describe_change(answer).change
    difference = answer.difference
    brought = tuple(map(load_finding, difference.findings)) if difference is not None else ()
    weaker = tuple(map(load_finding, difference.weaker)) if difference is not None else ()
    before, after = answer.before.model if answer.before is not None else None, answer.after.model
    new = _list_places(after) - _list_places(before)
    return ChangeView(
        problem=row.problem,
        before=draw_on_page(before, (), _EMPTY._replace(id="before")) if before is not None else nothing,
        after=draw_on_page(after, brought, _EMPTY._replace(id="after", new=new)) if after is not None else nothing,
        added=effect.added if effect is not None else (),
        removed=effect.removed if effect is not None else (),
        weaker=weaker,
        brought=tuple(one for one in brought if one not in weaker)[:_MOST_LISTED],
    )


def _list_places(model: DesignModel | None) -> frozenset[str]:
    """Identifiers of the boxes of a drawing."""
    if model is None:
        return frozenset()
    return frozenset(each.id for each in model.components) | frozenset(each.id for each in model.actors)

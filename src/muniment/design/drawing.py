"""Draws a design as SVG: a data-flow diagram with trust boundaries and findings.

Each trust boundary is a column; what calls from outside is on the left. Processes are rounded, stores have two lines,
external systems are boxes, resources stand in their component. Flows of a counter-example are red and dashed.
"""

import itertools
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape

from muniment.design.comparison import describe_flow
from muniment.design.findings import DesignFinding, DesignStatus
from muniment.design.model import ComponentKind, DesignModel, Flow

_WIDTH, _LINE, _GAP_X, _GAP_Y, _MARGIN = 190, 18, 120, 34, 30
_HEAD = 34  # height of the name of a boundary
_STYLE = (
    "text{font:11px Inter,system-ui,sans-serif;fill:#4b5563}.name{font-size:13px;font-weight:600;fill:#1f2937}"
    ".guards{paint-order:stroke;stroke:#fff;stroke-width:4px}.badtext{fill:#b91c1c}"
    ".box{fill:#fff;stroke:#475569;stroke-width:1.3}.store{fill:#f8fafc;stroke:#475569;stroke-width:1.3}"
    ".zone{fill:none;stroke:#64748b;stroke-dasharray:6 4}.flow{fill:none;stroke:#64748b;stroke-width:1.3}"
    ".new{stroke:#1d4ed8;stroke-width:2.4}path.bad{fill:none;stroke:#b91c1c;stroke-width:2.4}"
    "rect.bad{fill:#fee2e2;stroke:#b91c1c}.unk-box{fill:#fef3c7;stroke:#b45309;stroke-dasharray:3 4}"
    ".arrow{fill:#64748b}.arrow-bad{fill:#b91c1c}.disc{fill:#b91c1c}.disc-n{fill:#fff;font-weight:600}"
)


class DrawingStyle(NamedTuple):
    """Options of a drawing.

    `alone`: a file that has its own style; else a page gives it. `id` keeps the marks of two drawings of one page
    apart. `path` is numbered, from outside to what it reaches. `new` are names of boxes that a change adds.
    """

    alone: bool = True
    id: str = "design"
    path: tuple[str, ...] = ()
    new: frozenset[str] = frozenset()


_DEFAULT = DrawingStyle()


class _Box(NamedTuple):
    """Place of an actor or component in the drawing."""

    name: str
    label: str
    kind: str
    lines: tuple[str, ...]
    x: float
    y: float

    @property
    def height(self) -> float:
        return 34 + _LINE * len(self.lines)


class _Line(NamedTuple):
    """Flow in the drawing, from a box to the box of `target`."""

    flow: Flow
    target: str
    x1: float
    y1: float
    x2: float
    y2: float
    is_open: bool


def draw_design(model: DesignModel, findings: Iterable[DesignFinding], style: DrawingStyle = _DEFAULT) -> str:
    """SVG of a design. Findings colour the flows of their path and the component of their subject."""
    listed = list(findings)
    boxes, columns = _place_boxes(model)
    width = max((box.x + _WIDTH for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y + box.height for box in boxes.values()), default=0) + _MARGIN + _GAP_Y
    title = f"Design of {model.product}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dfd" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{_escape_text(f"{title}. {_describe_findings(listed)}")}">',
        f"<title>{_escape_text(title)}</title>" if style.alone else "",
        f"<style>{_STYLE}</style>" if style.alone else "",
        f"<defs>{_draw_marker(style.id, 'arrow')}{_draw_marker(style.id, 'arrow-bad')}</defs>",
    ]
    parts += _draw_boundaries(columns, boxes, height)
    steps = {step for finding in listed for step in _steps_of(finding, model)}
    placed = [_place_flow(flow, number, boxes, model, steps) for number, flow in enumerate(model.flows)]
    lines = [line for line in placed if line is not None]
    parts += [_draw_line(line, style) for line in lines]
    worst = _worst_by_component(model, listed)
    parts += [_draw_box(box, worst.get(box.name), is_new=box.name in style.new) for box in boxes.values()]
    parts += [_draw_guards(line) for line in lines]
    parts += _draw_numbers(lines, style.path, model)
    return "\n".join([*(part for part in parts if part), "</svg>\n"])


def _draw_marker(id: str, name: str) -> str:
    return (
        f'<marker id="{id}-{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path class="{name}" d="M0 0 8 4 0 8z"/></marker>'
    )


def _place_boxes(model: DesignModel) -> tuple[dict[str, _Box], list[tuple[str, list[str]]]]:
    """Boxes by name, and the columns: the label of the boundary with the names in it."""
    depth = _find_depths(model)
    groups: dict[str, list[str]] = {"": [actor.id for actor in model.actors]}
    outside = "outside any boundary"
    for component in model.components:
        groups.setdefault(component.boundary or outside, []).append(component.id)
    far = len(depth) + 1

    def rank_boundary(name: str) -> float:
        members = [depth[each] for each in groups[name] if each in depth]
        return sum(members) / len(members) if members else far

    order = ["", *sorted((name for name in groups if name), key=lambda name: (rank_boundary(name), name))]
    labels = {boundary.id: boundary.label or boundary.id for boundary in model.boundaries}
    kinds: dict[str, str] = {component.id: component.kind.value for component in model.components}
    texts = {component.id: component.label or component.id for component in model.components}
    texts |= {actor.id: actor.label or actor.id for actor in model.actors}
    resources: dict[str, list[str]] = {}
    for resource in model.resources:
        resources.setdefault(resource.component, []).append(resource.label or resource.id)
    boxes: dict[str, _Box] = {}
    columns: list[tuple[str, list[str]]] = []
    x = float(_MARGIN)
    for name in order:
        members = sorted(groups[name], key=lambda each: (depth.get(each, far), each))
        if not members:
            continue
        y = float(_MARGIN + _HEAD)
        for member in members:
            kind = kinds.get(member, "actor")
            box = _Box(member, texts[member], kind, tuple(resources.get(member, ())), x, y)
            boxes[member] = box
            y += box.height + _GAP_Y
        columns.append((labels.get(name, name or "outside"), members))
        x += _WIDTH + _GAP_X
    return boxes, columns


def _find_depths(model: DesignModel) -> dict[str, int]:
    """Number of flows from an actor to each component."""
    depth = {actor.id: 0 for actor in model.actors}
    waiting = deque(depth)
    while waiting:
        name = waiting.popleft()
        for flow in model.flows:
            if flow.source == name and flow.target and flow.target not in depth:
                depth[flow.target] = depth[name] + 1
                waiting.append(flow.target)
    return depth


def _draw_boundaries(columns: list[tuple[str, list[str]]], boxes: dict[str, _Box], height: float) -> list[str]:
    drawn = []
    for label, members in columns:
        x = boxes[members[0]].x - 14
        drawn.append(
            f'<g><rect class="zone" x="{x:.0f}" y="{_MARGIN / 2:.0f}" width="{_WIDTH + 28}" '
            f'height="{height - _MARGIN:.0f}" rx="8"/>'
            f'<text x="{x + 10:.0f}" y="{_MARGIN / 2 + 18:.0f}">{_escape_text(_shorten_text(label, 32))}</text></g>'
        )
    return drawn


def _steps_of(finding: DesignFinding, model: DesignModel) -> set[tuple[str, str]]:
    """Pairs of neighbours on the path of a finding, with resources as their components too."""
    homes = {resource.id: resource.component for resource in model.resources}
    places = [homes.get(name, name) for name in finding.path]
    return set(itertools.pairwise(places)) | set(itertools.pairwise(finding.path))


def _place_flow(
    flow: Flow, number: int, boxes: dict[str, _Box], model: DesignModel, steps: set[tuple[str, str]]
) -> _Line | None:
    """Line of a flow between its boxes; None if one of them is not in this model."""
    target = flow.target
    if flow.interface:
        target = next((each.component for each in model.interfaces if each.id == flow.interface), "")
    target = next((each.component for each in model.resources if each.id == target), target)
    source, end = boxes.get(flow.source), boxes.get(target)
    if source is None or end is None:
        return None
    shift = 6 * (number % 4) - 9  # flows between the same places do not cover each other
    y1, y2 = source.y + source.height / 2 + shift, end.y + end.height / 2 + shift
    x1, x2 = (source.x + _WIDTH, end.x) if source.x < end.x else (source.x, end.x + _WIDTH)
    if source.x == end.x:
        x1 = x2 = source.x + _WIDTH
    is_open = (flow.source, target) in steps or (flow.source, flow.target) in steps
    return _Line(flow, target, x1, y1, x2, y2, is_open)


def _draw_line(line: _Line, style: DrawingStyle) -> str:
    bend = 60 if line.x1 <= line.x2 else -60
    back = -60 if line.x1 == line.x2 else bend
    curve = (
        f"M{line.x1:.0f} {line.y1:.0f}C{line.x1 + bend:.0f} {line.y1:.0f} {line.x2 - back:.0f} {line.y2:.0f} "
        f"{line.x2:.0f} {line.y2:.0f}"
    )
    guards = ", ".join(line.flow.guards) or "no guard"
    look, mark = ("bad", "arrow-bad") if line.is_open else ("flow", "arrow")
    if {line.flow.source, line.target} & style.new:
        look = f"{look} new"
    return (
        f'<path class="{look}" d="{curve}" marker-end="url(#{style.id}-{mark})">'
        f"<title>{_escape_text(f'{describe_flow(line.flow)}: {guards}')}</title></path>"
    )


def _draw_guards(line: _Line) -> str:
    """Names of the guards near the source, where flows to one place do not meet yet."""
    if not line.flow.guards:
        return ""
    text = _escape_text(_shorten_text(", ".join(line.flow.guards), 22))
    x, y = line.x1 + (line.x2 - line.x1) * 0.3, line.y1 + (line.y2 - line.y1) * 0.2 - 5
    return f'<text class="lab guards" x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{text}</text>'


def _draw_numbers(lines: list[_Line], path: tuple[str, ...], model: DesignModel) -> list[str]:
    """Numbers of the steps of a path, each in the middle of its line."""
    homes = {resource.id: resource.component for resource in model.resources}
    drawn = []
    for number, (source, target) in enumerate(itertools.pairwise(path), 1):
        found = [line for line in lines if line.flow.source == source and line.target == homes.get(target, target)]
        if found:
            x, y = (found[0].x1 + found[0].x2) / 2, (found[0].y1 + found[0].y2) / 2
            drawn.append(
                f'<circle class="disc" cx="{x:.0f}" cy="{y:.0f}" r="9"/>'
                f'<text class="disc-n" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{number}</text>'
            )
    return drawn


def _worst_by_component(model: DesignModel, findings: list[DesignFinding]) -> dict[str, DesignStatus]:
    homes = {resource.id: resource.component for resource in model.resources}
    worst: dict[str, DesignStatus] = {}
    for finding in findings:
        name = finding.subject.partition(".")[0] if finding.subject not in homes else finding.subject
        place = homes.get(finding.subject) or homes.get(name) or finding.subject
        if worst.get(place) is not DesignStatus.VIOLATED:
            worst[place] = finding.status
    return worst


def _draw_box(box: _Box, status: DesignStatus | None, *, is_new: bool) -> str:
    look = "store" if box.kind == ComponentKind.STORE.value else "box"
    if status is not None:
        look = f"{look} bad" if status is DesignStatus.VIOLATED else "unk-box"
    if is_new:
        look = f"{look} new"
    radius = {"process": 16, "actor": 4, "store": 2}.get(box.kind, 2)
    shape = (
        f'<rect class="{look}" x="{box.x:.0f}" y="{box.y:.0f}" width="{_WIDTH}" height="{box.height:.0f}" '
        f'rx="{radius}"/>'
    )
    if box.kind == ComponentKind.STORE.value:
        shape += f'<path class="flow" d="M{box.x:.0f} {box.y + 6:.0f}H{box.x + _WIDTH:.0f}"/>'
    state = f" ({status.value})" if status else ""
    lines = [
        f'<text class="name" x="{box.x + 16:.0f}" y="{box.y + 24:.0f}">'
        f"{_escape_text(_shorten_text(box.label, 24))}</text>"
    ]
    lines += [
        f'<text class="lab" x="{box.x + 16:.0f}" y="{box.y + 24 + _LINE * (n + 1):.0f}">'
        f"{_escape_text(_shorten_text(text, 28))}</text>"
        for n, text in enumerate(box.lines)
    ]
    return f"<g><title>{_escape_text(f'{box.kind} {box.label}{state}')}</title>{shape}{''.join(lines)}</g>"


def _describe_findings(findings: list[DesignFinding]) -> str:
    if not findings:
        return "No findings."
    return " ".join(finding.message for finding in findings[:20])


def _shorten_text(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escape_text(text: str) -> str:
    """Text for SVG: also quotes, and without characters that XML does not permit."""
    printable = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return escape(printable, {'"': "&quot;", "'": "&apos;"})

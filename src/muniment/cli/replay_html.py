"""HTML report of a replay: one file without script, that loads nothing, to send to somebody who was not there.

Charts are SVG with a table behind each. The policy of the page allows its own style sheet alone, by its digest.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import metadata, resources

from muniment.cli import printing
from muniment.cli.replay_report import (
    Highlight,
    ReplayReport,
    ReplayState,
    format_count,
    format_share,
    list_highlights,
    list_replay_steps,
)
from muniment.cli.replay_text import current_sort_key, describe_past, format_day, format_days
from muniment.decision.catalogue import CONTROLS
from muniment.workflows.history_figures import ApprovalFigures, PeriodFigures

_POLICY = "default-src 'none'; style-src 'sha256-{}'"
LOGO = "<!-- muniment replay report -->"
_SHOWN_DETAILS = 3
_STATUSES = {
    "violated": ("failing", "Failing", "x"),
    "unknown": ("unknown", "Unknown", "q"),
    "attention": ("note", "Worth a look", "i"),
    "excepted": ("exception", "Exception", "e"),
    "met": ("passing", "Passing", "c"),
    "not_applicable": ("na", "Not applicable", "n"),
}
_ICONS = """<svg class="sprite" aria-hidden="true" focusable="false"><defs>
<pattern id="p-unknown" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
<rect class="pb-unknown" width="6" height="6"/><line class="pp-unknown" x1="0" y1="0" x2="0" y2="6"/></pattern>
<pattern id="p-sensitive" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">\
<rect class="pb-sensitive" width="6" height="6"/><line class="pp-sensitive" x1="0" y1="0" x2="0" y2="6"/></pattern>
</defs>
<symbol id="i-c" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/><path d="M8 12.5l3 3 5-6"/></symbol>
<symbol id="i-x" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/><path d="M9 9l6 6M15 9l-6 6"/></symbol>
<symbol id="i-q" viewBox="0 0 24 24"><path d="M8 3h8l5 5v8l-5 5H8l-5-5V8z"/>\
<path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.6v.1"/></symbol>
<symbol id="i-i" viewBox="0 0 24 24"><path d="M12 3.5L22 20H2zM12 10v4M12 17v.1"/></symbol>
<symbol id="i-e" viewBox="0 0 24 24">\
<path d="M7 3h10M7 21h10M8 3c0 5 4 6 4 9s-4 4-4 9M16 3c0 5-4 6-4 9s4 4 4 9"/></symbol>
<symbol id="i-n" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/><path d="M8 12h8"/></symbol></svg>"""


def format_page(report: ReplayReport) -> str:
    """Format the whole page."""
    style = resources.files("muniment.cli").joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = f"{_make_safe(report.origin.name)}: what its history shows"
    return "\n".join(
        (
            "<!doctype html>",
            LOGO,
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(digest)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{style}</style></head>",
            f'<body>{_ICONS}<div class="page">',
            '<header class="brand"><svg viewBox="0 0 32 32" aria-hidden="true">'
            '<rect class="f-accent" width="32" height="32" rx="8"/><path fill="none" stroke="#fff" stroke-width="2.6" '
            'stroke-linecap="round" stroke-linejoin="round" d="M9 22V10l7 8 7-8v12"/></svg>Muniment</header><main>',
            *_format_body(report, title),
            "</main><footer>Made by Muniment "
            f"{_make_safe(metadata.version('muniment'))}. This page has no script and loads nothing.</footer>",
            "</div></body></html>\n",
        )
    )


def _format_body(report: ReplayReport, title: str) -> Iterator[str]:
    summary = report.summary
    branch = _make_safe(summary.target.removeprefix("refs/heads/"))
    yield f"<h1>{title}</h1>"
    changes = f"{format_count(summary.change_count, report.noun)} on {branch}{format_days(report.figures)}"
    day = format_day(report.evaluated_at[:10])
    yield f'<p class="lead">{changes}. Evaluated with {_make_safe(report.origin.policy)} on {day}.</p>'
    if not summary.change_count:
        yield "<h2>Nothing to evaluate</h2><p>Name another branch, or an earlier day.</p>"
        return
    if report.origin.reviews_known:
        most = "At most " if report.origin.assumed_writers else ""
        yield (
            f"<h2>{most}{summary.allowed_count:,} of {format_count(summary.change_count, report.noun)} "
            f"would have been allowed ({format_share(summary.allowed_count, summary.change_count)})</h2>"
        )
    else:
        yield "<h2>What stands out</h2>"
    yield '<div class="grid">'
    yield from map(_format_highlight, list_highlights(report))
    yield "</div>"
    if report.origin.reviews_known and report.figures.approvals is not None and report.figures.approvals.counts:
        yield from _format_approvals(report.figures.approvals, report.noun)
    if len(report.figures.periods) > 1:
        yield from _format_periods(report.figures.periods, report.noun)
    yield from _format_problems(report)
    yield from _format_clauses(report)
    yield from _format_steps(report)
    yield from _format_limits(report)


def _format_highlight(highlight: Highlight) -> str:
    kind = _STATUSES[highlight.status][0]
    figure = bar = ""
    if highlight.total:
        figure = f'<p class="figure">{highlight.count:,} <small>of {highlight.total:,}</small></p>'
        width = max(100 * highlight.count / highlight.total, 1 if highlight.count else 0)
        fill = {"failing": "f-failing", "passing": "f-passing"}.get(kind, "f-note")
        bar = (
            '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="f-na" width="100" height="4"/><rect class="{fill}" width="{width:.2f}" height="4"/></svg>'
        )
    title = highlight.title.removeprefix(f"{highlight.count:,} of {highlight.total:,} ") if figure else highlight.title
    details = "".join(f'<p class="small quiet">{_make_safe(one)}</p>' for one in highlight.details[:_SHOWN_DETAILS])
    more = len(highlight.details) - _SHOWN_DETAILS
    details += f'<p class="small quiet">and {more:,} more, listed below</p>' if more > 0 else ""
    return (
        f'<section class="card found {kind}">{_format_badge(highlight.status)}{figure}{bar}'
        f"<h3>{_make_safe(title)}</h3>{details}</section>"
    )


def _format_badge(status: str) -> str:
    kind, word, icon = _STATUSES[status]
    return f'<span class="st {kind}"><svg class="icon" aria-hidden="true"><use href="#i-{icon}"/></svg>{word}</span>'


def _format_approvals(found: ApprovalFigures, noun: str) -> Iterator[str]:
    """Chart of changes by the number of independent approvals."""
    needed = found.needed
    rows = [(str(count), found.counts.get(str(count), 0), "f-failing") for count in range(needed)]
    more = sum(count for approvals, count in found.counts.items() if int(approvals) >= needed)
    rows.append((f"{needed} or more", more, "f-passing"))
    if found.unknown:
        rows.append(("unknown", found.unknown, "f-unknown"))
    most, total = max(count for _, count, _ in rows), sum(count for _, count, _ in rows)
    bars = []
    for place, (label, count, fill) in enumerate(rows):
        y, width = 8 + place * 34, 400 * count / most
        bars.append(
            f'<text x="0" y="{y + 16}">{label}</text>'
            f'<rect class="{fill}" x="90" y="{y}" width="{width:.1f}" height="22" rx="3"/>'
            f'<text class="val" x="{98 + width:.1f}" y="{y + 16}">{count:,}</text>'
        )
    numbers = ", ".join(f"{label}: {count:,}" for label, count, _ in rows)
    name = f"{noun.capitalize()}s by independent approvals: {numbers}"
    yield '<h2>Independent approvals</h2><div class="card"><div class="body">'
    yield _wrap_chart(name, 560, 12 + 34 * len(rows), bars) + "</div>"
    cells = [(label, f"{count:,}", format_share(count, total)) for label, count, _ in rows]
    yield from _format_table("Table of approvals", ("Approvals by others", f"{noun.capitalize()}s", "Share"), cells)
    yield "</div>"


def _format_periods(periods: Sequence[PeriodFigures], noun: str) -> Iterator[str]:
    """Chart of changes in time: those that touch sensitive files below, the others above."""
    width, height, left = 560, 200, 44
    most = max(1, *(one.changes for one in periods))
    step = (width - left) / len(periods)
    parts = []
    for line in (0, most / 2, most):
        y = 10 + height * (1 - line / most)
        parts.append(f'<line class="axis" x1="{left}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if line == int(line):
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{int(line):,}</text>')
    every = -(-len(periods) // 6)
    for place, one in enumerate(periods):
        x, wide = left + place * step + step * 0.15, step * 0.7
        low, high = (height * part / most for part in (one.sensitive, one.changes))
        base = 10 + height
        parts.append(
            f'<rect class="f-rest" x="{x:.1f}" y="{base - high:.1f}" width="{wide:.1f}" height="{high - low:.1f}"/>'
            f'<rect class="f-sensitive" x="{x:.1f}" y="{base - low:.1f}" width="{wide:.1f}" height="{low:.1f}"/>'
        )
        if place % every == 0:
            parts.append(f'<text x="{x + wide / 2:.1f}" y="{base + 18}" text-anchor="middle">{one.label}</text>')
    name = (
        f"{noun.capitalize()}s from {periods[0].label} to {periods[-1].label}, at most {most:,} in one period; "
        "the table below has the numbers"
    )
    keys = (("f-rest", f"Other {noun}s"), ("f-sensitive", "Touch sensitive files"))
    yield f'<h2>{noun.capitalize()}s over time</h2><div class="card"><div class="body">'
    yield _wrap_chart(name, width, height + 40, parts)
    yield '<ul class="legend">'
    for fill, text in keys:
        key = f'<svg viewBox="0 0 14 14" aria-hidden="true"><rect class="{fill}" width="14" height="14" rx="3"/></svg>'
        yield f"<li>{key}{text}</li>"
    yield "</ul></div>"
    cells = [
        (one.label, f"{one.changes:,}", f"{one.sensitive:,}", f"{one.large:,}", format_share(one.large, one.changes))
        for one in periods
    ]
    yield from _format_table(
        "Table of periods",
        ("Period", f"{noun.capitalize()}s", "Touch sensitive files", "Too large", "Share too large"),
        cells,
    )
    yield "</div>"


def _wrap_chart(name: str, width: int, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}">'
        f"{''.join(parts)}</svg>"
    )


def _format_table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Table behind a chart."""
    yield "<details><summary>Show as table</summary>"
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table><thead><tr>'
    yield "".join(f'<th scope="col"{_number(place)}>{head}</th>' for place, head in enumerate(heads))
    yield "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f'<td class="num">{cell}</td>' for cell in others)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table></div></details>"


def _number(place: int) -> str:
    return ' class="num"' if place else ""


def _format_problems(report: ReplayReport) -> Iterator[str]:
    """Format all problems behind highlights that have more than are shown there."""
    for highlight in list_highlights(report):
        if len(highlight.details) > _SHOWN_DETAILS:
            yield '<h2>All problems in your pipelines</h2><div class="card"><ol class="plain">'
            yield from (f"<li>{_make_safe(one)}</li>" for one in highlight.details)
            yield "</ol></div>"


def _format_clauses(report: ReplayReport) -> Iterator[str]:
    planned = {*report.planned_clauses, *report.deployment_clauses}
    texts = {row.clause: row.text for row in report.summary.clauses}
    past = [row for row in report.summary.clauses if not row.current_result and row.clause not in planned]
    yield '<h2>Clause by clause</h2><div class="card"><ul class="rows">'
    rows: list[tuple[int, str]] = []
    for row in (row for row in past if not row.control or row.control in CONTROLS):
        found = list(describe_past(row, report))
        order = list(_STATUSES).index(found[0][0])
        rows.append((order, _format_row(found[0][0], row.text, row.clause, [text for _, text in found])))
    for state in (one for one in report.states if not one.is_known_to_service_only):
        rows.append((current_sort_key(state), _format_state(state, texts)))
    yield from (text for _, text in sorted(rows, key=lambda row: row[0]))
    yield "</ul>"
    service = [state.clause for state in report.states if state.is_known_to_service_only]
    for heading, names in (
        ("Evaluated with the service alone", (*service, *report.deployment_clauses)),
        ("Not evaluated by this version", report.planned_clauses),
    ):
        if names:
            yield f'<details><summary>{heading}: {format_count(len(names), "clause")}</summary><ul class="plain">'
            yield from (
                f'<li>{_make_safe(texts[name])} <span class="mono quiet">{_make_safe(name)}</span></li>'
                for name in sorted(names)
            )
            yield "</ul></details>"
    yield "</div>"


def _format_state(state: ReplayState, texts: dict[str, str]) -> str:
    lines = [reason.message for reason in state.reasons[:1]]
    if len(state.reasons) > 1:
        lines[0] += f" And {len(state.reasons) - 1:,} more."
    return _format_row(state.status, texts[state.clause], state.clause, lines)


def _format_row(status: str, text: str, clause: str, lines: Iterable[str]) -> str:
    sentences = "".join(f'<p class="small quiet">{_make_safe(_begin_sentence(line))}</p>' for line in lines)
    head = f"<h3>{_make_safe(text)}</h3>{_format_badge(status)}"
    return f'<li>{head}{sentences}<p class="mono quiet">{_make_safe(clause)}</p></li>'


def _begin_sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}"


def _format_steps(report: ReplayReport) -> Iterator[str]:
    steps = [step for step in list_replay_steps(report) if not step.makes_page]
    if not steps:
        return
    yield '<h2>Next steps</h2><div class="card"><ul class="rows">'
    for step in steps:
        head = f"<h3>{_make_safe(_begin_sentence(step.reason))}</h3>"
        yield f'<li>{head}<pre class="cmd">{_make_safe(step.command)}</pre></li>'
    yield "</ul></div>"


def _format_limits(report: ReplayReport) -> Iterator[str]:
    """List the limits of these figures."""
    sentences = ["Past changes were evaluated as if they were proposed today. Nothing was recorded or changed."]
    if not report.origin.forge:
        sentences.append("Git does not record who pushed: pushers are assumed from the commits.")
    if not report.origin.reviews_known:
        sentences.append("Git does not record who reviewed: no number here is about reviewers.")
    if report.origin.assumed_writers:
        sentences.append("Write access could not be read: every reviewer is assumed to have it.")
    if report.origin.reviews_known:
        sentences.append("An approval may have been used up by an earlier change. Only a ledger knows that.")
    sentences += map(_make_safe, report.origin.notes)
    yield '<h2>Limits of this report</h2><ul class="plain">'
    yield from (f"<li>{one}</li>" for one in sentences)
    yield "</ul>"


def _make_safe(text: str) -> str:
    return escape(printing.make_printable(text))

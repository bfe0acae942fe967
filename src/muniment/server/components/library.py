"""Template tags and filters of the components, which every template has without `load`."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache

from django import template
from django.template.context import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from muniment.server.components.charts import ColumnChart, LineChart, Part, make_status_bar
from muniment.server.components.statuses import Status, find_status

register = template.Library()
_TICK = '<line class="axis" x1="40" x2="530" y1="{}" y2="{}"/><text x="34" y="{}" dy="4" text-anchor="end">{}</text>'
_NEAR_DAYS = 14  # a day further away is shown without "in 20 days"


@register.simple_tag
@lru_cache(maxsize=256)  # a page has a hundred of them
def icon(name: str, size: str = "") -> SafeString:
    """Icon from the vendored outlines, hidden from screen readers, which read the word next to it. `size` may be lg."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        f" icon-{size}" if size else "",
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def status(code: str, text: str = "", *, plain: bool = False) -> SafeString:
    """Badge of a status: icon, word and colour. `text` replaces the word; `plain` leaves out the coloured ground."""
    found = find_status(code)
    return _draw_badge(found.style, found.icon, str(text or found.text), plain)


@lru_cache(maxsize=2048)  # lists have three in each row, most of them with a small number as their text
def _draw_badge(style: str, icon_name: str, text: str, plain: bool) -> SafeString:
    look = " plain border-0" if plain else ""
    return format_html('<span class="st {}{}">{}{}</span>', style, look, icon(icon_name), text)


@register.filter
def status_style(code: str) -> str:
    """Class of a status in the stylesheet: passing, failing, unknown, exception, monitoring, na, accent."""
    return find_status(code).style


@register.filter
def status_icon(code: str) -> str:
    """Name of the icon of a status."""
    return find_status(code).icon


@register.filter
def status_text(code: str) -> str:
    """Word for a status."""
    return str(find_status(code).text)


@register.simple_block_tag
def card(
    content: SafeString, title: str = "", sub: str = "", *, id: str = "", size: str = "", body: bool = True
) -> SafeString:
    """Card with a title. `size` is a width of the grid such as c8; without `body` the content brings its own parts,
    such as rows, a table or a foot.
    """
    context = {"content": content, "title": title, "sub": sub, "id": id, "size": size, "body": body}
    return SafeString(render_to_string("components/card.html", context))


@register.simple_block_tag
def notice(content: SafeString, tone: str = "accent", icon: str = "info-circle") -> SafeString:
    """Message on a page: one for each cause. Failing ones are read out at once."""
    context = {"content": content, "tone": tone, "icon": icon}
    return SafeString(render_to_string("components/notice.html", context))


@register.simple_block_tag
def empty(content: SafeString, title: str, *, icon: str = "inbox") -> SafeString:
    """Empty state: what it means, and one next step as the content."""
    return SafeString(render_to_string("components/empty.html", {"content": content, "title": title, "icon": icon}))


@register.simple_block_tag(takes_context=True)
def confirm_dialog(
    context: Context,
    content: SafeString,
    name: str,
    *,
    button: str,
    title: str,
    action: str,
    verb: str = "",
    icon: str = "",
    danger: bool = True,
    look: str = "",
) -> SafeString:
    """Button that asks before it acts. The dialog holds a form that posts to `action`; the content is one sentence of
    consequence and the fields.

    The button is a link to this page with the dialog open, so that it works without a script too. `look` are classes of
    the button, such as btn-primary. Raises KeyError without a request.
    """
    request = context["request"]
    opened = request.GET.get("confirm") == name
    query = request.GET.copy()
    query["confirm"] = name
    values: dict[str, object] = {
        "content": content,
        "name": name,
        "button": button,
        "title": title,
        "action": action,
        "icon": icon,
    }
    values |= {"verb": verb or button, "danger": danger, "look": look, "opened": opened, "query": query.urlencode()}
    # Without `request=`, which would run the page's context processors, and their queries, again for each dialog.
    values |= {"request": request, "csrf_token": context.get("csrf_token")}
    return SafeString(render_to_string("components/confirm.html", values))


@register.simple_tag
def status_bar(
    passing: int, exception: int, unknown: int, failing: int, *, tall: bool = False, name: str = ""
) -> SafeString:
    """Bar of four statuses with its figures as its name; `name` says of what."""
    drawn, figures = _draw_bar(get_language(), passing, exception, unknown, failing)
    return format_html(
        '<svg class="bar{}" viewBox="0 0 400 12" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        " tall" if tall else "",
        f"{name}: {figures}" if name else figures,
        drawn,
    )


@lru_cache(maxsize=2048)  # lists have one in each row, many of them with the same counts
def _draw_bar(language: str | None, passing: int, exception: int, unknown: int, failing: int) -> tuple[SafeString, str]:
    """Rectangles of a bar, and its figures in words."""
    bar = make_status_bar({"passing": passing, "exception": exception, "unknown": unknown, "failing": failing})
    figures = ", ".join(f"{count} {str(found.text).lower()}" for found, count in bar.counts)
    return _draw_parts(bar.parts) or SafeString('<rect class="f-na" width="400" height="12"/>'), figures


@register.simple_tag
def status_legend(passing: int, exception: int, unknown: int, failing: int) -> SafeString:
    """Key of the statuses of a bar or chart, with their counts."""
    bar = make_status_bar({"passing": passing, "exception": exception, "unknown": unknown, "failing": failing})
    return SafeString(render_to_string("components/legend.html", {"bar": bar}))


@register.simple_tag
def matrix_cells(cells: Iterable[tuple[Status, int, str]], address: str) -> SafeString:
    """Cells of a row of a matrix, each a status, a number (0 shows none) and its name for screen readers. All lead to
    `address`.
    """
    return format_html_join(
        "",
        '<td><a class="{}" href="{}" aria-label="{}">{}{}</a></td>',
        ((one.style, address, name, icon(one.icon), number or "") for one, number, name in cells),
    )


@register.simple_tag
def column_chart(chart: ColumnChart, name: str, first_column: str) -> SafeString:
    """Chart of columns with its table; `name` is a sentence, `first_column` the heading of the labels."""
    labels = format_html_join(
        "",
        '<text x="{}" y="228" text-anchor="middle">{}</text>',
        ((column.middle, column.text) for column in chart.columns if column.labelled),
    )
    rows = format_html_join(
        "",
        '<tr><th scope="row">{}</th>{}</tr>',
        ((column.text, _list_cells(column.counts)) for column in chart.columns),
    )
    axis = format_html_join("", _TICK, ((tick.y, tick.y, tick.y, tick.text) for tick in chart.ticks))
    columns = SafeString("".join(_draw_parts(column.parts) for column in chart.columns))
    drawing = SafeString(axis + columns + labels)
    context = {"chart": chart, "name": name, "first_column": first_column, "drawing": drawing, "rows": rows}
    return SafeString(render_to_string("components/column_chart.html", context))


def _draw_parts(parts: Iterable[Part]) -> SafeString:
    """Rectangles of a chart. Numbers and classes alone: so nothing is escaped, and hundreds of them take no time."""
    drawn = (
        f'<rect class="f-{one.status.style}" x="{one.x}" y="{one.y}" width="{one.width}" height="{one.height}"/>'
        for one in parts
    )
    return mark_safe("".join(drawn))  # noqa: S308 -- numbers, and classes of our own


def _list_cells(counts: Iterable[tuple[Status, int]]) -> SafeString:
    return format_html_join("", '<td class="num" data-label="{}">{}</td>', ((one.text, count) for one, count in counts))


@register.simple_tag
def line_chart(chart: LineChart, name: str, first_column: str, second_column: str) -> SafeString:
    """Chart of one line with its table."""
    context = {"chart": chart, "name": name, "first_column": first_column, "second_column": second_column}
    return SafeString(render_to_string("components/line_chart.html", context))


@register.simple_tag
def person(name: str, note: str = "", *, machine: bool = False, url: str = "") -> SafeString:
    """Person or machine account: initials and name, and a quiet line below."""
    mark = icon("robot") if machine else initials(name)
    label = format_html('<a class="n" href="{}">{}</a>' if url else '<span class="n">{1}</span>', url, name)
    return format_html(
        '<span class="who"><span class="avatar{}" aria-hidden="true">{}</span><span>{}{}</span></span>',
        " bot" if machine else "",
        mark,
        label,
        format_html('<span class="r">{}</span>', note) if note else "",
    )


@register.filter
def initials(name: str) -> str:
    """First letters of the first and the last word of a name."""
    words = [word for word in str(name).split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def diff_lines(text: str) -> list[tuple[str, str]]:
    """Each line of a diff with its class for the stylesheet: added, removed, a position, or none."""
    classes = {"+": "added", "-": "removed", "@": "place"}
    return [(classes.get(line[:1], ""), line) for line in text.split("\n")]


@register.filter
def when(moment: datetime | date | None) -> SafeString | str:
    """Moment as "Thu 26 Nov, 16:40", with the year where it is another one, in UTC; a dash for none."""
    if moment is None:
        return "–"
    return _format_time(moment, _format_moment(moment))


@register.filter
def due(moment: datetime | date | None) -> SafeString | str:
    """Day as "Thu 26 Nov, in 2 days"; a dash for none."""
    if moment is None:
        return "–"
    day = _find_day(moment)
    text = _format_day(day)
    near = _describe_distance((day - timezone.now().date()).days)
    return _format_time(moment, f"{text}, {near}" if near else text)


@register.filter
def tone_of_due(moment: datetime | date | None) -> str:
    """Class of a due date: failing once it has passed, unknown on its day, nothing before."""
    if moment is None:
        return ""
    days = (_find_day(moment) - timezone.now().date()).days
    return "failing" if days < 0 else "unknown" if days == 0 else ""


@register.simple_tag
def severity(level: str) -> SafeString:
    """Severity by one to four squares and a word; one that is not given says that it counts as high."""
    words = {"critical": (4, _("Critical")), "high": (3, _("High")), "medium": (2, _("Medium")), "low": (1, _("Low"))}
    if level not in words:
        return format_html('<span class="tag ring">{}</span>', _("Not given, treated as high"))
    squares, word = words[level]
    tones = {"critical": "failing", "high": "failing", "medium": "unknown", "low": "na"}
    drawn = mark_safe("".join(f'<rect x="{7 * n}" width="5" height="10" rx="1"/>' for n in range(squares)))  # noqa: S308
    return format_html(
        '<span class="tag severity {}"><svg viewBox="0 0 26 10" aria-hidden="true">{}</svg>{}</span>',
        tones[level],
        drawn,
        word,
    )


def _format_time(moment: datetime | date, text: str) -> SafeString:
    full = (
        moment.astimezone(timezone.get_current_timezone()).isoformat()
        if isinstance(moment, datetime)
        else moment.isoformat()
    )
    return format_html('<time datetime="{}">{}</time>', full, text)


def _format_moment(moment: datetime | date) -> str:
    if not isinstance(moment, datetime):
        return _format_day(moment)
    local = timezone.localtime(moment)
    return f"{_format_day(local.date())}, {local:%H:%M}"


def _find_day(moment: datetime | date) -> date:
    return timezone.localtime(moment).date() if isinstance(moment, datetime) else moment


def _format_day(day: date) -> str:
    """Day as "Thu 26 Nov", in the reader's language. Django's `date_format` takes ten times as long, and lists have
    dozens of days.
    """
    text = f"{WEEKDAYS_ABBR[day.weekday()]} {day.day} {str(MONTHS_3[day.month]).title()}"
    return text if day.year == timezone.now().year else f"{text} {day.year}"


def _describe_distance(days: int) -> str:
    """Distance of a day in words, "" where it is far ahead."""
    if days > _NEAR_DAYS:
        return ""
    if days == 0:
        return _("today")
    if days == 1:
        return _("tomorrow")
    if days == -1:
        return _("yesterday")
    if days > 0:
        return ngettext("in %(count)d day", "in %(count)d days", days) % {"count": days}
    return ngettext("%(count)d day ago", "%(count)d days ago", -days) % {"count": -days}

"""Widgets of forms that write their HTML themselves: Django renders a template for each, and for each option of a list.

The HTML is that of Django's widgets.
"""

from functools import lru_cache
from typing import Any, TypedDict

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class _WidgetContext(TypedDict):
    name: str
    type: str
    value: Any
    attrs: dict[str, Any]
    optgroups: list[tuple[Any, list[dict[str, Any]], int]]  # of a choice


class _DrawnWidget(forms.Widget):
    """Widget whose HTML `draw_widget` makes from the context that Django gives its template."""

    def render(
        self, name: str, value: object, attrs: dict[str, Any] | None = None, renderer: object = None
    ) -> SafeString:
        return self.draw_widget(self.get_context(name, value, attrs)["widget"])

    def draw_widget(self, widget: _WidgetContext) -> SafeString:
        """HTML of an input of any type."""
        value = "" if widget["value"] is None else format_html(' value="{}"', widget["value"])
        attributes = flatatt(widget["attrs"])
        return format_html('<input type="{}" name="{}"{}{}>', widget["type"], widget["name"], value, attributes)


class DrawnTextInput(_DrawnWidget, forms.TextInput):
    """Input of one line of text."""


class DrawnNumberInput(_DrawnWidget, forms.NumberInput):
    """Input of a number."""


class DrawnDateInput(_DrawnWidget, forms.DateInput):
    """Input of a day."""


class DrawnHiddenInput(_DrawnWidget, forms.HiddenInput):
    """Value that nobody types."""


class DrawnCheckbox(_DrawnWidget, forms.CheckboxInput):
    """Box that people tick."""


class DrawnTextarea(_DrawnWidget, forms.Textarea):
    """Input of several lines of text."""

    def draw_widget(self, widget: _WidgetContext) -> SafeString:
        """HTML of the input."""
        attributes = flatatt(widget["attrs"])
        return format_html('<textarea name="{}"{}>\n{}</textarea>', widget["name"], attributes, widget["value"] or "")


@lru_cache(maxsize=64)  # forms offer all products or people, a thousand of them
def _draw_options(choices: tuple[tuple[str, str, bool], ...], chosen: frozenset[str]) -> SafeString:
    """Options with their codes and texts; whether a text is safe belongs to the key: both kinds are equal as text."""
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((code, SafeString(" selected") if code in chosen else "", text) for code, text, _is_safe in choices),
    )


class DrawnSelect(_DrawnWidget, forms.Select):
    """List of choices without groups."""

    def draw_widget(self, widget: _WidgetContext) -> SafeString:
        """HTML of the list."""
        chosen = frozenset(map(str, widget["value"]))
        choices = tuple((str(code), str(text), isinstance(text, SafeString)) for code, text in self.choices)
        options = _draw_options(choices, chosen)
        return format_html('<select name="{}"{}>{}</select>', widget["name"], flatatt(widget["attrs"]), options)

    def optgroups(self, name: str, value: object, attrs: dict[str, Any] | None = None) -> list[Any]:
        """No groups: their options would be built once more."""
        return []


class DrawnCheckboxes(_DrawnWidget, forms.CheckboxSelectMultiple):
    """Boxes that people tick, in groups if their choices have some."""

    def draw_widget(self, widget: _WidgetContext) -> SafeString:
        """HTML of the boxes: a field set for each group."""
        groups = format_html_join(
            "", "{}", ((_draw_group(group, boxes),) for group, boxes, _index in widget["optgroups"])
        )
        return format_html("<div{}>{}</div>", flatatt({"id": widget["attrs"].get("id", "")}), groups)


def _draw_group(group: object, boxes: list[dict[str, Any]]) -> SafeString:
    drawn = format_html_join("", "<div>{}</div>", ((_draw_box(box),) for box in boxes))
    return format_html("<fieldset><legend>{}</legend>{}</fieldset>", group, drawn) if group else drawn


def _draw_box(box: dict[str, Any]) -> SafeString:
    attributes = flatatt(box["attrs"])
    return format_html(
        '<label for="{}"><input type="checkbox" name="{}" value="{}"{}> {}</label>',
        *(box["attrs"].get("id", ""), box["name"], box["value"], attributes, box["label"]),
    )

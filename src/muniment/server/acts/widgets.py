"""Widgets of forms that write their HTML themselves: Django renders a template for each, and for each option of a list.

The HTML is that of Django's widgets.
"""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class _DrawnWidget(forms.Widget):
    """Widget whose HTML `draw_widget` makes from the context that Django gives its template."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return self.draw_widget(self.get_context(name, value, attrs)["widget"])

    def draw_widget(self, widget: dict[str, Any]) -> SafeString:
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

    def draw_widget(self, widget: dict[str, Any]) -> SafeString:
        """HTML of the input."""
        attributes = flatatt(widget["attrs"])
        return format_html('<textarea name="{}"{}>\n{}</textarea>', widget["name"], attributes, widget["value"] or "")


class DrawnSelect(_DrawnWidget, forms.Select):
    """List of choices without groups."""

    def draw_widget(self, widget: dict[str, Any]) -> SafeString:
        """HTML of the list."""
        chosen = frozenset(map(str, widget["value"]))
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((code, SafeString(" selected") if str(code) in chosen else "", text) for code, text in self.choices),
        )
        return format_html('<select name="{}"{}>{}</select>', widget["name"], flatatt(widget["attrs"]), options)

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> list[Any]:
        """No groups: their options would be built once more."""
        return []

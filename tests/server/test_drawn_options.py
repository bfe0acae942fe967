"""Options of lists are escaped, however often they are drawn, and times stay out of attributes."""

import re
from pathlib import Path

from django.utils.safestring import SafeString

import muniment.server
from muniment.server.acts.widgets import DrawnSelect

TEMPLATES = Path(muniment.server.__file__).parent / "templates"
_ATTRIBUTE = re.compile(r'[a-z-]+="[^"<>]*\|(?:when|due)\b')


def test_a_safe_text_and_the_same_text_are_drawn_apart() -> None:
    texts = ("<i>x</i>", SafeString("<i>x</i>"), "<i>x</i>")
    draw = [DrawnSelect(choices=(("a", text),)).render("one", "a") for text in texts]
    assert ["&lt;i&gt;" in one for one in draw] == [True, False, True]


def test_no_attribute_contains_an_element_of_a_time() -> None:
    found = [one.name for one in TEMPLATES.rglob("*.html") if _ATTRIBUTE.search(one.read_text(encoding="utf-8"))]
    assert found == []

"""Replaces marks that change the direction of text, so that approvers read the letters in their stored order."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def replace_marks(text: str) -> str:
    """Text with each mark that changes the direction of letters written as its number, such as <U+202E>."""
    return _MARKS.sub(lambda mark: f"&lt;U+{ord(mark[0]):04X}&gt;", text)


class DirectionMarks:
    """Middleware that replaces direction marks in every page, whatever it quotes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response without direction marks."""
        answer = self._get_response(request)
        if answer.streaming or not answer.get("Content-Type", "").startswith("text/html"):
            return answer
        text = answer.content.decode(answer.charset)
        if _MARKS.search(text):
            answer.content = replace_marks(text).encode(answer.charset)
        return answer

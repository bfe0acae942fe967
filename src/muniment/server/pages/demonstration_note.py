"""Tells each page whether its data is that of the demonstration, so that the page says so."""

from django.conf import settings
from django.http import HttpRequest


def demonstration_context(request: HttpRequest) -> dict[str, bool]:
    """Template context: `demonstration` is true in a home that holds the invented company."""
    return {"demonstration": settings.DEMONSTRATION}

"""Has the checks run before anything else does."""

from django.apps import AppConfig


class RecordConfig(AppConfig):
    """The app."""

    name = "muniment.server.record"

    def ready(self) -> None:
        """Register the checks."""
        from muniment.server.guarding import checks  # noqa: F401 -- it registers itself

"""Has the checks run before anything else does."""

from django.apps import AppConfig


class RecordConfig(AppConfig):
    """The app."""

    default = True
    name = "muniment.server.records"

    def ready(self) -> None:
        """Register the checks, and note the rows that acts write."""
        from muniment.server.guarding import checks  # noqa: F401 -- it registers itself
        from muniment.server.records.recorded_rows import watch_rows

        watch_rows()


class RecordsAlone(AppConfig):
    """The app where there is no other, and nothing to check: in the sequencer."""

    name = "muniment.server.records"

"""Django apps of the records: with the system checks, or alone in the sequencer."""

from django.apps import AppConfig


class RecordConfig(AppConfig):
    """Django app of the records, with the system checks."""

    default = True
    name = "muniment.server.records"

    def ready(self) -> None:
        """Register the checks, and the signals that note rows written by acts."""
        from muniment.server.guarding import system_checks  # noqa: F401 -- it registers itself
        from muniment.server.records.recorded_rows import connect_row_signals

        connect_row_signals()


class RecordsAlone(AppConfig):
    """Django app of the records without others and without checks: in the sequencer."""

    name = "muniment.server.records"

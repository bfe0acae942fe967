"""Registers the advisories of the database for evaluations of changes."""

from django.apps import AppConfig


class UpdatesConfig(AppConfig):
    """Updates as a Django app."""

    name = "muniment.server.updates"

    def ready(self) -> None:
        """Have evaluations of changes match with the advisories of the database."""
        from muniment.server.updates.advisory_facts import provide_advisories
        from muniment.workflows.change_dependencies import register_advisory_provider

        register_advisory_provider(provide_advisories)

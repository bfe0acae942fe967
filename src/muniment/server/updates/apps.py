"""Registers the advisories of the database, and the ages of releases, for evaluations of changes."""

from django.apps import AppConfig


class UpdatesConfig(AppConfig):
    """Updates as a Django app."""

    name = "muniment.server.updates"

    def ready(self) -> None:
        """Have evaluations of changes match with the advisories of the database, and ask registries for ages."""
        from muniment.server.updates.advisory_facts import provide_advisories
        from muniment.server.updates.release_facts import provide_ages
        from muniment.workflows.change_dependencies import register_advisory_provider
        from muniment.workflows.change_releases import register_age_provider

        register_advisory_provider(provide_advisories)
        register_age_provider(provide_ages)

"""Registers what the app gives to lower ones: our own accounts at forges, and facts of repositories there."""

from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    """Connections to forges as a Django app."""

    name = "muniment.server.connections"

    def ready(self) -> None:
        """Have people know our own accounts, and evaluations the facts of a forge."""
        from muniment.server.changes.product_standing import register_forge_reader
        from muniment.server.connections.models import Connection
        from muniment.server.connections.repository_facts import read_linked_forge_facts
        from muniment.server.people.people_facts import register_own_machines

        register_forge_reader(read_linked_forge_facts)
        register_own_machines(Connection.own_accounts, Connection)

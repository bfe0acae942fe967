"""Connects repositories that automatic rules choose: those of now, and those that are made later at the forge."""

from django.db import transaction

from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.connections.models import Connection
from muniment.server.organisations.connect_acts import MOST_REPOSITORIES, CoverRepositories, format_lines
from muniment.server.organisations.rule_choices import choose_by_rules


def cover_connection(connection: Connection) -> int:
    """Connect what the rules choose by themselves; the number of repositories. Raises MunimentError."""
    with transaction.atomic():
        chosen = choose_by_rules(connection)[:MOST_REPOSITORIES]
        if chosen:
            values = {"connection": connection.slug, "repositories": format_lines(chosen)}
            execute_system_act(SystemActor.REPOSITORY_RULES, CoverRepositories, values)
    return len(chosen)

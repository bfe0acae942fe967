"""Background jobs of the app."""

from muniment.server.connections.models import Connection
from muniment.server.connections.repository_list import COVER_TASK
from muniment.server.job_queue import LONG_SECONDS, register_task
from muniment.server.organisations.coverage import cover_connection
from muniment.server.organisations.protection import apply_requested_protection, plan_connection_protection


@register_task(COVER_TASK)
def cover_repositories(connection: int) -> None:
    """Connect the repositories that the rules of a connection choose."""
    row = Connection.objects.filter(pk=connection, ended_at=None).first()
    if row is not None:
        cover_connection(row)


@register_task("plan-protection", LONG_SECONDS)
def plan_protection(connection: int) -> None:
    """Plan how the default branches of a connection's repositories are protected. Nothing is changed."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        plan_connection_protection(row)


@register_task("apply-protection", LONG_SECONDS)
def apply_protection(connection: int, digest: str, record: str) -> None:
    """Carry out the protection plan with this digest. Raises UnrecordedTaskError unless the act `record` said so."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        apply_requested_protection(row, digest, record)

"""Failures of the database that are no defect of Muniment: a full disk, a server that ended, too many connections."""

from muniment.errors import DatabaseError
from muniment.server.text_marks import gettext_noop

_DISK_FULL, _CANNOT_READ_DISK, _TOO_MANY = "53100", "58030", "53300"
_LOCKED = "55P03"
_ENDED = ("08", "57P")  # classes of SQLSTATE: of connections, and of a server that is shut down


def describe_database_failure(error: BaseException | None) -> DatabaseError | None:
    """Describe the failure of the database that caused `error`; None for any other error, a defect for example.

    Django and Procrastinate wrap the errors of psycopg, which stay their cause.
    """
    try:
        import psycopg  # only the service needs it, and not each of its processes
    except ImportError:
        return None
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return None
    state = error.sqlstate or ""
    if state == _DISK_FULL:
        return DatabaseError(
            gettext_noop("the disk of the database is full"), gettext_noop("Free some space on it, then try again.")
        )
    if state == _CANNOT_READ_DISK:
        return DatabaseError(
            gettext_noop("the database cannot read or write its disk"),
            gettext_noop("Check that disk, then start the service: muniment up"),
        )
    if state == _TOO_MANY:
        return DatabaseError(
            gettext_noop("the database has no free connection"),
            gettext_noop("Try again in a moment, or raise max_connections."),
        )
    if state == _LOCKED:
        return DatabaseError(
            gettext_noop("another process has locked the data for too long"),
            gettext_noop("Try again in a moment; if it stays so, start the service again: muniment up"),
        )
    if not state or state.startswith(_ENDED):
        return DatabaseError(
            gettext_noop("the database does not answer"),
            gettext_noop("Try again in a moment; if it stays so, start the service: muniment up"),
        )
    return None

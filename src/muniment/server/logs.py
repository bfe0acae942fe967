"""Logs name events and places in the program, never persons, and no input that somebody typed or a link contains."""

import logging
import traceback
from pathlib import PurePath

import structlog

from muniment.server.database_failures import describe_database_failure

JSON = "json"
_MOST_PLACES = 12


class RequestAddressFilter(logging.Filter):
    """Filter that logs a request by its route and status: its address may contain an id, or the secret of a link."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the address from the record; the record itself always passes."""
        request = getattr(record, "request", None)
        if request is not None:
            match = getattr(request, "resolver_match", None)
            record.msg, record.args = "%s at %s", (getattr(record, "status_code", "?"), getattr(match, "route", "?"))
        return True


class FailureFilter(logging.Filter):
    """Filter that logs an exception in one line, without its message and values: they may be of a person.

    A failure of the database has its next step, any other exception its type and the places that it passed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the traceback in the record; the record itself always passes."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        failure = describe_database_failure(error)
        if failure is not None:
            record.msg, record.args = "%s: %s. Next: %s", (record.getMessage(), failure.message, failure.remedy)
        else:
            record.msg, record.args = "%s: %s", (record.getMessage(), describe_places(error))
        record.exc_info = record.exc_text = None
        return True


def describe_places(error: BaseException) -> str:
    """Describe the type of an exception and the last places in the program that it passed, in one line."""
    places = traceback.extract_tb(error.__traceback__)[-_MOST_PLACES:]
    passed = " < ".join(f"{PurePath(one.filename).name}:{one.lineno} {one.name}" for one in reversed(places))
    cause = error.__cause__ or error.__context__
    because = f", because of {type(cause).__name__}" if cause is not None else ""
    return f"{type(error).__name__}{because} at {passed or 'no place'}"


def build_log_settings(form: str) -> dict[str, object]:
    """Setting LOGGING of Django. `form` is "json" for programs, any other value for people."""
    last = structlog.processors.JSONRenderer() if form == JSON else structlog.dev.ConsoleRenderer(colors=False)
    before = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    processors = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        last,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "nameless": {"()": RequestAddressFilter},
            "failures": {"()": FailureFilter},
        },
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": processors,
                "foreign_pre_chain": before,
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "event",
                "filters": ["nameless", "failures"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "muniment": {"level": "INFO"},
            "psycopg.pool": {"level": "ERROR"},  # it repeats what Procrastinate logs of the same failure
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
        },
    }

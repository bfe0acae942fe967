"""Statuses as pages show them: an icon of its own shape, a word and a colour, so that no colour stands alone."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class Status(NamedTuple):
    """Look of a status: the class of the stylesheet, the icon, the word."""

    style: str
    icon: str
    text: Any  # lazily translated


PASSING = Status("passing", "circle-check", _("Passing"))
FAILING = Status("failing", "circle-x", _("Failing"))
UNKNOWN = Status("unknown", "help-octagon", _("Unknown"))
EXCEPTION = Status("exception", "hourglass", _("Exception"))
MONITORING = Status("monitoring", "eye", _("Monitoring"))
NOT_APPLICABLE = Status("na", "circle-minus", _("Not applicable"))
NOT_EVALUATED = Status("na", "circle-dashed", _("Not evaluated"))
NEUTRAL = Status("na", "circle", _("Other"))

# Codes of results and decisions, as tables and the API have them.
BY_CODE = {
    "met": PASSING,
    "passing": PASSING,
    "violated": FAILING,
    "failing": FAILING,
    "unknown": UNKNOWN,
    "excepted": EXCEPTION,
    "exception": EXCEPTION,
    "monitoring": MONITORING,
    "not_applicable": NOT_APPLICABLE,
    "na": NOT_APPLICABLE,
    "not_evaluated": NOT_EVALUATED,
    "allowed": Status("passing", "circle-check", _("Ready to merge")),
    "allow": Status("passing", "circle-check", _("Allowed")),
    "denied": Status("failing", "circle-x", _("Blocked")),
    "deny": Status("failing", "circle-x", _("Blocked")),
    "waiting": Status("accent", "clock", _("Waiting")),
    "running": Status("accent", "player-play", _("Running")),
    "done": Status("passing", "circle-check", _("Done")),
    "failed": Status("failing", "circle-x", _("Failed")),
    "overdue": Status("failing", "alert-triangle", _("Overdue")),
    "ended": Status("na", "circle-minus", _("Ended")),
    "approved": Status("passing", "circle-check", _("Approved")),
    "rejected": Status("failing", "circle-x", _("Rejected")),
    "withdrawn": Status("na", "arrow-back-up", _("Withdrawn")),
    "weaker": Status("failing", "alert-triangle", _("Weaker")),
    "stricter": Status("passing", "trending-up", _("Stricter")),
    "in_force": Status("passing", "circle-check", _("In force")),
    "draft": Status("accent", "pencil", _("Draft")),
    "replaced": Status("na", "history", _("Replaced")),
    "neutral": NEUTRAL,
}


def find_status(code: str) -> Status:
    """Status of a code. Raises KeyError for an unknown one: a page never guesses what a code means."""
    return BY_CODE[str(code).lower()]

"""A decision as a forge shows it: two lines at the change, the rest behind them, one comment where something is wrong.

What a change says of itself (names, paths) is an attacker's: it stands there as text, and notifies nobody.
"""

import re
from collections.abc import Iterable, Iterator

from muniment.decision.account import DecisionReport, ReasonReport, ResultReport
from muniment.decision.decision import Outcome
from muniment.errors import MunimentError
from muniment.facts import paths
from muniment.facts.statements import ReviewAction
from muniment.forges.statuses import Annotation, Saying, Status

PENDING = "It is being evaluated."

_LINE = 140  # characters that every forge shows of one line
_MOST = 30  # reasons in one text
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")
_STOPPING = ("violated", "unknown")


def pending(context: str, url: str) -> Status:
    """What stands until it is judged."""
    return Status(context, Saying.PENDING, PENDING, url)


def unread(context: str, url: str, error: MunimentError) -> Status:
    """What stands when it could not be read for too long."""
    summary = f"{_cut(f'It could not be read: {error.message}.')}\n{_cut(error.remedy)}"
    return Status(context, Saying.DENIED, summary, url)


def bypass(context: str, url: str, reason: str) -> Status:
    """What stands on a head that was merged although it was not allowed then."""
    summary = f"{_cut(f'Bypass: {reason}.')}\nReview it, or revert it: the page behind Details shows how."
    return Status(context, Saying.DENIED, summary, url)


def verdict(told: DecisionReport, context: str, url: str) -> Status:
    """What stands now that it is judged."""
    allowed = told.decision is Outcome.ALLOW
    return Status(
        context=context,
        saying=Saying.ALLOWED if allowed else Saying.DENIED,
        summary=_allowed(told) if allowed else _denied(told),
        url=url,
        details="" if allowed else "\n".join(_details(told)),
        annotations=() if allowed else tuple(_annotations(told)),
    )


def comment(told: DecisionReport, url: str) -> str:
    """The one comment; "" while nothing is wrong."""
    if told.decision is Outcome.ALLOW:
        return ""
    asked = _people(told.names.get(person, person) for person in told.eligible_reviewers)
    who = f"\n\nWho could approve: {asked}." if asked else ""
    return "\n".join((f"**Muniment does not allow this yet.** [Details]({url})", "", *_details(told))) + who


def plain(text: str) -> str:
    """Text that Markdown shows as it is, and by which nobody is notified."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return _SPECIAL.sub(r"\\\1", shown).replace("@", "@\N{ZERO WIDTH SPACE}").replace("://", ":\N{ZERO WIDTH SPACE}//")


def remedy_at_forge(reason: ReasonReport) -> str:
    """What to do next, for somebody who is at the forge: what cannot be said there is on the page behind Details."""
    if reason.settled_by == ReviewAction.ATTEST or reason.details.get("questions"):
        return f"{reason.remedy} The page behind Details has the form."
    return reason.remedy


def stopping(told: DecisionReport) -> tuple[ResultReport, ...]:
    """The clauses that stop it."""
    return tuple(one for one in told.results if one.status in _STOPPING and one.enforced and not one.exception)


def _allowed(told: DecisionReport) -> str:
    used = sum(1 for one in told.results if one.exception)
    more = f"\n{used} of them by an exception." if used else ""
    return f"All {len(told.results)} clauses allow it.{more}"


def _denied(told: DecisionReport) -> str:
    reasons = blocking_reasons(told)
    first = reasons[0] if reasons else ReasonReport("", "It is not allowed.", "", "")
    left = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{_cut(first.message, _LINE - len(left))}{left}\n{_cut(remedy_at_forge(first))}".strip()


def blocking_reasons(told: DecisionReport) -> list[ReasonReport]:
    """What stops it, the worst first: a freeze, which no approval lifts; an objection; the rest as evaluated."""
    of_clauses = [
        reason for result in stopping(told) for reason in result.reasons if reason.remedy or len(result.reasons) == 1
    ]
    of_clauses.sort(key=lambda reason: reason.settled_by != ReviewAction.WITHDRAW)
    return [*(reason for reason in told.reasons if reason.remedy), *of_clauses]


def _details(told: DecisionReport) -> Iterator[str]:
    found = blocking_reasons(told)
    for reason in found[:_MOST]:
        yield f"- {plain(reason.message)}"
        if reason.remedy:
            yield f"  Next: {plain(remedy_at_forge(reason))}"
    if len(found) > _MOST:
        yield f"- and {len(found) - _MOST} more"


def _annotations(told: DecisionReport) -> Iterator[Annotation]:
    for reason in blocking_reasons(told)[:_MOST]:
        kind, _, path = reason.subject.partition(":")
        if kind == "path":
            yield Annotation(paths.to_bytes(path).decode("utf-8", "replace"), 1, 1, reason.message, reason.code)


def _people(names: Iterable[str]) -> str:
    named = [plain(name) for name in names]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} others" if len(named) > 5 else "")


def _cut(text: str, most: int = _LINE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

"""Converts a forge's checks of a head to test runs: whether each passed, and the account that posted it.

A forge counts no tests. The policy says which posters count: on several forges every account with write access may
post a status.
"""

from collections.abc import Iterable

from muniment.facts import canonical
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import PipelineRun
from muniment.facts.statements import SignatureResult
from muniment.forges.shapes import Account, Check

_ENDED = {"success": True, "failure": False, "error": False}
_UNCOUNTED = Unknown("the forge reports success or failure, not the number of tests")


def convert_to_runs(forge: str, checks: Iterable[Check], head: str) -> tuple[PipelineRun, ...]:
    """Checks of a head as test runs. `forge` is the connection's name.

    A check without a moment counts as just begun.
    """
    return tuple(
        PipelineRun(
            pipeline=check.context,
            commit=head,
            runner=format_poster(forge, check.by),
            signature=SignatureResult.FORGE,
            passed=_read_passed(check),
            counts=_UNCOUNTED,
            time=check.at,
            url=check.url,
        )
        for check in checks
    )


def select_newest(checks: Iterable[Check], until: str = "") -> tuple[Check, ...]:
    """The newest check of each context and poster, of those no later than `until` ("" for all)."""
    ordered = sorted((check for check in checks if not until or check.at <= until), key=lambda check: check.at)
    return tuple({(check.context, check.by.id): check for check in ordered}.values())


def digest_checks(checks: Iterable[Check]) -> str:
    """Digest of the states of checks: it changes once any of them ends or begins anew."""
    return canonical.digest_value(sorted((one.context, one.by.id, one.state, _ended_at(one)) for one in checks))


def _ended_at(check: Check) -> str:
    return check.at if check.state in _ENDED else ""


def is_ended(ended_at: str, until: str) -> bool:
    """Whether a check that ended `ended_at` ("" for not yet) had ended by the moment `until` ("" for now)."""
    return bool(ended_at) and (not until or ended_at <= until)


def format_poster(forge: str, account: Account) -> str:
    """Account that posted a check, as the policy names it: an app of the forge, or a login."""
    kind = "app" if account.machine or account.id.startswith("app:") else "login"
    return f"{kind}:{forge}/{account.login}"


def _read_passed(check: Check) -> Maybe[bool]:
    ended = _ENDED.get(check.state)
    return Unknown(f"it is {check.state}") if ended is None else Known(ended)

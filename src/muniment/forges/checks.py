"""What a forge tells of the pipelines that ran on a head, as runs of tests: whether each ended well, and by whom.

A forge counts no tests. Whose word counts is the policy's to say: on several forges whoever may write may post one.
"""

from collections.abc import Iterable

from muniment.facts import canonical
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import Run
from muniment.facts.statements import Signature
from muniment.forges.shapes import Account, Check

_ENDED = {"success": True, "failure": False, "error": False}
_UNCOUNTED = Unknown("the forge reports success or failure, not the number of tests")


def runs(forge: str, checks: Iterable[Check], head: str) -> tuple[Run, ...]:
    """The checks of a head as runs. `forge` is the connection's name; one without a moment counts as just begun."""
    return tuple(
        Run(
            pipeline=check.context,
            commit=head,
            runner=teller(forge, check.by),
            signature=Signature.FORGE,
            passed=_passed(check),
            counts=_UNCOUNTED,
            time=check.at,
            url=check.url,
        )
        for check in checks
    )


def newest(found: Iterable[Check], until: str = "") -> tuple[Check, ...]:
    """The newest of each context and poster, by their moments, of those no later than `until` ("" for all)."""
    ordered = sorted((check for check in found if not until or check.at <= until), key=lambda check: check.at)
    return tuple({(check.context, check.by.id): check for check in ordered}.values())


def digest_of_checks(found: Iterable[Check]) -> str:
    """Digest of what checks say: another one once any of them came to an end, or began anew."""
    return canonical.digest_of(sorted((one.context, one.by.id, one.state, _ended_at(one)) for one in found))


def _ended_at(check: Check) -> str:
    return check.at if check.state in _ENDED else ""


def is_ended(at: str, until: str) -> bool:
    """Whether a check that ended `at` ("" for not yet) had ended by the moment `until` ("" for now)."""
    return bool(at) and (not until or at <= until)


def teller(forge: str, account: Account) -> str:
    """Who told it, as the policy names them: an app of the forge, or an account that may be anybody's."""
    kind = "app" if account.machine or account.id.startswith("app:") else "login"
    return f"{kind}:{forge}/{account.login}"


def _passed(check: Check) -> Maybe[bool]:
    ended = _ENDED.get(check.state)
    return Unknown(f"it is {check.state}") if ended is None else Known(ended)

"""The request of a job to Muniment's service for secrets without a deployment."""

import os
import secrets
from collections.abc import Callable

from muniment.cli import printing
from muniment.errors import RunCode, RunError, UsageError
from muniment.pipelines.service import ANSWER_SECONDS, JobRun, Reason, Service
from muniment.vault import identity


def request_run(
    url: str, product: str, environment: str, who: identity.Identity, mind: Callable[[Reason], None]
) -> Callable[[], None]:
    """Request the secrets of an environment for this job; what to call once they were fetched, before anything starts.

    Raises RunError if the job is not let in.
    """
    commit = identity.commit_of(os.environ)
    if not commit:
        raise UsageError("nobody says which commit this job works on", "Set MUNIMENT_COMMIT to its full id.")
    service = Service(url, lambda: who.for_service(url, product, environment), "runs")
    number = service.ask(JobRun(product, environment, commit), secrets.token_hex(16))
    standing = service.decided(number, ANSWER_SECONDS, mind)
    if standing.state != "allowed":
        why = " ".join(printing.plain(reason.message) for reason in standing.reasons) or f"it is {standing.state}"
        remedy = " ".join(printing.plain(reason.remedy) for reason in standing.reasons)
        raise RunError(
            RunCode.REFUSED,
            f"Muniment's service denies this run: {why}; nothing was started",
            remedy or "See the page Environments of the product.",
        )
    return lambda: service.end_access(number)

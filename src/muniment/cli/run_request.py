"""The request of a job to Muniment's service for secrets without a deployment."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress

from muniment.cli import printing
from muniment.errors import RunCode, RunError, UsageError
from muniment.pipelines.service_client import ANSWER_SECONDS, JobRunOrder, ServiceClient, ServiceReason
from muniment.vault import identity


def request_job_secrets(
    url: str, product: str, environment: str, who: identity.JobIdentity, report: Callable[[ServiceReason], None]
) -> Callable[[], None]:
    """Request the secrets of an environment for this job; returns the function to call once they were fetched.

    Raises RunError if the job is not admitted.
    """
    commit = identity.find_job_commit(os.environ)
    if not commit:
        raise UsageError("nobody says which commit this job works on", "Set MUNIMENT_COMMIT to its full id.")
    service = ServiceClient(url, lambda: who.get_service_token(url, product, environment), "runs")
    number = service.submit_request(JobRunOrder(product, environment, commit), secrets.token_hex(16))
    standing = None
    try:
        standing = service.wait_for_decision(number, ANSWER_SECONDS, report)
    finally:
        if standing is None:
            with suppress(RunError):  # the service withdraws it by itself at the same time
                service.withdraw_request(number)
    if standing.state != "allowed":
        why = (
            " ".join(printing.make_printable(reason.message) for reason in standing.reasons)
            or f"it is {standing.state}"
        )
        remedy = " ".join(printing.make_printable(reason.remedy) for reason in standing.reasons)
        raise RunError(
            RunCode.REFUSED,
            f"Muniment's service denies this run: {why.removesuffix('.')}; nothing was started",
            remedy or "See the page Environments of the product.",
        )
    return lambda: service.close_access(number)

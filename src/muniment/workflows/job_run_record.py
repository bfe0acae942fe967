"""Record of a decision on a job that gets the secrets of an environment without a deployment."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects
from muniment.pipelines.identities import VerifiedIdentity

_Appended = TypeVar("_Appended")


class RequestedJobRun(Struct, frozen=True):
    """Run of a pipeline on a commit that requested the secrets of an environment of a product."""

    product: str
    environment: str
    commit: str
    identity: VerifiedIdentity


def record_job_run(
    append: Callable[[record_kinds.AnyEntry, tuple[object, ...]], _Appended],
    run: RequestedJobRun,
    problem: MunimentError | None,
    now: str,
) -> _Appended:
    """Append the record of the decision by `append`: allowed if there is no `problem`. Gives what it gave."""
    by = f"{run.identity.issuer.value}:{run.identity.subject}"
    details = record_objects.JobRun(
        run.product,
        run.environment,
        run.commit,
        by,
        run.identity.run,
        run.identity.workflow,
        "" if problem is None else problem.message,
        record_objects.draw_salt(),
    )
    entry = record_kinds.JobRunRecord(
        time=now,
        object=canonical.digest_value(details),
        commit=run.commit,
        # The pipeline names its repository, which may name a person: a commitment can be erased.
        pipeline=record_objects.make_commitment(by, details.salt),
        allowed=problem is None,
    )
    return append(entry, (details,))

"""Background tasks for the policy."""

from muniment.decision.freezes import is_freeze_in_force
from muniment.server import moments
from muniment.server.job_queue import LONG_SECONDS, enqueue, register_task
from muniment.server.records.installation import open_store


@register_task("apply-freeze", LONG_SECONDS)
def apply_freeze_task(freeze: str, boundary: str) -> None:
    """Evaluate everything again and stop deployments: a freeze was recorded, begins or ends.

    The records of freezes decide; the table of freezes is for pages alone. `boundary` tells such tasks apart.
    """
    now = moments.current_moment()
    enqueue("reevaluate-all")
    if any(one.id == freeze and is_freeze_in_force(one, now) and not one.drill for one in open_store().list_freezes()):
        enqueue("revoke-deployments")

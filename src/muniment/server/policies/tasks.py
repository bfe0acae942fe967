"""Work in the background for the policy."""

from muniment.decision.freezes import is_in_force
from muniment.server import moments
from muniment.server.records.installation import store
from muniment.server.work import LONG_SECONDS, soon, task


@task("apply-freeze", LONG_SECONDS)
def apply_freeze(freeze: str, boundary: str) -> None:
    """Evaluate everything again and stop deployments: a freeze was recorded, begins or ends.

    The records of freezes decide; the table of freezes is for pages alone. `boundary` tells such tasks apart.
    """
    now = moments.now()
    soon("reevaluate-all")
    if any(one.id == freeze and is_in_force(one, now) and not one.drill for one in store().freezes()):
        soon("revoke-deployments")

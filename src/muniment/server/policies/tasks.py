"""Work in the background for the policy."""

from muniment.server.policies.models import Freeze
from muniment.server.work import LONG_SECONDS, soon, task


@task("apply-freeze", LONG_SECONDS)
def apply_freeze(freeze: str, boundary: str) -> None:
    """Evaluate everything again and stop deployments: a freeze was recorded, begins or ends."""
    row = Freeze.objects.filter(slug=freeze).first()
    if row is None:
        return
    soon("reevaluate-all")
    if not row.drill and row.has_begun and boundary != "end":
        soon("revoke-deployments")

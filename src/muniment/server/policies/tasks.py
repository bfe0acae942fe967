"""Work in the background for the policy."""

from muniment.server.policies import source
from muniment.server.policies.models import Freeze, PolicySource
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


@task("read-policy-source", LONG_SECONDS)
def read_policy() -> None:
    """See whether the branch that policies are read from holds a new one."""
    row = PolicySource.objects.select_related("repository").first()
    if row is not None:
        source.read_on(row)

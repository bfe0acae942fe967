"""Work in the background for the policy."""

from muniment.server.policies import source
from muniment.server.policies.models import Source
from muniment.server.work import task


@task("read-policy")
def read_policy() -> None:
    """See whether the branch that policies are read from holds a new one."""
    row = Source.objects.select_related("repository").first()
    if row is not None:
        source.read_on(row)

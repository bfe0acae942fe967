"""Facts of a product's repository at a forge: its rules and settings, and what the repository itself says."""

from collections.abc import Collection, Mapping

from muniment.decision.binding import BoundPolicy
from muniment.errors import MunimentError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Unknown
from muniment.git.repository import Repository as Git
from muniment.server.changes.standing import GUARDED
from muniment.server.connections.reaching import connected_of, forge_of, repo_of
from muniment.server.products.models import Repository
from muniment.workflows.forge_facts import facts_at_forge
from muniment.workflows.repository_facts import repository_facts


def read_forge_facts(
    repository: Repository, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> Mapping[str, Fact] | None:
    """The facts that go by `names`; None for a repository that is at no forge.

    A forge that is not reached tells nothing of its rules and settings; its repository is read all the same.
    """
    connected = connected_of(repository)
    if connected is None:
        return None
    where = (git, target, tip, policy, names, now)
    if not GUARDED & set(names):
        return repository_facts(*where)
    try:
        forge = forge_of(connected.connection)
    except MunimentError as error:
        return repository_facts(*where, Unknown(error.message))
    return facts_at_forge(forge, repo_of(connected), *where)

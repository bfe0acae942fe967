"""Facts of a product's repository at a forge: its rules and settings, and what the repository itself says."""

from collections.abc import Collection, Mapping

from muniment.decision.binding import BoundPolicy
from muniment.errors import MunimentError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Unknown
from muniment.forges.shared_answers import read_shared
from muniment.git.repository import Repository as Git
from muniment.server.changes.product_standing import GUARDED
from muniment.server.connections.forge_access import (
    find_repository_link,
    open_connected_forge,
    require_linked_repository,
)
from muniment.server.products.models import Repository
from muniment.workflows.forge_facts import read_forge_facts
from muniment.workflows.repository_facts import read_repository_facts


def read_linked_forge_facts(
    repository: Repository, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> Mapping[str, Fact] | None:
    """The facts that go by `names`; None for a repository that is at no forge.

    A forge that is not reached tells nothing of its rules and settings; its repository is read all the same.
    """
    where = (git, target, tip, policy, names, now)
    if not GUARDED & set(names):
        is_linked = read_shared(("linked", repository.pk), lambda: find_repository_link(repository) is not None)
        return read_repository_facts(*where) if is_linked else None
    connected = find_repository_link(repository)
    if connected is None:
        return None
    try:
        forge = open_connected_forge(connected.connection)
    except MunimentError as error:
        return read_repository_facts(*where, Unknown(error.message))
    return read_forge_facts(forge, require_linked_repository(connected), *where)

"""Rights that roles and actors hold in a design, closed over inheritance, roles, direct grants and acting-as."""

from collections import deque
from fnmatch import fnmatchcase
from typing import NamedTuple

from muniment.design.model import CHANGING, DesignAction, DesignModel


class Holding(NamedTuple):
    """Action that a holder can do. `chain` are the roles and actors by which it has the right, itself first."""

    action: str
    chain: tuple[str, ...]


class HeldPrivileges:
    """Effective rights of all roles and actors of a design."""

    def __init__(self, model: DesignModel) -> None:
        self.holders = [role.id for role in model.roles] + [actor.id for actor in model.actors]
        self.actions = {action.id: action for action in model.actions}
        self.granted: dict[str, frozenset[str]] = {
            holder: frozenset(
                name
                for grant in model.grants
                if grant.to == holder
                for pattern in grant.actions
                for name in self.match_actions(pattern)
            )
            for holder in self.holders
        }
        self._own_sources: dict[str, list[str]] = {holder: [] for holder in self.holders}
        self._acting_sources: dict[str, list[str]] = {holder: [] for holder in self.holders}
        for role in model.roles:
            self._own_sources[role.id] += role.inherits
        for actor in model.actors:
            self._own_sources[actor.id] += actor.roles
        for acting in model.acting_as:
            self._acting_sources[acting.who].append(acting.rights_of)

    def match_actions(self, pattern: str) -> list[str]:
        """Actions that a pattern of a grant names."""
        if "*" in pattern:
            return [name for name in self.actions if fnmatchcase(name, pattern)]
        return [pattern]

    def find_chains(self, holder: str, *, acting: bool = True) -> dict[str, tuple[str, ...]]:
        """Roles and actors whose rights a holder has, itself among them, each with the shortest chain to it.

        Without `acting`, only those that it has as itself.
        """
        chains: dict[str, tuple[str, ...]] = {holder: (holder,)}
        waiting = deque([holder])
        while waiting:
            current = waiting.popleft()
            for source in (*self._own_sources[current], *(self._acting_sources[current] if acting else ())):
                if source not in chains:
                    chains[source] = (*chains[current], source)
                    waiting.append(source)
        return chains

    def find_identities(self, holder: str) -> dict[str, tuple[str, ...]]:
        """Holders that one person can appear as: itself, and each as which it can act. With the chain to each."""
        identities: dict[str, tuple[str, ...]] = {holder: (holder,)}
        waiting = deque([holder])
        while waiting:
            current = waiting.popleft()
            for source, chain in self.find_chains(current, acting=False).items():
                for other in self._acting_sources[source]:
                    if other not in identities:
                        identities[other] = (*identities[current], *chain[1:], other)
                        waiting.append(other)
        return identities

    def find_holdings(self, holder: str) -> dict[str, Holding]:
        """Actions that a holder can do, by name."""
        holdings: dict[str, Holding] = {}
        for source, chain in self.find_chains(holder).items():
            for action in sorted(self.granted[source]):
                holdings.setdefault(action, Holding(action, chain))
        return holdings


def can_change(action: DesignAction, resource: str, protected: str) -> bool:
    """Whether an action creates, modifies or deletes a resource or, with `protected`, that property of it.

    An action that does not say which properties it changes can change all of them: mass assignment.
    """
    if action.resource != resource or action.verb not in CHANGING:
        return False
    return not protected or action.changes is None or protected in action.changes


def name_holders(model: DesignModel) -> dict[str, str]:
    """Names for people of all roles and actors, by identifier."""
    roles = {role.id: role.label or role.id for role in model.roles}
    return roles | {actor.id: actor.label or actor.id for actor in model.actors}

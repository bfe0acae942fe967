"""Joins the designs of several repositories into one product, by their named interfaces.

Roles, actors, boundaries, data and mechanisms are the product's: the same name means the same thing in each
repository. All else belongs to its repository and is called `repository/name` in the union.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from msgspec import structs

from muniment.design.model import Budget, Data, DesignActor, DesignModel, DesignRole, Measure, Sensitivity


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Shared = TypeVar("_Shared", bound=_Named)
_STEPS = tuple(Sensitivity)
_JOINED = (  # lists that no repository shares with another
    *("applications", "tasks", "actions", "components", "flows", "interfaces", "resources", "grants", "uses"),
    *("guards", "second_persons", "acting_as", "conflicts", "limits", "measurements", "public_routes", "samples"),
)


def join_designs(designs: Mapping[str, DesignModel]) -> DesignModel:
    """Union of the designs by repository name, at least one. One design stays as it is.

    Where two repositories describe one role, actor or kind of data differently, the union takes the reading that
    needs more protection. Interfaces keep their names: a flow to one goes to the component that offers it.
    """
    if len(designs) == 1:
        return next(iter(designs.values()))
    parts = [_qualify_names(name, designs[name]) for name in sorted(designs)]
    lists = {name: tuple(entry for part in parts for entry in getattr(part, name)) for name in _JOINED}
    return structs.replace(
        parts[0],
        window_days=min(part.window_days for part in parts),
        actors=_merge_shared((part.actors for part in parts), _merge_actors),
        roles=_merge_shared((part.roles for part in parts), _merge_roles),
        boundaries=_merge_shared((part.boundaries for part in parts), lambda first, _: first),
        data=_merge_shared((part.data for part in parts), _merge_data),
        budgets=_take_strictest_budgets(parts),
        **lists,
    )


def _merge_shared(
    lists: Iterable[tuple[_Shared, ...]], merge: Callable[[_Shared, _Shared], _Shared]
) -> tuple[_Shared, ...]:
    merged: dict[str, _Shared] = {}
    for entries in lists:
        for entry in entries:
            known = merged.get(entry.id)
            merged[entry.id] = entry if known is None else merge(known, entry)
    return tuple(merged.values())


def _merge_actors(first: DesignActor, second: DesignActor) -> DesignActor:
    roles = tuple(dict.fromkeys((*first.roles, *second.roles)))
    return structs.replace(first, outside=first.outside or second.outside, roles=roles)


def _merge_roles(first: DesignRole, second: DesignRole) -> DesignRole:
    inherits = tuple(dict.fromkeys((*first.inherits, *second.inherits)))
    return structs.replace(first, sign_up=first.sign_up or second.sign_up, inherits=inherits)


def _merge_data(first: Data, second: Data) -> Data:
    stricter = max(first.sensitivity, second.sensitivity, key=_STEPS.index)
    return structs.replace(first, sensitivity=stricter, personal=first.personal or second.personal)


def _take_strictest_budgets(parts: list[DesignModel]) -> tuple[Budget, ...]:
    strictest: dict[Measure, Budget] = {}
    for budget in (budget for part in parts for budget in part.budgets):
        known = strictest.get(budget.measure)
        if known is None or budget.most < known.most:
            strictest[budget.measure] = budget
    return tuple(strictest.values())


def _qualify_names(repository: str, model: DesignModel) -> DesignModel:
    """The design with `repository/` before each name that belongs to the repository."""
    actors = frozenset(actor.id for actor in model.actors)

    def own(name: str) -> str:
        return f"{repository}/{name}" if name else ""

    def owns(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(own(name) for name in names)

    def own_place(name: str) -> str:
        return name if name in actors else own(name)

    replace = structs.replace
    return replace(
        model,
        tasks=tuple(replace(each, id=own(each.id), actions=owns(each.actions)) for each in model.tasks),
        actions=tuple(replace(each, id=own(each.id), resource=own(each.resource)) for each in model.actions),
        components=tuple(replace(each, id=own(each.id)) for each in model.components),
        flows=tuple(
            replace(each, source=own_place(each.source), target=own(each.target), guards=owns(each.guards))
            for each in model.flows
        ),
        interfaces=tuple(replace(each, component=own(each.component)) for each in model.interfaces),
        resources=tuple(
            replace(each, id=own(each.id), component=own(each.component), guards=owns(each.guards))
            for each in model.resources
        ),
        grants=tuple(replace(each, actions=owns(each.actions)) for each in model.grants),
        uses=tuple(replace(each, actions=owns(each.actions)) for each in model.uses),
        guards=tuple(replace(each, id=own(each.id)) for each in model.guards),
        second_persons=tuple(replace(each, action=own(each.action)) for each in model.second_persons),
        conflicts=tuple(replace(each, id=own(each.id), actions=owns(each.actions)) for each in model.conflicts),
        limits=tuple(replace(each, resource=own(each.resource)) for each in model.limits),
        samples=tuple(replace(each, resource=own(each.resource)) for each in model.samples),
    )

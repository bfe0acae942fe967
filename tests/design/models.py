"""Generated design models, and brute force over them that shares no code with the product."""

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.model import (
    ActingAs,
    Component,
    DesignAction,
    DesignActor,
    DesignGrant,
    DesignModel,
    DesignResource,
    DesignRole,
    FailureMode,
    Flow,
    Guard,
    Interface,
    Limit,
    ModelConflict,
    SecondPerson,
    Task,
    Undo,
    Verb,
)


class PlainPath(NamedTuple):
    nodes: tuple[str, ...]
    guards: frozenset[str]


def generate_model(seed: int) -> DesignModel:
    """A small random design: every way of joining its parts comes up among a thousand."""
    chance = random.Random(seed)
    mechanisms = [f"m{n}" for n in range(chance.randint(1, 5))]

    def some(names: list[str], most: int) -> tuple[str, ...]:
        return tuple(chance.sample(names, chance.randint(0, min(most, len(names)))))

    guards = [
        Guard(
            id=f"g{n}",
            mechanisms=tuple(chance.sample(mechanisms, chance.randint(1, min(2, len(mechanisms))))),
            on_failure=chance.choice(list(FailureMode)),
        )
        for n in range(chance.randint(1, 4))
    ]
    guard_names = [guard.id for guard in guards]
    roles = [
        DesignRole(id=f"r{n}", inherits=some([f"r{m}" for m in range(4)], 2), sign_up=chance.random() < 0.2)
        for n in range(4)
    ]
    role_names = [role.id for role in roles]
    actors = [DesignActor(id=f"a{n}", outside=chance.random() < 0.7, roles=some(role_names, 2)) for n in range(3)]
    components = [Component(id=f"c{n}") for n in range(chance.randint(2, 5))]
    component_names = [component.id for component in components]
    places = [actor.id for actor in actors] + component_names
    resources = [
        DesignResource(
            id=f"s{n}",
            component=chance.choice(component_names),
            guards=some(guard_names, 1),
            properties=("price", "owner")[: chance.randint(0, 2)],
            public="everybody reads it" if chance.random() < 0.1 else "",
        )
        for n in range(3)
    ]
    interfaces = [Interface(id="i0", component=chance.choice(component_names))]
    flows = []
    for _ in range(chance.randint(2, 9)):
        names = some(guard_names, 2)
        source = chance.choice(places)
        kind = chance.random()
        if kind < 0.1:
            flows.append(Flow(source=source, interface=chance.choice(["i0", "i1"]), guards=names))
        elif kind < 0.25:
            flows.append(Flow(source=source, target=chance.choice(resources).id, guards=names))
        else:
            flows.append(Flow(source=source, target=chance.choice(component_names), guards=names))
    actions = []
    for n in range(6):
        resource = chance.choice(resources)
        verb = chance.choice(list(Verb))
        changes = None if verb is Verb.READ or chance.random() < 0.4 else some(list(resource.properties), 2)
        actions.append(
            DesignAction(id=f"x{n}", resource=resource.id, verb=verb, changes=changes, undo=Undo.TRANSACTION)
        )
    action_names = [action.id for action in actions]
    holders = role_names + [actor.id for actor in actors]
    return DesignModel(
        schema=1,
        product="generated",
        owner="a test",
        actors=tuple(actors),
        roles=tuple(roles),
        components=tuple(components),
        resources=tuple(resources),
        interfaces=tuple(interfaces),
        flows=tuple(flows),
        guards=tuple(guards),
        actions=tuple(actions),
        grants=tuple(
            DesignGrant(to=chance.choice(holders), actions=some([*action_names, "x*"], 2))
            for _ in range(chance.randint(0, 5))
        ),
        tasks=tuple(Task(id=f"t{n}", by=(chance.choice(holders),), actions=some(action_names, 3)) for n in range(2)),
        acting_as=tuple(
            ActingAs(who=chance.choice(holders), rights_of=chance.choice(holders)) for _ in range(chance.randint(0, 2))
        ),
        conflicts=tuple(ModelConflict(id=f"k{n}", actions=tuple(chance.sample(action_names, 2))) for n in range(2)),
        second_persons=(SecondPerson(action=chance.choice(action_names), by=(chance.choice(role_names),)),),
        limits=tuple(Limit(resource=resource.id, most=chance.randint(0, 3)) for resource in resources[:2]),
    )


def list_plain_edges(model: DesignModel) -> list[tuple[str, str, frozenset[str]]]:
    """Each way from one place to the next. Resources are called `resource NAME`."""
    resources = {resource.id for resource in model.resources}
    edges = [(r.component, f"resource {r.id}", frozenset(r.guards)) for r in model.resources]
    for flow in model.flows:
        if flow.interface:
            targets = [i.component for i in model.interfaces if i.id == flow.interface]
        else:
            targets = [f"resource {flow.target}" if flow.target in resources else flow.target]
        edges += [(flow.source, target, frozenset(flow.guards)) for target in targets]
    return edges


def list_simple_paths(model: DesignModel) -> dict[str, list[PlainPath]]:
    """Every path without a repeated place from an actor outside to each resource: brute force."""
    edges = list_plain_edges(model)
    found: dict[str, list[PlainPath]] = {resource.id: [] for resource in model.resources}

    def walk(nodes: tuple[str, ...], guards: frozenset[str]) -> None:
        if nodes[-1].startswith("resource "):
            found[nodes[-1].removeprefix("resource ")].append(PlainPath(nodes, guards))
            return
        for source, target, more in edges:
            if source == nodes[-1] and target not in nodes:
                walk((*nodes, target), guards | more)

    for actor in model.actors:
        if actor.outside:
            walk((actor.id,), frozenset())
    return found


def close_rights(model: DesignModel, *, acting: bool = True) -> dict[str, set[str]]:
    """Holders whose rights each holder has, by repeated joining of pairs until none is new."""
    pairs = {(role.id, other) for role in model.roles for other in role.inherits}
    pairs |= {(actor.id, role) for actor in model.actors for role in actor.roles}
    if acting:
        pairs |= {(each.who, each.rights_of) for each in model.acting_as}
    holders = [role.id for role in model.roles] + [actor.id for actor in model.actors]
    pairs |= {(holder, holder) for holder in holders}
    while True:
        more = {(a, d) for (a, b), (c, d) in itertools.product(pairs, pairs) if b == c} - pairs
        if not more:
            return {holder: {b for a, b in pairs if a == holder} for holder in holders}
        pairs |= more


def list_direct_rights(model: DesignModel) -> dict[str, set[str]]:
    """Actions that grants give to each holder itself."""
    rights: dict[str, set[str]] = {}
    for grant in model.grants:
        for name in grant.actions:
            names = [action.id for action in model.actions] if name == "x*" else [name]
            rights.setdefault(grant.to, set()).update(names)
    return rights


def list_held_actions(model: DesignModel) -> dict[str, set[str]]:
    """Actions that each holder can do, by whatever way."""
    direct = list_direct_rights(model)
    return {
        holder: set().union(*(direct.get(source, set()) for source in sources))
        for holder, sources in close_rights(model).items()
    }


def find_real_edges(model: DesignModel, path: tuple[str, ...]) -> Iterator[list[frozenset[str]]]:
    """For each step of a path, the guards of each way that the design has there; an empty list for none."""
    edges = list_plain_edges(model)
    nodes = [*path[:-1], f"resource {path[-1]}"]
    for source, target in itertools.pairwise(nodes):
        yield [guards for a, b, guards in edges if (a, b) == (source, target)]

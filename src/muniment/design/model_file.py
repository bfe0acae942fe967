"""Reads `design.toml` strictly. An error names the file with its line, the key, and the remedy."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from muniment.design.model import CHANGING, DesignModel
from muniment.errors import DesignError
from muniment.policy import toml_lines

LARGEST_MODEL = 1_048_576  # characters; a design is one page, larger files are no design
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_UNKNOWN_KEY = re.compile(r"unknown field `(\w+)`")
_MISSING_KEY = re.compile(r"missing required field `(\w+)`")


def read_design(text: str, where: str) -> DesignModel:
    """Parse the design in `text`, which stands in the file `where`.

    Raises DesignError for TOML that is wrong, an unknown or missing key, a value of another form, an identifier that
    is used twice, and a reference to an entry that does not exist.
    """
    values = _parse_toml(text, where)
    try:
        model = msgspec.convert(values, DesignModel)
    except msgspec.ValidationError as error:
        raise _create_form_error(str(error), text, where) from None
    for path, key, problem, remedy in find_model_problems(model):
        raise _create_error(text, where, path, key, problem, remedy)
    return model


def _parse_toml(text: str, where: str) -> dict[str, object]:
    if len(text) > LARGEST_MODEL:
        problem = f"the file has more than {LARGEST_MODEL} characters"
        raise DesignError(where, "", problem, "Describe the design on one page; move details to the code.")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = "lists lie too deep in each other" if isinstance(error, RecursionError) else str(error)
        place = _TOML_PLACE.search(problem)
        line = (place[1] if place else None) or text.count("\n") + 1
        raise DesignError(
            f"{where}:{line}",
            "",
            f"expected TOML, found something else: {_TOML_PLACE.sub('', problem)}",
            'Correct the line: key = "text", key = ["a", "b"], key = 1, key = true; each key once.',
        ) from None


def _create_form_error(message: str, text: str, where: str) -> DesignError:
    """Create the error for a value of another form from the decoder's message."""
    problem, _, place = message.partition(" - at `")
    if not place.endswith("`"):
        problem, place = message, ""
    path = _parse_path(place.removesuffix("`"))
    remedy = "Correct the value. The form of each key: muniment design schema"
    if unknown := _UNKNOWN_KEY.search(problem):
        path = (*path, unknown[1])
        problem, remedy = "the key is unknown", "Correct its spelling, or remove it. All keys: muniment design schema"
    elif missing := _MISSING_KEY.search(problem):
        problem, remedy = f"the key {missing[1]} is missing", f"Add {missing[1]} = ... to this table."
    elif "matching regex" in problem:
        remedy = "Use letters, digits, dots and hyphens, as the schema shows: muniment design schema"
    key = ".".join(str(part) for part in path if not isinstance(part, int))
    return _create_error(text, where, path, key, problem[:1].lower() + problem[1:], remedy)


def _parse_path(written: str) -> toml_lines.EntryPath:
    """Path of an entry from the decoder's form `$.flow[2].guards[...]`."""
    steps: list[str | int] = []
    for step in _STEP.finditer(written):
        if step[1]:
            steps.append(step[1])
        elif step[2]:
            steps.append(int(step[2]))
    return tuple(steps)


def _create_error(
    text: str, where: str, path: toml_lines.EntryPath, key: str, problem: str, remedy: str
) -> DesignError:
    line = toml_lines.find_entry_line(text, path)
    return DesignError(f"{where}:{line}" if line else where, key, problem, remedy)


ModelProblem = tuple[toml_lines.EntryPath, str, str, str]  # path, key, problem, remedy
_Reference = tuple[str, int, str, Iterable[str], str]


def find_model_problems(model: DesignModel) -> Iterator[ModelProblem]:
    """Identifiers that are used twice, and references to entries that do not exist."""
    for table, entries in _identified(model).items():
        seen: set[str] = set()
        for number, entry in enumerate(entries):
            if entry in seen:
                yield (
                    (table, number, "id"),
                    f'{table} "{entry}"',
                    f"the identifier {entry} is used twice",
                    "Rename or remove one of the two.",
                )
            seen.add(entry)
    names = {table: frozenset(entries) for table, entries in _identified(model).items()}
    both = names["actor"] & names["role"]
    for name in sorted(both):
        number = [role.id for role in model.roles].index(name)
        yield ("role", number, "id"), f'role "{name}"', "an actor has the same identifier", "Rename the role."
    yield from _find_missing_references(model, names)
    yield from _find_contradictions(model)


def _identified(model: DesignModel) -> dict[str, list[str]]:
    return {
        "actor": [entry.id for entry in model.actors],
        "role": [entry.id for entry in model.roles],
        "task": [entry.id for entry in model.tasks],
        "action": [entry.id for entry in model.actions],
        "boundary": [entry.id for entry in model.boundaries],
        "component": [entry.id for entry in model.components],
        "data": [entry.id for entry in model.data],
        "interface": [entry.id for entry in model.interfaces],
        "resource": [entry.id for entry in model.resources],
        "guard": [entry.id for entry in model.guards],
        "conflict": [entry.id for entry in model.conflicts],
    }


def _find_missing_references(model: DesignModel, names: dict[str, frozenset[str]]) -> Iterator[ModelProblem]:
    """Each reference to an entry that the file does not have."""
    for table, at, key, values, kind in _list_references(model):
        known = frozenset[str]().union(*(names[one] for one in kind.split(" or ")))
        for value in values:
            if value and value not in known:
                yield (
                    (table, at, key),
                    f"{table} {at + 1}.{key}",
                    f"there is no {kind} {value}",
                    f"Add {value}, or correct the name. Known: {', '.join(sorted(known)) or 'none'}.",
                )


def _list_references(model: DesignModel) -> Iterator[_Reference]:
    """Each reference in the order of the tables: table, number of the entry, key, names, and the kinds of entry that
    they may name.
    """
    yield from _list_part_references(model)
    yield from _list_right_references(model)


def _list_part_references(model: DesignModel) -> Iterator[_Reference]:
    """References of people, and of the parts of the product with their flows."""
    for at, actor in enumerate(model.actors):
        yield "actor", at, "roles", actor.roles, "role"
    for at, role in enumerate(model.roles):
        yield "role", at, "inherits", role.inherits, "role"
    for at, task in enumerate(model.tasks):
        yield "task", at, "by", task.by, "role or actor"
        yield "task", at, "actions", task.actions, "action"
    for at, component in enumerate(model.components):
        yield "component", at, "boundary", (component.boundary,), "boundary"
    for at, flow in enumerate(model.flows):
        yield "flow", at, "from", (flow.source,), "actor or component"
        yield "flow", at, "to", (flow.target,), "component or resource"
        yield "flow", at, "guards", flow.guards, "guard"
        yield "flow", at, "data", flow.data, "data"
    for at, interface in enumerate(model.interfaces):
        yield "interface", at, "component", (interface.component,), "component"
    for at, resource in enumerate(model.resources):
        yield "resource", at, "component", (resource.component,), "component"
        yield "resource", at, "guards", resource.guards, "guard"
        yield "resource", at, "data", resource.data, "data"


def _list_right_references(model: DesignModel) -> Iterator[_Reference]:
    """References of actions, and of the rights to them and their limits."""
    for at, action in enumerate(model.actions):
        yield "action", at, "resource", (action.resource,), "resource"
    for at, grant in enumerate(model.grants):
        yield "grant", at, "to", (grant.to,), "role or actor"
        yield "grant", at, "actions", [name for name in grant.actions if "*" not in name], "action"
    for at, use in enumerate(model.uses):
        yield "use", at, "by", (use.by,), "role or actor"
        yield "use", at, "actions", use.actions, "action"
    for at, second in enumerate(model.second_persons):
        yield "second_person", at, "action", (second.action,), "action"
        yield "second_person", at, "by", second.by, "role"
    for at, acting in enumerate(model.acting_as):
        yield "acting_as", at, "who", (acting.who,), "role or actor"
        yield "acting_as", at, "as", (acting.rights_of,), "role or actor"
    for at, conflict in enumerate(model.conflicts):
        yield "conflict", at, "actions", conflict.actions, "action"
    for at, limit in enumerate(model.limits):
        yield "limit", at, "resource", (limit.resource,), "resource"
    for at, sample in enumerate(model.samples):
        yield "sample", at, "resource", (sample.resource,), "resource"


def _find_contradictions(model: DesignModel) -> Iterator[ModelProblem]:
    """Entries that contradict themselves or others."""
    for at, flow in enumerate(model.flows):
        if bool(flow.target) == bool(flow.interface):
            yield (
                ("flow", at),
                f"flow {at + 1}",
                "a flow goes either to a component or to an interface",
                'Write one of to = "component" and interface = "name".',
            )
    properties = {resource.id: resource.properties for resource in model.resources}
    for at, limit in enumerate(model.limits):
        if limit.protected and limit.protected not in properties.get(limit.resource, ()):
            yield (
                ("limit", at, "property"),
                f"limit {at + 1}.property",
                f"the resource {limit.resource} has no protected property {limit.protected}",
                f'Add it there: properties = ["{limit.protected}"].',
            )
    for at, action in enumerate(model.actions):
        for name in action.changes or ():
            if name not in properties.get(action.resource, ()):
                yield (
                    ("action", at, "changes"),
                    f'action "{action.id}".changes',
                    f"the resource {action.resource} has no protected property {name}",
                    f'Add it there: properties = ["{name}"], or remove it here.',
                )
        if action.changes and action.verb not in CHANGING:
            yield (
                ("action", at, "changes"),
                f'action "{action.id}".changes',
                "an action that only reads changes no property",
                'Correct verb = "modify", or remove changes.',
            )
    yield from _find_duplicates("limit", [(limit.resource, limit.protected) for limit in model.limits])
    yield from _find_duplicates("budget", [budget.measure.value for budget in model.budgets])


def _find_duplicates(table: str, keys: list[Any]) -> Iterator[ModelProblem]:
    for at, key in enumerate(keys):
        if key in keys[:at]:
            yield (table, at), f"{table} {at + 1}", "an earlier entry says the same", "Remove one of the two."

"""Checks an act against the recipe of docs/guides/add-an-act.md."""

import ast
import functools
from collections.abc import Collection
from pathlib import Path

import muniment.server
from muniment.server.acts.act import Act
from muniment.server.acts.parser import find_inputs

_METHODS = ("find_resource", "format_subject", "describe_act", "carry_out")


_SERVER = Path(muniment.server.__file__).parent
_DOORS = {"page": ("submit_act", "ActForm"), "api": ("run_act",), "document": ("parse_act",)}
_NO_DOORS = ("acts/", "requests/registry.py", "requests/execution.py")  # what every door goes through


def find_doors(act: type[Act]) -> frozenset[str]:
    """Where an act can be sent: "page", "api" or "document", by the modules that name it and open such a door."""
    return frozenset(door for door, names in _find_modules() if act.__name__ in names)


@functools.cache
def _find_modules() -> tuple[tuple[str, frozenset[str]], ...]:
    """Each module that opens a door, as the door and the names that the module uses besides its imports."""
    found: list[tuple[str, frozenset[str]]] = []
    for path in sorted(_SERVER.rglob("*.py")):
        if path.name.endswith("_acts.py") or path.relative_to(_SERVER).as_posix().startswith(_NO_DOORS):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        found += [(door, names) for door, opening in _DOORS.items() if names & set(opening)]
    return tuple(found)


def find_forgotten_steps(
    act: type[Act], listed: Collection[type[Act]], described: str, doors: Collection[str]
) -> list[str]:
    """One sentence for each step that was forgotten. `described` is the generated reference of acts, `doors` those
    where the act can be sent.
    """
    found = [f"{act.__name__} has no {name}" for name in ("actions", "title") if not getattr(act, name, None)]
    found += [f"{act.__name__} has no {name}()" for name in _METHODS if getattr(act, name) is getattr(Act, name)]
    if act not in listed:
        found.append(f"{act.__name__} is not in the list of acts")
    try:
        find_inputs(act)
    except TypeError as error:
        found.append(str(error))
    if f"`{act.act_tag()}`" not in described:
        found.append(f"the texts do not describe {act.act_tag()}: run python -m dev.act_reference")
    if not doors:
        found.append(f"{act.__name__} has none of the doors: no page, no operation of the API and no document takes it")
    return found

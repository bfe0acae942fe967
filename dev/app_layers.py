"""Contract of the server's apps: layers in the order of `server/app_list.py`, so that a new app is one line there.

`lint-imports` reads it by the type `app_layers`, the picture in CONTRIBUTING.md by `expand_layers`.
"""

import ast
from typing import Any

from importlinter.contracts.layers import LayersContract

from dev.rules import PACKAGE

APP_LIST = PACKAGE / "server" / "app_list.py"
TYPE = "app_layers"
_APPS = "<apps>"  # in the layers: the apps, the highest first


def read_apps() -> tuple[str, ...]:
    """The apps of the server, lowest first, without importing it."""
    for node in ast.parse(APP_LIST.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "APPS" for one in node.targets):
            return tuple(ast.literal_eval(node.value))
    raise LookupError(f"{APP_LIST} has no APPS")


def expand_layers(options: dict[str, Any]) -> list[str]:
    """The layers of a contract, the highest first: `<apps>` is every app, with what stands `above_apps`."""
    above = dict(map(_read_place, options.get("above_apps", ())))
    apps: list[str] = []
    for app in read_apps():
        apps = [*([above.pop(app)] if app in above else []), app, *apps]
    if above:
        raise LookupError(f"no such app: {', '.join(above)}")
    return [layer for entry in options["layers"] for layer in (apps if entry == _APPS else [entry])]


def _read_place(text: str) -> tuple[str, str]:
    """(app, modules) of a line like `records < work`: the modules stand directly above the app."""
    app, _, modules = text.partition("<")
    return app.strip(), modules.strip()


class AppLayersContract(LayersContract):
    """Contract of layers whose apps stand in `server/app_list.py`."""

    type_name = TYPE

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        options = {key: value for key, value in contract_options.items() if key != "above_apps"}
        super().__init__(name, session_options, {**options, "layers": expand_layers(contract_options)})

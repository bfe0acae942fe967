"""Finds the steps of docs/guides/add-an-app.md that an app of the server lacks: `python -m dev.app_rules`."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import django

from dev.app_layers import read_apps
from dev.rules import PACKAGE

_SETTINGS = "dev.django_settings"
_SERVER = PACKAGE / "server"
_OF_APPS = ("apps.py", "contributions.py", "models.py")  # only an app has one of them


def main() -> int:
    """Print every forgotten step; 1 if there is any."""
    found = [*_find_unlisted()]
    if not found:
        os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
        try:
            django.setup()
            found = [step for app in read_apps() for step in find_forgotten_steps(app)]
        except ModuleNotFoundError as error:  # of an app that lacks a module
            found = [str(error)]
    print("\n".join(found) or "Every app follows the recipe.")
    return 1 if found else 0


def find_forgotten_steps(app: str) -> list[str]:
    """One sentence for each step that an app lacks. Django is set up."""
    from muniment.server.registration import AppContributions

    module = import_module(f"muniment.server.{app}.contributions")
    given = getattr(module, "CONTRIBUTIONS", None)
    if not isinstance(given, AppContributions):
        return [f"{app}/contributions.py has no CONTRIBUTIONS"]
    folder = _SERVER / app
    return [
        *_find_unnamed(app, folder, given),
        *_find_acts(app, folder, given),
        *_find_unresolved(app, given),
        *_find_unchecked_tables(app, folder),
        *_find_personal_tables(app, given),
    ]


def _find_unlisted() -> Iterator[str]:
    """Folders that are apps and stand in no line of the list."""
    for file in sorted(one for name in _OF_APPS for one in _SERVER.glob(f"*/{name}")):
        if file.parent.name not in read_apps():
            yield f"{file.parent.name} is not in server/app_list.py"


def _find_unnamed(app: str, folder: Path, given: Any) -> Iterator[str]:
    """Modules of addresses and operations that the contributions do not name."""
    if (folder / "urls.py").exists() and given.urls != f"muniment.server.{app}.urls":
        yield f"{app} contributes no urls"
    if (folder / "api.py").exists() and f"muniment.server.{app}.api" not in given.api:
        yield f"{app} contributes no api"


def _find_acts(app: str, folder: Path, given: Any) -> Iterator[str]:
    """Acts of the app's modules that nobody can do."""
    from muniment.server.acts.act import Act

    acts = {*given.acts, *(act for acts in given.system_acts.values() for act in acts)}
    for file in sorted(folder.glob("*_acts.py")):
        for value in vars(import_module(f"muniment.server.{app}.{file.stem}")).values():
            if isinstance(value, type) and issubclass(value, Act) and _is_new_act(value, app) and value not in acts:
                yield f"{app} does not contribute the act {value.__name__}"


def _is_new_act(act: type, app: str) -> bool:
    """Whether an act is of the app, and no base of others."""
    return act.__module__.startswith(f"muniment.server.{app}.") and not act.__subclasses__()


def _find_unresolved(app: str, given: Any) -> Iterator[str]:
    """Addresses and templates that contributions name, and that are not there."""
    from django.template import TemplateDoesNotExist
    from django.template.loader import get_template
    from django.urls import NoReverseMatch, reverse

    for entry in given.menu:
        try:
            reverse(entry.name)
        except NoReverseMatch:
            yield f"{app} has no address {entry.name}, which its menu entry names"
    for kind in (*given.search, *given.inbox, *given.overview):
        try:
            get_template(kind.template)
        except TemplateDoesNotExist:
            yield f"{app} has no template {kind.template}"


def _find_unchecked_tables(app: str, folder: Path) -> Iterator[str]:
    """Tables without privileges or writers, and models without a migration."""
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    from muniment.server.guarding.system_checks import check_table

    models = list(apps.get_app_config(app).get_models())
    yield from (f"{app}: {error.msg}" for model in models for error in check_table(model))
    if models and not (folder / "migrations" / "0001_initial.py").exists():
        yield f"{app} has no migration: run python -m dev.migrations"
        return
    loader = MigrationLoader(None, ignore_no_migrations=True)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    if app in detector.changes(graph=loader.graph):
        yield f"{app} has an old migration: run python -m dev.migrations"


def _find_personal_tables(app: str, given: Any) -> Iterator[str]:
    """Tables about persons of an app that contributes no personal data: an export would lack them."""
    from django.apps import apps
    from django.contrib.auth import get_user_model

    person: Any = get_user_model()
    about = [
        model.__name__
        for model in apps.get_app_config(app).get_models()
        if any(field.related_model is person for field in model._meta.concrete_fields)
    ]
    if about and not given.personal_data and app not in _WITHOUT_EXPORT:
        yield f"{app} contributes no personal_data, and {', '.join(about)} refers to persons"


_WITHOUT_EXPORT: frozenset[str] = frozenset({"policies"})  # who agreed to what stands in the records that are exported


if __name__ == "__main__":
    sys.exit(main())

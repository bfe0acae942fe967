"""Schema: one migration an app that matches the models, and references only to lower apps."""

from pathlib import Path

import pytest
from django.apps import AppConfig, apps
from django.core.management import call_command


def _own() -> list[AppConfig]:
    """Own apps in the order of the settings, the lowest first."""
    return [app for app in apps.get_app_configs() if app.name.startswith("muniment.")]


def test_migrations_match_the_models(service: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makemigrations", check_changes=True, dry_run=True)  # SystemExit where they do not
    assert capsys.readouterr().out == "No changes detected\n"


def test_each_app_has_one_migration_until_the_first_release() -> None:
    for app in _own():
        if not list(app.get_models()):
            continue  # pages alone
        files = sorted(file.name for file in (Path(app.path) / "migrations").glob("0*.py"))
        assert files == ["0001_initial.py"], f"{app.label}: python -m dev.migrations"


def test_no_model_refers_to_an_app_above_its_own() -> None:
    order = {app.label: place for place, app in enumerate(_own())}
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for app in _own()
        for model in app.get_models()
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and isinstance(field.related_model, type)
        if order.get(field.related_model._meta.app_label, -1) > order[app.label]
    ]
    assert upward == []

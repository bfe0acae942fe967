"""Writes the one migration of every app of ours anew: `python -m dev.migrations`. A test fails when one is stale.

Until the first release each app has `0001_initial` alone. Who merges two branches that both altered a model runs this.
"""

import os
from pathlib import Path

import django

_SETTINGS = "dev.django_settings"
_ONLY = ("__init__.py", "0001_initial.py")


def write() -> None:
    """Delete the migrations of our apps, and make each app's first one from its models."""
    os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
    django.setup()
    from django.apps import apps
    from django.core.management import call_command

    own = [app for app in apps.get_app_configs() if app.name.startswith("muniment.")]
    for app in own:
        for file in (Path(app.path) / "migrations").glob("0*.py"):
            file.unlink()
    call_command("makemigrations", *(app.label for app in own), include_header=False, interactive=False)


if __name__ == "__main__":
    write()

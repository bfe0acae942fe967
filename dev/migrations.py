"""Writes the one migration of every app of ours anew: `python -m dev.migrations`. A test fails when one is stale.

Until the first release each app has `0001_initial` alone. Who merges two branches that both altered a model runs this.
"""

import os
import subprocess
import sys
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
    # Django formats them only where it finds Black, and never sorts their imports.
    folders = [folder for app in own if (folder := Path(app.path) / "migrations").is_dir()]
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *folders], check=True)


if __name__ == "__main__":
    write()

"""App recipe: a small app by docs/guides/add-an-app.md works in a copy of the code; a missing step is detected."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.app_recipe import APP, add_app, change_file, copy_code

_USE = """
import django
django.setup()
from django.apps import apps
from django.core.management import call_command
from django.db.models import ForeignKey
from django.urls import resolve, reverse
from muniment.server.app_list import APPS
from muniment.server.guarding import system_checks
from muniment.server.registration import read_contributions
from muniment.server.requests.registry import ACTS_BY_TAG
call_command("check")
assert resolve("/mottos").func.action.name == "SEE_PRODUCT"
assert reverse("api:set_motto", args=["shop"]) == "/api/products/shop/motto"
assert "set_motto" in {operation.__name__ for operation in system_checks.list_operations()}
assert ACTS_BY_TAG["set-motto"].actions[0].rule.second
assert [entry for app in read_contributions() for entry in app.menu if entry.name == "mottos"]
for model in apps.get_models():
    for field in model._meta.concrete_fields:
        own, other = model._meta.app_label, field.related_model and field.related_model._meta.app_label
        if own in APPS and other in APPS:
            assert APPS.index(other) <= APPS.index(own), (model, field)
"""


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'src'}:{copy}",
        "DJANGO_SETTINGS_MODULE": "dev.django_settings",
    }
    return subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module", name="recipe")
def _recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the code with the app and its migration."""
    copy: Path = tmp_path_factory.mktemp("recipe")
    copy_code(copy)
    add_app(copy)
    made = run(copy, "-m", "dev.migrations")
    assert made.returncode == 0, made.stderr
    return copy


def test_app_needs_only_its_own_folder_and_one_line(recipe: Path) -> None:
    used = run(recipe, "-c", _USE)
    assert used.returncode == 0, used.stderr
    assert "/mottos" in run(recipe, "-m", "dev.page_addresses").stdout.split()
    output = run(recipe, "-m", "dev.app_rules")
    assert (output.returncode, output.stdout) == (0, "Every app follows the recipe.\n"), output.stderr


@pytest.mark.slow  # reads all imports, twice
def test_import_contract_contains_the_layer_of_the_app(recipe: Path) -> None:
    linted = run(recipe, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")
    assert linted.returncode == 0, linted.stdout
    below = recipe / "src" / "muniment" / "server" / "products" / "importing_upward.py"
    below.write_text(f"from muniment.server.{APP}.models import Motto\n", encoding="utf-8")
    try:
        broken = run(recipe, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")
    finally:
        below.unlink()
    assert broken.returncode == 1
    assert f"muniment.server.products is not allowed to import muniment.server.{APP}" in broken.stdout


def cut(name: str, text: str, put: str = "") -> Callable[[Path], None]:
    return lambda server: change_file(server / APP / name, text, put)


def remove(name: str) -> Callable[[Path], None]:
    return lambda server: (server / APP / name).unlink()


_FORGOTTEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "list": (lambda server: change_file(server / "app_list.py", f'    "{APP}",\n', ""), "is not in server/app_list.py"),
    "contributions": (remove("contributions.py"), f"No module named 'muniment.server.{APP}.contributions'"),
    "urls": (cut("contributions.py", f'    urls="muniment.server.{APP}.urls",\n'), "contributes no urls"),
    "api": (cut("contributions.py", f'    api=("muniment.server.{APP}.api",),\n'), "contributes no api"),
    "acts": (cut("contributions.py", "    acts=(SetMotto,),\n"), "does not contribute the act SetMotto"),
    "address": (cut("urls.py", 'name="mottos"', 'name="other"'), "has no address mottos"),
    "template": (remove("templates/mottos/found.html"), "has no template mottos/found.html"),
    "privileges": (cut("models.py", "    privileges = Privileges((READ, ADD), (READ,))\n"), "names no privileges"),
    "written_by": (cut("models.py", "    written_by = frozenset({Action.RETIRE_PRODUCT})\n"), "names no written_by"),
    "migration": (remove("migrations/0001_initial.py"), "has no migration"),
    "personal data": (
        cut("contributions.py", '    personal_data=(PersonalData("mottos", read_mottos),),\n'),
        "contributes no personal_data, and Motto refers to persons",
    ),
}


@pytest.mark.slow  # a process for each step
@pytest.mark.parametrize("step", _FORGOTTEN)
def test_missing_step_is_detected(step: str, recipe: Path) -> None:
    forget, sentence = _FORGOTTEN[step]
    server = recipe / "src" / "muniment" / "server"
    for folder, stored in ((server / APP, recipe / "kept"), (server / "app_list.py", recipe / "kept_list.py")):
        (shutil.copytree if folder.is_dir() else shutil.copy)(folder, stored)
    try:
        forget(server)
        output = run(recipe, "-m", "dev.app_rules")
    finally:
        shutil.rmtree(server / APP)
        shutil.move(recipe / "kept", server / APP)
        shutil.move(recipe / "kept_list.py", server / "app_list.py")
    assert output.returncode == 1, output.stderr
    assert sentence in output.stdout


def test_every_app_follows_the_recipe() -> None:
    done = subprocess.run([sys.executable, "-m", "dev.app_rules"], capture_output=True, text=True, check=False)
    assert done.stdout == "Every app follows the recipe.\n", done.stderr

"""Tables follow docs/guides/add-a-table.md, and a table that lacks a step is detected."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState
from django.test.utils import isolate_apps

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, READ, Privileges
from muniment.server.guarding.system_checks import check_table
from muniment.server.products.models import Product
from muniment.server.requests.models import Request

APPS = [app.label for app in apps.get_app_configs() if app.name.startswith("muniment.")]  # the lowest first
NO_FREE_TEXT = {  # columns of text that no person writes freely, or that cannot be changed
    "because",  # of a coverage, in our own words
    *("act", "shown"),  # canonical JSON under a digest; a waiting request is withdrawn where it names who is erased
    *(
        "positions",
        "problem",
        "lines",
        "rule_gaps",
        "published_keys",
        "public_key",
        "signature",
        "ref_patterns",
        "workflow_paths",
        "sensitive_patterns",
        "vsa",
        "envelope",
        "token",
    ),
    "comment",  # our own, at the forge
}
TEXT_OF = {"PolicyVersion.text", "ErasedObject.reason", "ClauseState.reason", "DeploymentPermission.reason"}
TEXT_OF |= {"JobRunPermission.reason", "JobRunPermission.remedy"}
TEXT_OF |= {"MinutesProof.statement"}  # canonical JSON of codes and internal ids, which is signed
TEXT_OF |= {"OfficialRequirementList.content"}  # a public standard, stored under its digest


def find_forgotten_steps(model: type[models.Model]) -> list[str]:
    """List the steps of the recipe that a table lacks, one sentence each."""
    name = model.__name__
    found = [str(error.msg) for error in check_table(model)]
    if not model.__doc__ or model.__doc__.startswith(f"{name}("):  # Django makes one of the fields
        found.append(f"{name} does not say what a row is")
    known = {*getattr(model, "free_texts", ())} | NO_FREE_TEXT
    for field in model._meta.get_fields():
        if isinstance(field, models.TextField) and field.name not in known and f"{name}.{field.name}" not in TEXT_OF:
            found.append(f"{name}.{field.name} may hold a name, and is no free text")
        related = getattr(field, "related_model", None)
        above = APPS[APPS.index(model._meta.app_label) + 1 :]
        if (
            field.concrete
            and isinstance(related, type)
            and issubclass(related, models.Model)
            and related._meta.app_label in above
        ):
            found.append(f"{name}.{field.name} refers to an app above its own")
    return found


def needs_migration(model: type[models.Model]) -> bool:
    """Whether the migrations do not create the current form of this table."""
    loader = MigrationLoader(None)
    before = loader.project_state()
    after = before.clone()
    after.models.pop((model._meta.app_label, str(model._meta.model_name)), None)
    after.add_model(ModelState.from_model(model))
    return bool(MigrationAutodetector(before, after).changes(graph=loader.graph))


OURS = [model for model in apps.get_models() if model._meta.app_label in APPS]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_table_follows_the_recipe(model: type[models.Model]) -> None:
    assert find_forgotten_steps(model) == []


def make_table(forgotten: str = "") -> type[models.Model]:
    """Table of the app `incidents` without one step. It refers to classes, as its registry is a separate one."""
    members: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": "One alarm.",
        "privileges": Privileges((READ,), (READ, ADD)),
        "written_by": frozenset[Action](),
        "free_texts": ("message",),
        "message": models.TextField(),
        "product": models.ForeignKey(Product, models.PROTECT, related_name="+"),
        "Meta": type("Meta", (), {"app_label": "incidents"}),
    }
    if forgotten == "order":
        members["request"] = models.ForeignKey(Request, models.PROTECT, related_name="+")
    else:
        members.pop(forgotten, None)
    return type("Alarm", (models.Model,), members)


@isolate_apps("muniment.server.incidents")
def test_complete_table_lacks_only_its_migration() -> None:
    model = make_table()
    assert find_forgotten_steps(model) == []
    assert needs_migration(model)
    assert not any(needs_migration(model) for model in OURS[:5])


@pytest.mark.parametrize(
    ("forgotten", "lacks"),
    [
        ("privileges", "Alarm names no privileges"),
        ("written_by", "Alarm names no written_by"),
        ("__doc__", "Alarm does not say what a row is"),
        ("free_texts", "Alarm.message may hold a name, and is no free text"),
        ("order", "Alarm.request refers to an app above its own"),
    ],
)
def test_missing_step_is_detected(forgotten: str, lacks: str) -> None:
    with isolate_apps("muniment.server.incidents"):
        assert find_forgotten_steps(make_table(forgotten)) == [lacks]


def test_made_up_table_leaves_no_trace_in_the_registry() -> None:
    assert not [model for model in apps.get_models() if model.__name__ == "Alarm"]
    assert {"repositories", "environments"} <= {field.name for field in Product._meta.get_fields()}

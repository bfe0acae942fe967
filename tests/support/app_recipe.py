"""A small app by docs/guides/add-an-app.md, in a copy of the code: mottos of products, which two people set."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = "mottos"

FILES = {
    "__init__.py": '"""Mottos of products."""\n',
    "models.py": '''"""Tables of mottos."""

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, READ, Privileges


class Motto(models.Model):
    """Motto of a product, set by a person."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.RETIRE_PRODUCT})
    free_texts = ("text",)

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="mottos")
    text = models.TextField()
    set_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=timezone.now)
''',
    "motto_acts.py": '''"""Act that sets the motto of a product; a second person approves it."""

from typing import Annotated, ClassVar

from muniment.access.actions import Action
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label, Text
from muniment.server.mottos.models import Motto
from muniment.server.products.act_fields import ProductAct


class SetMotto(ProductAct, frozen=True):
    """Set the motto of a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.RETIRE_PRODUCT,)
    title: ClassVar[Label] = "Set motto"

    text: Annotated[str, Text(label="Motto", most=200)]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The mottos that were set."""
        rows = Motto.objects.values_list("product__slug", "text")
        return GuardedFacts(protected=frozenset((slug, text) for slug, text in rows))

    def describe_act(self) -> str:
        """The product."""
        return f"set the motto of {self.product}"

    def carry_out(self, context: ActContext) -> None:
        """Add the row."""
        Motto.objects.create(product=self.find_product_row(), text=self.text, set_by_id=context.requester)
''',
    "views.py": '''"""Pages of mottos."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.mottos.models import Motto
from muniment.server.mottos.motto_acts import SetMotto
from muniment.server.products.visible_products import active_products


def find_product(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


@require_GET
@require_action(Action.SEE_PRODUCT, find_no_resource)
def list_mottos(request: HttpRequest) -> HttpResponse:
    """The mottos of the products that a person may see."""
    rows = Motto.objects.filter(product__in=active_products(current_actor(request))).select_related("product")
    return render(request, "mottos/list.html", {"mottos": rows[:50]})


@require_POST
@require_action(Action.RETIRE_PRODUCT, find_product)
def set_motto(request: HttpRequest, slug: str) -> HttpResponse:
    """Request the motto of a product."""
    return submit_act(request, SetMotto, {"product": slug}, "Set.", "mottos")
''',
    "urls.py": '''"""Addresses of mottos."""

from django.urls import path

from muniment.server.mottos import views

urlpatterns = [
    path("mottos", views.list_mottos, name="mottos"),
    path("products/<slug:slug>/motto", views.set_motto, name="set-motto"),
]
''',
    "api.py": '''"""Mottos, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.mottos.models import Motto
from muniment.server.mottos.motto_acts import SetMotto
from muniment.server.mottos.views import find_product
from muniment.server.products.visible_products import active_products

router = Router()

MottoBody = build_body_schema(SetMotto, fixed=("product",))


@router.get("/mottos")
@for_action(Action.SEE_PRODUCT, find_no_resource)
def list_mottos(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The mottos of the products that the token may see."""
    rows = Motto.objects.filter(product__in=active_products(current_actor(request))).select_related("product")
    return page_by_number(rows, cursor, lambda row: {"product": row.product.slug, "text": row.text})


@router.post("/products/{slug}/motto")
@for_action(Action.RETIRE_PRODUCT, find_product)
def set_motto(request: HttpRequest, slug: str, body: MottoBody) -> dict[str, Any]:
    """Request the motto of a product."""
    return run_act(request, SetMotto, {"product": slug})
''',
    "templates/mottos/list.html": """{% extends "base.html" %}
{% block content %}<h1>Mottos</h1><ul>{% for motto in mottos %}<li>{{ motto.text }}</li>{% endfor %}</ul>{% endblock %}
""",
    "templates/mottos/found.html": """<ul>{% for motto in rows %}<li>{{ motto.text }}</li>{% endfor %}</ul>
""",
    "contributions.py": '''"""Contributions of the mottos."""

from collections.abc import Iterable, Iterator, Mapping

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.mottos.models import Motto
from muniment.server.mottos.motto_acts import SetMotto
from muniment.server.products.visible_products import active_products
from muniment.server.registration import AppContributions, MenuEntry, MenuGroup, Metric, PersonalData, SearchKind


def find_mottos(actor: Actor, text: str) -> Iterable[Motto]:
    """The mottos with a text."""
    return Motto.objects.filter(product__in=active_products(actor), text__icontains=text)


def measure_mottos() -> Iterator[Metric]:
    """The number of mottos."""
    yield Metric("muniment_mottos", "Mottos.", Motto.objects.count())


def read_mottos(person: str) -> Iterable[Mapping[str, object]]:
    """The mottos that a person set."""
    return Motto.objects.filter(set_by=person).values("product__slug", "text", "set_at")


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.mottos.urls",
    api=("muniment.server.mottos.api",),
    acts=(SetMotto,),
    menu=(MenuEntry(MenuGroup.ASSURE, 15, "mottos", "Mottos", "note", Action.SEE_PRODUCT),),
    search=(SearchKind(15, "mottos/found.html", find_mottos),),
    metrics=(measure_mottos,),
    personal_data=(PersonalData("mottos", read_mottos),),
)
''',
}
_LINE = '    "requests",\n'  # the app is placed below it


def copy_code(target: Path) -> None:
    """Copy the package, our own tools and their settings."""
    ignored = shutil.ignore_patterns("__pycache__", "locale", "static")
    shutil.copytree(ROOT / "src" / "muniment", target / "src" / "muniment", ignore=ignored)
    shutil.copytree(ROOT / "dev", target / "dev", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", target)


def add_app(target: Path) -> None:
    """Add the app to a copy: its own folder, and one line of the list of apps."""
    server = target / "src" / "muniment" / "server"
    for name, text in FILES.items():
        file = server / APP / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    change_file(server / "app_list.py", _LINE, f'    "{APP}",\n{_LINE}')


def change_file(file: Path, before: str, after: str) -> None:
    """Replace a text that stands once in a file."""
    text = file.read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise AssertionError(f"{file.name} has {before!r} {text.count(before)} times")
    file.write_text(text.replace(before, after), encoding="utf-8")

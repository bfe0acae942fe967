"""Checks in handlers and hooks: owners' look-ups, refusals of known people, guards of class-based views."""

import pytest

from muniment.design.comparison import DesignState, find_weaker_protection
from muniment.design.findings import FindingCode
from muniment.design.model import DesignModel
from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import RouteList

FLASK = """
from flask import Flask, abort, request, session
app = Flask(__name__)
{hook}
@app.get("/a")
def show():
    return "a"
"""
MODEL = DesignModel(schema=1, product="shop", owner="security")


@pytest.mark.parametrize(
    ("body", "is_open"),
    [
        ("if not session.get('user'): abort(401)", False),
        ("abort(401)", False),
        # refusals that protect nothing from strangers
        ("if session.get('user') and is_banned(): abort(403)", True),
        ("if import_runs(): abort(403)", True),
        ("if session['nonce'] != request.form.get('csrf'): abort(403)", True),
        ("if authed():\n        pass\n    else:\n        abort(403)", False),
    ],
)
def test_a_hook_that_refuses_only_known_people_is_no_guard(body: str, *, is_open: bool) -> None:
    hook = f"@app.before_request\ndef check():\n    {body}\n"
    (route,) = read_routes("flask", {"app.py": FLASK.format(hook=hook)}).routes
    assert route.is_open is is_open


CONTROLLERS = {
    "deps.py": "from fastapi import Depends, HTTPException\ndef user():\n    raise HTTPException(401)\n",
    "base.py": "from fastapi import Depends\nfrom deps import user\nclass Base:\n    user: object = Depends(user)\n",
}


@pytest.mark.parametrize(
    ("decorator", "base", "is_guarded"),
    [("@cbv(router)", "Base", True), ("", "Base", False), ("@cbv(router)", "", False)],
)
def test_attributes_of_class_based_views_are_guards(decorator: str, base: str, *, is_guarded: bool) -> None:
    code = f"""
from fastapi import APIRouter, FastAPI
from base import Base
from fastapi_utils.cbv import cbv
app = FastAPI()
router = APIRouter()
{decorator}
class Items({base}):
    @router.get("/items")
    def show(self): return 1
app.include_router(router)
"""
    (route,) = read_routes("fastapi", {**CONTROLLERS, "main.py": code}).routes
    assert route.is_guarded is is_guarded


DJANGO = """
from django.http import Http404, HttpResponse
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404

def find_own(request, number):
    found = Order.objects.filter(owner=request.user, pk=number).first()
    if found is None:
        raise Http404
    return found

def find_any(request, number):
    return Order.objects.get(pk=number)

@login_required
def show(request, number):
    order = {lookup}
    return HttpResponse(order)
"""
URLS = """
from django.urls import path
from views import show
urlpatterns = [path("orders/<number>", show)]
"""


def read_orders(lookup: str) -> RouteList:
    """Routes of a project whose view finds its object in this way."""
    settings = "ROOT_URLCONF = 'urls'"
    return read_routes("django", {"views.py": DJANGO.format(lookup=lookup), "urls.py": URLS, "settings.py": settings})


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        ("find_own(request, number)", "find_any(request, number)", True),
        ("get_object_or_404(Order, pk=number, owner=request.user)", "get_object_or_404(Order, pk=number)", True),
        ("find_own(request, number)", "find_own(request, number=number)", False),
    ],
)
def test_a_lost_owner_check_is_found(before: str, after: str, *, is_lost: bool) -> None:
    states = [DesignState(MODEL, (read_orders(lookup),)) for lookup in (before, after)]
    lost = [each for each in find_weaker_protection(*states) if each.code is FindingCode.LOST_ROUTE_GUARD]
    assert bool(lost) is is_lost


def test_an_owner_check_alone_leaves_a_route_open() -> None:
    text = DJANGO.replace("@login_required\n", "").format(lookup="find_own(request, number)")
    files = {"views.py": text, "urls.py": URLS, "settings.py": "ROOT_URLCONF = 'urls'"}
    (route,) = read_routes("django", files).routes
    assert route.is_open
    assert [guard.name for guard in route.guards] == ["find_own"]


def test_a_method_of_the_class_is_followed() -> None:
    code = """
from fastapi import APIRouter, FastAPI, HTTPException
app = FastAPI()
class Items:
    def check_owner(self, key):
        if self.user != key:
            raise HTTPException(status_code=403)
    @app.get("/items/{key}")
    def show(self, key):
        self.check_owner(key)
        return 1
"""
    (route,) = read_routes("fastapi", {"main.py": code}).routes
    assert [guard.name for guard in route.guards] == ["self.check_owner"]

"""Holes in routes of real applications are found by calling them, and what a status cannot show is unknown."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from plugins.pytest.tests.test_fail_open_samples import TEST, run_tests

FLASK = """
import functools, os, sqlite3
from flask import Flask, abort, request

def user(): return request.headers.get("X-User", "")

def signed_in(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        if not user(): abort(401)
        return view(*args, **kwargs)
    return inner

def not_for_head(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        if request.method != "HEAD" and not user(): abort(401)
        return view(*args, **kwargs)
    return inner

def nameless(check, view):
    def inner(): return check() or view()
    return inner

def refuse_nobody():
    if not user(): abort(401)

def owner_of(order_id):
    with sqlite3.connect(os.environ["SHOP_DATABASE"]) as connection:
        row = connection.execute("SELECT owner FROM orders WHERE id = ?", (order_id,)).fetchone()
    return row[0] if row else None

def delete_order(order_id):
    with sqlite3.connect(os.environ["SHOP_DATABASE"]) as connection:
        connection.execute("DELETE FROM orders WHERE id = ?", (order_id,))

def create():
    app = Flask("shop", static_folder=None)
    if os.environ.get("SHOP_GUARDS", "off") == "off":
        globals()["signed_in"] = lambda view: view

    @app.before_request
    def refuse_forgery():
        if request.path == "/forged": abort(400)

    @app.get("/health")
    def health(): return "ok"
    @app.get("/listed")
    @signed_in
    def listed(): return "list"
    @app.get("/open")
    def opened(): return "list"
    @app.post("/late")
    def late():
        if user() != "ada": abort(403)
        return "done"
    @app.get("/headed")
    @not_for_head
    def headed(): return "list"
    @app.post("/forged")
    @signed_in
    def forged(): return "done"
    app.add_url_rule("/nameless", "nameless", nameless(refuse_nobody, lambda: "list"))
    @app.get("/orders/<int:order_id>")
    @signed_in
    def read_any(order_id): return owner_of(order_id) or abort(404)
    @app.delete("/orders/<int:order_id>")
    @signed_in
    def delete_any(order_id):
        delete_order(order_id)
        return abort(404) if owner_of(order_id) != user() else "deleted"
    @app.get("/own/<int:order_id>")
    @signed_in
    def read_own(order_id): return "mine" if owner_of(order_id) == user() else abort(404)
    return app
"""
CONFTEST = """
import os, sqlite3
from pathlib import Path
import pytest
from pytest_muniment import Project, SqliteState

DATABASE = Path(__file__).with_name("shop.db")
os.environ |= {"SHOP_DATABASE": str(DATABASE), "SHOP_GUARDS": "on"}

def make_order(owner):
    with sqlite3.connect(DATABASE) as connection:
        return {"order_id": connection.execute("INSERT INTO orders (owner) VALUES (?)", (owner,)).lastrowid}

@pytest.fixture(scope="session")
def muniment_project():
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT)")
    return Project(
        state=SqliteState(DATABASE),
        sign_in=lambda client, identity: {"X-User": identity},
        health=["/health"],
    )
"""
DESIGN = """
schema = 1
product = "shop"
owner = "security@example.org"
[[application]]
framework = "flask"
factory = "shop:create"
[[sample]]
resource = "order"
owner = "ada"
other = "eve"
create = "conftest:make_order"
[[public]]
route = "/health"
reason = "the load balancer asks"
by = "security@example.org"
"""


def write_project(folder: Path, application: str, conftest: str = CONFTEST, design: str = DESIGN) -> Path:
    files = {"shop.py": application, "conftest.py": conftest, "design.toml": design, "test_design.py": TEST}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def flask_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = write_project(tmp_path_factory.mktemp("flask"), FLASK)
    code, report, output = run_tests(folder, "-k", "routes or settings")
    assert code == 1, output
    return report


def find_problems(report: dict[str, Any], route: str, method: str) -> list[str]:
    (found,) = [each for each in report["routes"]["results"] if (each["route"], each["method"]) == (route, method)]
    return [finding["problem"] for finding in found["findings"]] or [found["status"]]


@pytest.mark.parametrize(
    ("route", "method", "expected"),
    [
        ("/health", "GET", "met"),
        ("/listed", "GET", "met"),
        ("/open", "GET", "reached-without-rights"),
        ("/late", "POST", "refused-after-handler-began"),
        ("/headed", "GET", "method-let-through"),
        ("/forged", "POST", "unknown"),
        ("/nameless", "GET", "unknown"),
        ("/orders/<int:order_id>", "GET", "reached-object-of-another-owner"),
        ("/orders/<int:order_id>", "DELETE", "reached-object-of-another-owner"),
        ("/own/<int:order_id>", "GET", "met"),
    ],
)
def test_each_hole_is_found(flask_report: dict[str, Any], route: str, method: str, expected: str) -> None:
    assert expected in find_problems(flask_report, route, method)


def test_settings_that_switch_guards_off_by_default_are_found(flask_report: dict[str, Any]) -> None:
    settings = flask_report["settings"]
    assert settings["status"] == "violated"
    opened = {finding["subject"] for finding in settings["findings"]}
    assert {"GET /listed", "GET /open"} <= opened
    assert "GET /health" not in opened


def test_the_report_counts_tested_routes(flask_report: dict[str, Any]) -> None:
    assert (flask_report["routes"]["tested"], flask_report["routes"]["total"]) == (8, 10)
    assert flask_report["guards"] == []


def test_the_database_is_put_back_after_the_tests(tmp_path: Path) -> None:
    folder = write_project(tmp_path, FLASK)
    run_tests(folder, "-k", "routes")
    saved = sqlite3.connect(folder / "shop.db.saved").execute("SELECT owner FROM orders").fetchall()
    assert saved == [("ada",), ("eve",)]


FASTAPI = """
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

def signed_in(x_user: str = Header("")):
    if not x_user: raise HTTPException(401)

class Order(BaseModel):
    owner: str
    amount: int

def create():
    app = FastAPI(docs_url=None, redoc_url=None)
    @app.get("/items/{name}", dependencies=[Depends(signed_in)])
    def item(name: str): return name
    @app.get("/items/me")
    def me(): return "me"
    @app.post("/orders", dependencies=[Depends(signed_in)])
    async def order(order: Order): return order
    @app.websocket("/feed")
    async def feed(socket): pass
    return app
"""


def test_shadowed_routes_and_web_sockets_are_unknown(tmp_path: Path) -> None:
    folder = write_project(tmp_path, FASTAPI, design=DESIGN.replace("flask", "fastapi"))
    code, report, output = run_tests(folder, "-k", "routes")
    assert code == 1, output
    assert find_problems(report, "/items/me", "GET") == ["unknown"]
    assert find_problems(report, "/items/{name}", "GET") == ["met"]
    assert find_problems(report, "/orders", "POST") == ["met"]
    assert find_problems(report, "/openapi.json", "GET") == ["reached-without-rights"]
    assert ["/feed" in each for each in report["routes"]["unlisted"]] == [True]


DJANGO = """
import os, django
from django.conf import settings

def create():
    if not settings.configured:
        apps = ["admin", "auth", "contenttypes", "sessions", "messages"]
        settings.configure(
            SECRET_KEY="k" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF="shop_urls", USE_TZ=True,
            INSTALLED_APPS=[f"django.contrib.{name}" for name in apps],
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
            ],
            TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
                "context_processors": ["django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages"]}}],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}},
        )
        django.setup()
    from django.core.wsgi import get_wsgi_application
    return get_wsgi_application()
"""
DJANGO_URLS = """
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import path

def open_view(request): return HttpResponse("list")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("mine/", login_required(lambda request: HttpResponse("mine"), login_url="/admin/login/")),
    path("open/", open_view),
]
"""
DJANGO_CONFTEST = """
import os
from pathlib import Path
import pytest
from pytest_muniment import Project, SqliteState

DATABASE = Path(__file__).with_name("shop.db")
os.environ["SHOP_DATABASE"] = str(DATABASE)

def sign_in(client, identity):
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    user = User.objects.get_or_create(username=identity, is_staff=identity != "customer",
        is_superuser=identity == "admin")[0]
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"Cookie": f"sessionid={session.session_key}"}

@pytest.fixture(scope="session")
def muniment_project():
    import shop
    application = shop.create()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    ignore = ["django_session"]
    return Project(application=application, state=SqliteState(DATABASE, ignore=ignore), sign_in=sign_in)
"""
DJANGO_DESIGN = """
schema = 1
product = "shop"
owner = "security@example.org"
[[application]]
framework = "django"
factory = "shop:create"
[[role]]
id = "customer"
[[role]]
id = "admin"
[[guard]]
id = "staff"
mechanisms = ["sign-in"]
asks = ["django.contrib.admin.sites:AdminSite.has_permission"]
"""


def test_the_admin_of_django_is_tested_as_each_role(tmp_path: Path) -> None:
    (tmp_path / "shop_urls.py").write_text(DJANGO_URLS)
    folder = write_project(tmp_path, DJANGO, DJANGO_CONFTEST, DJANGO_DESIGN)
    code, report, output = run_tests(folder, "-k", "routes")
    assert code == 1, output
    results = {(each["route"], each["method"]): each for each in report["routes"]["results"]}
    assert find_problems(report, "/open/", "GET") == ["reached-without-rights"]
    assert results["/mine/", "GET"]["outcomes"] == {"nobody": "refused", "customer": "passed", "admin": "passed"}
    users = results["/admin/auth/user/", "GET"]
    assert users["outcomes"] == {"nobody": "refused", "customer": "refused", "admin": "passed"}
    assert results["/admin/auth/user/<path:object_id>/delete/", "POST"]["status"] == "met"


def test_a_missing_factory_says_what_to_do(tmp_path: Path) -> None:
    folder = write_project(tmp_path, FLASK, design=DESIGN.replace('factory = "shop:create"', ""))
    _, _, output = run_tests(folder, "-k", "routes")
    assert 'Add factory = "module:function" to [[application]]' in output


def test_a_state_that_is_missing_makes_changing_calls_unknown(tmp_path: Path) -> None:
    folder = write_project(tmp_path, FLASK, CONFTEST.replace("state=SqliteState(DATABASE),", ""))
    _, report, _ = run_tests(folder, "-k", "routes")
    assert find_problems(report, "/late", "POST") == ["unknown"]
    assert os.path.exists(folder / "report.json")

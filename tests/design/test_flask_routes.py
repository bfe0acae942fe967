"""Routes and guards of Flask applications are found by parsing."""

import pytest

from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import Route, RouteList

AUTH = """
from functools import wraps
from flask import abort, g, redirect, request, url_for

def admin_only(view):
    @wraps(view)
    def inner(*args, **kwargs):
        if not g.user.is_admin:
            abort(403)
        return view(*args, **kwargs)
    return inner

def cached(view):
    return view

def check_key():
    if request.headers.get("X-Key") != "k":
        abort(401)
"""

APP = """
from flask import Flask, Blueprint, abort, g
from flask.views import MethodView
from flask_login import login_required
from .auth import admin_only, cached, check_key

app = Flask(__name__)
api = Blueprint("api", __name__, url_prefix="/api")
"""


def read(app: str, **others: str) -> RouteList:
    files = {"shop/__init__.py": "", "shop/auth.py": AUTH, "shop/app.py": APP + app}
    return read_routes("flask", files | {f"shop/{name}.py": text for name, text in others.items()})


def only(found: RouteList) -> Route:
    assert not found.unread
    assert len(found.routes) == 1
    return found.routes[0]


@pytest.mark.parametrize(
    ("app", "guards"),
    [
        ('@app.route("/")\ndef view(): pass', []),
        ('@app.route("/")\n@login_required\ndef view(): pass', ["flask_login.login_required"]),
        ('@login_required\n@app.route("/")\ndef view(): pass', []),  # the guard wraps what nobody calls
        ('@app.get("/")\n@admin_only\ndef view(): pass', ["shop.auth.admin_only"]),
        ('@app.get("/")\n@cached\ndef view(): pass', []),
        ('@app.before_request\ndef check():\n    check_key()\n@app.get("/")\ndef view(): pass', ["shop.app.check"]),
        ('def view(): pass\napp.add_url_rule("/", view_func=admin_only(view))', ["shop.auth.admin_only"]),
        ('@app.get("/")\ndef view():\n    check_key()\n    return 1', ["check_key"]),
        ('@app.get("/")\ndef view():\n    order.save()\n    check_key()\n    return 1', []),  # it comes too late
        (
            '@app.get("/")\ndef view():\n    check_key()\n    order = find()\n'
            "    if order.owner != g.user:\n        abort(403)\n    return 1",
            ["check_key", "if order.owner != g.user"],
        ),
        (
            '@app.get("/")\ndef view():\n    order = create_order()\n'
            "    if order.owner != g.user:\n        abort(403)\n    return 1",
            [],  # the order exists when it is refused
        ),
        (
            "class V(MethodView):\n    decorators = [admin_only]\n    def get(self): pass\n"
            'app.add_url_rule("/", view_func=V.as_view("v"))',
            ["shop.auth.admin_only"],
        ),
        (
            '@api.get("/")\n@login_required\ndef view(): pass\napp.register_blueprint(api)',
            ["flask_login.login_required"],
        ),
        (
            "@api.before_request\ndef check(): check_key()\n"
            '@api.get("/")\ndef view(): pass\napp.register_blueprint(api)',
            ["shop.app.check"],
        ),
    ],
)
def test_the_guards_of_a_route_are_found(app: str, guards: list[str]) -> None:
    route = only(read(app))
    assert [guard.name for guard in route.guards] == guards
    assert all(guard.is_certain for guard in route.guards)


def test_a_hook_that_lets_some_paths_pass_is_not_certain() -> None:
    route = only(
        read(
            "from flask import request\n@app.before_request\ndef check():\n"
            "    if request.path in OPEN:\n        return\n"
            '    check_key()\n@app.get("/")\ndef view(): pass'
        )
    )
    assert route.guards
    assert not route.is_guarded


def test_a_blueprint_counts_at_each_place_where_it_is_registered() -> None:
    found = read(
        '@api.route("/items", methods=["GET", "POST"])\ndef items(): pass\n'
        'app.register_blueprint(api)\napp.register_blueprint(api, url_prefix="/v2", name="two")'
    )
    assert [route.name for route in found.routes] == ["GET,POST /api/items", "GET,POST /v2/items"]


def test_a_blueprint_that_is_not_registered_serves_nothing() -> None:
    assert not read('@api.route("/items")\ndef items(): pass').routes


def test_each_method_of_a_class_has_its_own_guards() -> None:
    found = read(
        "class V(MethodView):\n    def get(self): pass\n    @admin_only\n    def post(self): pass\n"
        'app.add_url_rule("/", view_func=V.as_view("v"))'
    )
    assert [(route.methods, route.is_guarded) for route in found.routes] == [(("GET",), False), (("POST",), True)]


def test_flask_restx_resources_are_found() -> None:
    found = read(
        "from flask_restx import Api, Namespace, Resource\nrest = Api(app)\n"
        'things = Namespace("things")\nrest.add_namespace(things)\n'
        '@things.route("/<int:id>")\nclass Thing(Resource):\n    method_decorators = [login_required]\n'
        "    def get(self, id): pass\n    def delete(self, id): pass\n"
    )
    assert [(route.name, route.is_guarded) for route in found.routes] == [
        ("DELETE /things/<int:id>", True),
        ("GET /things/<int:id>", True),
    ]


def test_a_route_behind_a_switch_names_the_switch() -> None:
    route = only(read('if app.debug:\n    @app.get("/debug")\n    def view(): pass'))
    assert route.switch == "app.debug"


def test_routes_of_a_factory_are_found() -> None:
    found = read(
        "",
        factory='from flask import Flask\nfrom .views import pages\n\ndef create():\n    site = Flask("x")\n'
        "    site.register_blueprint(pages)\n    return site\n",
        views='from flask import Blueprint\npages = Blueprint("p", "p")\n@pages.get("/a")\ndef view(): pass',
    )
    assert [route.name for route in found.routes] == ["GET /a"]


def test_what_cannot_be_followed_is_named() -> None:
    found = read("app.register_blueprint(make_blueprint())", broken="def (:")
    assert [(each.where, each.why) for each in found.unread] == [
        ("shop/broken.py:1", "the parser refuses this file"),
        ("shop/app.py:9", "the blueprint make_blueprint() cannot be followed"),
    ]


def test_a_guard_in_a_file_that_the_parser_refuses_is_not_certain() -> None:
    found = read('from .broken import guard\n@app.get("/")\n@guard\ndef view(): pass', broken="def (:")
    assert [guard.is_certain for guard in found.routes[0].guards] == [False]


def test_routes_of_tests_are_not_the_products() -> None:
    files = {"tests/test_app.py": APP.replace("from .auth import admin_only, cached, check_key\n", "") + "\n"}
    files["tests/test_app.py"] += '@app.get("/")\ndef view(): pass\n'
    assert not read_routes("flask", files).routes


def test_a_decorator_that_sometimes_withholds_the_view_is_not_certain() -> None:
    route = only(
        read(
            "def sudo(view):\n    def inner(*args):\n        if session.get('sudo'):\n            return view(*args)\n"
            "        return render('password.html')\n    return inner\n"
            '@app.get("/")\n@sudo\ndef page(): pass'
        )
    )
    assert [(guard.name, guard.is_certain) for guard in route.guards] == [("shop.app.sudo", False)]


def test_a_guard_is_named_with_its_arguments() -> None:
    route = only(
        read(
            "def role(name):\n    def wrap(view):\n        def inner():\n            if g.user.role != name:\n"
            "                abort(403)\n            return view()\n        return inner\n    return wrap\n"
            '@app.get("/")\n@role("admin")\ndef page(): pass'
        )
    )
    assert [guard.name for guard in route.guards] == ["shop.app.role('admin')"]


@pytest.mark.parametrize("hostile", ["x = " + " + ".join(["'a'"] * 5000), "x = " + "(" * 5000, "\x00", "x" * 1_000_001])
def test_hostile_source_is_named_and_stops_nothing(hostile: str) -> None:
    found = read('@app.get("/")\ndef view(): pass', hostile=hostile)
    assert [each.where.partition(":")[0] for each in found.unread] == ["shop/hostile.py"]
    assert [route.name for route in found.routes] == ["GET /"]

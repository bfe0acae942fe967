"""Sample in Flask: guards as decorators, hooks of a blueprint and in a class-based view."""

import functools
import os

import checks
from flask import Blueprint, Flask, abort, request
from flask.views import MethodView


def current_user():
    return request.headers.get("X-User", "")


def guarded(check):
    def decorate(view):
        @functools.wraps(view)
        def inner(*args, **kwargs):
            allowed = check(current_user())
            if allowed is not True:
                abort(403, allowed or "refused")
            return view(*args, **kwargs)

        return inner

    return decorate


hooked = Blueprint("hooked", __name__)


@hooked.before_request
def check_hook():
    check = {"/7": checks.check_7, "/8": checks.check_8, "/9": checks.check_9}[request.path]
    if not check(current_user()):
        abort(403)


@hooked.get("/7")
def view_7(): return "secret 7"


@hooked.get("/8")
def view_8(): return "secret 8"


@hooked.post("/9")
def view_9(): return "secret 9"


class Report(MethodView):
    decorators = (guarded(checks.check_6),)

    def get(self): return "secret 6"


def create():
    os.environ["SHOP_DATABASE"]  # an application without settings does not start
    app = Flask("shop", static_folder=None)
    for number in (1, 2, 3, 4, 5, 10, 12):
        def view(number=number): return f"secret {number}"

        view.__name__ = f"view_{number}"
        app.add_url_rule(f"/{number}", view_func=guarded(getattr(checks, f"check_{number}"))(view))

    @app.post("/11")
    def view_11():
        if not checks.place_order(current_user()):
            abort(403)
        return "ordered"

    app.add_url_rule("/6", view_func=Report.as_view("report"))
    app.register_blueprint(hooked)
    app.register_error_handler(500, lambda error: ("failed", 500))
    app.register_error_handler(Exception, lambda error: error if hasattr(error, "code") else ("failed", 500))
    return app

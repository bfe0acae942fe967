"""Evaluation of a large design: all six principles at once."""

import datetime
import itertools
import random

from bench.measure import Row, medians
from muniment.design.comparison import DesignState, compare_designs
from muniment.design.evaluation import evaluate_design
from muniment.design.model import Component, DesignActor, DesignModel, DesignResource, Flow, Guard
from muniment.design.routes.registry import read_routes

COMPONENTS, FLOWS, MECHANISMS = 1_000, 10_000, 16
FILES, ROUTES, CHANGED = 200, 5, 50


def measure_design() -> Row:
    """Time of all checks on a generated design of 1,000 components, 10,000 flows and 16 mechanisms."""
    model = _generate_large()
    day = datetime.date(2026, 1, 1)
    found = medians({"ours": lambda: evaluate_design(model, day)}, 3)
    what = f"{COMPONENTS:,} components, {FLOWS:,} flows, {MECHANISMS} mechanisms"
    return Row(what, "evaluate_design(model)", "none", f"{found['ours']:.2f} s", "<= 2 s")


def measure_design_change() -> Row:
    """Time of comparing the routes before and after a change of 50 files. The others are parsed already."""
    before = _generate_project("view")
    changed = list(before)[1 : CHANGED + 1]
    after = before | {path: before[path].replace("login_required", "auth.admin_required", 1) for path in changed}
    model = DesignModel(schema=1, product="large", owner="bench")
    day = datetime.date(2026, 1, 1)

    numbers = itertools.count()

    def compare() -> None:
        number = next(numbers)  # the changed files are new to the parser each time
        new = after | {path: f"{after[path]}# {number}\n" for path in changed}
        states = [DesignState(model, (read_routes("flask", files),)) for files in (before, new)]
        compare_designs(states[0], states[1], day)

    found = medians({"ours": compare}, 5)
    what = f"{FILES} files with {FILES * ROUTES:,} routes, {CHANGED} changed"
    return Row(what, "compare_designs(before, after)", "none", f"{found['ours'] * 1000:.0f} ms", "<= 300 ms")


def _generate_project(name: str) -> dict[str, str]:
    """Files of a Flask project: a blueprint in each, every route with a guard."""
    head = "from flask import Blueprint, abort\nimport auth\nfrom auth import login_required\n"
    route = '@part.get("/{n}/<key>")\n@login_required\ndef {name}_{n}(key):\n    return str(key)\n'
    routes = "".join(route.format(n=n, name=name) for n in range(ROUTES))
    guard = (
        "def {}(f):\n    def inner(*a):\n        if not user(): abort(403)\n        return f(*a)\n    return inner\n"
    )
    names = [f"part{n}" for n in range(FILES)]
    mounts = "".join(f"import {each}\napp.register_blueprint({each}.part)\n" for each in names)
    guards = "from flask import abort\n" + "".join(guard.format(each) for each in ("login_required", "admin_required"))
    files = {"auth.py": guards, "app.py": f"from flask import Flask\napp = Flask(__name__)\n{mounts}"}
    parts = {
        f"{each}.py": f'{head}part = Blueprint("{each}", __name__, url_prefix="/{each}")\n{routes}' for each in names
    }
    return {"auth.py": files["auth.py"]} | parts | {"app.py": files["app.py"]}


def _generate_large() -> DesignModel:
    chance = random.Random(1)
    guards = tuple(
        Guard(id=f"g{n}", mechanisms=tuple(f"m{m}" for m in chance.sample(range(MECHANISMS), chance.randint(1, 3))))
        for n in range(100)
    )
    names = [guard.id for guard in guards]
    flows = tuple(
        Flow(
            source="visitor" if n < 20 else f"c{chance.randrange(COMPONENTS)}",
            target=f"c{chance.randrange(COMPONENTS)}",
            guards=tuple(chance.sample(names, chance.randint(1, 2))),
        )
        for n in range(FLOWS)
    )
    return DesignModel(
        schema=1,
        product="large",
        owner="bench",
        actors=(DesignActor(id="visitor"),),
        components=tuple(Component(id=f"c{n}") for n in range(COMPONENTS)),
        guards=guards,
        flows=flows,
        resources=tuple(DesignResource(id=f"s{n}", component=f"c{n}") for n in range(COMPONENTS // 2)),
    )

"""Evaluation of a large design: all six principles at once."""

import datetime
import random

from bench.measure import Row, medians
from muniment.design.evaluation import evaluate_design
from muniment.design.model import Component, DesignActor, DesignModel, DesignResource, Flow, Guard

COMPONENTS, FLOWS, MECHANISMS = 1_000, 10_000, 16


def measure_design() -> Row:
    """Time of all checks on a generated design of 1,000 components, 10,000 flows and 16 mechanisms."""
    model = _generate_large()
    day = datetime.date(2026, 1, 1)
    found = medians({"ours": lambda: evaluate_design(model, day)}, 3)
    what = f"{COMPONENTS:,} components, {FLOWS:,} flows, {MECHANISMS} mechanisms"
    return Row(what, "evaluate_design(model)", "none", f"{found['ours']:.2f} s", "<= 2 s")


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

"""Nothing gets onto a protected branch without its pipelines: something enforces them, and there is no way around."""

from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Codes, Control, Reason, Scope, met, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Which pipelines have to stand in the way."""

    pipelines: Annotated[tuple[str, ...], Unit("pipelines"), Stricter.MORE] = ("tests",)


class Reasons(Codes):
    """What this control answers."""

    REQUIRED = met("{by} lets nothing onto {branch} without {pipelines}, and there is no way around.")
    NO_PIPELINE_NAMED = violated(
        "The policy names no pipeline that has to stand in the way.",
        'Name one in policy.toml: with = {{ pipelines = ["tests"] }}',
    )
    BRANCH_UNPROTECTED = violated(
        "Nothing stands before {branch}: whoever may push gets in without a pipeline.",
        "Put the gate there (docs/gate.md), or let the forge protect the branch.",
    )
    PIPELINE_NOT_REQUIRED = violated(
        "{branch} can be changed without the pipeline {name}: {by} does not require it.",
        "Let the clause with tests-passed bite at merge and name {name}; on a forge, require its check too.",
    )
    BYPASS_POSSIBLE = violated(
        "{who} can get past the pipelines of {branch}: {how}.",
        "Take that way off; for emergencies there is an exception, which two people sign.",
    )
    BYPASSES_UNKNOWN = unknown(
        "Whether there is a way around the pipelines of {branch} could not be learnt: {why}.",
        "Let Muniment read the branch's rules and its bypass list.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Every pipeline that is not required, and every way around."""
    rules = case.get(kinds.BRANCH_RULES)
    wanted: tuple[str, ...] = case.parameters.pipelines
    place = {"branch": rules.branch.removeprefix("refs/heads/"), "by": rules.enforced_by}
    if not wanted:
        return (Reasons.NO_PIPELINE_NAMED(f"ref:{rules.branch}"),)
    if not rules.enforced_by:
        return (Reasons.BRANCH_UNPROTECTED(f"ref:{rules.branch}", **place),)
    found = [
        Reasons.PIPELINE_NOT_REQUIRED(f"pipeline:{name}", **place)
        for name in wanted
        if name not in rules.required_pipelines
    ]
    if isinstance(rules.bypass_paths, Unknown):
        found.append(Reasons.BYPASSES_UNKNOWN(f"ref:{rules.branch}", why=rules.bypass_paths.reason, **place))
    else:
        found += [
            Reasons.BYPASS_POSSIBLE(f"ref:{rules.branch}", who=w.actor, how=w.description, **place)
            for w in rules.bypass_paths.value
        ]
    return tuple(found) or (Reasons.REQUIRED(f"ref:{rules.branch}", pipelines=", ".join(wanted), **place),)


CONTROL = Control(
    name="pipeline-required",
    version=1,
    summary="There is no way to a protected branch without its pipelines.",
    scope=Scope.PRODUCT,
    needs=(kinds.BRANCH_RULES,),
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)

"""Control: a protected branch requires its pipelines, and nobody can bypass them."""

from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Pipelines that are required."""

    pipelines: Annotated[tuple[str, ...], Unit("pipelines"), Stricter.MORE] = ("tests",)


class Reasons(ReasonCodes):
    """Reasons of this control."""

    REQUIRED = met("{by} requires {pipelines} on {branch}, and nobody can bypass it.")
    NO_PIPELINE_NAMED = violated(
        "The policy names no required pipeline.",
        'Name one in policy.toml: with = {{ pipelines = ["tests"] }}',
    )
    BRANCH_UNPROTECTED = violated(
        "{branch} is not protected: everybody with write access can push without a pipeline.",
        "Install the server hook (docs/guides/server-hook.md), or protect the branch at the forge.",
    )
    PIPELINE_NOT_REQUIRED = violated(
        "{by} does not require pipeline {name} on {branch}.",
        "Enforce the clause of control tests-passed at merge, with pipeline {name}; at a forge, require its status.",
    )
    BYPASS_POSSIBLE = violated(
        "{who} can bypass the pipelines of {branch}: {how}.",
        "Remove this permission. For emergencies, request an exception, which two people approve.",
    )
    BYPASSES_UNKNOWN = unknown(
        "It is unknown whether somebody can bypass the pipelines of {branch}: {why}.",
        "Let Muniment read the branch's rules and their bypass list.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate which pipelines are not required, and who can bypass them."""
    rules = case.get_fact(kinds.BRANCH_RULES)
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
    summary="Nothing reaches a protected branch without its required pipelines.",
    scope=Scope.PRODUCT,
    needs=(kinds.BRANCH_RULES,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

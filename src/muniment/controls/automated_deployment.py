"""Control: deployments come by pipeline, and no manual step stands between commit and production."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Deployment
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Percentage of deployments that have to come by pipeline, and number of steps that may wait for a person."""

    min_percent: Annotated[int, Meta(ge=1, le=100), Unit("percent"), Stricter.HIGHER] = 100
    max_manual_steps: Annotated[int, Meta(ge=0), Unit("manual steps"), Stricter.LOWER] = 0


class Reasons(ReasonCodes):
    """Reasons of this control."""

    AUTOMATED = met("{count} of {total} deployments since {since} were made by a pipeline; {manual} steps are manual.")
    NO_DEPLOYMENT = unknown(
        "No deployment since {since} is known, so the way to production is unknown.",
        "Deploy with muniment deploy, or let the environment report the digest that it runs.",
    )
    MANUAL_DEPLOYMENT = violated(
        "{count} of {total} deployments since {since} were made by a pipeline; {share} percent are required. "
        "Manual: {some}.",
        "Deploy with muniment deploy from the pipeline, with its own identity.",
    )
    MANUAL_STEP = violated(
        "{path}, line {line}: {step} waits for a person.",
        "Let the pipeline continue without a person; the policy decides who may deploy.",
    )
    MANUAL_INTERVENTION = violated(
        "Deployment {name} to {environment} had a manual step: {step}.",
        "Automate this step in the pipeline.",
    )
    NO_DEPLOYMENT_PIPELINE = unknown(
        "No pipeline file that deploys was found, so its manual steps cannot be counted.",
        "Keep the pipeline that deploys in the repository, and let it call muniment deploy.",
    )
    PIPELINE_FILE_UNKNOWN = unknown(
        "The pipeline file {name} could not be read: {why}.",
        "Fix the file; an unread file can have any step.",
    )
    ORIGIN_UNKNOWN = unknown(
        "It is unknown how deployment {name} reached {environment}: {why}.",
        "Ask who operates {environment}, then deploy again with muniment deploy.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the share of deployments by pipeline, and list every manual step by name."""
    if unlearnt := case.explain_unknown((kinds.DEPLOYMENTS,)):
        return (*unlearnt, *_find_unread_files(case), *_find_manual_steps(case))
    deployments = case.get_fact(kinds.DEPLOYMENTS)
    since: dict[str, str | int] = {"since": deployments.since[:10]}
    if not deployments.deployments:
        return (Reasons.NO_DEPLOYMENT("fact:deployments", **since), *_find_manual_steps(case))
    steps = [*_find_manual_steps(case), *_find_interventions(deployments.deployments)]
    automated = [one for one in deployments.deployments if one.by_pipeline == Known(True)]
    size: dict[str, str | int] = {"count": len(automated), "total": len(deployments.deployments), **since}
    found = [*_find_unknown_origins(deployments.deployments), *_find_unread_files(case)]
    if 100 * len(automated) < case.parameters.min_percent * len(deployments.deployments):
        some = ", ".join([one.id for one in deployments.deployments if one not in automated][:3])
        found.append(
            Reasons.MANUAL_DEPLOYMENT("fact:deployments", share=case.parameters.min_percent, some=some, **size)
        )
    if len(steps) > case.parameters.max_manual_steps:
        found += steps
    return tuple(found) or (Reasons.AUTOMATED("fact:deployments", manual=len(steps), **size),)


def _find_unknown_origins(deployments: tuple[Deployment, ...]) -> Iterator[Reason]:
    for one in deployments:
        if isinstance(one.by_pipeline, Unknown):
            why = one.by_pipeline.reason
            yield Reasons.ORIGIN_UNKNOWN(f"deployment:{one.id}", environment=one.environment, why=why)


def _find_unread_files(case: Case) -> Iterator[Reason]:
    files = case.get_fact(kinds.PIPELINE_FILES)
    for file in files:
        if isinstance(file.content, Unknown):
            yield Reasons.PIPELINE_FILE_UNKNOWN(f"path:{file.path}", why=file.content.reason)
    if not any(isinstance(file.content, Known) and file.content.value.deploys for file in files):
        yield Reasons.NO_DEPLOYMENT_PIPELINE("fact:pipeline_files")


def _find_manual_steps(case: Case) -> Iterator[Reason]:
    for file in case.get_fact(kinds.PIPELINE_FILES):
        if isinstance(file.content, Known) and file.content.value.deploys:
            for spot in file.content.value.manual_steps:
                yield Reasons.MANUAL_STEP(f"path:{file.path}", path=file.path, line=spot.line, step=spot.name)


def _find_interventions(deployments: tuple[Deployment, ...]) -> Iterator[Reason]:
    for one in deployments:
        for step in one.manual_steps:
            yield Reasons.MANUAL_INTERVENTION(f"deployment:{one.id}", environment=one.environment, step=step)


CONTROL = Control(
    name="automated-deployment",
    version=1,
    summary="Deployment from commit to production is automatic.",
    scope=Scope.PRODUCT,
    needs=(kinds.PIPELINE_FILES,),
    consults=(kinds.DEPLOYMENTS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

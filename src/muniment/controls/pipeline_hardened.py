"""Control: pipelines use pinned steps and tokens with the least rights, and run no untrusted code."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.pipeline import PipelineFile, PipelineSystem
from muniment.policy.parameters import Stricter, Unit

_EXAMINED = (PipelineSystem.GITHUB, PipelineSystem.GITEA, PipelineSystem.FORGEJO)


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Severities of the engine's findings that count, and rules that do not."""

    severities: Annotated[tuple[str, ...], Unit("severities"), Stricter.MORE] = ("medium", "high")
    ignored_rules: Annotated[tuple[str, ...], Unit("rules"), Stricter.FEWER] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    HARDENED = met("No weakness was found in the pipeline files ({count}) and the settings of {forge}.")
    NO_PIPELINE = not_applicable("There is no pipeline file, and no forge that runs pipelines.")
    NOT_PINNED = violated(
        "{path}, line {line}: {step} is not pinned, so its content can change.",
        "Pin it to the full id of a commit or the digest of an image.",
    )
    BROAD_TOKEN = violated(
        "{path}, line {line}: {step} gives the job's token more than read access.",
        "Grant only what the job needs, such as permissions: contents: read",
    )
    FINDING = violated(
        "{path}, line {line}: {rule} ({severity}), found by {engine}.",
        "Fix it; the documentation of {engine} explains the rule.",
    )
    PERMISSIVE_SETTING = violated(
        "{forge} {what}.",
        "Switch it off in the settings of the repository or the organisation.",
    )
    NOT_SCANNED = unknown(
        "No engine has scanned {name}.",
        "Scan it where the engine is installed: muniment doctor says what is missing.",
    )
    CONTENT_UNKNOWN = unknown(
        "The content of {name} is unknown: {why}.",
        "Make it readable; unread content can have any weakness.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate pipeline files, the engine's findings and the forge's settings."""
    files = case.get_fact(kinds.PIPELINE_FILES)
    found = (
        *(reason for file in files for reason in _check_file(file)),
        *_check_findings(case),
        *_check_settings(case),
    )
    if found:
        return found
    forge = case.get_fact(kinds.FORGE_SETTINGS).forge
    if not files and not forge:
        return (Reasons.NO_PIPELINE("fact:pipeline_files"),)
    return (Reasons.HARDENED("fact:pipeline_files", count=len(files), forge=forge or "no forge"),)


def _check_file(file: PipelineFile) -> Iterator[Reason]:
    subject = f"path:{file.path}"
    if isinstance(file.content, Unknown):
        yield Reasons.CONTENT_UNKNOWN(subject, why=file.content.reason)
        return
    for spot in file.content.value.unpinned_references:
        yield Reasons.NOT_PINNED(subject, path=file.path, line=spot.line, step=spot.name)
    for spot in file.content.value.broad_tokens:
        yield Reasons.BROAD_TOKEN(subject, path=file.path, line=spot.line, step=spot.name)


def _check_findings(case: Case) -> Iterator[Reason]:
    if unlearnt := case.explain_unknown((kinds.HARDENING,)):
        yield from unlearnt
        return
    hardening = case.get_fact(kinds.HARDENING)
    for file in case.get_fact(kinds.PIPELINE_FILES):
        if file.system in _EXAMINED and file.path not in hardening.files:
            yield Reasons.NOT_SCANNED(f"path:{file.path}")
    if isinstance(hardening.findings, Unknown):
        yield Reasons.CONTENT_UNKNOWN(f"engine:{hardening.engine}", why=hardening.findings.reason)
        return
    limits: Parameters = case.parameters
    for one in hardening.findings.value:
        if one.severity in limits.severities and one.rule not in limits.ignored_rules:
            details: dict[str, str | int] = {
                "path": one.path,
                "line": one.line,
                "rule": one.rule,
                "severity": one.severity,
            }
            yield Reasons.FINDING(f"path:{one.path}", engine=hardening.engine, **details)


def _check_settings(case: Case) -> Iterator[Reason]:
    if unlearnt := case.explain_unknown((kinds.FORGE_SETTINGS,)):
        yield from unlearnt
        return
    settings = case.get_fact(kinds.FORGE_SETTINGS)
    asked: tuple[tuple[Maybe[bool], str], ...] = (
        (settings.job_token_writes, "gives every job a token that may write"),
        (settings.unpinned_allowed, "lets jobs run what is not pinned"),
        (settings.forks_trusted, "gives changes from forks secrets or a token that may write"),
    )
    for setting, what in asked:
        if isinstance(setting, Unknown):
            yield Reasons.CONTENT_UNKNOWN(f"forge:{settings.forge or 'no forge'}", why=setting.reason)
        elif setting.value:
            yield Reasons.PERMISSIVE_SETTING(f"forge:{settings.forge}", forge=settings.forge, what=what)


CONTROL = Control(
    name="pipeline-hardened",
    version=1,
    summary="Pipelines use pinned steps and the least rights, and run no untrusted code.",
    scope=Scope.PRODUCT,
    needs=(kinds.PIPELINE_FILES,),
    consults=(kinds.HARDENING, kinds.FORGE_SETTINGS),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

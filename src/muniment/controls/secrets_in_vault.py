"""Control: no secret is stored in the code, in pipeline files, or in the forge's settings."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.facts.pipeline import PipelineFile
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Names that the forge may keep, because the vault cannot; and whether the code is to be free of secrets too."""

    allowed_names: Annotated[tuple[str, ...], Unit("names of secrets"), Stricter.FEWER] = ()
    check_code: Annotated[bool, Unit("true or false"), Stricter.HIGHER] = True


class Reasons(ReasonCodes):
    """Reasons of this control."""

    IN_VAULT = met("No secret was found in the pipeline files ({count}) and the settings of {forge}.")
    NOTHING_TO_CHECK = not_applicable("There is no pipeline file, and no forge that stores secrets.")
    LITERAL_SECRET = violated(
        "{path}, line {line}: {secret} is written in plain text.",
        "Treat it as disclosed and replace it: muniment secret rotate NAME --product PRODUCT --env "
        "ENVIRONMENT; then fetch it with muniment run.",
    )
    FORGE_SECRET_USED = violated(
        "{path}, line {line}: {secret} comes from the forge's settings, where it never expires.",
        "Store it in the vault with muniment secret set {secret}, and fetch it with muniment run.",
    )
    FORGE_SECRET_STORED = violated(
        "{forge} stores the secret {name} in its settings.",
        "Store it in the vault with muniment secret set {name}, and delete it at the forge.",
    )
    PIPELINE_FILE_UNKNOWN = unknown(
        "The pipeline file {name} could not be read: {why}.",
        "Fix the file; an unread file can have a secret.",
    )
    SETTINGS_UNKNOWN = unknown(
        "The settings of {forge} are unknown: {why}.",
        "Let Muniment list the names of the forge's secrets; it never reads their values.",
    )
    CODE_FREE = met("No secret was found in the files of the code ({count}).")
    SECRET_IN_CODE = violated(
        "{path}, line {line}: a secret is written in the code. Rule {rule}.",
        "Revoke it where it was issued, since the history keeps it. Store the new one in the vault: "
        "muniment secret set NAME --product PRODUCT --env ENVIRONMENT",
    )
    FILE_NOT_SCANNED = unknown(
        "{path} could not be scanned for secrets: {why}.",
        "Correct the file, or keep it elsewhere; an unread file can have a secret.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List every secret outside the vault, by name and place; never a value."""
    files = case.get_fact(kinds.PIPELINE_FILES)
    allowed: tuple[str, ...] = case.parameters.allowed_names
    found = (*(reason for file in files for reason in _check_file(file, allowed)), *_check_settings(case, allowed))
    if not found:
        forge = case.get_fact(kinds.FORGE_SETTINGS).forge
        answer = Reasons.IN_VAULT if files or forge else Reasons.NOTHING_TO_CHECK
        found = (answer("fact:pipeline_files", count=len(files), forge=forge or "no forge"),)
    return (*found, *(_check_code(case) if case.parameters.check_code else ()))


def _check_code(case: Case) -> tuple[Reason, ...]:
    """Reasons for secrets in the files of the repository, and for files whose state is unknown."""
    if unread := case.explain_unknown((kinds.CODE_SECRETS,)):
        return unread
    code = case.get_fact(kinds.CODE_SECRETS)
    found = [
        Reasons.SECRET_IN_CODE(f"path:{one.path}", path=one.path, line=one.line, rule=one.rule) for one in code.secrets
    ]
    found += [Reasons.FILE_NOT_SCANNED(f"path:{one.path}", path=one.path, why=one.why) for one in code.unscanned]
    return tuple(found) or (Reasons.CODE_FREE("fact:code_secrets", count=code.scanned),)


def _check_settings(case: Case, allowed: tuple[str, ...]) -> tuple[Reason, ...]:
    """Reasons for secrets in the forge's settings. Those for pipeline files are given also where the settings are
    unknown.
    """
    if unlearnt := case.explain_unknown((kinds.FORGE_SETTINGS,)):
        return unlearnt
    settings = case.get_fact(kinds.FORGE_SETTINGS)
    if isinstance(settings.secrets, Unknown):
        return (Reasons.SETTINGS_UNKNOWN("fact:forge_settings", forge=settings.forge, why=settings.secrets.reason),)
    names = [name for name in settings.secrets.value if name not in allowed]
    return tuple(Reasons.FORGE_SECRET_STORED(f"secret:{name}", forge=settings.forge) for name in names)


def _check_file(file: PipelineFile, allowed: tuple[str, ...]) -> Iterator[Reason]:
    subject = f"path:{file.path}"
    if isinstance(file.content, Unknown):
        yield Reasons.PIPELINE_FILE_UNKNOWN(subject, why=file.content.reason)
        return
    for spot in file.content.value.literal_secrets:
        yield Reasons.LITERAL_SECRET(subject, path=file.path, line=spot.line, secret=spot.name)
    for spot in file.content.value.forge_secrets:
        if spot.name not in allowed:
            yield Reasons.FORGE_SECRET_USED(subject, path=file.path, line=spot.line, secret=spot.name)


CONTROL = Control(
    name="secrets-in-vault",
    version=2,
    summary="Secrets are in the vault, not in code, pipeline files or the forge's settings.",
    scope=Scope.PRODUCT,
    needs=(kinds.PIPELINE_FILES,),
    consults=(kinds.FORGE_SETTINGS, kinds.CODE_SECRETS),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

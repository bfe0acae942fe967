"""No secret stands where pipelines are written or set up: not in their files, not in the forge's settings."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Codes, Control, Reason, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.facts.pipeline import PipelineFile
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Names that the forge may keep, because the vault cannot; and whether the code is to be free of secrets too."""

    allowed_names: Annotated[tuple[str, ...], Unit("names of secrets"), Stricter.FEWER] = ()
    check_code: Annotated[bool, Unit("true or false"), Stricter.HIGHER] = True


class Reasons(Codes):
    """What this control answers."""

    IN_VAULT = met("{count} pipeline files and the settings of {forge} hold no secret of their own.")
    NOTHING_TO_CHECK = not_applicable("There is no pipeline file and no forge that could hold a secret.")
    LITERAL_SECRET = violated(
        "{path}, line {line}: {secret} is written out.",
        "Take it for known by others and replace it: muniment secret rotate NAME --product PRODUCT --env "
        "ENVIRONMENT; then fetch it with muniment run.",
    )
    FORGE_SECRET_USED = violated(
        "{path}, line {line}: {secret} comes from the forge's settings, where it never expires.",
        "Put it into the vault with muniment secret set {secret}, and fetch it with muniment run.",
    )
    FORGE_SECRET_STORED = violated(
        "{forge} keeps the secret {name} in its settings.",
        "Put it into the vault with muniment secret set {name}, and delete it there.",
    )
    PIPELINE_FILE_UNKNOWN = unknown(
        "The pipeline file {name} could not be read: {why}.",
        "Mend the file; what cannot be read may hold a secret.",
    )
    SETTINGS_UNKNOWN = unknown(
        "What {forge} keeps in its settings could not be learnt: {why}.",
        "Let Muniment list the names of the forge's secrets (never their values).",
    )
    CODE_NOT_EVALUATED = unknown(
        "Secrets in code are not looked for yet: that comes with part 6 of Muniment.",
        "Until then, say with = {{ check_code = false }} in policy.toml if the clause is about pipelines alone.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Every secret that the vault should hold, by name and place; never a value."""
    files = case.get(kinds.PIPELINE_FILES)
    allowed: tuple[str, ...] = case.parameters.allowed_names
    found = (*(reason for file in files for reason in _in_file(file, allowed)), *_settings(case, allowed))
    if not found:
        forge = case.get(kinds.FORGE_SETTINGS).forge
        answer = Reasons.IN_VAULT if files or forge else Reasons.NOTHING_TO_CHECK
        found = (answer("fact:pipeline_files", count=len(files), forge=forge or "no forge"),)
    return (*found, *([Reasons.CODE_NOT_EVALUATED("fact:files")] if case.parameters.check_code else ()))


def _settings(case: Case, allowed: tuple[str, ...]) -> tuple[Reason, ...]:
    """What the forge keeps. What the files hold is told also where that could not be learnt."""
    if unlearnt := case.unlearnt((kinds.FORGE_SETTINGS,)):
        return unlearnt
    settings = case.get(kinds.FORGE_SETTINGS)
    if isinstance(settings.secrets, Unknown):
        return (Reasons.SETTINGS_UNKNOWN("fact:forge_settings", forge=settings.forge, why=settings.secrets.reason),)
    kept = [name for name in settings.secrets.value if name not in allowed]
    return tuple(Reasons.FORGE_SECRET_STORED(f"secret:{name}", forge=settings.forge) for name in kept)


def _in_file(file: PipelineFile, allowed: tuple[str, ...]) -> Iterator[Reason]:
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
    version=1,
    summary="Secrets live in the vault: neither pipeline files nor the forge's settings hold any.",
    scope=Scope.PRODUCT,
    needs=(kinds.PIPELINE_FILES,),
    consults=(kinds.FORGE_SETTINGS,),
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)

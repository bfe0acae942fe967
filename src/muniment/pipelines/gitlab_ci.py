"""Pipeline files of GitLab CI. docs.gitlab.com: CI/CD YAML syntax reference."""

import re
from collections.abc import Iterator

from muniment.facts.pipeline import PipelineRead, PipelineSpot
from muniment.pipelines import suspicious_content
from muniment.pipelines.yaml_lines import NotYaml, YamlMapping, YamlText, YamlValue, get_nested, list_items, list_texts

_NO_JOBS = (
    *("default", "include", "stages", "variables", "workflow", "spec", "image", "services", "cache", "pages:deploy"),
    *("before_script", "after_script", "types"),
)
_SCRIPTS = ("before_script", "script", "after_script")
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def read_gitlab_pipeline(documents: tuple[YamlValue, ...]) -> PipelineRead:
    """Read a pipeline file; of two documents, the first only describes inputs. Raises NotYaml for another form."""
    top = documents[-1] if documents else None
    if not isinstance(top, YamlMapping):
        raise NotYaml("it is no GitLab pipeline")
    jobs = {name: job for name, job in top.entries.items() if isinstance(job, YamlMapping) and name not in _NO_JOBS}
    scripts = {name: _list_scripts(job) for name, job in jobs.items()}
    shared = [text for holder in (top, get_nested(top, "default")) for text in _list_scripts(holder)]
    every = [*shared, *(text for found in scripts.values() for text in found)]
    texts = [*jobs, *(text.text for text in every)]
    return PipelineRead(
        deploys=any(_has_environment(job) for job in jobs.values())
        or any(map(suspicious_content.DEPLOYS.search, texts)),
        manual_steps=_sort_spots(_find_manual_steps(top, jobs)),
        literal_secrets=_sort_spots(_find_literal_secrets(top, jobs, every)),
        forge_secrets=_sort_spots(_find_forge_secrets(top, jobs, scripts, shared)),
        unpinned_references=_sort_spots(_find_unpinned(top, jobs, every)),
        broad_tokens=(),
        fetches_secrets=any(suspicious_content.FETCHES.search(text.text) for text in every),
    )


def _sort_spots(spots: Iterator[PipelineSpot]) -> tuple[PipelineSpot, ...]:
    return tuple(sorted(set(spots), key=lambda spot: (spot.line, spot.name)))


def _list_scripts(holder: YamlValue | None) -> list[YamlText]:
    return [text for name in _SCRIPTS for text in list_texts(get_nested(holder, name))]


def _has_environment(job: YamlMapping) -> bool:
    action = get_nested(job, "environment", "action")
    stops = isinstance(action, YamlText) and action.text in ("stop", "verify", "access", "prepare")
    return get_nested(job, "environment") is not None and not stops


def _find_manual_steps(top: YamlMapping, jobs: dict[str, YamlMapping]) -> Iterator[PipelineSpot]:
    for name, job in jobs.items():
        for holder in (job, *list_items(get_nested(job, "rules"))):
            when = get_nested(holder, "when")
            if isinstance(when, YamlText) and when.text == "manual":
                yield PipelineSpot(when.line, name)
    for rule in list_items(get_nested(top, "workflow", "rules")):
        condition = get_nested(rule, "if")
        if isinstance(condition, YamlText) and re.search(r'CI_PIPELINE_SOURCE\s*==\s*["\']web', condition.text):
            yield PipelineSpot(condition.line, "a pipeline that is started by hand")


def _find_literal_secrets(
    top: YamlMapping, jobs: dict[str, YamlMapping], every: list[YamlText]
) -> Iterator[PipelineSpot]:
    for holder in (top, *jobs.values()):
        variables = get_nested(holder, "variables")
        for name, value in variables.entries.items() if isinstance(variables, YamlMapping) else ():
            given = get_nested(value, "value") if isinstance(value, YamlMapping) else value
            if isinstance(given, YamlText) and suspicious_content.is_written_out(name, given.text):
                yield PipelineSpot(given.line, name)
    for text in every:
        yield from suspicious_content.find_written_secrets(text.text, text.line)


def _find_forge_secrets(
    top: YamlMapping, jobs: dict[str, YamlMapping], scripts: dict[str, list[YamlText]], shared: list[YamlText]
) -> Iterator[PipelineSpot]:
    """Secrets that a job takes from the settings of the project; a job that fetches from the vault has its own from
    there.
    """
    common = _list_names(get_nested(top, "variables"))
    for text in shared:
        yield from suspicious_content.find_requested_secrets(text.text, text.line, common)
    for name, job in jobs.items():
        if any(suspicious_content.FETCHES.search(text.text) for text in scripts[name]):
            continue
        known = (
            common
            | _list_names(get_nested(job, "variables"))
            | _list_names(get_nested(job, "id_tokens"))
            | _list_names(get_nested(job, "secrets"))
        )
        for text in scripts[name]:
            yield from suspicious_content.find_requested_secrets(text.text, text.line, known)


def _list_names(values: YamlValue | None) -> frozenset[str]:
    return frozenset(values.entries) if isinstance(values, YamlMapping) else frozenset()


def _find_unpinned(top: YamlMapping, jobs: dict[str, YamlMapping], every: list[YamlText]) -> Iterator[PipelineSpot]:
    for holder in (top, get_nested(top, "default"), *jobs.values()):
        for image in (get_nested(holder, "image"), *list_items(get_nested(holder, "services"))):
            named = get_nested(image, "name") if isinstance(image, YamlMapping) else image
            if isinstance(named, YamlText) and not suspicious_content.is_pinned_image(named.text):
                yield PipelineSpot(named.line, named.text[:200])
    for one in list_items(get_nested(top, "include")):
        yield from _find_unpinned_include(one)
    for text in every:
        yield from suspicious_content.find_unpinned_in_script(text.text, text.line)


def _find_unpinned_include(one: YamlValue) -> Iterator[PipelineSpot]:
    """Unpinned include: a file from elsewhere has to name its content by a commit, or a digest (`integrity`)."""
    if isinstance(one, YamlText):
        if "://" in one.text:
            yield PipelineSpot(one.line, one.text[:200])
        return
    for key in ("remote", "project", "component", "template"):
        named = get_nested(one, key)
        if not isinstance(named, YamlText):
            continue
        ref, integrity = get_nested(one, "ref"), get_nested(one, "integrity")
        pin = named.text.rpartition("@")[2] if key == "component" else ref.text if isinstance(ref, YamlText) else ""
        if not _COMMIT.fullmatch(pin) and not (key == "remote" and isinstance(integrity, YamlText)):
            yield PipelineSpot(named.line, f"{key}: {named.text[:200]}")

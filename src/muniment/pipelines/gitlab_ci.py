"""Pipeline files of GitLab CI. docs.gitlab.com: CI/CD YAML syntax reference."""

import re
from collections.abc import Iterator

from muniment.facts.pipeline import PipelineRead, Spot
from muniment.pipelines import suspects
from muniment.pipelines.yaml_lines import Mapping, NotYaml, Text, Value, listed, texts, under

_NO_JOBS = (
    *("default", "include", "stages", "variables", "workflow", "spec", "image", "services", "cache", "pages:deploy"),
    *("before_script", "after_script", "types"),
)
_SCRIPTS = ("before_script", "script", "after_script")
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def read(documents: tuple[Value, ...]) -> PipelineRead:
    """What a file says; of two documents, the first only describes inputs. Raises NotYaml for what is none."""
    top = documents[-1] if documents else None
    if not isinstance(top, Mapping):
        raise NotYaml("it is no GitLab pipeline")
    jobs = {name: job for name, job in top.entries.items() if isinstance(job, Mapping) and name not in _NO_JOBS}
    scripts = {name: _script(job) for name, job in jobs.items()}
    shared = [text for holder in (top, under(top, "default")) for text in _script(holder)]
    every = [*shared, *(text for found in scripts.values() for text in found)]
    said = [*jobs, *(text.text for text in every)]
    return PipelineRead(
        deploys=any(_environment(job) for job in jobs.values()) or any(map(suspects.DEPLOYS.search, said)),
        manual_steps=_sorted(_manual(top, jobs)),
        literal_secrets=_sorted(_literal(top, jobs, every)),
        forge_secrets=_sorted(_stored(top, jobs, scripts, shared)),
        unpinned_references=_sorted(_unpinned(top, jobs, every)),
        broad_tokens=(),
        fetches_secrets=any(suspects.FETCHES.search(text.text) for text in every),
    )


def _sorted(spots: Iterator[Spot]) -> tuple[Spot, ...]:
    return tuple(sorted(set(spots), key=lambda spot: (spot.line, spot.name)))


def _script(holder: Value | None) -> list[Text]:
    return [text for name in _SCRIPTS for text in texts(under(holder, name))]


def _environment(job: Mapping) -> bool:
    action = under(job, "environment", "action")
    stops = isinstance(action, Text) and action.text in ("stop", "verify", "access", "prepare")
    return under(job, "environment") is not None and not stops


def _manual(top: Mapping, jobs: dict[str, Mapping]) -> Iterator[Spot]:
    for name, job in jobs.items():
        for holder in (job, *listed(under(job, "rules"))):
            when = under(holder, "when")
            if isinstance(when, Text) and when.text == "manual":
                yield Spot(when.line, name)
    for rule in listed(under(top, "workflow", "rules")):
        condition = under(rule, "if")
        if isinstance(condition, Text) and re.search(r'CI_PIPELINE_SOURCE\s*==\s*["\']web', condition.text):
            yield Spot(condition.line, "a pipeline that is started by hand")


def _literal(top: Mapping, jobs: dict[str, Mapping], every: list[Text]) -> Iterator[Spot]:
    for holder in (top, *jobs.values()):
        variables = under(holder, "variables")
        for name, value in variables.entries.items() if isinstance(variables, Mapping) else ():
            given = under(value, "value") if isinstance(value, Mapping) else value
            if isinstance(given, Text) and suspects.is_written_out(name, given.text):
                yield Spot(given.line, name)
    for text in every:
        yield from suspects.in_script(text.text, text.line)


def _stored(
    top: Mapping, jobs: dict[str, Mapping], scripts: dict[str, list[Text]], shared: list[Text]
) -> Iterator[Spot]:
    """What a job takes from the settings of the project; one that fetches from the vault has its own from there."""
    common = _names(under(top, "variables"))
    for text in shared:
        yield from suspects.asked_for(text.text, text.line, common)
    for name, job in jobs.items():
        if any(suspects.FETCHES.search(text.text) for text in scripts[name]):
            continue
        known = (
            common | _names(under(job, "variables")) | _names(under(job, "id_tokens")) | _names(under(job, "secrets"))
        )
        for text in scripts[name]:
            yield from suspects.asked_for(text.text, text.line, known)


def _names(values: Value | None) -> frozenset[str]:
    return frozenset(values.entries) if isinstance(values, Mapping) else frozenset()


def _unpinned(top: Mapping, jobs: dict[str, Mapping], every: list[Text]) -> Iterator[Spot]:
    for holder in (top, under(top, "default"), *jobs.values()):
        for image in (under(holder, "image"), *listed(under(holder, "services"))):
            named = under(image, "name") if isinstance(image, Mapping) else image
            if isinstance(named, Text) and not suspects.is_pinned_image(named.text):
                yield Spot(named.line, named.text[:200])
    for one in listed(under(top, "include")):
        yield from _included(one)
    for text in every:
        yield from suspects.unpinned_in_script(text.text, text.line)


def _included(one: Value) -> Iterator[Spot]:
    """What comes from elsewhere has to name its content: a commit, or a digest (`integrity`)."""
    if isinstance(one, Text):
        if "://" in one.text:
            yield Spot(one.line, one.text[:200])
        return
    for key in ("remote", "project", "component", "template"):
        named = under(one, key)
        if not isinstance(named, Text):
            continue
        ref, integrity = under(one, "ref"), under(one, "integrity")
        pin = named.text.rpartition("@")[2] if key == "component" else ref.text if isinstance(ref, Text) else ""
        if not _COMMIT.fullmatch(pin) and not (key == "remote" and isinstance(integrity, Text)):
            yield Spot(named.line, f"{key}: {named.text[:200]}")

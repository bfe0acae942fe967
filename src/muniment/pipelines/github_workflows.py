"""Pipeline files of GitHub Actions, and of Gitea's and Forgejo's, which are of the same form.

docs.github.com: Workflow syntax; Metadata syntax for actions.
"""

import re
from collections.abc import Iterator

from muniment.facts.pipeline import PipelineRead, PipelineSpot
from muniment.pipelines import suspicious_content
from muniment.pipelines.yaml_lines import NotYaml, YamlMapping, YamlText, YamlValue, get_nested, list_items, list_texts

_SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_-]*)|\[\s*'([^']+)'\s*\])")
_EXPRESSION = re.compile(r"\$\{\{[^}]*")
_ALL_SECRETS = re.compile(r"\b(?:toJSON|toJson|fromJSON)\(\s*secrets\s*\)|\bsecrets\s*\[\s*[^'\s]")
_OWN = "GITHUB_TOKEN"  # made for each job, and gone with it
_PINNED = re.compile(r"@(?:[0-9a-f]{40}|[0-9a-f]{64})$")
_BY_HAND = ("workflow_dispatch", "repository_dispatch", "issue_comment", "issues", "deployment")
_APPROVAL = re.compile(r"(?i)manual[-_]approval|await[-_]approval|wait[-_]for[-_]approval")


def read_workflow(documents: tuple[YamlValue, ...], path: str) -> PipelineRead:
    """Read a workflow, or an action. Raises NotYaml for another document."""
    if len(documents) != 1 or not isinstance(documents[0], YamlMapping):
        raise NotYaml("it is no workflow")
    top = documents[0]
    if "jobs" in top.entries and isinstance(top.entries["jobs"], YamlMapping) and "on" in top.entries:
        jobs = [job for job in top.entries["jobs"].entries.values() if isinstance(job, YamlMapping)]
        if len(jobs) != len(top.entries["jobs"].entries):
            raise NotYaml("it has a job that is none")
    elif isinstance(get_nested(top, "runs", "using"), YamlText):
        jobs = [action for action in (top.entries["runs"],) if isinstance(action, YamlMapping)]
    else:
        raise NotYaml("it is no workflow and no action")
    steps = [
        (job, step) for job in jobs for step in list_items(get_nested(job, "steps")) if isinstance(step, YamlMapping)
    ]
    scripts = [run for _, step in steps if isinstance(run := get_nested(step, "run"), YamlText)]
    return PipelineRead(
        deploys=_is_deployment(path, jobs, scripts, steps),
        manual_steps=_sort_spots(_find_manual_steps(top, jobs, steps)),
        literal_secrets=_sort_spots(_find_literal_secrets(top, jobs, steps, scripts)),
        forge_secrets=_sort_spots(_find_forge_secrets(top)),
        unpinned_references=_sort_spots(_find_unpinned(jobs, steps, scripts)),
        broad_tokens=_sort_spots(_find_broad_tokens(top, jobs)),
        fetches_secrets=any(suspicious_content.FETCHES.search(script.text) for script in scripts),
    )


_Steps = list[tuple[YamlMapping, YamlMapping]]


def _sort_spots(spots: Iterator[PipelineSpot]) -> tuple[PipelineSpot, ...]:
    return tuple(sorted(set(spots), key=lambda spot: (spot.line, spot.name)))


def _is_deployment(path: str, jobs: list[YamlMapping], scripts: list[YamlText], steps: _Steps) -> bool:
    texts = [path.rpartition("/")[2], *(script.text for script in scripts)]
    texts += [text.text for job in jobs if isinstance(text := get_nested(job, "name"), YamlText)]
    texts += [text.text for _, step in steps if isinstance(text := get_nested(step, "uses"), YamlText)]
    return any(get_nested(job, "environment") is not None for job in jobs) or any(
        map(suspicious_content.DEPLOYS.search, texts)
    )


def _find_manual_steps(top: YamlMapping, jobs: list[YamlMapping], steps: _Steps) -> Iterator[PipelineSpot]:
    triggers = get_nested(top, "on")
    if isinstance(triggers, YamlMapping):
        names = {name: triggers.lines[name] for name in triggers.entries}
    else:
        names = {one.text: one.line for one in list_items(triggers) if isinstance(one, YamlText)}
    if names and all(name in _BY_HAND for name in names):
        for name, line in names.items():
            yield PipelineSpot(line, f"on: {name}")
    for job in jobs:
        condition = get_nested(job, "if")
        if isinstance(condition, YamlText) and "workflow_dispatch" in condition.text and "!=" not in condition.text:
            yield PipelineSpot(condition.line, "a job that runs only when started by hand")
    for _, step in steps:
        uses = get_nested(step, "uses")
        if isinstance(uses, YamlText) and _APPROVAL.search(uses.text):
            yield PipelineSpot(uses.line, uses.text[:200])


def _find_literal_secrets(
    top: YamlMapping, jobs: list[YamlMapping], steps: _Steps, scripts: list[YamlText]
) -> Iterator[PipelineSpot]:
    for holder in (top, *jobs, *(step for _, step in steps)):
        for key in ("env", "with", "secrets", "inputs"):
            yield from _find_written_values(get_nested(holder, key))
        yield from _find_written_values(get_nested(holder, "container", "credentials"))
        yield from _find_written_values(get_nested(holder, "container", "env"))
        services = get_nested(holder, "services")
        for service in services.entries.values() if isinstance(services, YamlMapping) else ():
            yield from _find_written_values(get_nested(service, "env"))
            yield from _find_written_values(get_nested(service, "credentials"))
    for script in scripts:
        yield from suspicious_content.find_written_secrets(script.text, script.line)


def _find_written_values(values: YamlValue | None) -> Iterator[PipelineSpot]:
    for name, value in values.entries.items() if isinstance(values, YamlMapping) else ():
        if isinstance(value, YamlText) and suspicious_content.is_written_out(name, value.text):
            yield PipelineSpot(value.line, name)


def _find_forge_secrets(top: YamlMapping) -> Iterator[PipelineSpot]:
    for text in list_texts(top):
        for pair in _SECRET.findall(text.text):
            name = pair[0] or pair[1]
            if name.upper() != _OWN:
                yield PipelineSpot(text.line, name)
        if any(map(_ALL_SECRETS.search, _EXPRESSION.findall(text.text))):
            yield PipelineSpot(text.line, "all secrets")
    jobs = get_nested(top, "jobs")
    for job in jobs.entries.values() if isinstance(jobs, YamlMapping) else ():
        given = get_nested(job, "secrets")
        if isinstance(given, YamlText) and given.text == "inherit":
            yield PipelineSpot(given.line, "all secrets")


def _find_unpinned(jobs: list[YamlMapping], steps: _Steps, scripts: list[YamlText]) -> Iterator[PipelineSpot]:
    for holder in (*jobs, *(step for _, step in steps)):
        uses = get_nested(holder, "uses")
        if isinstance(uses, YamlText) and not _is_pinned(uses.text):
            yield PipelineSpot(uses.line, uses.text[:200])
    for job in jobs:
        services = get_nested(job, "services")
        held = services.entries.values() if isinstance(services, YamlMapping) else ()
        for image in (
            get_nested(job, "container"),
            *(get_nested(one, "image") for one in held),
            get_nested(job, "image"),
        ):
            named = get_nested(image, "image") if isinstance(image, YamlMapping) else image
            if (
                isinstance(named, YamlText)
                and named.text != "Dockerfile"
                and not suspicious_content.is_pinned_image(named.text)
            ):
                yield PipelineSpot(named.line, named.text[:200])
    for script in scripts:
        yield from suspicious_content.find_unpinned_in_script(script.text, script.line)


def _is_pinned(uses: str) -> bool:
    if uses.startswith("docker://"):
        return suspicious_content.is_pinned_image(uses)
    return uses.startswith("./") or _PINNED.search(uses) is not None


def _find_broad_tokens(top: YamlMapping, jobs: list[YamlMapping]) -> Iterator[PipelineSpot]:
    """Rights to write for all jobs, or all rights for one. Rights that one job declares for itself are its own."""
    for holder in (top, *jobs):
        permissions = get_nested(holder, "permissions")
        if isinstance(permissions, YamlText) and permissions.text == "write-all":
            yield PipelineSpot(permissions.line, "permissions: write-all")
        if isinstance(permissions, YamlMapping) and holder is top:
            for name, value in permissions.entries.items():
                if isinstance(value, YamlText) and value.text == "write" and name != "id-token":
                    yield PipelineSpot(value.line, f"permissions: {name}: write")

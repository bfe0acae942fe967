"""Pipeline files of GitHub Actions, and of Gitea's and Forgejo's, which are of the same form.

docs.github.com: Workflow syntax; Metadata syntax for actions.
"""

import re
from collections.abc import Iterator

from muniment.facts.pipeline import PipelineRead, Spot
from muniment.pipelines import suspects
from muniment.pipelines.yaml_lines import Mapping, NotYaml, Text, Value, listed, texts, under

_SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_-]*)|\[\s*'([^']+)'\s*\])")
_EXPRESSION = re.compile(r"\$\{\{[^}]*")
_ALL_SECRETS = re.compile(r"\b(?:toJSON|toJson|fromJSON)\(\s*secrets\s*\)|\bsecrets\s*\[\s*[^'\s]")
_OWN = "GITHUB_TOKEN"  # made for each job, and gone with it
_PINNED = re.compile(r"@(?:[0-9a-f]{40}|[0-9a-f]{64})$")
_BY_HAND = ("workflow_dispatch", "repository_dispatch", "issue_comment", "issues", "deployment")
_APPROVAL = re.compile(r"(?i)manual[-_]approval|await[-_]approval|wait[-_]for[-_]approval")


def read(documents: tuple[Value, ...], path: str) -> PipelineRead:
    """What a workflow, or an action, says. Raises NotYaml for what is neither."""
    if len(documents) != 1 or not isinstance(documents[0], Mapping):
        raise NotYaml("it is no workflow")
    top = documents[0]
    if "jobs" in top.entries and isinstance(top.entries["jobs"], Mapping) and "on" in top.entries:
        jobs = [job for job in top.entries["jobs"].entries.values() if isinstance(job, Mapping)]
        if len(jobs) != len(top.entries["jobs"].entries):
            raise NotYaml("it has a job that is none")
    elif isinstance(under(top, "runs", "using"), Text):
        jobs = [action for action in (top.entries["runs"],) if isinstance(action, Mapping)]
    else:
        raise NotYaml("it is no workflow and no action")
    steps = [(job, step) for job in jobs for step in listed(under(job, "steps")) if isinstance(step, Mapping)]
    scripts = [run for _, step in steps if isinstance(run := under(step, "run"), Text)]
    return PipelineRead(
        deploys=_deploys(path, jobs, scripts, steps),
        manual_steps=_sorted(_manual(top, jobs, steps)),
        literal_secrets=_sorted(_literal(top, jobs, steps, scripts)),
        forge_secrets=_sorted(_stored(top)),
        unpinned_references=_sorted(_unpinned(jobs, steps, scripts)),
        broad_tokens=_sorted(_broad(top, jobs)),
        fetches_secrets=any(suspects.FETCHES.search(script.text) for script in scripts),
    )


_Steps = list[tuple[Mapping, Mapping]]


def _sorted(spots: Iterator[Spot]) -> tuple[Spot, ...]:
    return tuple(sorted(set(spots), key=lambda spot: (spot.line, spot.name)))


def _deploys(path: str, jobs: list[Mapping], scripts: list[Text], steps: _Steps) -> bool:
    said = [path.rpartition("/")[2], *(script.text for script in scripts)]
    said += [text.text for job in jobs if isinstance(text := under(job, "name"), Text)]
    said += [text.text for _, step in steps if isinstance(text := under(step, "uses"), Text)]
    return any(under(job, "environment") is not None for job in jobs) or any(map(suspects.DEPLOYS.search, said))


def _manual(top: Mapping, jobs: list[Mapping], steps: _Steps) -> Iterator[Spot]:
    triggers = under(top, "on")
    if isinstance(triggers, Mapping):
        names = {name: triggers.lines[name] for name in triggers.entries}
    else:
        names = {one.text: one.line for one in listed(triggers) if isinstance(one, Text)}
    if names and all(name in _BY_HAND for name in names):
        for name, line in names.items():
            yield Spot(line, f"on: {name}")
    for job in jobs:
        condition = under(job, "if")
        if isinstance(condition, Text) and "workflow_dispatch" in condition.text and "!=" not in condition.text:
            yield Spot(condition.line, "a job that runs only when started by hand")
    for _, step in steps:
        uses = under(step, "uses")
        if isinstance(uses, Text) and _APPROVAL.search(uses.text):
            yield Spot(uses.line, uses.text[:200])


def _literal(top: Mapping, jobs: list[Mapping], steps: _Steps, scripts: list[Text]) -> Iterator[Spot]:
    for holder in (top, *jobs, *(step for _, step in steps)):
        for key in ("env", "with", "secrets", "inputs"):
            yield from _given(under(holder, key))
        yield from _given(under(holder, "container", "credentials"))
        yield from _given(under(holder, "container", "env"))
        services = under(holder, "services")
        for service in services.entries.values() if isinstance(services, Mapping) else ():
            yield from _given(under(service, "env"))
            yield from _given(under(service, "credentials"))
    for script in scripts:
        yield from suspects.in_script(script.text, script.line)


def _given(values: Value | None) -> Iterator[Spot]:
    for name, value in values.entries.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Text) and suspects.is_written_out(name, value.text):
            yield Spot(value.line, name)


def _stored(top: Mapping) -> Iterator[Spot]:
    for text in texts(top):
        for pair in _SECRET.findall(text.text):
            name = pair[0] or pair[1]
            if name.upper() != _OWN:
                yield Spot(text.line, name)
        if any(map(_ALL_SECRETS.search, _EXPRESSION.findall(text.text))):
            yield Spot(text.line, "all secrets")
    jobs = under(top, "jobs")
    for job in jobs.entries.values() if isinstance(jobs, Mapping) else ():
        given = under(job, "secrets")
        if isinstance(given, Text) and given.text == "inherit":
            yield Spot(given.line, "all secrets")


def _unpinned(jobs: list[Mapping], steps: _Steps, scripts: list[Text]) -> Iterator[Spot]:
    for holder in (*jobs, *(step for _, step in steps)):
        uses = under(holder, "uses")
        if isinstance(uses, Text) and not _is_pinned(uses.text):
            yield Spot(uses.line, uses.text[:200])
    for job in jobs:
        services = under(job, "services")
        held = services.entries.values() if isinstance(services, Mapping) else ()
        for image in (under(job, "container"), *(under(one, "image") for one in held), under(job, "image")):
            named = under(image, "image") if isinstance(image, Mapping) else image
            if isinstance(named, Text) and named.text != "Dockerfile" and not suspects.is_pinned_image(named.text):
                yield Spot(named.line, named.text[:200])
    for script in scripts:
        yield from suspects.unpinned_in_script(script.text, script.line)


def _is_pinned(uses: str) -> bool:
    if uses.startswith("docker://"):
        return suspects.is_pinned_image(uses)
    return uses.startswith("./") or _PINNED.search(uses) is not None


def _broad(top: Mapping, jobs: list[Mapping]) -> Iterator[Spot]:
    """Rights to write for all jobs, or all rights for one. What one job says that it needs is that job's."""
    for holder in (top, *jobs):
        said = under(holder, "permissions")
        if isinstance(said, Text) and said.text == "write-all":
            yield Spot(said.line, "permissions: write-all")
        if isinstance(said, Mapping) and holder is top:
            for name, value in said.entries.items():
                if isinstance(value, Text) and value.text == "write" and name != "id-token":
                    yield Spot(value.line, f"permissions: {name}: write")

"""muniment doctor: whether everything that a judgement needs is there, and what to do where it is not."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from muniment.cli import homes, keys, options, printing, scene, serving
from muniment.errors import MunimentError
from muniment.facts.people import SECURITY
from muniment.git import hooks
from muniment.home.files import FilesHome
from muniment.policy.patterns import matches
from muniment.workflows.freezing import NEEDED
from muniment.workflows.record import Record

_ENOUGH = 3


class Finding(Struct, frozen=True):
    """One thing looked at. `status` is `satisfied`, `violated` (it must be mended) or `unknown` (a warning)."""

    part: str
    status: str
    message: str
    remedy: str = ""


@click.command()
@options.repo
@options.onto
@options.home
@options.output
def command(repo: str, onto: str | None, home: str | None, output: str) -> int:
    """Check git, ssh-keygen, the repository, its policy and people, the home, and your key; or a whole service.

    Without --home and --repo, a service that has its home in the usual place is looked at. Exit code 1 if one of them
    fails.
    """
    service = home if home is not None else serving.usual() if repo == "." else ""
    if service and homes.is_service(service):
        found = Finding("home", "satisfied", f"the service in {service}")
        findings = [*_programs(), *_pipelines(), found, *_service(service)]
    else:
        findings = [*_programs(), *_pipelines(), *_rules(repo, onto, home), *_home(home)]
    if output == "json":
        printing.json(findings)
    else:
        for finding in findings:
            click.echo(f"{printing.sign(finding.status)} {finding.part}: {printing.plain(finding.message)}")
            if finding.remedy:
                click.echo(f"    Next: {finding.remedy}")
    return 1 if any(finding.status == "violated" for finding in findings) else 0


def _programs() -> Iterator[Finding]:
    for name, version in (("git", ["git", "--version"]), ("ssh-keygen", ["ssh", "-V"])):
        if shutil.which(name) is None:
            yield Finding(name, "violated", "it is not installed", f"Install the package that has {name}.")
            continue
        done = subprocess.run(version, capture_output=True, text=True, check=False, timeout=20)
        yield Finding(name, "satisfied", (done.stdout or done.stderr).strip().splitlines()[0])


def _pipelines() -> Iterator[Finding]:
    """What looks at pipeline files: without it, the clauses about them are unknown, and no other."""
    from muniment.pipelines import hardening

    why = hardening.ready()
    if why:
        yield Finding(
            "pipelines", "unknown", why, "It takes pip install 'muniment[pipeline]', on Linux for x86-64 or ARM."
        )
    else:
        yield Finding("pipelines", "satisfied", f"{hardening.ENGINE} looks at pipeline files, without network")


def _service(home: str) -> Iterator[Finding]:
    folder = Path(home).absolute()
    serving.begin(folder, "owner", os.environ.get("MUNIMENT_URL", serving.url(folder)))
    from muniment.server.running.examining import examine

    try:
        yield from (Finding(*found) for found in examine(folder))
    except MunimentError as error:
        yield Finding("service", "violated", error.message, error.remedy)


def _rules(repo: str, onto: str | None, home: str | None) -> Iterator[Finding]:
    try:
        with scene.opened(repo, onto, home) as found:
            yield from _scene(found, repo)
    except MunimentError as error:
        yield Finding("rules", "violated", error.message, error.remedy)


def _scene(found: scene.Scene, repo: str) -> Iterator[Finding]:
    rules = found.rules
    if found.repository.shallow:
        yield Finding(
            "repository",
            "violated",
            "the clone is shallow, so nothing can be judged",
            "Run: git fetch --unshallow",
        )
    else:
        yield Finding("repository", "satisfied", f"{found.branch.name} is at {found.branch.tip[:12]}")
    yield Finding("policy", "satisfied", f"{len(rules.policy.clauses)} clauses, {rules.policy.policy.digest}")
    repository = rules.policy.policy.repository
    able = [p for p in rules.people.persons if p.active and p.keys and matches(repository, p.writes)]
    count = f"{len(able)} people could approve"
    if len(able) < _ENOUGH:
        yield Finding("people", "unknown", count, f"Name at least {_ENOUGH}: an author and two others.")
    else:
        yield Finding("people", "satisfied", count)
    holders = [person for person in able if SECURITY in person.roles]
    if len(holders) < NEEDED:
        yield Finding(
            "security role",
            "unknown",
            f"{len(holders)} people who could approve have it; it takes {NEEDED} to lift a freeze",
            'Give it to more people in people.toml: roles = ["security"].',
        )
    yield from _gate(found)
    for spoilt in rules.spoilt:
        yield Finding("exception", "unknown", spoilt, "It covers nothing; mend or delete it.")
    try:
        person, _ = keys.signer(rules.people, None, repo)
        yield Finding("your key", "satisfied", f"you sign as {person.id}")
    except MunimentError as error:
        yield Finding("your key", "unknown", error.message, error.remedy)


def _gate(found: scene.Scene) -> Iterator[Finding]:
    """Of a repository that others push to."""
    if not found.repository.bare:
        return
    absent = hooks.missing(found.repository, ("pre-receive", "post-receive"))
    if absent:
        remedy = "Run: muniment hook install"
        yield Finding("gate", "violated", f"git runs no hook of Muniment's: {', '.join(absent)}", remedy)
    else:
        yield Finding("gate", "satisfied", "git runs its hooks here")


def _ledger(home: FilesHome) -> Iterator[Finding]:
    settings = home.settings()
    if home.log().checkpoint() is None:
        yield Finding("ledger", "unknown", "nothing was recorded yet", "Put the gate in: muniment hook install")
        return
    with Record(home) as record, record.held() as held:
        yield Finding("ledger", "satisfied", f"{held.size} entries, and its newest are what was signed")
        for freeze in record.index.freezes():
            what = "a freeze is rehearsed" if freeze.rehearsal else "all merges and deployments are stopped"
            yield Finding(
                "freeze",
                "unknown" if freeze.rehearsal else "violated",
                f"{what} since {freeze.since[:16]} by {freeze.person}: {freeze.reason}",
                f"When it is over, two people lift it: muniment unfreeze {freeze.id}",
            )
    if not settings.outside:
        yield Finding(
            "copy outside",
            "unknown",
            "no checkpoint is kept outside the home, so an old copy of it would not be found out",
            "Name a place in home.toml: [ledger] outside",
        )
    yield Finding("who pushes", "satisfied", f"the server says it in {settings.pusher}")


def _home(home: str | None) -> Iterator[Finding]:
    if home is None:
        return
    try:
        place = FilesHome(home)
        if place.signing_key() is None or place.public_key() is None:
            yield Finding("ledger key", "violated", "there is none", f"Make one with: muniment init --home {home}")
            return
        yield Finding("ledger key", "satisfied", "it is there, and nobody else may read it")
        yield from _ledger(place)
    except MunimentError as error:
        yield Finding("home", "violated", error.message, error.remedy)

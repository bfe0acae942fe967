"""muniment doctor: checks the requirements of an evaluation, and names the next step for each that is missing."""

import os
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
from msgspec import Struct

from muniment.cli import context, home_access, keys, options, printing, service_setup
from muniment.cli.remedies import put_home_into_commands
from muniment.decision.freezes import format_frozen_actions, is_freeze_in_force, is_freeze_over
from muniment.decision.history_protection import ADD_CLAUSE, HISTORY_UNPROTECTED, is_history_protected
from muniment.errors import MunimentError, ProgramError, UsageError
from muniment.facts.counting import count_entries
from muniment.facts.people import SECURITY
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.git import hooks
from muniment.git.locks import find_locks
from muniment.git.repository import Repository
from muniment.policy.patterns import matches_any
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command, build_git_command
from muniment.programs.environment import minimal_environment
from muniment.programs.process import find_last_line, run_program
from muniment.store.files_store import FilesStore
from muniment.store.read_only_disks import describe_read_only_disk
from muniment.workflows.publish_rules import find_outdated_repositories

_FEWEST_PEOPLE = 3


class DoctorResult(Struct, frozen=True):
    """Result of checking one subject. `result` is `met`, `violated` (it must be corrected) or `unknown` (a warning)."""

    subject: str
    result: str
    message: str
    remedy: str = ""


@click.command()
@options.repo
@options.onto
@options.home
@options.output
def command(repo: str, onto: str | None, home: str | None, output: str) -> int:
    """Check git, ssh-keygen, the repository, its policy and people, the home, and your key; or a whole service.

    Without --home and --repo: the repository that this folder is in; outside of one, the service that has its home in
    the usual place. Exit code 1 if one of them fails.
    """
    usual = service_setup.default_home() if home is None and repo == "." else ""
    service = home if home is not None else "" if _is_repository(repo) else usual
    if service and home_access.is_service(service):
        found = DoctorResult("home", "met", f"the service in {service}")
        findings = [*_check_programs(), *_check_pipeline_engine(), found, *_check_service(service)]
    else:
        findings = [
            *_check_programs(),
            *_check_pipeline_engine(),
            *_check_rules(repo, onto, home),
            *_check_home(home),
            *_mention_other_service(usual),
        ]
    if output == "json":
        printing.print_json(findings)
    else:
        for finding in findings:
            click.echo(
                f"{printing.status_sign(finding.result)} {finding.subject}: {printing.make_printable(finding.message)}"
            )
            if finding.remedy:
                click.echo(f"    Next: {put_home_into_commands(finding.remedy, home or '')}")
    return 1 if any(finding.result == "violated" for finding in findings) else 0


def _is_repository(path: str) -> bool:
    """Whether a folder is in a git repository. Other problems of the repository are reported by the checks."""
    try:
        Repository.open(path).close()
    except UsageError:
        return False
    except MunimentError:
        return True
    return True


def _mention_other_service(home: str) -> Iterator[DoctorResult]:
    """Mention the account's own service, if there is one: it was not checked."""
    if home and home_access.is_service(home):
        yield DoctorResult(
            "service", "unknown", f"the one in {home} was not looked at", f"Run: muniment doctor --home {home}"
        )


def _check_programs() -> Iterator[DoctorResult]:
    git = build_git_command("version", (), (), (), ProgramError)
    ssh = build_command(Program.SSH, ["-V"], ProgramError)
    for name, command in (("git", git), ("ssh-keygen", ssh)):
        try:
            done = run_program(command, minimal_environment(), ProgramError)
        except ProgramError as error:
            yield DoctorResult(name, "violated", error.message, error.remedy)
            continue
        if done.code:
            yield DoctorResult(name, "violated", f"it does not run: {find_last_line(done.err)}", "Install it again.")
        else:
            yield DoctorResult(name, "met", find_last_line(done.out or done.err))


def _check_pipeline_engine() -> Iterator[DoctorResult]:
    """Check the engine for pipeline files: without it, only the clauses about them are unknown."""
    from muniment.pipelines import hardening

    why = hardening.find_engine_problem()
    if why:
        yield DoctorResult(
            "pipelines", "unknown", why, "It takes pip install 'muniment[pipeline]', on Linux for x86-64 or ARM."
        )
    else:
        yield DoctorResult("pipelines", "met", f"{hardening.HARDENING_ENGINE} looks at pipeline files, without network")


def _check_service(home: str) -> Iterator[DoctorResult]:
    folder = Path(home).absolute()
    if find_spec("django") is None:
        why = "it cannot be looked at: Muniment was installed here without its service"
        yield DoctorResult("service", "violated", why, "Run: pip install 'muniment[service]'")
        return
    url = os.environ.get("MUNIMENT_URL", service_setup.read_service_url(folder))
    service_setup.set_up_process(folder, "operator", url)
    from muniment.server.running.health_report import check_service

    try:
        yield from (DoctorResult(*found) for found in check_service(folder))
    except MunimentError as error:
        yield DoctorResult("service", "violated", error.message, error.remedy)


def _check_rules(repo: str, onto: str | None, home: str | None) -> Iterator[DoctorResult]:
    try:
        with context.open_context(repo, onto, home) as found:
            yield from _check_context(found, repo)
    except MunimentError as error:
        yield DoctorResult("rules", "violated", error.message, error.remedy)


def _check_context(found: context.CommandContext, repo: str) -> Iterator[DoctorResult]:
    rules = found.rules
    if found.repository.shallow:
        yield DoctorResult(
            "repository",
            "violated",
            "the clone is shallow, so no change can be evaluated",
            "Run: git fetch --unshallow",
        )
    else:
        yield DoctorResult("repository", "met", f"{found.branch.name} is at {found.branch.tip[:12]}")
    for lock in find_locks(found.repository):
        why = f"git cannot change what {lock} locks"
        yield DoctorResult("repository", "violated", why, f"Wait for the git that runs here; if none does: rm {lock}")
    yield DoctorResult("policy", "met", f"{len(rules.policy.clauses)} clauses, {rules.policy.policy.digest}")
    for clause, problem in rules.policy.clause_problems.items():
        why = f"this version cannot evaluate the clause {clause}, so it denies: {problem}"
        yield DoctorResult("policy", "violated", why, "Correct it, or install a version that can evaluate it.")
    if not is_history_protected(rules.policy):
        yield DoctorResult("policy", "unknown", HISTORY_UNPROTECTED, ADD_CLAUSE)
    repository = rules.policy.policy.repository
    able = [p for p in rules.people.persons if p.active and p.keys and matches_any(repository, p.write_access)]
    count = f"people who could approve: {len(able)}"
    if len(able) < _FEWEST_PEOPLE:
        yield DoctorResult("people", "unknown", count, f"Name at least {_FEWEST_PEOPLE}: an author and two others.")
    else:
        yield DoctorResult("people", "met", count)
    holders = [person for person in able if SECURITY in person.roles]
    if len(holders) < PEOPLE_TO_LIFT:
        yield DoctorResult(
            "security role",
            "unknown",
            f"people who could approve and have it: {len(holders)}; it takes {PEOPLE_TO_LIFT} to lift a freeze",
            'Give it to more people in people.toml: roles = ["security"].',
        )
    yield from _check_server_hook(found)
    for spoilt in rules.spoilt:
        yield DoctorResult("exception", "unknown", spoilt, "It has no effect; correct or delete it.")
    try:
        person, _ = keys.find_signer(rules.people, None, repo)
        yield DoctorResult("your key", "met", f"you sign as {person.id}")
    except MunimentError as error:
        yield DoctorResult("your key", "unknown", error.message, error.remedy)


def _check_server_hook(found: context.CommandContext) -> Iterator[DoctorResult]:
    """Check the server hook of a repository that others push to."""
    if not found.repository.bare:
        return
    absent = hooks.find_missing_hooks(found.repository, ("pre-receive", "post-receive"))
    if absent:
        remedy = "Run: muniment hook install --home DIR"
        yield DoctorResult("server hook", "violated", f"git runs none of Muniment's hooks: {', '.join(absent)}", remedy)
    else:
        yield DoctorResult("server hook", "met", "git runs its hooks here")


def _check_ledger(home: FilesStore, directory: str) -> Iterator[DoctorResult]:
    settings = home.load_settings()
    if home.open_log().load_checkpoint() is None:
        remedy = f"Install the server hook: muniment hook install --home {shlex.quote(directory)}"
        yield DoctorResult("ledger", "unknown", "nothing was recorded yet", remedy)
        return
    with home, home.lock_ledger():
        yield DoctorResult(
            "ledger",
            "met",
            f"{count_entries(home.open_log().read_head().size)}, and its newest are what was signed",
        )
        now = context.current_moment()
        yield from (
            _describe_freeze(freeze, now, directory)
            for freeze in home.list_freezes()
            if not is_freeze_over(freeze, now)
        )
    if not settings.external_copy:
        yield DoctorResult(
            "copy outside",
            "unknown",
            "no checkpoint is copied to a place outside the home, so a restored old copy would not be noticed",
            "Set one in home.toml: [ledger] external_copy",
        )
    yield DoctorResult("who pushes", "met", f"the server says it in {settings.pusher_variable}")


def _check_published_rules(home: FilesStore, directory: str) -> Iterator[DoctorResult]:
    """Check the rules that clones fetch from each repository of the home: a file edited by hand leaves them out of
    date.
    """
    outdated = set(find_outdated_repositories(home))
    for path in home.list_hooked_repositories():
        if path in outdated:
            why = f"those in {path} are out of date: its clones check by other ones"
            remedy = f"Run: muniment hook install --repo {shlex.quote(path)} --home {shlex.quote(directory)}"
            yield DoctorResult("published rules", "violated", why, remedy)
        else:
            yield DoctorResult("published rules", "met", f"those in {path} are what holds")


def _describe_freeze(freeze: Freeze, now: str, directory: str) -> DoctorResult:
    """Describe a freeze, a drill or an announced freeze."""
    begun = is_freeze_in_force(freeze, now)
    stopped = f"all {format_frozen_actions(freeze)} {'are' if begun else 'will be'} stopped"
    drill = "a freeze drill is running" if begun else "a freeze drill is announced"
    until = f" until {freeze.until[:16]}" if freeze.until else ""
    return DoctorResult(
        "freeze",
        "unknown" if freeze.drill or not begun else "violated",
        f"{drill if freeze.drill else stopped} {'since' if begun else 'from'} {freeze.since[:16]}{until}"
        f" by {freeze.person}: {freeze.reason}",
        f"When it is over, two people lift it: muniment unfreeze {freeze.id} --home {shlex.quote(directory)}",
    )


def _check_home(home: str | None) -> Iterator[DoctorResult]:
    if home is None:
        return
    read_only = describe_read_only_disk(Path(home))
    if read_only is not None:
        yield DoctorResult("disk", "violated", *read_only)
    try:
        place = FilesStore(home)
        if place.signing_key() is None or place.public_key() is None:
            yield DoctorResult("ledger key", "violated", "there is none", f"Make one with: muniment init --home {home}")
            return
        yield DoctorResult("ledger key", "met", "it exists, and only its owner may read it")
        yield from _check_ledger(place, home)
        yield from _check_published_rules(place, home)
    except MunimentError as error:
        yield DoctorResult("home", "violated", error.message, error.remedy)

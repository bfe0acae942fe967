"""muniment deploy: requests permission, runs the deployment with its secrets, undoes a failed one, and reports."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from muniment.cli import printing, secret_environment
from muniment.cli.input_files import read_input
from muniment.errors import MunimentError, NotCanonicalError, RunError, UsageError
from muniment.facts import canonical
from muniment.pipelines.service_client import (
    ANSWER_SECONDS,
    DeploymentOrder,
    ReportedOutcome,
    RequestStatus,
    ServiceClient,
)
from muniment.vault import identity
from muniment.vault.masked_command import exit_like, ignore_signals
from muniment.workflows.deployment import DeploymentCommands, DeploymentResult, EndState, run_deployment

_LARGEST = 1 << 20  # bytes of a file that says where an artifact comes from
_HEARTBEAT_SECONDS = 60.0  # between two signs of life
_FAILURE_TEXTS = {
    EndState.FAILED: "it failed, and no command undoes it (--undo): its changes remain",
    EndState.CRASHED: "it was ended, and no command undoes it (--undo): its changes remain",
    EndState.ROLLED_BACK: "it failed, and was undone",
    EndState.ROLLBACK_FAILED: "it failed, and undoing it failed too: check its state manually",
}


class UnsentOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outcome that could not be reported yet."""

    product: str
    environment: str
    deployment: int
    outcome: ReportedOutcome


@click.command()
@secret_environment.secret_options
@click.option("--artifact", metavar="DIGEST", help="What is deployed: sha256:...")
@click.option(
    "--commit", metavar="ID", help="The commit from which it was built. Default: the commit that the forge names."
)
@click.option("--provenance", multiple=True, metavar="FILE", help="What a builder signed (DSSE, Sigstore).")
@click.option("--undo", metavar="COMMAND", help="What to run, with sh, if the deployment fails.")
@click.option("--vsa", metavar="FILE", help="Keep the signed permission here, for muniment gate verify.")
@click.option(
    "--wait",
    default=0,
    metavar="SECONDS",
    type=click.IntRange(0, 86_400),
    help="Wait this long for another deployment there to end. Default: denied at once.",
)
@click.option(
    "--timeout",
    default=ANSWER_SECONDS,
    show_default=True,
    metavar="SECONDS",
    type=click.IntRange(1, ANSWER_SECONDS),
    help="Wait this long for an answer.",
)
@click.option("--report", metavar="FILE", help="Only send this outcome, which did not get through before.")
@click.argument("command", nargs=-1, metavar="-- COMMAND...")
def command(
    command: tuple[str, ...],
    artifact: str | None,
    commit: str | None,
    provenance: tuple[str, ...],
    undo: str | None,
    vsa: str | None,
    wait: int,
    timeout: int,
    report: str | None,
    **chosen: Any,
) -> int:
    """Deploy an artifact to an environment, if it is allowed, with the secrets that --secret and --file name.

    Asks Muniment's service (MUNIMENT_URL) and waits; if it says no, prints what is missing and exits with 1. Then runs
    the command as `muniment run` does. If the command fails or dies, what --undo says is run. What state was left is
    reported. The exit code is the command's, or why it was not started: docs/guides/pipeline-secrets.md.
    """
    wish = secret_environment.read_secret_request(**chosen)
    who = identity.find_identity(os.environ, wish.kind)
    url = os.environ.get("MUNIMENT_URL", "").rstrip("/")
    service = ServiceClient(url, lambda: who.get_service_token(url, wish.product, wish.environment))
    if report is not None:
        return _send_kept_outcome(service, Path(report))
    if not command:
        raise UsageError("there is no command to run", "Add it: -- ./deploy.sh")
    secret_environment.require_program(command[0])
    secret_environment.interrupt_on_termination()
    standing = _wait_for_decision(service, _build_request(wish, artifact, commit, provenance, wait), max(wait, timeout))
    number = standing.id
    if not standing.is_allowed:
        return _print_denial(standing)
    click.echo(f"muniment: deployment {number} is allowed until {_format_moment(standing.until)}", err=True)
    for reason in standing.reasons:
        secret_environment.print_reason(reason)
    if vsa is not None:
        _write_permission(service, number, Path(vsa), bytes(standing.vsa))
    return _deploy_with_secrets(command, undo, wish, who, service, number)


def _wait_for_decision(service: ServiceClient, ask: DeploymentOrder, seconds: int) -> RequestStatus:
    """Request the deployment, and wait for the decision. Raises RunError if there is none: then nothing was started,
    and the request is withdrawn.
    """
    with secret_environment.say_not_started():
        number = service.submit_request(ask, secrets.token_hex(16))
        standing = None
        try:
            standing = service.wait_for_decision(number, seconds, secret_environment.print_reason)
        finally:
            if standing is None:
                with suppress(RunError):  # the service withdraws it by itself at the same time
                    service.withdraw_request(number)
        return standing


def _write_permission(service: ServiceClient, number: int, file: Path, permission: bytes) -> None:
    """Write the signed permission. Raises MunimentError if it cannot be written: then the deployment is withdrawn, so
    that the next one does not wait for it.
    """
    try:
        _write_file(file, permission)
    except MunimentError as error:
        with suppress(RunError):
            service.withdraw_request(number)
        raise MunimentError(f"{error.message}; nothing was started", error.remedy) from None


@contextmanager
def _send_heartbeats(service: ServiceClient, number: int) -> Iterator[None]:
    """Tell the service each minute that the deployment still runs: one without a sign of life is lost after a while."""
    ended = threading.Event()

    def send_until_ended() -> None:
        while not ended.wait(_HEARTBEAT_SECONDS):
            with suppress(MunimentError):  # the report at the end matters, and is kept if it does not get through
                service.get_status(number)

    thread = threading.Thread(target=send_until_ended, daemon=True)
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # signals are the main thread's
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    try:
        yield
    finally:
        ended.set()


def _format_moment(moment: str | None) -> str:
    """Format a moment in UTC for people; text of another form stays as it is."""
    text = moment or "it is taken back"
    return f"{text[:19].replace('T', ' ')} UTC" if text.endswith("+00:00") else text


def _deploy_with_secrets(
    command: tuple[str, ...],
    undo: str | None,
    wish: secret_environment.SecretRequest,
    who: identity.JobIdentity,
    service: ServiceClient,
    number: int,
) -> int:
    @contextmanager
    def prepare_commands() -> Iterator[DeploymentCommands]:
        with (
            secret_environment.provide_secrets(wish, who, lambda: service.close_access(number)) as made,
            ignore_signals(),
        ):
            how = None if undo is None else lambda: made.run_command(("sh", "-c", undo), undisturbed=True)
            yield DeploymentCommands(lambda: made.run_command(command), how)

    def report_outcome(outcome: ReportedOutcome) -> None:
        _report_or_keep(service, UnsentOutcome(wish.product, wish.environment, number, outcome))

    with _send_heartbeats(service, number):
        left = run_deployment(prepare_commands(), report_outcome)
    with ignore_signals():
        _print_failure(number, left)
        report_outcome(left.outcome)
    return exit_like(left.ended)


def _build_request(
    wish: secret_environment.SecretRequest,
    artifact: str | None,
    commit: str | None,
    provenance: tuple[str, ...],
    wait: int,
) -> DeploymentOrder:
    """Build the request from the options. Raises UsageError."""
    commit = commit or identity.find_job_commit(os.environ)
    if not artifact:
        raise UsageError("nothing is named that could be deployed", "Say --artifact sha256:...")
    if not commit:
        raise UsageError("the commit from which the artifact was built is not given", "Add --commit ID.")
    envelopes = tuple(envelope for file in provenance for envelope in _read_envelopes(file))
    return DeploymentOrder(wish.product, wish.environment, artifact, commit, envelopes, wait)


def _read_envelopes(file: str) -> Iterator[msgspec.Raw]:
    """Read DSSE envelopes: one to a line, or one alone; also from the bundles that GitHub gives. Raises UsageError."""
    try:
        found = _decode_objects(read_input(file, "Name the file that the builder wrote.", _LARGEST))
    except NotCanonicalError as error:
        raise UsageError(f"{file} is refused: {error.message}", "Name the file that the builder wrote.") from None
    except msgspec.MsgspecError:
        raise UsageError(
            f"{file} cannot be read as provenance",
            "Name a DSSE envelope or a Sigstore bundle in JSON, or one to a line.",
        ) from None
    for one in found:
        yield msgspec.Raw(msgspec.json.encode(one))


def _decode_objects(data: bytes) -> list[dict[str, msgspec.Raw]]:
    """Decode the JSON objects of a file: one, or one to a line. Raises NotCanonicalError for a key that is named
    twice.
    """
    kind = dict[str, msgspec.Raw]
    try:
        found, texts = [msgspec.json.decode(data, type=kind)], [data]
    except msgspec.MsgspecError:
        texts = [line for line in data.splitlines() if line.strip()]
        found = [msgspec.json.decode(line, type=kind) for line in texts]
    for text in texts:
        canonical.refuse_repeated_keys(text)
    return found


def _print_denial(standing: RequestStatus) -> int:
    click.echo(
        printing.style_text(
            f"muniment: deployment {standing.id} is {printing.make_printable(standing.state)}", colour="red"
        ),
        err=True,
    )
    for reason in standing.reasons:
        clause = f"{reason.clause}: " if reason.clause else ""
        click.echo(f"  {printing.make_printable(clause + reason.message)}", err=True)
    steps = dict.fromkeys(reason.remedy for reason in standing.reasons if reason.remedy)
    for step in steps or ["See the deployment on its product's page."]:
        click.echo(f"Next: {printing.make_printable(step)}", err=True)
    return 1


def _print_failure(number: int, left: DeploymentResult) -> None:
    if left.state is not EndState.SUCCEEDED:
        click.echo(
            printing.style_text(f"muniment: deployment {number}: {_FAILURE_TEXTS[left.state]}", colour="red"), err=True
        )


def _report_or_keep(service: ServiceClient, unsent: UnsentOutcome) -> None:
    """Report the outcome; if that fails, keep it in a file and say so: the command has run."""
    try:
        service.report_outcome(unsent.deployment, unsent.outcome)
    except RunError as error:
        problem = f"muniment: what came of deployment {unsent.deployment} is not reported: {unsent.outcome.state}, "
        click.echo(
            printing.style_text(f"{problem}exit code {unsent.outcome.exit_code}. {error.message}", colour="red"),
            err=True,
        )
        _keep_outcome(unsent)


def _keep_outcome(unsent: UnsentOutcome) -> None:
    file = Path(f"muniment-deployment-{unsent.deployment}.json")
    try:
        _write_file(file, msgspec.json.encode(unsent))
    except MunimentError as error:
        click.echo(f"Next: tell it to whoever looks after deployments; {error.message}", err=True)
    else:
        click.echo(f"Next: muniment deploy --env {unsent.environment} --report {file}", err=True)


def _send_kept_outcome(service: ServiceClient, file: Path) -> int:
    try:
        unsent = msgspec.json.decode(file.read_bytes(), type=UnsentOutcome)
    except (OSError, msgspec.MsgspecError):
        raise UsageError(f"{file} cannot be read as an outcome", "Name the file that muniment deploy left.") from None
    service.report_outcome(unsent.deployment, unsent.outcome)
    file.unlink()
    click.echo(f"what came of deployment {unsent.deployment} is reported: {unsent.outcome.state}", err=True)
    return 0


def _write_file(file: Path, data: bytes) -> None:
    """Write a whole file, or none. Raises MunimentError."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        try:
            new.write_bytes(data)
            new.replace(file)
        except OSError:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        remedy = "Make room on its disk, and its folder writable."
        raise MunimentError(f"{file} cannot be written ({error.strerror})", remedy) from error

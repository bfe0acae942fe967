"""muniment deploy: asks for permission, runs the deployment with its secrets, undoes what fails, and reports."""

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

from muniment.cli import printing, secretly
from muniment.cli.input_files import read_input
from muniment.errors import MunimentError, NotCanonicalError, RunError, UsageError
from muniment.facts import canonical
from muniment.pipelines.service import ANSWER_SECONDS, Ask, Outcome, Service, Standing
from muniment.vault import identity
from muniment.vault.running import leave, unmoved
from muniment.workflows.deploying import Act, Left, State, deploy

_LARGEST = 1 << 20  # bytes of a file that says where an artifact comes from
_HEARD_SECONDS = 60.0  # between two signs of life
_LEFT = {
    State.FAILED: "it failed, and no command undoes it (--undo): its changes remain",
    State.CRASHED: "it was ended, and no command undoes it (--undo): its changes remain",
    State.ROLLED_BACK: "it failed, and was undone",
    State.ROLLBACK_FAILED: "it failed, and undoing it failed too: check its state manually",
}


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outcome that did not get through."""

    product: str
    environment: str
    deployment: int
    outcome: Outcome


@click.command()
@secretly.options
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
    wish = secretly.wish(**chosen)
    who = identity.found(os.environ, wish.kind)
    url = os.environ.get("MUNIMENT_URL", "").rstrip("/")
    service = Service(url, lambda: who.for_service(url, wish.product, wish.environment))
    if report is not None:
        return _send(service, Path(report))
    if not command:
        raise UsageError("there is no command to run", "Add it: -- ./deploy.sh")
    secretly.installed(command[0])
    standing = _decided(service, _asked(wish, artifact, commit, provenance, wait), max(wait, timeout))
    number = standing.id
    if not standing.allowed:
        return _denied(standing)
    click.echo(f"muniment: deployment {number} is allowed until {_second(standing.until)}", err=True)
    for reason in standing.reasons:
        secretly.print_reason(reason)
    if vsa is not None:
        _keep(Path(vsa), bytes(standing.vsa))
    return _deployed(command, undo, wish, who, service, number)


def _decided(service: Service, ask: Ask, seconds: int) -> Standing:
    """The answer. Raises RunError if there is none: then nothing was started, and the request is withdrawn."""
    try:
        number = service.ask(ask, secrets.token_hex(16))
        standing = None
        try:
            standing = service.decided(number, seconds, secretly.print_reason)
        finally:
            if standing is None:
                with suppress(RunError):  # the service withdraws it by itself at the same time
                    service.withdraw(number)
    except RunError as error:
        raise RunError(error.code, f"{error.message}; nothing was started", error.remedy) from None
    return standing


@contextmanager
def _heard_of(service: Service, number: int) -> Iterator[None]:
    """Let the service hear of the deployment each minute meanwhile: one that is not heard of for long is lost."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_HEARD_SECONDS):
            with suppress(MunimentError):  # the report at the end matters, and is kept if it does not get through
                service.look(number)

    thread = threading.Thread(target=look, daemon=True)
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # signals are the main thread's
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    try:
        yield
    finally:
        ended.set()


def _second(moment: str | None) -> str:
    """A moment in UTC as people read it; any other as it came."""
    text = moment or "it is taken back"
    return f"{text[:19].replace('T', ' ')} UTC" if text.endswith("+00:00") else text


def _deployed(
    command: tuple[str, ...],
    undo: str | None,
    wish: secretly.Wish,
    who: identity.Identity,
    service: Service,
    number: int,
) -> int:
    @contextmanager
    def ready() -> Iterator[Act]:
        with secretly.ready(wish, who, lambda: service.end_access(number)) as made, unmoved():
            how = None if undo is None else lambda: made.run(("sh", "-c", undo), undisturbed=True)
            yield Act(lambda: made.run(command), how)

    def tell(outcome: Outcome) -> None:
        _report(service, Kept(wish.product, wish.environment, number, outcome))

    with _heard_of(service, number):
        left = deploy(ready(), tell)
    with unmoved():
        _tell(number, left)
        tell(left.outcome)
    return leave(left.ended)


def _asked(
    wish: secretly.Wish, artifact: str | None, commit: str | None, provenance: tuple[str, ...], wait: int
) -> Ask:
    """What to ask. Raises UsageError."""
    commit = commit or identity.commit_of(os.environ)
    if not artifact:
        raise UsageError("nothing is named that could be deployed", "Say --artifact sha256:...")
    if not commit:
        raise UsageError("the commit from which the artifact was built is not given", "Add --commit ID.")
    envelopes = tuple(envelope for file in provenance for envelope in _envelopes(file))
    return Ask(wish.product, wish.environment, artifact, commit, envelopes, wait)


def _envelopes(file: str) -> Iterator[msgspec.Raw]:
    """DSSE envelopes or Sigstore bundles: one to a line, or one alone. Raises UsageError."""
    try:
        found = _objects(read_input(file, "Name the file that the builder wrote.", _LARGEST))
    except NotCanonicalError as error:
        raise UsageError(f"{file} is refused: {error.message}", "Name the file that the builder wrote.") from None
    except msgspec.MsgspecError:
        raise UsageError(
            f"{file} cannot be read as provenance",
            "Name a DSSE envelope or a Sigstore bundle in JSON, or one to a line.",
        ) from None
    for one in found:
        yield msgspec.Raw(msgspec.json.encode(one))


def _objects(data: bytes) -> list[dict[str, msgspec.Raw]]:
    """The JSON objects of a file: one, or one to a line. None names a key twice (NotCanonicalError)."""
    kind = dict[str, msgspec.Raw]
    try:
        found, texts = [msgspec.json.decode(data, type=kind)], [data]
    except msgspec.MsgspecError:
        texts = [line for line in data.splitlines() if line.strip()]
        found = [msgspec.json.decode(line, type=kind) for line in texts]
    for text in texts:
        canonical.refuse_repeated_keys(text)
    return found


def _denied(standing: Standing) -> int:
    click.echo(
        printing.style(f"muniment: deployment {standing.id} is {printing.plain(standing.state)}", colour="red"),
        err=True,
    )
    for reason in standing.reasons:
        clause = f"{reason.clause}: " if reason.clause else ""
        click.echo(f"  {printing.plain(clause + reason.message)}", err=True)
    steps = dict.fromkeys(reason.remedy for reason in standing.reasons if reason.remedy)
    for step in steps or ["See the deployment on its product's page."]:
        click.echo(f"Next: {printing.plain(step)}", err=True)
    return 1


def _tell(number: int, left: Left) -> None:
    if left.state is not State.SUCCEEDED:
        click.echo(printing.style(f"muniment: deployment {number}: {_LEFT[left.state]}", colour="red"), err=True)


def _report(service: Service, kept: Kept) -> None:
    """Report it, or keep it and say so: what ran has run."""
    try:
        service.report(kept.deployment, kept.outcome)
    except RunError as error:
        told = f"muniment: what came of deployment {kept.deployment} is not reported: {kept.outcome.state}, "
        click.echo(printing.style(f"{told}exit code {kept.outcome.exit_code}. {error.message}", colour="red"), err=True)
        _keep_for_later(kept)


def _keep_for_later(kept: Kept) -> None:
    file = Path(f"muniment-deployment-{kept.deployment}.json")
    try:
        _keep(file, msgspec.json.encode(kept))
    except MunimentError as error:
        click.echo(f"Next: tell it to whoever looks after deployments; {error.message}", err=True)
    else:
        click.echo(f"Next: muniment deploy --env {kept.environment} --report {file}", err=True)


def _send(service: Service, file: Path) -> int:
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        raise UsageError(f"{file} cannot be read as an outcome", "Name the file that muniment deploy left.") from None
    service.report(kept.deployment, kept.outcome)
    file.unlink()
    click.echo(f"what came of deployment {kept.deployment} is reported: {kept.outcome.state}", err=True)
    return 0


def _keep(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise MunimentError(f"{file} cannot be written ({error.strerror})", "Make its folder writable.") from error

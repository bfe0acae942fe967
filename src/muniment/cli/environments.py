"""muniment environments: environments and the pipelines that they let in, from a file that is reviewed like code."""

from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct

from muniment.cli import printing, service_setup, vault_changes
from muniment.cli.input_files import read_input
from muniment.cli.pipeline_files import PipelineEntry, ProductFile, make_public_key, parse_product_file
from muniment.cli.service_requests import ask_service, read_pages
from muniment.errors import UsageError

_LARGEST = 1 << 20  # bytes
_OPTION = click.option("--url", metavar="URL", help="The service. Default: MUNIMENT_URL, or the one of this machine.")
_COMPARED = (
    "kind",
    "issuer",
    "subject_claim",
    "forge_repository_id",
    "forge_environment",
    "ref_patterns",
    "purpose",
    "workflow_paths",
)


@click.group()
def command() -> None:
    """Set up the environments of a product and their pipelines from a file: docs/templates/environments.toml.

    It takes a token of your own from MUNIMENT_TOKEN, or asks for one: make it on your page, with the scopes
    change-product, change-environment and see-deployments.
    """


@command.command()
@click.argument("file")
@_OPTION
def plan(file: str, url: str | None) -> int:
    """Print the environments and pipelines of FILE that the service lacks; `-` is standard input. Nothing is changed.

    Exit code 1 if it lacks anything.
    """
    steps = _plan_steps(url, _read_product_file(file))
    _print_steps(steps)
    return 1 if steps else 0


@command.command()
@click.argument("file")
@click.option("--yes", is_flag=True, help="Do not ask again.")
@click.option("--vault", is_flag=True, help="Then create their roles in the vault, as muniment vault apply does.")
@service_setup.home
@_OPTION
def apply(file: str, url: str | None, home: str, *, yes: bool, vault: bool) -> int:
    """Add the environments and pipelines of FILE that the service lacks, after a question.

    A second person approves each pipeline. The key of a plain runner is made if its file is not there. All others stay
    as they are. --vault takes the service's machine and a credential of your own at the vault.
    """
    found = _read_product_file(file)
    steps = _plan_steps(url, found)
    _print_steps(steps)
    if steps and not yes:
        click.confirm("Make it so?", abort=True, err=True)
    folder = Path() if file == "-" else Path(file).parent
    waits = _request_steps(url, found, steps, folder)
    _print_keys(steps, folder)
    if waits:
        click.echo(f"{waits} of {len(steps)} wait for a second person, on the page Requests.")
        click.echo("Then somebody with a vault credential: muniment vault apply")
    elif vault:
        vault_changes.set_up_vault_command(home)
        vault_changes.apply_vault_plan(yes=yes)
        first = found.environment[0].name
        click.echo(f"Next: muniment secret set NAME --product {found.product} --env {first}")
    elif steps:
        click.echo("Done. Next, with the credential of the vault's administrator: muniment vault apply")
    return 0


def _request_steps(
    url: str | None, found: ProductFile, steps: list[tuple[str, PipelineEntry | None]], folder: Path
) -> int:
    """Request each step; the number of those that wait for a second person."""
    requests = [_make_request(found.product, environment, pipeline, folder) for environment, pipeline in steps]
    return sum(not ask_service(url, "POST", path, body).get("done") for path, body in requests)


def _read_product_file(file: str) -> ProductFile:
    return parse_product_file(read_input(file, "Name a file such as environments.toml.", _LARGEST), file)


def _plan_steps(url: str | None, found: ProductFile) -> list[tuple[str, PipelineEntry | None]]:
    """Additions in order: an environment, or a pipeline of it. Raises UsageError for one that differs."""
    there = _load_environments(url, found.product)
    steps: list[tuple[str, PipelineEntry | None]] = []
    for environment in found.environment:
        known = there.get(environment.name)
        if known is None:
            steps.append((environment.name, None))
        trusted = {str(one["name"]): one for one in (known.pipelines if known is not None else ())}
        for pipeline in environment.pipeline:
            if pipeline.name not in trusted:
                steps.append((environment.name, pipeline))
            elif differing := _find_differences(pipeline, trusted[pipeline.name]):
                raise UsageError(
                    f"the pipeline {pipeline.name} of {environment.name} differs: {', '.join(differing)}",
                    "Revoke it on the page Environments, or give the new one another name. Nothing was changed.",
                )
    return steps


def _find_differences(pipeline: PipelineEntry, there: dict[str, object]) -> list[str]:
    """The fields that the file says otherwise than the service. What the file leaves out may be anything."""
    wanted = _make_body(pipeline, None)
    return [name for name in _COMPARED if wanted.get(name) and str(wanted[name]) != str(there.get(name))]


def _make_body(pipeline: PipelineEntry, folder: Path | None) -> dict[str, object]:
    """The request that trusts a pipeline; with its key, if `folder` says where that is."""
    fields = {
        "name": pipeline.name,
        "kind": pipeline.kind,
        "issuer": pipeline.issuer,
        "subject_claim": pipeline.subject_claim,
        "forge_repository_id": str(pipeline.forge_repository_id),
        "forge_environment": pipeline.forge_environment,
        "ref_patterns": list(pipeline.ref_patterns),
        "purpose": pipeline.purpose,
        "workflow_paths": list(pipeline.workflow_paths),
    }
    if folder is not None and pipeline.key:
        fields["public_key"] = make_public_key(folder / pipeline.key)
    return {name: value for name, value in fields.items() if value}


def _make_request(
    product: str, environment: str, pipeline: PipelineEntry | None, folder: Path
) -> tuple[str, dict[str, object]]:
    """Path and body of the request of one step."""
    if pipeline is None:
        return _make_path(product), {"name": environment}
    return f"{_make_path(product)}/{quote(environment, '')}/pipelines", _make_body(pipeline, folder)


class _ListedEnvironment(Struct, frozen=True):
    name: str
    pipelines: tuple[dict[str, object], ...] = ()


def _load_environments(url: str | None, product: str) -> dict[str, _ListedEnvironment]:
    """The environments of the product, by name."""
    return {one.name: one for one in read_pages(url, _make_path(product), _ListedEnvironment)}


def _print_steps(steps: list[tuple[str, PipelineEntry | None]]) -> None:
    for environment, pipeline in steps:
        if pipeline is None:
            click.echo(printing.make_printable(f"add    environment {environment}"))
            continue
        what = "jobs without a deployment" if pipeline.purpose == "run" else "deployments"
        refs = ", ".join(pipeline.ref_patterns) or "any ref that the forge protects"
        click.echo(
            printing.make_printable(f"trust  {pipeline.kind} pipeline {pipeline.name}: {what} of {environment}, {refs}")
        )
    if not steps:
        click.echo("The service has everything that the file says.")


def _print_keys(steps: list[tuple[str, PipelineEntry | None]], folder: Path) -> None:
    """Print where the private key of each new plain runner is."""
    for environment, pipeline in steps:
        if pipeline is not None and pipeline.key:
            where = (folder / pipeline.key).absolute()
            click.echo(
                printing.make_printable(f"key    of {pipeline.name} for {environment}: MUNIMENT_RUNNER_KEY={where}")
            )


def _make_path(product: str) -> str:
    return f"/api/products/{quote(product, '')}/environments"

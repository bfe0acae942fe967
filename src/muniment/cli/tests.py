"""muniment tests: the results of a pipeline's tests on one commit, signed by the machine that ran them."""

import click

from muniment.cli import context, keys, options, printing
from muniment.cli.input_files import read_input
from muniment.errors import UsageError
from muniment.facts import canonical
from muniment.git import run_statements, signatures
from muniment.git.repository import Repository
from muniment.policy.toml_reading import quote_value


@click.group("tests")
def command() -> None:
    """Submit test reports of a pipeline (docs/guides/pipelines.md)."""


@command.command("submit")
@click.argument("rev", default="HEAD")
@click.option(
    "--junit", "files", multiple=True, required=True, metavar="FILE", help="A JUnit XML report; may be given again."
)
@click.option("--pipeline", required=True, metavar="NAME", help="The pipeline's name, as the policy has it.")
@click.option("--failed", is_flag=True, help="The pipeline failed, whatever the reports say.")
@click.option("--url", default="", metavar="URL", help="Where a person sees more of this run.")
@options.repo
@options.onto
@options.home
@options.key
@options.output
def submit_reports(
    rev: str,
    files: tuple[str, ...],
    pipeline: str,
    failed: bool,
    url: str,
    repo: str,
    onto: str | None,
    home: str | None,
    key: str | None,
    output: str,
) -> int:
    """Submit the results of a pipeline's tests on REV, signed with the SSH key of a machine in people.toml.

    The statement lies at refs/muniment/runs/; push it like an approval. Exit code 0 also where tests failed: the policy
    decides on the results.
    """
    try:
        from muniment.pipelines import test_reports
    except ImportError:
        raise _missing_reader_error() from None
    _require_pipeline_name(pipeline)
    read = [(file, read_input(file, "Name the report that the tests wrote.")) for file in files]
    counts = test_reports.read_test_reports(read)
    with context.open_context(repo, onto, home) as found:
        head = found.repository.resolve_commit(rev)
        machine, chosen = keys.find_machine(found.rules.people, key, repo)
        ref = f"{run_statements.RUN_REFS}{head}/{pipeline}"
        predicate = run_statements.RunPredicate(
            repository=found.rules.policy.policy.repository,
            pipeline=pipeline,
            head=head,
            machine=machine.id,
            passed=not failed and not counts.failed,
            executed=counts.executed,
            failed=counts.failed,
            skipped=counts.skipped,
            reports=tuple(canonical.digest_bytes(data) for _, data in read),
            url=url,
            previous=next(iter(found.repository.read_refs(ref).values()), ""),
            time=context.current_moment(),
        )
        _write_signed_run(found.repository, predicate, chosen)
    if output == "json":
        printing.print_json({"machine": machine.id, "statement": predicate, "ref": ref})
        return 0
    what = f"{counts.executed} tests ran, {counts.failed} failed, {counts.skipped} were skipped"
    click.echo(f"{machine.id}: {pipeline} on {head[:12]}: {what}")
    click.echo(f"Next: share it with: git push origin {ref}")
    return 0


def _missing_reader_error() -> UsageError:
    return UsageError(
        "what reads reports of tests is not installed here", "Install it: pip install 'muniment[pipeline]'"
    )


def _require_pipeline_name(name: str) -> None:
    if not run_statements.is_pipeline_name(name):
        raise UsageError(f"{quote_value(name)} cannot name a pipeline", "Use a-z, 0-9, - and _, at most 64 characters.")


def _write_signed_run(repository: Repository, run: run_statements.RunPredicate, key: str) -> None:
    data = run_statements.encode_run(run)
    signature = signatures.make_signature(data, run_statements.RUN_NAMESPACE, key)
    run_statements.write_run(repository, run.head, run.pipeline, run.previous, data, signature)

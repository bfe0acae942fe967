"""muniment exception: request an exception from one clause, and have another person sign it."""

import datetime
import os
from pathlib import Path

import click
import msgspec

from muniment.cli import context, home_rules, keys, options, printing
from muniment.decision.exceptions import LONGEST_DAYS, find_exception_problems
from muniment.errors import ExceptionFileError, UsageError
from muniment.facts import moments
from muniment.git import signatures
from muniment.policy.exception_files import (
    EXCEPTION_NAMESPACE,
    ArmoredSignature,
    ExceptionTerms,
    SignedException,
    read_exception,
)
from muniment.store.files_store import FilesStore


@click.group("exception")
def command() -> None:
    """Request, sign and list exceptions: one clause, one branch, at most 90 days, two people.

    An exception is a file below exceptions/, in .muniment/ on the protected branch or in a home. It holds once its
    owner and another person with the security role have signed it.
    """


@command.command("ask")
@click.argument("name")
@click.option("--clause", required=True, help="The clause that need not be met.")
@click.option("--reason", required=True, help="The reason, in a sentence that an auditor will read.")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, LONGEST_DAYS), help="How long it lasts.")
@click.option("--head", default="", metavar="REV", help="Only for this commit.")
@options.repo
@options.onto
@options.home
@options.key
def write_exception_request(
    name: str,
    clause: str,
    reason: str,
    days: int,
    head: str,
    repo: str,
    onto: str | None,
    home: str | None,
    key: str | None,
) -> None:
    """Write exceptions/NAME.json and sign it as its owner."""
    now = context.current_moment()
    with context.open_context(repo, onto, home) as found:
        policy = found.rules.policy
        if clause not in [bound.clause.id for bound in policy.clauses]:
            raise UsageError(
                f"the policy has no clause {clause}", f"See: muniment policy show{options.home_option(home)}"
            )
        person, chosen = keys.find_signer(found.rules.people, key, repo)
        terms = ExceptionTerms(
            id=name,
            clause=clause,
            repository=policy.policy.repository,
            branch=found.branch.ref,
            head=found.repository.resolve_commit(head) if head else "",
            owner=person.id,
            reason=reason,
            granted=now,
            expires=moments.add_time(now, days=days),
        )
    file = _exceptions_folder(repo, home) / f"{name}.json"
    if file.exists():
        raise UsageError(f"{file} is already there", "Give the exception another name.")
    signed = ArmoredSignature(person.id, signatures.make_signature(terms.signed_bytes, EXCEPTION_NAMESPACE, chosen))
    read_exception(name, _write_exception(file, SignedException(terms, (signed,))))
    click.echo(f"{file}: asked by {person.id}, until {datetime.date.isoformat(moments.utc_date(terms.expires))}")
    click.echo(
        f"Next: somebody else with the security role runs: muniment exception sign {name}{options.home_option(home)}"
    )
    _publish_rules(home)


@command.command("sign")
@click.argument("name")
@options.repo
@options.onto
@options.home
@options.key
def sign_exception(name: str, repo: str, onto: str | None, home: str | None, key: str | None) -> None:
    """Sign exceptions/NAME.json as the second person."""
    now = context.current_moment()
    file = _exceptions_folder(repo, home) / f"{name}.json"
    try:
        read = read_exception(name, file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read",
            f"Ask for it first: muniment exception ask {name} --clause CLAUSE --reason TEXT{options.home_option(home)}",
        ) from error
    with context.open_context(repo, onto, home) as found:
        person, chosen = keys.find_signer(found.rules.people, key, repo)
        added = ArmoredSignature(
            person.id, signatures.make_signature(read.exception.signed_bytes, EXCEPTION_NAMESPACE, chosen)
        )
        others = tuple(signature for signature in read.signatures if signature.person != person.id)
        _write_exception(file, SignedException(read.exception, (*others, added)))
        _publish_rules(home)
        click.echo(printing.make_printable(f"{file}: signed by {person.id}"))
        if person.id == read.exception.owner or "security" not in person.roles:
            click.echo("Next: it still needs somebody else, with the security role.")
        elif now >= read.exception.expires:
            click.echo("Next: it has expired; ask for a new one.")
        else:
            click.echo("Next: commit it onto the protected branch (or it lies in the home already).")


@command.command("list")
@options.repo
@options.onto
@options.home
@options.output
def print_exceptions(repo: str, onto: str | None, home: str | None, output: str) -> None:
    """List the exceptions that are in force here, and the invalid ones with the reason."""
    now = context.current_moment()
    with context.open_context(repo, onto, home) as found:
        rules = found.rules
        rows = [(exception, find_exception_problems(exception, rules.people, now)) for exception in rules.exceptions]
    if output == "json":
        printing.print_json([{"exception": exception, "reasons_not_in_force": why} for exception, why in rows])
        return
    for exception, why in rows:
        state = f"nothing ({', '.join(why)})" if why else f"until {exception.expires[:10]}"
        click.echo(
            f"{exception.id}  {exception.clause}  {state}  {exception.owner}: "
            f"{printing.make_printable(exception.reason)}"
        )
    for spoilt in rules.spoilt:
        click.echo(f"nothing: {printing.make_printable(spoilt)}")
    if not rows and not rules.spoilt:
        click.echo("There are no exceptions.")


def _publish_rules(home: str | None) -> None:
    """Publish the rules of a home that was changed, to its repositories."""
    if home is not None:
        home_rules.publish_home_rules(FilesStore(home))


def _exceptions_folder(repo: str, home: str | None) -> Path:
    return Path(home, "exceptions") if home else Path(repo, ".muniment", "exceptions")


def _write_exception(file: Path, content: SignedException) -> bytes:
    data = msgspec.json.format(msgspec.json.encode(content)) + b"\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_bytes(data)
        os.replace(new, file)
    except OSError as error:
        raise ExceptionFileError(
            str(file), "", f"it cannot be written ({error.strerror})", "Make the folder writable."
        ) from error
    return data

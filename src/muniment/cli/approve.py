"""muniment approve: say yes to exactly one state of a change, in a signed statement that travels with git."""

import click

from muniment.cli import keys, options, printing, scene
from muniment.errors import UsageError
from muniment.facts.kinds import FILES
from muniment.facts.maybe import Known
from muniment.facts.statements import Verdict
from muniment.git import approvals, signatures
from muniment.git.collect import GitCollector
from muniment.policy import guide


@click.command()
@click.argument("rev")
@options.repo
@options.onto
@options.home
@options.key
@options.output
@click.option("--answer", "answers", multiple=True, metavar="ID=TEXT", help="An answer to the code-review guide.")
@click.option(
    "--attest",
    "attests",
    multiple=True,
    metavar="SUBJECT=PERSON",
    help="Attest who an unknown contributor was.",
)
@click.option("--request-changes", is_flag=True, help="Ask for changes instead: this blocks the change.")
@click.option("--withdraw", is_flag=True, help="Take back what you said.")
def command(
    rev: str,
    repo: str,
    onto: str | None,
    home: str | None,
    key: str | None,
    output: str,
    answers: tuple[str, ...],
    attests: tuple[str, ...],
    request_changes: bool,
    withdraw: bool,
) -> int:
    """Approve REV for a protected branch, signed with your SSH key.

    The statement lies at refs/muniment/approvals/; docs/approvals.md shows how to share and verify it.
    """
    verdict = _verdict(request_changes, withdraw, bool(attests))
    now = scene.now()
    with scene.opened(repo, onto, home) as found:
        repository, people = found.repository, found.rules.people
        head = repository.resolve(rev)
        signer, chosen = keys.signer(people, key, repo)
        commit = repository.run("rev-parse", "--verify", f"{head}^{{tree}}").decode().strip()
        previous = repository.refs(f"{approvals.PREFIX}{head}/{signer.id}")
        before = next(iter(previous.values()), "")
        said = approvals.Predicate(
            repository=found.rules.policy.policy.repository,
            target=found.branch.ref,
            base=found.branch.tip,
            head=head,
            tree=commit,
            verdict=verdict,
            answers=_pairs(answers, "--answer"),
            attests=_pairs(attests, "--attest"),
            previous=before,
            time=now,
        )
        unknown = [who for who in said.attests.values() if who not in people.by_id]
        if unknown:
            raise UsageError(f"people.toml has nobody with the id {unknown[0]}", "Name a person's id after the =.")
        data = approvals.statement(said)
        approvals.write(repository, head, signer.id, before, data, signatures.sign(data, approvals.NAMESPACE, chosen))
        unanswered = _unanswered(found, head, said.answers, now) if verdict is Verdict.APPROVE else []
    ref = f"{approvals.PREFIX}{head}/{signer.id}"
    if output == "json":
        asked = {question.id: question.text for question in unanswered}
        printing.json({"person": signer.id, "statement": said, "ref": ref, "unanswered": asked})
        return 0
    click.echo(f"{signer.id}: {verdict.value} {head[:12]} onto {found.branch.name}")
    for question in unanswered:
        click.echo(f'  the guide asks (--answer {question.id}="…"): {printing.plain(question.text)}')
    click.echo(f"Next: share it with: git push origin {ref}")
    return 0


def _verdict(request_changes: bool, withdraw: bool, attest: bool) -> Verdict:
    chosen = [
        verdict
        for verdict, is_chosen in (
            (Verdict.REQUEST_CHANGES, request_changes),
            (Verdict.WITHDRAW, withdraw),
            (Verdict.ATTEST, attest),
        )
        if is_chosen
    ]
    if len(chosen) > 1:
        raise UsageError(
            "--request-changes, --withdraw and --attest are three different statements", "Give one of them."
        )
    return chosen[0] if chosen else Verdict.APPROVE


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise UsageError(f"{option} {pair} is not NAME=TEXT", f"Write it as {option} NAME=TEXT.")
        pairs[name.strip()] = text.strip()
    return pairs


def _unanswered(found: scene.Scene, head: str, answers: dict[str, str], now: str) -> list[guide.Question]:
    """Questions of the guide that this change brings up and `answers` lacks; none if its files cannot be read."""
    rules = found.rules
    collector = GitCollector(found.repository, Known(rules.people), now)
    revision = collector.revision(rules.policy.policy.repository, found.branch.ref, found.branch.tip, head)
    files = collector.collect(revision, {"files"}, {}).get(FILES)
    if not isinstance(files, Known):
        return []
    sensitive = tuple(
        pattern
        for bound in rules.policy.clauses
        if bound.control is not None and bound.control.name == "security-attention"
        for pattern in bound.parameters.sensitive
    )
    topics = guide.topics((path for file in files.value for path in (file.path, file.old_path)), sensitive)
    return [question for question in guide.questions(topics) if question.id not in answers]

"""muniment approve: say yes to exactly one state of a change, in a signed statement that travels with git."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from msgspec import Struct

from muniment.cli import context, keys, options, printing, statement_text
from muniment.errors import GitError, UsageError
from muniment.facts.kinds import FILES
from muniment.facts.maybe import Known
from muniment.facts.people import People, email_identity, list_identities
from muniment.facts.statements import ReviewAction
from muniment.git import approvals, history, signatures
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.policy import guide
from muniment.workflows.approval_commands import REMOTE, follow_ref, format_fetch_command
from muniment.workflows.rule_sources import Rules


class _StatementScope(Struct, frozen=True):
    """Scope of a statement. `base` is the tip of the target, "" if it is not here. `rules`: None if they are not
    here.
    """

    repository: Repository
    name: str
    target: str
    base: str
    rules: Rules | None

    @property
    def people(self) -> People | None:
        """People of the rules; None where they are not known here."""
        return None if self.rules is None or self.rules.people_unknown else self.rules.people

    @property
    def short_target(self) -> str:
        """Short name of the target, without `refs/heads/`."""
        return self.target.removeprefix("refs/heads/")


class _Signer(Struct, frozen=True):
    """Signer of a statement: the name in the ref, the public keys that may have signed there, the key for
    `signatures.make_signature`.
    """

    name: str
    public: tuple[str, ...]
    key: str
    label: str


class _StoredStatement(Struct, frozen=True):
    """Statement that was stored, with the questions that it leaves unanswered."""

    ref: str
    statement: approvals.ApprovalPredicate
    unanswered: list[guide.ReviewQuestion]
    own_work: bool


@click.command()
@click.argument("revs", metavar="REV...", nargs=-1, required=True)
@options.repo
@click.option(
    "--repository", "name", metavar="NAME", help="The repository's name in the policy. No policy is then read."
)
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
    help="Attest who an unknown contributor was. SUBJECT pushers stands for all pushers that were not recorded.",
)
@click.option("--request-changes", is_flag=True, help="Ask for changes instead: this blocks the change.")
@click.option("--withdraw", is_flag=True, help="Withdraw your statement.")
@click.option("--delete", is_flag=True, help="Approve that a branch or tag is deleted: approve --delete REF")
@click.option("--rewind", is_flag=True, help="Approve that a branch or tag goes back to REV, and loses commits.")
def command(
    revs: tuple[str, ...],
    repo: str,
    name: str | None,
    onto: str | None,
    home: str | None,
    key: str | None,
    output: str,
    answers: tuple[str, ...],
    attests: tuple[str, ...],
    request_changes: bool,
    withdraw: bool,
    delete: bool,
    rewind: bool,
) -> int:
    """Approve REV for a protected branch or tag, signed with your SSH key.

    The command that a denied push shows is complete: with --repository and --onto, no policy has to be here. Answers
    and attestations of one state add up. The statement lies at refs/muniment/approvals/; docs/guides/approvals.md
    shows how to share and verify it.
    """
    chosen = (
        (ReviewAction.REQUEST_CHANGES, request_changes),
        (ReviewAction.WITHDRAW, withdraw),
        (ReviewAction.ATTEST, bool(attests)),
        (ReviewAction.DELETE, delete),
        (ReviewAction.REWIND, rewind),
    )
    action = _choose_action([one for one, is_chosen in chosen if is_chosen])
    onto = revs[0] if onto is None and action is ReviewAction.DELETE else onto
    texts = statement_text.parse_answers(answers)
    now = context.current_moment()
    with _open_scope(repo, name, onto, home) as place:
        persons = statement_text.parse_attestations(attests, place.repository, place.people)
        signer = _find_signer(place, key, repo)
        heads = dict.fromkeys(place.repository.resolve_commit(rev) for rev in revs)
        made = [_store_statement(place, signer, head, action, texts, persons, now) for head in heads]
    if output == "json":
        found = [_as_json(one, signer) for one in made]
        printing.print_json(found[0] if len(found) == 1 else found)
        return 0
    _print_statements(made, place, signer)
    return 0


@contextmanager
def _open_scope(repo: str, name: str | None, onto: str | None, home: str | None) -> Iterator[_StatementScope]:
    """Open the scope that the options name: by `name` and `onto` alone, else by the policy that is here."""
    if name is None:
        with context.open_context(repo, onto, home, published=True) as found:
            rules = found.rules
            yield _StatementScope(
                found.repository, rules.policy.policy.repository, found.branch.ref, found.branch.tip, rules
            )
        return
    if name.split() != [name]:
        raise UsageError(f"{name!r} cannot name a repository", "Give the name that policy.toml has, without spaces.")
    if onto is None:
        raise UsageError("--repository needs --onto", "Name the branch or tag: --onto refs/heads/main")
    target = onto if onto.startswith("refs/") else f"refs/heads/{onto}"
    with Repository.open(repo) as repository:
        own = target.replace("refs/heads/", f"refs/remotes/{REMOTE}/", 1)
        tips = repository.read_refs(own, target) if target.startswith("refs/heads/") else {}
        yield _StatementScope(repository, name, target, tips.get(own) or tips.get(target, ""), None)


def _find_signer(place: _StatementScope, key: str | None, repo: str) -> _Signer:
    if place.people is not None:
        person, chosen = keys.find_signer(place.people, key, repo)
        return _Signer(person.id, person.keys, chosen, person.id)
    public, chosen = keys.find_own_key(key, repo)
    return _Signer(approvals.make_key_name(public), (public,), chosen, f"the key {signatures.make_fingerprint(public)}")


def _store_statement(
    place: _StatementScope,
    signer: _Signer,
    head: str,
    action: ReviewAction,
    answers: Mapping[str, str],
    attests: Mapping[str, str],
    now: str,
) -> _StoredStatement:
    """Store one statement on top of the signer's last one, with the answers and attestations of that one."""
    repository, ref = place.repository, f"{approvals.PREFIX}{head}/{signer.name}"
    before = repository.read_refs(ref).get(ref, "")
    last = approvals.read_newest_statement(repository, before, signer.public) if before else None
    if last is None or (last.repository, last.target) != (place.name, place.target):
        last = None
    if last is not None and (last.action, action) == (ReviewAction.ATTEST, ReviewAction.APPROVE):
        raise UsageError(
            f"you attested who contributed to {head[:12]}, and who attests cannot also approve",
            "Ask somebody else to approve it, or withdraw the attestation first, with --withdraw.",
        )
    base = _replaced_tip(place, head, action)
    same = last is not None and last.action is action
    predicate = approvals.ApprovalPredicate(
        repository=place.name,
        target=place.target,
        base=base,
        head=head,
        tree=repository.run_git("rev-parse", "--verify", values=(f"{head}^{{tree}}",)).decode().strip(),
        action=action,
        answers={**(last.answers if last is not None and same else {}), **answers},
        attests={**(last.attests if last is not None and same else {}), **attests},
        previous=before,
        time=now,
    )
    data = approvals.encode_approval(predicate)
    approvals.write_approval(
        repository,
        head,
        signer.name,
        before,
        data,
        signatures.make_signature(data, approvals.APPROVAL_NAMESPACE, signer.key),
    )
    approving = action is ReviewAction.APPROVE
    unanswered = _find_unanswered_questions(place, head, predicate.answers, now) if approving else []
    return _StoredStatement(ref, predicate, unanswered, approving and _is_own_work(place, head, signer))


def _replaced_tip(place: _StatementScope, head: str, action: ReviewAction) -> str:
    """The tip that a statement names as its base. Raises UsageError where a deletion or a rewind is about another."""
    if action not in (ReviewAction.DELETE, ReviewAction.REWIND):
        return place.base
    here = place.repository.read_refs(place.target)
    tip = place.base or (place.repository.resolve_commit(place.target) if here else "")
    if not tip:
        raise UsageError(
            f"the tip of {place.short_target} is not here",
            f"Fetch it first: {format_fetch_command(follow_ref(place.target))}",
        )
    if action is ReviewAction.DELETE and head != tip:
        raise UsageError(
            f"{place.short_target} is at {tip[:12]}, not at {head[:12]}",
            f"If you have an older one, fetch it: {format_fetch_command(follow_ref(place.target))}",
        )
    return tip


def _as_json(made: _StoredStatement, signer: _Signer) -> dict[str, object]:
    asked = {question.id: question.text for question in made.unanswered}
    return {
        "person": signer.name,
        "statement": made.statement,
        "ref": made.ref,
        "unanswered": asked,
        "own_work": made.own_work,
    }


def _print_statements(made: list[_StoredStatement], place: _StatementScope, signer: _Signer) -> None:
    for one in made:
        statement = one.statement
        click.echo(f"{signer.label}: {statement.action.value} {statement.head[:12]} onto {place.short_target}")
        for question in one.unanswered:
            click.echo(f'  the guide asks (--answer {question.id}="…"): {printing.make_printable(question.text)}')
        if one.own_work:
            click.echo("  You contributed to it, so your approval does not count. Ask somebody else.")
    click.echo("Next: share it with the server:")
    click.echo(f"    git push {REMOTE} {' '.join(one.ref for one in made)}")


def _choose_action(chosen: list[ReviewAction]) -> ReviewAction:
    if len(chosen) > 1:
        raise UsageError(
            "--request-changes, --withdraw, --attest, --delete and --rewind are different statements",
            "Give one of them.",
        )
    return chosen[0] if chosen else ReviewAction.APPROVE


def _is_own_work(place: _StatementScope, head: str, signer: _Signer) -> bool:
    """Whether the signer contributed to the change, as far as its commits say. Only the server knows the pushers."""
    try:
        if place.base:
            commits = history.read_history(place.repository, place.base, head).commits
        else:
            commits = history.read_commits(place.repository, [head])
    except GitError:
        return False
    named = {contributor.identity for commit in commits for contributor in commit.contributors}
    if place.people is None:
        return email_identity(keys.read_git_email(place.repository.path)) in named
    return not named.isdisjoint(list_identities(place.people.by_id[signer.name]))


def _find_unanswered_questions(
    place: _StatementScope, head: str, answers: dict[str, str], now: str
) -> list[guide.ReviewQuestion]:
    """Questions of the guide for this change that `answers` lacks; none if its files cannot be read."""
    rules = place.rules
    if rules is None:
        return []
    collector = GitCollector(place.repository, rules.known_people, now)
    revision = collector.make_revision(place.name, place.target, place.base, head)
    files = collector.collect_facts(revision, {"files"}, {}).get(FILES)
    if not isinstance(files, Known):
        return []
    sensitive = tuple(
        pattern
        for bound in rules.policy.clauses
        if bound.control is not None and bound.control.name == "security-attention"
        for pattern in bound.parameters.sensitive
    )
    topics = guide.find_topics((path for file in files.value for path in (file.path, file.old_path)), sensitive)
    return [question for question in guide.select_questions(topics) if question.id not in answers]

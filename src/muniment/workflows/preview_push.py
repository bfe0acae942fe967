"""What the gate would say of a push, before it leaves a clone: its facts are those that are known here."""

from collections.abc import Iterable

from msgspec import structs

from muniment.errors import ConfigurationError, GitError, SignatureError
from muniment.git import documents, receiving
from muniment.git.collect import GitCollector
from muniment.git.receiving import Update
from muniment.git.repository import Repository
from muniment.policy.model import Point
from muniment.workflows.approval_commands import find_source
from muniment.workflows.judge_change import judge_change
from muniment.workflows.judge_push import Answer, revision_of
from muniment.workflows.publish_rules import PEOPLE_UNKNOWN, KnownSource, known_rules
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_facts import facts_at_merge
from muniment.workflows.sources import RuleSource
from muniment.workflows.standing import HEADS, Standing, is_silent


def preview(
    repository: Repository, remote: str, updates: Iterable[Update], home: RuleSource | None, now: str
) -> tuple[Answer, ...]:
    """An answer for each update of a protected ref of `remote`; those of others are left out.

    The remote's refs are those that this clone has heard of, and its rules those of its main branch here. Raises
    ConfigurationError or GitError if that cannot be read, or is not here.
    """
    wanted = tuple(updates)
    refs = _remote(repository, remote, wanted)
    main = _main(repository, remote, refs)
    known = known_rules(repository) if home is None and _has_no_rules(repository, refs.get(main, "")) else None
    standing = Standing(repository, home if known is None else KnownSource(known), refs, main)
    return tuple(
        _answer(repository, remote, update, standing, now, "" if known is None else PEOPLE_UNKNOWN)
        for update in wanted
        if standing.protects(update.ref)
    )


def _has_no_rules(repository: Repository, tip: str) -> bool:
    return not tip or is_silent(documents.at(repository, tip))


def _answer(
    repository: Repository, remote: str, update: Update, standing: Standing, now: str, people_unknown: str
) -> Answer:
    try:
        rules = structs.replace(standing.of(update.ref), people_unknown=people_unknown)
        collector = GitCollector(repository, rules.known_people, now)
        revision = revision_of(repository, collector, rules, update, standing)
        given = facts_at_merge(repository, rules.policy, update.ref, revision.base, now)
        judgement = judge_change(collector, rules, revision, Point.MERGE, now, given=given)
        source = find_source(repository, revision.head, standing.protects, remote)
        return Answer(update, judgement, entry=0, source=source, undecided=bool(people_unknown))
    except (ConfigurationError, GitError, SignatureError) as error:
        why = Refusals.UNREADABLE(f"ref:{update.ref}", why=error.message, next=error.remedy)
        return Answer(update, refusal=why, entry=0)


def _remote(repository: Repository, remote: str, updates: Iterable[Update]) -> dict[str, str]:
    """The remote's refs: what it said just now of those that are pushed, and what it said last of the others."""
    prefix = f"refs/remotes/{remote}/"
    heard = {ref: value for ref, value in receiving.refs(repository).items() if ref.startswith(prefix)}
    refs = {HEADS + ref.removeprefix(prefix): value for ref, value in heard.items()}
    return refs | {update.ref: update.old for update in updates if update.old}


def _main(repository: Repository, remote: str, refs: dict[str, str]) -> str:
    """The remote's main branch, as `git clone` noted it, or the usual name that is there."""
    head = f"refs/remotes/{remote}/HEAD"
    said = repository.in_place("symbolic-ref", "--quiet", values=(head,), codes=(0, 1)).decode().strip()
    usual = [name for name in (HEADS + "main", HEADS + "master") if name in refs]
    return HEADS + said.removeprefix(f"refs/remotes/{remote}/") if said else next(iter(usual), "")

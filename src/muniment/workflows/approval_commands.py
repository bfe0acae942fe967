"""Build the commands with which people settle what a decision lacks.

Each is complete: it runs word for word in a clone that has no policy and no people. What one person is asked for by
several clauses is one command.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from muniment.controls import history_kept
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.account import DecisionReport, ReasonReport
from muniment.errors import GitError
from muniment.facts.change import ContributorRole, Update
from muniment.facts.statements import ReviewAction
from muniment.git import receiving
from muniment.git.repository import Repository
from muniment.programs.command import Option

PERSON, TEXT = "PERSON", "…"  # stand where the person who runs the command is asked

REMOTE = "origin"
STATEMENTS = "+refs/muniment/*:refs/muniment/*"

_REMOVALS = {Update.DELETED.value: "--delete", Update.REWOUND.value: "--rewind"}
_OWN_NAMES = (ContributorRole.AUTHOR, ContributorRole.COMMITTER)
_WALK_SECONDS = 5


class Step(Struct, frozen=True):
    """What to do next: whom it takes and what for, and the commands to run for it, in their order."""

    sentences: tuple[str, ...]
    commands: tuple[str, ...] = ()


class Source(Struct, frozen=True):
    """The ref at the server from which others fetch a head. `held`: it has the head; else it is to be pushed there."""

    ref: str
    held: bool


def next_steps(told: DecisionReport, source: Source | None) -> list[Step]:
    """The steps that the stopping reasons of a decision ask for, each once. `source`: of its head, if it is known."""
    reasons = list(_stopping_reasons(told))
    others = [Step((reason.remedy,)) for reason in reasons if reason.remedy and not reason.settled_by]
    if _keeps_history(told):
        return list(dict.fromkeys(others))
    statements = [*_approve(told, reasons), *_withdraw(told, reasons), *_attest(told, reasons)]
    if statements:
        statements = [*_share(told, source), *statements]
    return list(dict.fromkeys([*others, *_amend(told, reasons), *statements]))


def find_source(
    repository: Repository, head: str, is_protected: Callable[[str], bool], remote: str = ""
) -> Source | None:
    """Where others fetch `head` from; None for no head, or if git cannot tell in time.

    `repository` is the server's, or a clone whose remote of that name is the server.
    """
    if not head:
        return None
    kept, named = (f"refs/remotes/{remote}/", "refs/heads/") if remote else ("", "")
    places = (kept,) if remote else ("refs/heads/", "refs/tags/")
    options: tuple[Option, ...] = ("--format=%(refname)", "--count=1", ("--contains", head))
    try:  # what a push only brings is not there yet: git then knows no such commit, and says so with 129
        out = repository.in_place("for-each-ref", *options, values=places, codes=(0, 129), timeout=_WALK_SECONDS)
    except GitError:
        return None
    found = receiving.named(os.fsdecode(out.strip()))
    if found:
        return Source(named + found.removeprefix(kept), held=True)
    ref = f"refs/heads/review-{head[:12]}"
    return Source(f"refs/review/{head[:12]}" if is_protected(ref) else ref, held=False)


def approve_command(told: DecisionReport, *options: str) -> str:
    """`muniment approve` for the revision of a decision."""
    revision = told.revision
    return statement_command(revision.repository, revision.target, revision.head or revision.base, *options)


def statement_command(repository: str, target: str, head: str, *options: str) -> str:
    """`muniment approve` by full ids and names. `options` are quoted already."""
    fixed = ("--repository", shlex.quote(repository), "--onto", shlex.quote(target))
    return " ".join(("muniment approve", head, *fixed, *options))


def fetch_command(*refs: str) -> str:
    """Fetch refs of the server, and all statements."""
    return " ".join(("git fetch", REMOTE, *map(shlex.quote, refs), f"'{STATEMENTS}'"))


def follow_ref(ref: str) -> str:
    """What has `git fetch` bring a ref of the server to where it is there now, a tag that was moved too."""
    return f"+{ref}:{ref.replace('refs/heads/', f'refs/remotes/{REMOTE}/', 1)}"


def push_command(value: str, ref: str) -> str:
    """Push a commit to a ref of the server."""
    return f"git push {REMOTE} {shlex.quote(f'{value}:{ref}')}"


def _stopping_reasons(told: DecisionReport) -> Iterator[ReasonReport]:
    for result in told.results:
        if result.enforced and not result.exception and result.status in ("violated", "unknown"):
            yield from result.reasons
    yield from told.reasons


def _keeps_history(told: DecisionReport) -> bool:
    """Whether a clause forbids a deletion or a rewind, whoever approves it."""
    kept = (one for one in told.results if one.control == history_kept.CONTROL.name)
    return any(one.status == "violated" and one.enforced and not one.exception for one in kept)


def _share(told: DecisionReport, source: Source | None) -> Iterator[Step]:
    """How reviewers get what the decision is about: the head, and the tip that a removal is approved at."""
    if source is not None and not source.held:
        push = push_command(told.revision.head, source.ref)
        yield Step(("Push your branch first, so that others can fetch it.",), (push,))
    refs = (source.ref,) if source is not None else ()
    removed = (follow_ref(told.revision.target),) if told.revision.update in _REMOVALS else ()
    if refs or removed:
        yield Step(("Everybody who is named below fetches it first.",), (fetch_command(*refs, *removed),))


def _amend(told: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[Step]:
    """How to correct one's own commits that bear an address of nobody's."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.ATTEST]
    names = {str(reason.details["commit"]) for reason in asked if reason.details.get("role") in _OWN_NAMES}
    if not names:
        return
    command = "git commit --amend --no-edit --reset-author"
    if names != {told.revision.head} and told.revision.base:
        command = f"git rebase --exec {shlex.quote(command)} {told.revision.base}"
    yield Step(("If they are your own commits, set your git user.email, correct them, and push again.",), (command,))


def _approve(told: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[Step]:
    """One command for all who are only to approve, and one with every answer that is asked for."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.APPROVE]
    plain = [reason.remedy for reason in asked if not _questions(reason)]
    answering = [reason.remedy for reason in asked if _questions(reason)]
    if plain:
        yield Step(_once(plain), (approve_command(told, *_removal(told)),))
    if answering:
        questions = _once(question for reason in asked for question in _questions(reason))
        options = [f'--answer {question}="{TEXT}"' for question in questions]
        yield Step(_once(answering), (approve_command(told, *_removal(told), *options),))


def _removal(told: DecisionReport) -> tuple[str, ...]:
    """The option that says what is approved, where it is not that a branch takes a head."""
    option = _REMOVALS.get(told.revision.update)
    return () if option is None else (option,)


def _attest(told: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[Step]:
    """One command for everybody who has to be attested."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.ATTEST]
    if not asked:
        return
    pushers = [reason.subject for reason in asked if _is_pusher(reason)]
    subjects = _once(reason.subject for reason in asked if not _is_pusher(reason))
    subjects = (*subjects, ALL_PUSHERS) if len(set(pushers)) > 1 else _once((*subjects, *pushers))
    options = [f"--attest {shlex.quote(subject)}={PERSON}" for subject in subjects]
    yield Step(_once(reason.remedy for reason in asked), (approve_command(told, *options),))


def _is_pusher(reason: ReasonReport) -> bool:
    return reason.subject.startswith("commit:") and reason.details.get("role") == ContributorRole.PUSHER


def _withdraw(told: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[Step]:
    asked = [reason.remedy for reason in reasons if reason.settled_by == ReviewAction.WITHDRAW]
    if asked:
        yield Step(_once(asked), (approve_command(told, "--withdraw"),))


def _questions(reason: ReasonReport) -> tuple[str, ...]:
    return tuple(filter(None, str(reason.details.get("questions", "")).split(", ")))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))

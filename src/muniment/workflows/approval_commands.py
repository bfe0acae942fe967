"""Build the commands by which people provide the missing parts of a decision.

Each is complete: it runs word for word in a clone that has no policy and no people. Several clauses that need a
statement of one person give one command.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from muniment.controls import protected_history
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.report import DecisionReport, ReasonReport
from muniment.errors import GitError
from muniment.facts.change import ContributorRole, UpdateKind
from muniment.facts.statements import ReviewAction
from muniment.git import received_push
from muniment.git.repository import Repository
from muniment.programs.command import ProgramOption

PERSON, TEXT = "PERSON", "…"  # stand where the person who runs the command is asked

REMOTE = "origin"
STATEMENT_REFS = "+refs/muniment/*:refs/muniment/*"

_REMOVALS = {UpdateKind.DELETED.value: "--delete", UpdateKind.REWOUND.value: "--rewind"}
_OWN_NAMES = (ContributorRole.AUTHOR, ContributorRole.COMMITTER)
_WALK_SECONDS = 5


class NextStep(Struct, frozen=True):
    """Next step of a person: sentences on its purpose, and the commands to run for it, in their order."""

    sentences: tuple[str, ...]
    commands: tuple[str, ...] = ()


class HeadSource(Struct, frozen=True):
    """Ref at the server from which others fetch a head. `held`: it has the head; else the head is to be pushed
    there.
    """

    ref: str
    held: bool


def list_next_steps(report: DecisionReport, source: HeadSource | None) -> list[NextStep]:
    """List the steps that the blocking reasons of a decision ask for, each once. `source`: of its head, if it is
    known.
    """
    reasons = list(_find_blocking_reasons(report))
    others = [NextStep((reason.remedy,)) for reason in reasons if reason.remedy and not reason.settled_by]
    if _keeps_history(report):
        return list(dict.fromkeys(others))
    statements = [
        *_list_approve_steps(report, reasons),
        *_list_withdraw_steps(report, reasons),
        *_list_attest_steps(report, reasons),
    ]
    if statements:
        statements = [*_list_share_steps(report, source), *statements]
    return list(dict.fromkeys([*others, *_list_amend_steps(report, reasons), *statements]))


def find_head_source(
    repository: Repository, head: str, is_protected: Callable[[str], bool], remote: str = ""
) -> HeadSource | None:
    """Find the ref from which others fetch `head`; None for no head, or if git cannot tell in time.

    `repository` is the server's, or a clone whose remote of that name is the server.
    """
    if not head:
        return None
    local, named = (f"refs/remotes/{remote}/", "refs/heads/") if remote else ("", "")
    places = (local,) if remote else ("refs/heads/", "refs/tags/")
    options: tuple[ProgramOption, ...] = ("--format=%(refname)", "--count=1", ("--contains", head))
    try:  # what a push only brings is not there yet: git then knows no such commit, and says so with 129
        out = repository.run_in_place("for-each-ref", *options, values=places, codes=(0, 129), timeout=_WALK_SECONDS)
    except GitError:
        return None
    found = received_push.encode_ref(os.fsdecode(out.strip()))
    if found:
        return HeadSource(named + found.removeprefix(local), held=True)
    ref = f"refs/heads/review-{head[:12]}"
    return HeadSource(f"refs/review/{head[:12]}" if is_protected(ref) else ref, held=False)


def format_approve_command(report: DecisionReport, *options: str) -> str:
    """Format `muniment approve` for the revision of a decision."""
    revision = report.revision
    return format_statement_command(revision.repository, revision.target, revision.head or revision.base, *options)


def format_statement_command(repository: str, target: str, head: str, *options: str) -> str:
    """Format `muniment approve` by full ids and names. `options` are quoted already."""
    fixed = ("--repository", shlex.quote(repository), "--onto", shlex.quote(target))
    return " ".join(("muniment approve", head, *fixed, *options))


def format_fetch_command(*refs: str) -> str:
    """Format the command that fetches a ref of the server, and all statements."""
    return " ".join(("git fetch", REMOTE, *map(shlex.quote, refs), f"'{STATEMENT_REFS}'"))


def follow_ref(ref: str) -> str:
    """Refspec with which `git fetch` moves a ref to its place on the server, a moved tag too."""
    return f"+{ref}:{ref.replace('refs/heads/', f'refs/remotes/{REMOTE}/', 1)}"


def format_push_command(value: str, ref: str) -> str:
    """Format the command that pushes a commit to a ref of the server."""
    return f"git push {REMOTE} {shlex.quote(f'{value}:{ref}')}"


def _find_blocking_reasons(report: DecisionReport) -> Iterator[ReasonReport]:
    for result in report.results:
        if result.enforced and not result.exception and result.status in ("violated", "unknown"):
            yield from result.reasons
    yield from report.reasons


def _keeps_history(report: DecisionReport) -> bool:
    """Whether a clause forbids a deletion or a rewind, whoever approves it."""
    results = (one for one in report.results if one.control == protected_history.CONTROL.name)
    return any(one.status == "violated" and one.enforced and not one.exception for one in results)


def _list_share_steps(report: DecisionReport, source: HeadSource | None) -> Iterator[NextStep]:
    """How reviewers get what the decision is about: the head, and the tip that a removal is approved at."""
    if source is not None and not source.held:
        push = format_push_command(report.revision.head, source.ref)
        yield NextStep(("Push your branch first, so that others can fetch it.",), (push,))
    refs = (source.ref,) if source is not None else ()
    removed = (follow_ref(report.revision.target),) if report.revision.update in _REMOVALS else ()
    if refs or removed:
        yield NextStep(("Everybody who is named below fetches it first.",), (format_fetch_command(*refs, *removed),))


def _list_amend_steps(report: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[NextStep]:
    """Step to correct one's own commits whose address is not linked to a person."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.ATTEST]
    names = {str(reason.details["commit"]) for reason in asked if reason.details.get("role") in _OWN_NAMES}
    if not names:
        return
    command = "git commit --amend --no-edit --reset-author"
    if names != {report.revision.head} and report.revision.base:
        command = f"git rebase --exec {shlex.quote(command)} {report.revision.base}"
    yield NextStep(
        ("If they are your own commits, set your git user.email, correct them, and push again.",), (command,)
    )


def _list_approve_steps(report: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[NextStep]:
    """List one command for people who only approve, and one with every requested answer."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.APPROVE]
    plain = [reason.remedy for reason in asked if not _asked_questions(reason)]
    answering = [reason.remedy for reason in asked if _asked_questions(reason)]
    if plain:
        yield NextStep(_remove_duplicates(plain), (format_approve_command(report, *_removal_option(report)),))
    if answering:
        questions = _remove_duplicates(question for reason in asked for question in _asked_questions(reason))
        options = [f'--answer {question}="{TEXT}"' for question in questions]
        yield NextStep(
            _remove_duplicates(answering), (format_approve_command(report, *_removal_option(report), *options),)
        )


def _removal_option(report: DecisionReport) -> tuple[str, ...]:
    """Option for the approval of a deletion or rewind; none for a change."""
    option = _REMOVALS.get(report.revision.update)
    return () if option is None else (option,)


def _list_attest_steps(report: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[NextStep]:
    """List one command for all contributors to attest."""
    asked = [reason for reason in reasons if reason.settled_by == ReviewAction.ATTEST]
    if not asked:
        return
    pushers = [reason.subject for reason in asked if _is_pusher(reason)]
    subjects = _remove_duplicates(reason.subject for reason in asked if not _is_pusher(reason))
    subjects = (*subjects, ALL_PUSHERS) if len(set(pushers)) > 1 else _remove_duplicates((*subjects, *pushers))
    options = [f"--attest {shlex.quote(subject)}={PERSON}" for subject in subjects]
    yield NextStep(_remove_duplicates(reason.remedy for reason in asked), (format_approve_command(report, *options),))


def _is_pusher(reason: ReasonReport) -> bool:
    return reason.subject.startswith("commit:") and reason.details.get("role") == ContributorRole.PUSHER


def _list_withdraw_steps(report: DecisionReport, reasons: Iterable[ReasonReport]) -> Iterator[NextStep]:
    asked = [reason.remedy for reason in reasons if reason.settled_by == ReviewAction.WITHDRAW]
    if asked:
        yield NextStep(_remove_duplicates(asked), (format_approve_command(report, "--withdraw"),))


def _asked_questions(reason: ReasonReport) -> tuple[str, ...]:
    return tuple(filter(None, str(reason.details.get("questions", "")).split(", ")))


def _remove_duplicates(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))

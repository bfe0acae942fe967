"""Design of a commit or a change as a fact: its files are read here, and evaluated in a confined child."""

import datetime
from collections.abc import Collection, Iterable, Mapping

from muniment.design.findings import DesignStatus
from muniment.design.isolation import evaluate_isolated
from muniment.design.product_design import DesignAnswer, DesignRequest, RepositorySources
from muniment.design.routes.registry import is_route_source
from muniment.design.source_files import DESIGN_FILE
from muniment.design.stored_results import (
    EvaluatedDesign,
    StoredDesignFinding,
    StoredDifference,
    StoredResult,
    load_finding,
)
from muniment.errors import GitError
from muniment.facts import canonical, moments
from muniment.facts.change import Revision
from muniment.facts.design_facts import MOST_PROBLEMS, DesignChange, DesignEvaluation, DesignProblem, PrincipleState
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.received_push import find_merge_base
from muniment.git.repository import Repository
from muniment.workflows.code_files import list_code_files, read_code_files
from muniment.workflows.remembered_scans import RememberedScans

_REMEMBERED: RememberedScans[DesignAnswer] = RememberedScans(256)
_ROUTE = "route "  # entries of routes: an ordinary route under a guarded router alters no design


def evaluate_change_design(repository: Repository, revision: Revision, now: str) -> Maybe[DesignEvaluation]:
    """Evaluate what a revision does to the design. It never raises."""
    if not revision.head:
        return Known(DesignEvaluation(is_present=False, change=DesignChange(), is_removed=True))
    answer = compare_change(repository, revision.repository, revision.base, revision.head, now)
    if isinstance(answer, Unknown):
        return answer
    return Known(describe_change(answer.value))


def compare_change(repository: Repository, name: str, base: str, head: str, now: str) -> Maybe[DesignAnswer]:
    """Evaluate the design before and after the change from `base` ("" for none) to `head`. It never raises."""
    try:
        fork = find_merge_base(repository, head, [base]) if base else ""
        before, after = _list_files(repository, fork), _list_files(repository, head)
        if DESIGN_FILE not in before and DESIGN_FILE not in after:
            return Known(DesignAnswer(EvaluatedDesign(), EvaluatedDesign()))
        return _evaluate_files(repository, name, after, before, now)
    except GitError as error:
        return Unknown(error.message)


def evaluate_commit_design(repository: Repository, name: str, commit: str, now: str) -> Maybe[DesignEvaluation]:
    """Evaluate the design at a commit of a repository with this name. It never raises."""
    try:
        files = _list_files(repository, commit)
        if DESIGN_FILE not in files:
            return Known(DesignEvaluation(is_present=False))
        answer = _evaluate_files(repository, name, files, None, now)
    except GitError as error:
        return Unknown(error.message)
    if isinstance(answer, Unknown):
        return answer
    return Known(describe_design(answer.value))


def read_design_sources(repository: Repository, name: str, commit: str) -> RepositorySources:
    """Read the files of a repository that its design is about. Raises GitError."""
    return _read_sources(repository, name, _list_files(repository, commit))


def describe_design(answer: DesignAnswer) -> DesignEvaluation:
    """Fact about a design with all its problems."""
    design = answer.after
    if design.problem:
        return DesignEvaluation(is_present=True, problem=design.problem)
    if design.model is None:
        return DesignEvaluation(is_present=False)
    return DesignEvaluation(is_present=True, states=tuple(_describe_state(result, None) for result in design.results))


def describe_change(answer: DesignAnswer) -> DesignEvaluation:
    """Fact about a change, with the problems that it brings."""
    design, difference = answer.after, answer.difference
    if design.problem:
        return DesignEvaluation(is_present=True, problem=design.problem)
    before = answer.before
    if design.model is None or difference is None:
        removed = (DESIGN_FILE,) if before is not None and (before.model is not None or before.problem) else ()
        return DesignEvaluation(is_present=False, change=DesignChange(removed=removed))
    brought = frozenset(difference.findings)
    states = tuple(_describe_state(result, brought) for result in design.results)
    return DesignEvaluation(is_present=True, states=states, change=_describe_difference(difference))


def _describe_difference(difference: StoredDifference) -> DesignChange:
    added = [name for name in difference.added if not name.startswith(_ROUTE)]
    removed = [name for name in difference.removed if not name.startswith(_ROUTE)]
    named = {name.partition(" ")[0] for name in (*added, *removed)}
    # A list without names is altered too where an entry of it was added: it is named once.
    altered = [name for name in difference.altered if name.removesuffix("s").partition(" ")[0] not in named]
    return DesignChange(
        added=tuple([*added, *altered][:MOST_PROBLEMS]),
        removed=tuple(removed[:MOST_PROBLEMS]),
        weaker=tuple(map(_describe_finding, difference.weaker[:MOST_PROBLEMS])),
    )


def _describe_state(result: StoredResult, brought: Collection[StoredDesignFinding] | None) -> PrincipleState:
    """Result with its problems, of a change only those that it brought."""
    listed = [finding for finding in result.findings if brought is None or finding in brought]
    problems = [_describe_finding(finding) for finding in listed]
    problems.sort(key=lambda problem: problem.status != DesignStatus.VIOLATED.value)
    return PrincipleState(
        principle=result.principle.value,
        basis=", ".join(kind.value for kind in result.evidence),
        examined=result.examined,
        problems=tuple(problems[:MOST_PROBLEMS]),
        count=len(problems),
        earlier=len(result.findings) - len(problems),
    )


def _describe_finding(stored: StoredDesignFinding) -> DesignProblem:
    finding = load_finding(stored)
    return DesignProblem(
        code=finding.code.name.lower().replace("_", "-"),
        status=finding.status.value,
        message=finding.message,
        remedy=finding.remedy,
        path=finding.path,
        where=finding.where,
    )


def _list_files(repository: Repository, commit: str) -> dict[str, str]:
    """Content ids of the files at a commit ("" for none) that a design is about, by path."""
    files = list_code_files(repository, commit)
    return {path: blob for path, blob in files.items() if path == DESIGN_FILE or is_route_source(path)}


def _evaluate_files(
    repository: Repository, name: str, after: Mapping[str, str], before: Mapping[str, str] | None, now: str
) -> Maybe[DesignAnswer]:
    """Evaluate files by their ids: the same files give the same answer on the same day."""
    today = moments.utc_date(now)
    lists = [sorted(files.items()) if files is not None else None for files in (after, before)]
    key = (repository.object_format, today.isoformat(), name, canonical.digest_value(lists))
    known = _REMEMBERED.find_scan(key)
    if known is not None:
        return Known(known)
    request = DesignRequest(
        today=today,
        after=(_read_sources(repository, name, after),),
        before=(_read_sources(repository, name, before),) if before is not None else None,
    )
    answer = evaluate_isolated(request)
    if isinstance(answer, Known):  # a failure may be the machine's: it is tried again
        _REMEMBERED.store_scan(key, answer.value)
    return answer


def evaluate_product(sources: Iterable[RepositorySources], today: datetime.date) -> Maybe[DesignAnswer]:
    """Evaluate the union of the designs of a product's repositories. It never raises."""
    return evaluate_isolated(DesignRequest(today, tuple(sources)))


def _read_sources(repository: Repository, name: str, files: Mapping[str, str]) -> RepositorySources:
    """Read a design and, if it names an application, the code that its routes are in."""
    own = {path: blob for path, blob in files.items() if path == DESIGN_FILE}
    if not own:
        return RepositorySources(name, None)
    contents = read_code_files(repository, own)
    if not contents.files:
        why = contents.unread[0][1]
        raise GitError(f"{DESIGN_FILE} cannot be read: {why}", "Correct the file.")
    design = contents.files[0].content.decode("utf-8", "replace")
    if "application" not in design:
        return RepositorySources(name, design)
    code = read_code_files(repository, {path: blob for path, blob in files.items() if path != DESIGN_FILE})
    texts = {file.path: file.content.decode("utf-8", "replace") for file in code.files}
    return RepositorySources(name, design, texts, code.unread)

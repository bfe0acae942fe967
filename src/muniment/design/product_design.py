"""Evaluates the design of a product from the files of its repositories: values in, values out."""

import datetime
from collections.abc import Iterable, Iterator

import msgspec

from muniment.design.code_elements import CodeElements, find_code_elements, find_new_elements
from muniment.design.comparison import DesignState, compare_designs, evaluate_state
from muniment.design.findings import (
    DesignFinding,
    DesignStatus,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.model import DesignModel
from muniment.design.model_file import find_model_problems, read_design
from muniment.design.model_union import join_designs
from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import RouteList, UnreadSource
from muniment.design.source_files import DESIGN_FILE, select_below
from muniment.design.stored_results import EvaluatedDesign, StoredDifference, pack_difference, pack_finding, pack_result
from muniment.design.threats import list_threats
from muniment.errors import DesignError


class RepositorySources(msgspec.Struct, frozen=True):
    """Files of one repository at a commit. `design` is the text of its design file, None if it has none.

    `files` are the sources by path. `unread` are paths of those that are too large or not here, with the reason.
    """

    name: str
    design: str | None
    files: dict[str, str] = {}
    unread: tuple[tuple[str, str], ...] = ()


class DesignRequest(msgspec.Struct, frozen=True):
    """Repositories of a product to evaluate on a day. `before`: the same before a change, None for no comparison."""

    today: datetime.date
    after: tuple[RepositorySources, ...]
    before: tuple[RepositorySources, ...] | None = None


class DesignAnswer(msgspec.Struct, frozen=True):
    """Evaluated designs, and the effect of the change if both can be read."""

    after: EvaluatedDesign
    before: EvaluatedDesign | None = None
    difference: StoredDifference | None = None


def evaluate_request(request: DesignRequest) -> DesignAnswer:
    """Evaluate the designs of a request. A design that cannot be read is a problem of its answer."""
    after, after_state = _evaluate_repositories(request.after, request.today)
    if request.before is None:
        return DesignAnswer(after)
    before, before_state = _evaluate_repositories(request.before, request.today)
    difference = None
    if after_state is not None:
        # Without a design before, each entry and each problem is new.
        base = before_state or DesignState(_empty_model(after_state.model))
        difference = pack_difference(compare_designs(base, after_state, request.today))
        after = _add_new_elements(after, base, after_state)
    return DesignAnswer(after, before, difference)


def _add_new_elements(after: EvaluatedDesign, before: DesignState, state: DesignState) -> EvaluatedDesign:
    """Add stores and outside calls that a change brings to the result about paths: nothing is known of theirs."""
    new = tuple(map(pack_finding, find_new_elements(before.elements, state.elements, state.model)))
    if not new:
        return after
    results = list(after.results)
    for number, result in enumerate(results):
        if result.principle is Principle.COMPLETE_MEDIATION:
            status = DesignStatus.UNKNOWN if result.status is DesignStatus.MET else result.status
            results[number] = msgspec.structs.replace(result, findings=(*result.findings, *new), status=status)
            break
    return msgspec.structs.replace(after, results=tuple(results))


def _empty_model(model: DesignModel) -> DesignModel:
    return DesignModel(schema=model.schema, product=model.product, owner=model.owner)


def _evaluate_repositories(
    repositories: tuple[RepositorySources, ...], today: datetime.date
) -> tuple[EvaluatedDesign, DesignState | None]:
    try:
        state = _read_state(repositories)
    except DesignError as error:
        return EvaluatedDesign(problem=f"{error.message} {error.remedy}".strip()), None
    if state is None:
        return EvaluatedDesign(), None
    missing = [each.name for each in repositories if each.design is None]
    results = _note_missing(evaluate_state(state, today), missing)
    stored = tuple(map(pack_result, results))
    return EvaluatedDesign(state.model, "", stored, list_threats(state.model)), state


def _read_state(repositories: tuple[RepositorySources, ...]) -> DesignState | None:
    """Union of the designs, with the routes of each. None if no repository has a design file."""
    designs: dict[str, DesignModel] = {}
    routes: list[RouteList] = []
    for each in repositories:
        if each.design is None:
            continue
        where = DESIGN_FILE if len(repositories) == 1 else f"{each.name}: {DESIGN_FILE}"
        model = read_design(each.design, where)
        designs[each.name] = model
        routes += _read_applications(model, each)
    if not designs:
        return None
    union = join_designs(designs)
    for _, key, problem, remedy in find_model_problems(union):
        raise DesignError(DESIGN_FILE, key, problem, remedy)
    return DesignState(union, tuple(routes), _join_elements(repositories))


def _join_elements(repositories: tuple[RepositorySources, ...]) -> CodeElements:
    found = [find_code_elements(each.files) for each in repositories if each.design is not None]
    stores = {name: where for each in found for name, where in each.stores.items()}
    return CodeElements(stores, {name: where for each in found for name, where in each.hosts.items()})


def _read_applications(model: DesignModel, sources: RepositorySources) -> Iterator[RouteList]:
    unread = tuple(UnreadSource(path, why) for path, why in sources.unread)
    for application in model.applications:
        yield read_routes(application.framework, select_below(sources.files, application.root))
        if unread:
            yield RouteList(application.framework, (), unread)


def _note_missing(results: Iterable[PrincipleResult], missing: list[str]) -> Iterator[PrincipleResult]:
    """Add each repository without a design file to the result about paths: nothing is known of its entries."""
    findings = tuple(DesignFinding(FindingCode.MISSING_DESIGN, name) for name in missing)
    for result in results:
        if findings and result.principle is Principle.COMPLETE_MEDIATION:
            joined = (*result.findings, *findings)
            yield combine_findings(result.principle, result.evidence, joined, result.notes, result.examined)
        else:
            yield result

"""Counts checks by state, for pages: a check is one clause of the policy for one product.

The stored states are those that evaluations found. Beyond them, an exception in force turns what fails or is unknown
into excepted until it ends, so that no page shows an exception that is over; and a check without a stored state is
unknown.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Count, Model, Q, QuerySet
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.decision.catalogue import CONTROLS
from muniment.policy.model import Clause, Policy
from muniment.server.limited_cache import LimitedCache
from muniment.server.policies.models import PolicyException
from muniment.server.products.models import ClauseResult, ClauseState, Product, ProductClauseState
from muniment.server.remembered_sql import remember_sql

ScopedRow = TypeVar("ScopedRow", bound=Model)
StateRow = TypeVar("StateRow")

NOT_PASSING = (ClauseResult.VIOLATED, ClauseResult.UNKNOWN)
_ORDER = (  # of the fields of StateCounts
    ClauseResult.MET,
    ClauseResult.EXCEPTED,
    ClauseResult.UNKNOWN,
    ClauseResult.VIOLATED,
    ClauseResult.NOT_EVALUATED,
)


_VERSION = """
    SELECT count(*), coalesce(sum(xmin::text::bigint), 0), coalesce(sum(number), 0) FROM products_productstateversion
"""
_ALL_PRODUCTS = """
    SELECT count(*) FILTER (WHERE retired_at IS NULL), array_agg(id) FILTER (WHERE retired_at IS NOT NULL)
    FROM products_product
"""
_MOST_RESULTS = 256  # of queries of stored states: a few for each person's products


class StateCounts(NamedTuple):
    """How many checks are in each state. Those that this version does not evaluate count for themselves alone."""

    passing: int = 0
    excepted: int = 0
    unknown: int = 0
    failing: int = 0
    not_evaluated: int = 0

    @property
    def total(self) -> int:
        """Number of checks that this version evaluates."""
        return self.passing + self.excepted + self.unknown + self.failing


def count_states(found: Mapping[int, int]) -> StateCounts:
    """Counts from the number of checks in each state."""
    return StateCounts(*(found.get(state, 0) for state in _ORDER))


def sum_counts(counts: Iterable[StateCounts]) -> StateCounts:
    """Sum of counts, state by state."""
    columns = list(zip(*counts, strict=True))
    return StateCounts(*map(sum, columns)) if columns else StateCounts()


class StateVersion(NamedTuple):
    """Version of all stored states (`ProductStateVersion`): products with states, and the sums of their rows."""

    products: int
    transactions: int
    numbers: int


class ProductScope(NamedTuple):
    """Active products whose states are counted: those in `ids`, or with None all but the `retired` ones.

    `version` is that of the stored states before any of them is read; with None each query is asked anew.
    """

    ids: tuple[int, ...] | None
    retired: tuple[int, ...]
    size: int
    version: StateVersion | None = None

    def filter_rows(self, rows: "QuerySet[ScopedRow]", path: str = "product") -> "QuerySet[ScopedRow]":
        """Rows of these products. `path` leads from a row to its product."""
        if self.ids is not None:
            return rows.filter(**{f"{path}__in": self.ids})
        return rows.exclude(**{f"{path}__in": self.retired}) if self.retired else rows

    @property
    def query_arguments(self) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
        """Arguments of remembered queries from which `from_query_arguments` makes the scope again, but for its size."""
        return self.ids, self.retired

    @classmethod
    def from_query_arguments(cls, ids: tuple[int, ...] | None, retired: tuple[int, ...]) -> "ProductScope":
        """Scope for the filters of a query."""
        return cls(ids, retired, 0)


def find_scope(actor: Actor) -> ProductScope:
    """Active products that an actor may see."""
    permitted = list_permitted_products(actor, Action.SEE_PRODUCT)
    if permitted is not None:
        ids = tuple(number for (number,) in _find_active(permitted))
        return ProductScope(ids, (), len(ids), read_state_version())
    with connection.cursor() as cursor:
        cursor.execute(_ALL_PRODUCTS)
        active, retired = cursor.fetchone() or (0, None)
    return ProductScope(None, tuple(retired or ()), active, read_state_version())


@remember_sql
def _find_active(slugs: frozenset[str]) -> "QuerySet[Any, tuple[int]]":
    return Product.objects.filter(slug__in=slugs, retired_at=None).order_by("pk").values_list("pk")


def read_state_version() -> StateVersion | None:
    """Version of the stored states; None while there are none."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION)
        products, transactions, numbers = cursor.fetchone() or (0, 0, 0)
    return StateVersion(products, int(transactions), int(numbers)) if products else None


_results: LimitedCache[tuple[Any, ...]] = LimitedCache(_MOST_RESULTS)


def _read_at(
    version: StateVersion | None, read: Callable[..., list[StateRow]], *arguments: Hashable
) -> tuple[StateRow, ...]:
    """Rows of a query of stored states alone, which is asked once for each version of them.

    The version was read before: states that changed meanwhile are stored with an older version, and read again.
    """
    if version is None:
        return tuple(read(*arguments))
    return _results.find_value((version, read, arguments), lambda: tuple(read(*arguments)))


class Excepted(NamedTuple):
    """Check that an exception in force covers: without it, it would be in `state`."""

    product: int
    clause: str
    state: ClauseResult


def find_excepted_checks(scope: ProductScope) -> tuple[Excepted, ...]:
    """Checks that fail or are unknown, where exceptions in force cover each repository that does not pass.

    An exception for one commit covers no state of a branch, nor does one for another branch than the evaluated one.
    """
    covered = _find_covered_repositories(scope)
    if not covered:
        return ()
    products = {product for product, _repository, _clause in covered}
    clauses = {clause for _product, _repository, clause in covered}
    by_repository = {(repository, clause) for _product, repository, clause in covered}
    found: list[Excepted] = []
    states = _read_repository_states(products, clauses)
    for (product, clause), rows in sorted(states.items()):
        stopped = {repository: state for repository, state in rows if state in NOT_PASSING}
        if stopped and all((repository, clause) in by_repository for repository in stopped):
            found.append(Excepted(product, clause, ClauseResult(max(stopped.values()))))
    return tuple(found)


def _find_covered_repositories(scope: ProductScope) -> set[tuple[int, int, str]]:
    """(product, repository, clause) of each exception in force for the branch by which states are found."""
    return {
        (product, repository, clause)
        for product, repository, clause, branch, evaluated in _read_exceptions_of_branches(
            *scope.query_arguments, timezone.now()
        )
        if not evaluated or branch == evaluated  # of a repository at a forge, no single branch is stored
    }


@remember_sql
def _read_exceptions_of_branches(
    ids: tuple[int, ...] | None, retired: tuple[int, ...], now: datetime
) -> "QuerySet[Any, tuple[int, int, str, str, str | None]]":
    found = PolicyException.find_in_force(now).filter(head="")
    rows = ProductScope.from_query_arguments(ids, retired).filter_rows(found, "repository__product")
    return rows.values_list("repository__product", "repository", "clause", "branch", "repository__scan__branch")


def _read_repository_states(
    products: Iterable[int], clauses: Iterable[str]
) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """(repository, state) of each repository, for each of these products and clauses."""
    rows = ClauseState.objects.filter(repository__product__in=products, clause__in=clauses)
    found: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for product, clause, repository, state in rows.values_list("repository__product", "clause", "repository", "state"):
        found.setdefault((product, clause), []).append((repository, state))
    return found


def count_by_clause(
    policy: Policy | None, scope: ProductScope, excepted: Iterable[Excepted] = ()
) -> dict[str, StateCounts]:
    """Counts of each clause of the policy, over the products of a scope."""
    clauses = policy.clauses if policy is not None else ()
    stored: dict[str, dict[int, int]] = {}
    for clause, state, count in _read_at(scope.version, _count_clause_states, *scope.query_arguments):
        stored.setdefault(clause, {})[state] = count
    for one in excepted:
        _count_as_excepted(stored.setdefault(one.clause, {}), one.state)
    return {clause.id: _count_clause(clause, stored.get(clause.id, {}), scope.size) for clause in clauses}


@remember_sql
def _count_clause_states(
    ids: tuple[int, ...] | None, retired: tuple[int, ...]
) -> "QuerySet[Any, tuple[str, int, int]]":
    rows = ProductScope.from_query_arguments(ids, retired).filter_rows(ProductClauseState.objects.all())
    return rows.values_list("clause", "state").annotate(count=Count("*"))


def _count_clause(clause: Clause, stored: Mapping[int, int], products: int) -> StateCounts:
    if not is_evaluated(clause):
        return StateCounts(not_evaluated=products)
    unknown = stored.get(ClauseResult.UNKNOWN, 0) + products - sum(stored.values())
    return count_states({**stored, ClauseResult.UNKNOWN: unknown})


def count_by_section(policy: Policy | None, by_clause: Mapping[str, StateCounts]) -> dict[str, StateCounts]:
    """Counts of each section of the policy, in its order."""
    if policy is None:
        return {}
    return {
        section.id: sum_counts(by_clause[clause.id] for clause in policy.clauses if clause.section == section.id)
        for section in policy.sections
    }


def count_by_product_and_section(
    policy: Policy | None,
    products: Iterable[int],
    excepted: Iterable[Excepted] = (),
    version: StateVersion | None = None,
) -> dict[int, dict[str, StateCounts]]:
    """Counts of each section for each of these products. `version` as in `ProductScope`."""
    if policy is None:
        return {}
    wanted = list(products)
    stored = {(one[0], one[1]): one[2] for one in _read_at(version, _read_product_states, tuple(wanted))}
    stored |= {(product, clause): ClauseResult.EXCEPTED for product, clause, _ in excepted}
    found: dict[int, dict[str, StateCounts]] = {}
    for product in wanted:
        sections: dict[str, Counter[int]] = {section.id: Counter() for section in policy.sections}
        for one in policy.clauses:
            state = stored.get((product, one.id), ClauseResult.UNKNOWN)
            sections[one.section][state if is_evaluated(one) else ClauseResult.NOT_EVALUATED] += 1
        found[product] = {section: count_states(states) for section, states in sections.items()}
    return found


def count_by_product(
    policy: Policy | None, products: Iterable[int], excepted: Iterable[Excepted] = ()
) -> dict[int, StateCounts]:
    """Counts of the checks of each of these products that this version of Muniment evaluates."""
    wanted, clauses = tuple(products), list_evaluated_clauses(policy)
    stored: dict[int, dict[int, int]] = {product: {} for product in wanted}
    for product, state, count in _read_at(read_state_version(), _count_product_states, wanted, clauses):
        stored[product][state] = count
    for one in excepted:
        if one.clause in clauses:
            _count_as_excepted(stored[one.product], one.state)
    return {
        product: count_states(
            {**found, ClauseResult.UNKNOWN: found.get(ClauseResult.UNKNOWN, 0) + len(clauses) - sum(found.values())}
        )
        for product, found in stored.items()
    }


def _count_as_excepted(found: dict[int, int], state: ClauseResult) -> None:
    """Count one check as excepted that is stored in another state."""
    found[state] = found.get(state, 0) - 1
    found[ClauseResult.EXCEPTED] = found.get(ClauseResult.EXCEPTED, 0) + 1


@remember_sql
def _count_product_states(products: tuple[int, ...], clauses: tuple[str, ...]) -> "QuerySet[Any, tuple[int, int, int]]":
    rows = ProductClauseState.objects.filter(product__in=products, clause__in=clauses)
    return rows.values_list("product", "state").annotate(count=Count("*"))


@remember_sql
def _read_product_states(products: tuple[int, ...]) -> "QuerySet[Any, tuple[int, str, int]]":
    return ProductClauseState.objects.filter(product__in=products).values_list("product", "clause", "state")


def is_evaluated(clause: Clause) -> bool:
    """Whether this version has a control for the clause: one without is neither passing nor unknown."""
    return clause.control in CONTROLS


def list_evaluated_clauses(policy: Policy | None) -> tuple[str, ...]:
    """Ids of the clauses that this version evaluates."""
    return tuple(clause.id for clause in policy.clauses if is_evaluated(clause)) if policy is not None else ()


def count_fully_passing(policy: Policy | None, scope: ProductScope) -> int:
    """How many products pass every clause that is evaluated."""
    clauses = list_evaluated_clauses(policy)
    if not clauses:
        return 0
    return len(_read_at(scope.version, _find_products_that_pass, *scope.query_arguments, clauses, len(clauses)))


@remember_sql
def _find_products_that_pass(
    ids: tuple[int, ...] | None, retired: tuple[int, ...], clauses: tuple[str, ...], count: int
) -> "QuerySet[Any, tuple[int]]":
    met = ProductClauseState.objects.filter(state=ClauseResult.MET, clause__in=clauses)
    rows = ProductScope.from_query_arguments(ids, retired).filter_rows(met)
    return rows.values_list("product").annotate(count=Count("*")).filter(count=count).values_list("product")


def find_least_passing(
    policy: Policy | None, scope: ProductScope, excepted: Iterable[Excepted], most: int
) -> list[int]:
    """Ids of the products that need attention: most failing checks first, then most unknown ones."""
    clauses = list_evaluated_clauses(policy)
    shifted: dict[int, list[ClauseResult]] = {}
    for one in excepted:
        shifted.setdefault(one.product, []).append(one.state)
    found: list[tuple[int, int, int]] = []
    rows = _read_at(scope.version, _count_not_passing, *scope.query_arguments, clauses, _Most(most + len(shifted)))
    for product, violated, unlearnt in rows:
        less = shifted.get(product, [])
        failing, unknown = violated - less.count(ClauseResult.VIOLATED), unlearnt - less.count(ClauseResult.UNKNOWN)
        if failing or unknown:
            found.append((-failing, -unknown, product))
    listed = [product for _failing, _unknown, product in sorted(found)[:most]]
    if len(listed) < most and clauses:
        listed += _find_unevaluated(scope, len(clauses), {*listed}, most - len(listed))
    return listed


class _Most(NamedTuple):
    """Number of rows at most: a part of the SQL, and no parameter of it."""

    rows: int


@remember_sql
def _count_not_passing(
    ids: tuple[int, ...] | None, retired: tuple[int, ...], clauses: tuple[str, ...], most: _Most
) -> "QuerySet[Any, tuple[int, int, int]]":
    stopped = ProductClauseState.objects.filter(state__in=NOT_PASSING, clause__in=clauses)
    counted = (
        ProductScope.from_query_arguments(ids, retired)
        .filter_rows(stopped)
        .values_list("product")
        .annotate(
            failing=Count("state", filter=Q(state=ClauseResult.VIOLATED)),
            unknown=Count("state", filter=Q(state=ClauseResult.UNKNOWN)),
        )
    )
    return counted.order_by("-failing", "-unknown", "product")[: most.rows]


def _find_unevaluated(scope: ProductScope, clauses: int, listed: set[int], most: int) -> list[int]:
    """Products of which some clause has no stored state at all, so that it is unknown."""
    rows = scope.filter_rows(Product.objects.exclude(pk__in=listed), "pk").annotate(
        count=Count("clause_states", filter=~Q(clause_states__state=ClauseResult.NOT_EVALUATED))
    )
    return list(rows.filter(count__lt=clauses).order_by("count", "pk").values_list("pk", flat=True)[:most])

"""Reads the results of the tests that teams named, on the protected branches of their products' repositories."""

from collections.abc import Collection, Iterable

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.controls.tests_passed import CONTROL, Parameters
from muniment.errors import MunimentError
from muniment.facts import moments
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import PipelineRun
from muniment.facts.statements import PROVEN_SIGNATURES
from muniment.policy.model import Clause
from muniment.server.changes.repository_context import open_repository_context
from muniment.server.connections.forge_access import (
    find_repository_link,
    open_connected_forge,
    require_linked_repository,
)
from muniment.server.error_text import format_error_text
from muniment.server.job_queue import OtherWorkerError
from muniment.server.moments import current_moment
from muniment.server.products.models import Repository
from muniment.server.requirements.models import NamedTestResult, RequirementStatement, StatementKind
from muniment.workflows.branch_runs import read_branch_runs
from muniment.workflows.deployment_evaluation import LinkedForge


def list_named_tests(product: int) -> list[str]:
    """Names of the tests that verify requirements of a product."""
    rows = RequirementStatement.find_in_force().filter(product=product, kind=StatementKind.TESTED)
    return sorted(set(rows.order_by().values_list("test", flat=True)))


def list_products_with_tests() -> list[int]:
    """Products, not retired, with a named test."""
    rows = RequirementStatement.find_in_force().filter(kind=StatementKind.TESTED, product__retired_at=None)
    return sorted(set(rows.order_by().values_list("product", flat=True)))


def read_product_tests(product: int) -> None:
    """Read the newest result of each named test of a product. One that fails in any repository fails."""
    names = list_named_tests(product)
    found: dict[str, list[PipelineRun]] = {name: [] for name in names}
    problems: list[str] = []
    for repository in Repository.objects.filter(product=product).select_related("product").order_by("pk"):
        try:
            runs = _read_trusted_runs(repository)
        except OtherWorkerError:
            return  # the worker that has the repository reads all of them
        except MunimentError as error:
            problems.append(format_error_text(error))
            continue
        for name in names:
            newest = find_newest_run(run for run in runs if run.pipeline == name)
            if newest is not None:
                found[name].append(newest)
    for name, newest_runs in found.items():
        _store_result(product, name, newest_runs, " ".join(problems))


def _read_trusted_runs(repository: Repository) -> list[PipelineRun]:
    """Runs on the tip of the protected branch that a trusted test runner reported. Raises MunimentError."""
    with open_repository_context(repository) as context:
        connected, branch = find_repository_link(repository), context.main_branch
        linked: LinkedForge | None = None
        if connected is not None:
            forge = open_connected_forge(connected.connection)
            linked = LinkedForge(forge, require_linked_repository(connected))
        tip = context.branches[branch]
        runs = read_branch_runs(context.git, context.rules, repository.name, branch, tip, linked, current_moment())
        runners = find_trusted_runners(context.rules.policy.policy.clauses)
    if isinstance(runs, Unknown):
        raise MunimentError(runs.reason, _("Make it readable for Muniment."))
    return [run for run in runs.value.head if run.runner in runners and run.signature in PROVEN_SIGNATURES]


def find_trusted_runners(clauses: Iterable[Clause]) -> Collection[str]:
    """Test runners that the policy trusts: those of its clauses about tests."""
    own = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    return frozenset(runner for one in own for runner in one.runners)


def find_newest_run(runs: Iterable[PipelineRun]) -> PipelineRun | None:
    """Newest of some runs; of two at one moment, the one that did not pass."""
    return max(runs, key=lambda run: (run.time, not _has_passed(run)), default=None)


def _has_passed(run: PipelineRun) -> bool:
    """Whether a run ended well and, where its counts are known, without a failed test and with an executed one."""
    if run.passed != Known(True):
        return False
    return isinstance(run.counts, Unknown) or (run.counts.value.failed == 0 and run.counts.value.executed > 0)


def _store_result(product: int, name: str, runs: list[PipelineRun], problem: str) -> None:
    """Store the result. Without a run at the tip, the former one stands until it is too old."""
    values: dict[str, object] = {"read_at": timezone.now(), "problem": problem}
    if runs and not problem:
        oldest = min(runs, key=lambda run: run.time)
        values |= {
            "passed": all(_has_passed(run) for run in runs),
            "commit": oldest.commit,
            "ran_at": moments.parse_moment(oldest.time),
        }
    NamedTestResult.objects.update_or_create(product_id=product, test=name, defaults=values)

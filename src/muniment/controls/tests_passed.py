"""Control: the required pipelines ran their tests on exactly the head; enough ran, none failed, none is missing."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.facts.pipeline import PipelineRun
from muniment.facts.statements import PROVEN_SIGNATURES
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Pipelines that have to run, and the test runners whose reports count (identities, such as `machine:ci`).

    Of a pipeline in `without_counts` its result is enough: missing tests go unnoticed then. `max_lost` is how many
    fewer than on the commit before may run.
    """

    pipelines: Annotated[tuple[str, ...], Unit("pipelines"), Stricter.MORE] = ("tests",)
    runners: Annotated[tuple[str, ...], Unit("identities"), Stricter.FEWER] = ("machine:ci",)
    min_executed: Annotated[int, Meta(ge=1), Unit("tests executed"), Stricter.HIGHER] = 1
    max_lost: Annotated[int, Meta(ge=0), Unit("tests"), Stricter.LOWER] = 0
    without_counts: Annotated[tuple[str, ...], Unit("pipelines"), Stricter.FEWER] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    PASSED = met("{name}: {executed} tests ran on {head}, 0 failed, {skipped} were skipped.")
    PASSED_WITHOUT_COUNTS = met("{name} succeeded on {head}; the policy requires no test counts of it.")
    NOTHING_TO_TEST = not_applicable("There is no commit to test.")
    NO_PIPELINE_NAMED = violated(
        "The policy names no required pipeline.",
        'Name one in policy.toml: with = {{ pipelines = ["tests"] }}',
    )
    NOT_RUN = violated(
        "Pipeline {name} has not run on {head}.",
        "Run it on exactly this commit. On plain git, submit its report: muniment tests submit "
        "--pipeline {name} --junit FILE",
    )
    RUNNER_NOT_VERIFIED = violated(
        "Runs of {name} on {head} were reported by {who}, but by no test runner of the policy with a verified key.",
        "Let one of {runners} sign the report, with a key that people.toml or the page Builders lists.",
    )
    TESTS_FAILED = violated(
        "{name} failed on {head}: {failed} of {executed} tests.",
        "Fix the failed tests, and run {name} on the new commit.",
    )
    PIPELINE_FAILED = violated(
        "{name} failed on {head}, although its report has no failed test.",
        "Read its log, fix the cause, and run it again.",
    )
    TOO_FEW_TESTS = violated(
        "{name} executed {executed} tests on {head} ({skipped} were skipped); at least {least} are required.",
        "Find out why they did not run, and run {name} again.",
    )
    FEWER_TESTS = violated(
        "{name} executed {executed} tests on {head} and {before} on its base {base}: {lost} are missing or skipped.",
        "Restore them, or request an exception that says why they are gone.",
    )
    RUN_UNKNOWN = unknown(
        "The result of {name} on {where} is unknown: {why}.",
        "Run it again and submit its report: muniment tests submit --pipeline {name} --junit FILE",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate each required pipeline; one reason for each."""
    limits: Parameters = case.parameters
    head = case.get_fact(kinds.REVISION).head
    if not head:
        return (Reasons.NOTHING_TO_TEST(f"commit:{case.get_fact(kinds.REVISION).base}"),)
    if not limits.pipelines:
        return (Reasons.NO_PIPELINE_NAMED(f"commit:{head}"),)
    return tuple(_evaluate_pipeline(case, name) for name in limits.pipelines)


def _evaluate_pipeline(case: Case, name: str) -> Reason:
    limits: Parameters = case.parameters
    subject, head = f"pipeline:{name}", case.get_fact(kinds.REVISION).head
    runs = [run for run in case.get_fact(kinds.TEST_RUNS).head if run.pipeline == name and run.commit == head]
    run = _find_newest_run(case, runs)
    if run is None:
        if not runs:
            return Reasons.NOT_RUN(subject, head=head)
        who = ", ".join(sorted({run.runner for run in runs}))
        return Reasons.RUNNER_NOT_VERIFIED(subject, head=head, who=who, runners=", ".join(limits.runners) or "nobody")
    if isinstance(run.passed, Unknown):
        return Reasons.RUN_UNKNOWN(subject, where=head, why=run.passed.reason)
    if isinstance(run.counts, Unknown):
        if name not in limits.without_counts:
            return Reasons.RUN_UNKNOWN(subject, where=head, why=run.counts.reason)
        return (Reasons.PASSED_WITHOUT_COUNTS if run.passed.value else Reasons.PIPELINE_FAILED)(subject, head=head)
    counts = run.counts.value
    size: dict[str, str | int] = {"head": head, "executed": counts.executed, "skipped": counts.skipped}
    if counts.failed:
        return Reasons.TESTS_FAILED(subject, failed=counts.failed, **size)
    if not run.passed.value:
        return Reasons.PIPELINE_FAILED(subject, head=head)
    if counts.executed < limits.min_executed:
        return Reasons.TOO_FEW_TESTS(subject, least=limits.min_executed, **size)
    return _compare_with_base(case, name, counts.executed, size)


def _compare_with_base(case: Case, name: str, executed: int, size: dict[str, str | int]) -> Reason:
    """Evaluate whether as many tests ran as on the base commit. Without a run there, no test can be missing."""
    limits: Parameters = case.parameters
    before = _find_newest_run(case, (run for run in case.get_fact(kinds.TEST_RUNS).base if run.pipeline == name))
    subject = f"pipeline:{name}"
    if before is None or name in limits.without_counts:
        return Reasons.PASSED(subject, **size)
    if isinstance(before.counts, Unknown):
        return Reasons.RUN_UNKNOWN(subject, where=before.commit, why=before.counts.reason)
    lost = before.counts.value.executed - executed
    if lost > limits.max_lost:
        return Reasons.FEWER_TESTS(subject, base=before.commit, before=before.counts.value.executed, lost=lost, **size)
    return Reasons.PASSED(subject, **size)


def _find_newest_run(case: Case, runs: Iterable[PipelineRun]) -> PipelineRun | None:
    """Newest run by a trusted test runner; of two at one moment, the one with more failures."""
    limits: Parameters = case.parameters
    counting = [
        run
        for run in runs
        if run.runner in limits.runners and run.signature in PROVEN_SIGNATURES and run.time <= case.now
    ]
    return max(counting, key=lambda run: (run.time, *_sort_key(run)), default=None)


def _sort_key(run: PipelineRun) -> tuple[bool, int]:
    """Sort key: the worse of two runs is last."""
    if isinstance(run.passed, Unknown) or isinstance(run.counts, Unknown):
        return True, 0
    return not run.passed.value, run.counts.value.failed


CONTROL = Control(
    name="tests-passed",
    version=1,
    summary="Automated tests ran and passed on exactly the evaluated commit, and no test is missing.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.TEST_RUNS),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

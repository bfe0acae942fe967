"""Control: a change is small enough to be reviewed; a larger one needs a reason, approved by the security role."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from muniment.controls import code_review
from muniment.controls.control import (
    Case,
    Control,
    Reason,
    ReasonCodes,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.change import File
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import ReviewAction
from muniment.policy.parameters import Stricter, Unit
from muniment.policy.patterns import compile_patterns

WHY_LARGE = "why-large"


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a change. Files that match `generated` are not counted, since people do not read them."""

    lines: Annotated[int, Meta(ge=1), Unit("changed lines"), Stricter.LOWER] = 400
    files: Annotated[int, Meta(ge=1), Unit("changed files"), Stricter.LOWER] = 40
    generated: Annotated[tuple[str, ...], Unit("paths"), Stricter.FEWER] = ()


class ChangeSize(NamedTuple):
    """Size of a change: lines and files that people must read."""

    lines: int
    files: int

    def exceeds(self, limits: Parameters) -> bool:
        """Whether the change is larger than the limits."""
        return self.lines > limits.lines or self.files > limits.files


class Reasons(ReasonCodes):
    """Reasons of this control."""

    SMALL = met("Lines: {lines} of at most {most_lines}. Files: {files} of at most {most_files}.")
    LARGE_WITH_REASON = met("{who} approved its size with a reason. Lines: {lines}, files: {files}.")
    NOTHING_CHANGED = not_applicable("No file is changed.")
    TOO_LARGE = violated(
        "It is too large. Lines: {lines} of at most {most_lines}. Files: {files} of at most {most_files}.",
        "Split the change, or ask {ask} to approve it with a reason for its size.",
        ReviewAction.APPROVE,
    )
    SIZE_UNKNOWN = unknown(
        "The size of {name} is unknown: {why}.",
        "Make its content readable here (a full clone has it), then check again.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the number of lines and files that people must read against `lines` and `files`."""
    limits: Parameters = case.parameters
    every = case.get_fact(kinds.FILES)
    subject = f"commit:{case.get_fact(kinds.REVISION).head}"
    if not every:
        return (Reasons.NOTHING_CHANGED(subject),)
    measured = measure_size(every, limits)
    if isinstance(measured, Unknown):
        return tuple(
            Reasons.SIZE_UNKNOWN(f"path:{file.path}", why=file.lines.reason)
            for file in _select_reviewed_files(every, limits.generated)
            if isinstance(file.lines, Unknown)
        )
    size = {**measured.value._asdict(), "most_lines": limits.lines, "most_files": limits.files}
    if not measured.value.exceeds(limits):
        return (Reasons.SMALL(subject, **size),)
    return case.explain_unknown(code_review.NEEDS) or (_evaluate_large_change(case, subject, size),)


def measure_size(every: tuple[File, ...], limits: Parameters) -> Maybe[ChangeSize]:
    """Lines and files that people must read; Unknown if the lines of one of these files are."""
    files = _select_reviewed_files(every, limits.generated)
    lines = 0
    for file in files:
        if isinstance(file.lines, Unknown):
            return file.lines
        lines += file.lines.value
    return Known(ChangeSize(lines, len(files)))


def _select_reviewed_files(files: tuple[File, ...], generated: tuple[str, ...]) -> Sequence[File]:
    """Files that people read: not those that are generated, before the change and after it."""
    if not generated:
        return files
    is_generated = compile_patterns(generated).fullmatch
    return [file for file in files if not (is_generated(file.path) and is_generated(file.old_path))]


def _evaluate_large_change(case: Case, subject: str, size: dict[str, int]) -> Reason:
    review = case.compute_once(code_review.read_code_review)
    security = code_review.find_security_reviewers(case, review)
    explainers = [p for p in security.counted if review.counted[p].answers.get(WHY_LARGE, "").strip()]
    if explainers:
        return Reasons.LARGE_WITH_REASON(subject, who=", ".join(explainers), **size)
    return Reasons.TOO_LARGE(
        subject,
        ask=security.ask,
        questions=WHY_LARGE,
        **code_review.describe_revision(case.get_fact(kinds.REVISION)),
        **size,
    )


CONTROL = Control(
    name="small-changes",
    version=3,
    summary="Changes are small enough to be reviewed with care.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.FILES),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

"""A change is small enough to be read with care; a larger one tells why, to a reviewer with the security role."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls import code_review
from muniment.controls.control import (
    Case,
    Codes,
    Control,
    Reason,
    Scope,
    not_applicable,
    satisfied,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit
from muniment.policy.patterns import compiled

WHY_LARGE = "why-large"


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """How large a change may be. Files below `generated` are not read by people, and not counted."""

    lines: Annotated[int, Meta(ge=1), Unit("changed lines"), Stricter.LOWER] = 400
    files: Annotated[int, Meta(ge=1), Unit("changed files"), Stricter.LOWER] = 40
    generated: Annotated[tuple[str, ...], Unit("paths"), Stricter.FEWER] = ()


class Reasons(Codes):
    """What this control answers."""

    SMALL = satisfied("{lines} lines in {files} files, of at most {most_lines} in {most_files}.")
    LARGE_WITH_REASON = satisfied("{lines} lines in {files} files; {who} approved it and wrote why it is large.")
    NOTHING_CHANGED = not_applicable("No file changes.")
    TOO_LARGE = violated(
        "{lines} lines in {files} files change; at most {most_lines} in {most_files} may.",
        "Split it; or have {ask} approve it with the reason: "
        f'muniment approve {{head}} --onto {{branch}} --answer {WHY_LARGE}="…"',
    )
    SIZE_NOT_LEARNT = unknown(
        "The size of {name} could not be learnt: {why}.",
        "Make its content readable here (a full clone has it), then check again.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Lines and files that people have to read, against `lines` and `files`."""
    limits: Parameters = case.parameters
    skip = compiled(limits.generated)
    files = [
        file for file in case.get(kinds.FILES) if not (skip.fullmatch(file.path) and skip.fullmatch(file.old_path))
    ]
    subject = f"commit:{case.get(kinds.REVISION).head}"
    if not case.get(kinds.FILES):
        return (Reasons.NOTHING_CHANGED(subject),)
    lines = 0
    unread: list[Reason] = []
    for file in files:
        if isinstance(file.lines, Unknown):
            unread.append(Reasons.SIZE_NOT_LEARNT(f"path:{file.path}", why=file.lines.why))
        else:
            lines += file.lines.value
    if unread:
        return tuple(unread)
    size = {"lines": lines, "files": len(files), "most_lines": limits.lines, "most_files": limits.files}
    if lines <= limits.lines and len(files) <= limits.files:
        return (Reasons.SMALL(subject, **size),)
    return case.unlearnt(code_review.NEEDS) or (_large(case, subject, size),)


def _large(case: Case, subject: str, size: dict[str, int]) -> Reason:
    review = case.derived(code_review.read)
    security = code_review.security_reviewers(case, review)
    told = [p for p in security.counted if review.counted[p].answers.get(WHY_LARGE, "").strip()]
    if told:
        return Reasons.LARGE_WITH_REASON(subject, who=", ".join(told), **size)
    return Reasons.TOO_LARGE(subject, ask=security.ask, **code_review.place(case), **size)


CONTROL = Control(
    name="small-changes",
    version=1,
    summary="Changes stay small enough to be read with care.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.FILES),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)

"""Control: every dependency is pinned, so that the same content is installed each time."""

from muniment.controls.control import (
    Case,
    Control,
    NoParameters,
    Reason,
    ReasonCodes,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.dependency_facts import LockContent
from muniment.facts.maybe import Unknown


class Reasons(ReasonCodes):
    """Reasons of this control."""

    PINNED = met("Pinned dependencies: {packages}. Files that name them: {files}.")
    NO_DEPENDENCIES = not_applicable("This repository has no lock file, manifest, image or workflow.")
    NOT_PINNED = violated(
        "{name}: dependencies whose content can change without a commit: {count}, such as {package}.",
        "Pin each: an image by its digest, an action by its full commit.",
    )
    NO_DIGEST = violated(
        "{name}: packages without a recorded digest: {count}, such as {package}.",
        "Write this file again with digests, for example: uv pip compile --generate-hashes",
    )
    FILE_UNKNOWN = unknown(
        "The dependencies of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate every lock file; a reason for each that does not pin, else one for all."""
    files = case.get_fact(kinds.DEPENDENCY_LOCKS)
    if not files:
        return (Reasons.NO_DEPENDENCIES("fact:dependency_locks"),)
    found: list[Reason] = []
    packages = 0
    for file in files:
        subject = f"path:{file.path}"
        if isinstance(file.content, Unknown):
            found.append(Reasons.FILE_UNKNOWN(subject, why=file.content.reason))
        else:
            packages += file.content.value.packages
            found += _check_content(subject, file.content.value)
    return tuple(found) or (Reasons.PINNED("fact:dependency_locks", packages=packages, files=len(files)),)


def _check_content(subject: str, content: LockContent) -> list[Reason]:
    return [
        reason(subject, count=len(names), package=names[0])
        for reason, names in ((Reasons.NOT_PINNED, content.unpinned), (Reasons.NO_DIGEST, content.without_digest))
        if names
    ]


CONTROL = Control(
    name="pinned",
    version=1,
    summary="Every dependency is pinned by a lock file, a digest or a full commit.",
    scope=Scope.PRODUCT,
    needs=(kinds.DEPENDENCY_LOCKS,),
    parameters=NoParameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

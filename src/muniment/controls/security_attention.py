"""Control: a change of sensitive paths is approved by the security role, with answers to the review questions."""

from typing import Annotated

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, violated
from muniment.facts import kinds
from muniment.facts.change import File
from muniment.facts.statements import ReviewAction
from muniment.policy import guide
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Paths that need attention, besides those that always do (`policy.guide`)."""

    sensitive: Annotated[tuple[str, ...], Unit("paths"), Stricter.MORE] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    SECURITY_APPROVED = met("{who} approved it with the security role and answered the review questions on {topics}.")
    NOTHING_SENSITIVE = not_applicable("No sensitive path is changed.")
    NO_SECURITY_APPROVAL = violated(
        "A sensitive path is changed ({topics}: {path}), and nobody with the security role has approved this revision.",
        "Ask {ask} to review and approve it, with answers to the review questions.",
        ReviewAction.APPROVE,
    )
    GUIDE_UNANSWERED = violated(
        "{name} approved without answers to the review questions on {topics}: {missing}.",
        "Ask {name} to approve it again, with answers to the review questions.",
        ReviewAction.APPROVE,
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate whether a counted approval by the security role answers all review questions for the changed paths."""
    files = case.get_fact(kinds.FILES)
    topics = guide.find_topics(_list_touched_paths(files), case.parameters.sensitive)
    if not topics:
        return (Reasons.NOTHING_SENSITIVE(f"commit:{case.get_fact(kinds.REVISION).head}"),)
    if unlearnt := case.explain_unknown(code_review.NEEDS):
        return unlearnt
    review = case.compute_once(code_review.read_code_review)
    security = code_review.find_security_reviewers(case, review)
    asked = [question.id for question in guide.select_questions(topics)]
    place = {
        **code_review.describe_revision(case.get_fact(kinds.REVISION)),
        "topics": ", ".join(topics),
        "questions": ", ".join(asked),
    }
    missing = {person: _find_unanswered(asked, review.counted[person].answers) for person in security.counted}
    attended = [person for person, left in missing.items() if not left]
    if attended:
        who, subject = ", ".join(attended), f"commit:{place['head']}"
        return (Reasons.SECURITY_APPROVED(subject, who=who, topics=place["topics"]),)
    if missing:
        return tuple(
            Reasons.GUIDE_UNANSWERED(f"person:{person}", missing=", ".join(left), **place)
            for person, left in missing.items()
        )
    path = next(
        file.path for file in files if guide.find_topics(_list_touched_paths((file,)), case.parameters.sensitive)
    )
    return (Reasons.NO_SECURITY_APPROVAL(f"path:{path}", path=path, ask=security.ask, **place),)


def _list_touched_paths(files: tuple[File, ...]) -> set[str]:
    return {path for file in files for path in (file.path, file.old_path)}


def _find_unanswered(asked: list[str], answers: dict[str, str]) -> list[str]:
    return [question for question in asked if not answers.get(question, "").strip()]


CONTROL = Control(
    name="security-attention",
    version=3,
    summary="Changes of sensitive paths are approved by the security role, with answers to the review questions.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.FILES),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)

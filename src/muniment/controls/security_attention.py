"""A change that touches what protects the product is approved by the security role, with answers to the guide."""

from typing import Annotated

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.control import Case, Codes, Control, Reason, Scope, met, not_applicable, violated
from muniment.facts import kinds
from muniment.facts.change import File
from muniment.facts.statements import ReviewAction
from muniment.policy import guide
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Paths that need attention, besides those that always do (`policy.guide`)."""

    sensitive: Annotated[tuple[str, ...], Unit("paths"), Stricter.MORE] = ()


class Reasons(Codes):
    """What this control answers."""

    SECURITY_APPROVED = met("{who} approved it for security and answered the guide on {topics}.")
    NOTHING_SENSITIVE = not_applicable("No sensitive path is touched.")
    NO_SECURITY_APPROVAL = violated(
        "{topics} is touched ({path}), and nobody with the security role has approved this state.",
        "Ask {ask} to read and approve it, with answers to the guide: {questions}.",
        ReviewAction.APPROVE,
    )
    GUIDE_UNANSWERED = violated(
        "{name} approved, but left the guide on {topics} unanswered: {missing}.",
        "Ask {name} to approve it again, with answers to the guide: {questions}.",
        ReviewAction.APPROVE,
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Whether one counted approval by the security role answers all that the guide asks here."""
    files = case.get(kinds.FILES)
    topics = guide.topics(_touched(files), case.parameters.sensitive)
    if not topics:
        return (Reasons.NOTHING_SENSITIVE(f"commit:{case.get(kinds.REVISION).head}"),)
    if unlearnt := case.unlearnt(code_review.NEEDS):
        return unlearnt
    review = case.derived(code_review.read)
    security = code_review.security_reviewers(case, review)
    asked = [question.id for question in guide.questions(topics)]
    place = {**code_review.place(case.get(kinds.REVISION)), "topics": ", ".join(topics), "questions": ", ".join(asked)}
    missing = {person: _missing(asked, review.counted[person].answers) for person in security.counted}
    attended = [person for person, left in missing.items() if not left]
    if attended:
        who, subject = ", ".join(attended), f"commit:{place['head']}"
        return (Reasons.SECURITY_APPROVED(subject, who=who, topics=place["topics"]),)
    if missing:
        return tuple(
            Reasons.GUIDE_UNANSWERED(f"person:{person}", missing=", ".join(left), **place)
            for person, left in missing.items()
        )
    path = next(file.path for file in files if guide.topics(_touched((file,)), case.parameters.sensitive))
    return (Reasons.NO_SECURITY_APPROVAL(f"path:{path}", path=path, ask=security.ask, **place),)


def _touched(files: tuple[File, ...]) -> set[str]:
    return {path for file in files for path in (file.path, file.old_path)}


def _missing(asked: list[str], answers: dict[str, str]) -> list[str]:
    return [question for question in asked if not answers.get(question, "").strip()]


CONTROL = Control(
    name="security-attention",
    version=3,
    summary="What protects the product is looked at by the security role, with the guide's questions answered.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.FILES),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)

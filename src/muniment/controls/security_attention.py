"""A change that touches what protects the product is approved by the security role, with answers to the guide."""

from typing import Annotated

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.control import Case, Codes, Control, Reason, Scope, not_applicable, satisfied, violated
from muniment.facts import kinds
from muniment.facts.change import File
from muniment.policy import guide
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Paths that need attention, besides those that always do (`policy.guide`)."""

    sensitive: Annotated[tuple[str, ...], Unit("paths"), Stricter.MORE] = ()


class Reasons(Codes):
    """What this control answers."""

    ATTENDED = satisfied("{who} approved it for security and answered the guide on {topics}.")
    NOTHING_SENSITIVE = not_applicable("No sensitive path is touched.")
    NO_SECURITY_APPROVAL = violated(
        "{topics} is touched ({path}), and nobody with the security role has approved this state.",
        "Ask {ask} to read it and run: muniment approve {head} --onto {branch} {answers}",
    )
    GUIDE_NOT_ANSWERED = violated(
        "{name} approved, but left the guide on {topics} unanswered: {missing}.",
        "Ask them to approve again with: muniment approve {head} --onto {branch} {answers}",
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
    place = {**code_review.place(case), "topics": ", ".join(topics), "answers": _flags(asked)}
    missing = {person: _missing(asked, review.counted[person].answers) for person in security.counted}
    attended = [person for person, left in missing.items() if not left]
    if attended:
        who, subject = ", ".join(attended), f"commit:{place['head']}"
        return (Reasons.ATTENDED(subject, who=who, topics=place["topics"]),)
    if missing:
        return tuple(
            Reasons.GUIDE_NOT_ANSWERED(f"person:{person}", missing=", ".join(left), **place)
            for person, left in missing.items()
        )
    path = next(file.path for file in files if guide.topics(_touched((file,)), case.parameters.sensitive))
    return (Reasons.NO_SECURITY_APPROVAL(f"path:{path}", path=path, ask=security.ask, **place),)


def _touched(files: tuple[File, ...]) -> list[str]:
    return [path for file in files for path in {file.path: "", file.old_path: ""}]


def _missing(asked: list[str], answers: dict[str, str]) -> list[str]:
    return [question for question in asked if not answers.get(question, "").strip()]


def _flags(asked: list[str]) -> str:
    return " ".join(f'--answer {question}="…"' for question in asked)


CONTROL = Control(
    name="security-attention",
    version=1,
    summary="What protects the product is looked at by the security role, with the guide's questions answered.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.FILES),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)

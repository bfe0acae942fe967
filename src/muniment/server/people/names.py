"""Names and handles of people for pages and programs: internal ids are for data, and nobody is shown one."""

from collections.abc import Iterable

from msgspec import structs

from muniment.decision.account import DecisionReport, ReasonReport
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.models import Person

_PERSON = "person:"


def names_of(ids: Iterable[str]) -> dict[str, str]:
    """The name of each person, by internal id, and of each actor that is no person, for pages."""
    wanted = set(ids)
    system = {one.value: str(one.label) for one in SystemActor if one.value in wanted}
    return system | dict(Person.objects.filter(pk__in=wanted).values_list("pk", "name"))


def handles_of(ids: Iterable[str]) -> dict[str, str]:
    """The handle of each person, by internal id, for programs."""
    return dict(Person.objects.filter(pk__in=set(ids)).values_list("pk", "slug"))


def person_in(subject: str) -> str:
    """The internal id in `person:4f1c...`, "" for a subject of another kind."""
    return subject.removeprefix(_PERSON) if subject.startswith(_PERSON) else ""


def renamed_subject(subject: str, known: dict[str, str]) -> str:
    """A subject with the person's id replaced by what `known` has for it."""
    person = person_in(subject)
    return f"{_PERSON}{known[person]}" if person in known else subject


def with_handles(account: DecisionReport) -> DecisionReport:
    """A decision's account for programs: each person by handle. People of another home keep the ids that it gave."""
    ids = {*account.eligible_reviewers, person_in(account.merger), *account.names}
    ids |= {contributor.person for contributor in account.contributors}
    ids |= {approval.person for approval in account.approvals}
    known = handles_of(ids)
    return structs.replace(
        account,
        contributors=tuple(
            structs.replace(one, person=known.get(one.person, one.person)) for one in account.contributors
        ),
        approvals=tuple(structs.replace(one, person=known.get(one.person, one.person)) for one in account.approvals),
        eligible_reviewers=tuple(known.get(person, person) for person in account.eligible_reviewers),
        merger=renamed_subject(account.merger, known),
        reasons=_with_handles(account.reasons, known),
        results=tuple(structs.replace(one, reasons=_with_handles(one.reasons, known)) for one in account.results),
        names={},
    )


def _with_handles(reasons: tuple[ReasonReport, ...], known: dict[str, str]) -> tuple[ReasonReport, ...]:
    return tuple(structs.replace(reason, subject=renamed_subject(reason.subject, known)) for reason in reasons)

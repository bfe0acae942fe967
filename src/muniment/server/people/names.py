"""Names and handles of people for pages and programs: internal ids are for data, and are shown to nobody."""

from collections.abc import Iterable

from msgspec import structs

from muniment.decision.report import DecisionReport, ReasonReport
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.models import Person

_PERSON = "person:"


def find_names(ids: Iterable[str]) -> dict[str, str]:
    """Name of each person, by internal id, and of each actor that is no person, for pages."""
    wanted = set(ids)
    system = {one.value: str(one.label) for one in SystemActor if one.value in wanted}
    return system | dict(Person.objects.filter(pk__in=wanted).values_list("pk", "name"))


def find_handles(ids: Iterable[str]) -> dict[str, str]:
    """Handle of each person, by internal id, for programs."""
    return dict(Person.objects.filter(pk__in=set(ids)).values_list("pk", "slug"))


def parse_person_subject(subject: str) -> str:
    """Internal id in `person:4f1c...`, "" for a subject of another kind."""
    return subject.removeprefix(_PERSON) if subject.startswith(_PERSON) else ""


def replace_subject_id(subject: str, known: dict[str, str]) -> str:
    """Subject in which the person's id is replaced by its entry in `known`."""
    person = parse_person_subject(subject)
    return f"{_PERSON}{known[person]}" if person in known else subject


def replace_ids_by_handles(account: DecisionReport) -> DecisionReport:
    """Report of a decision for programs: each person by handle. Persons of another home keep the ids that it gave."""
    ids = {*account.eligible_reviewers, parse_person_subject(account.merger), *account.names}
    ids |= {contributor.person for contributor in account.contributors}
    ids |= {approval.person for approval in account.approvals}
    known = find_handles(ids)
    return structs.replace(
        account,
        contributors=tuple(
            structs.replace(one, person=known.get(one.person, one.person)) for one in account.contributors
        ),
        approvals=tuple(structs.replace(one, person=known.get(one.person, one.person)) for one in account.approvals),
        eligible_reviewers=tuple(known.get(person, person) for person in account.eligible_reviewers),
        merger=replace_subject_id(account.merger, known),
        reasons=_replace_reason_ids(account.reasons, known),
        results=tuple(structs.replace(one, reasons=_replace_reason_ids(one.reasons, known)) for one in account.results),
        names={},
    )


def _replace_reason_ids(reasons: tuple[ReasonReport, ...], known: dict[str, str]) -> tuple[ReasonReport, ...]:
    return tuple(structs.replace(reason, subject=replace_subject_id(reason.subject, known)) for reason in reasons)

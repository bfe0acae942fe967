"""Part of the demonstration about people: who joins, with which roles and accounts."""

import base64
import secrets
from collections.abc import Iterator
from functools import partial

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator

from muniment.access.roles import EVERYWHERE, Role
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.demonstration_story import (
    ADMINISTRATOR,
    BY_HANDLE,
    DEMONSTRATION_PEOPLE,
    FIRST_DAY,
    FIRST_FOUR,
    GITEA,
    GITHUB,
    GITLAB,
    SECOND_ADMINISTRATOR,
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
    StoryPerson,
)
from muniment.server.people.account_acts import ImportAccounts
from muniment.server.people.machine_acts import DeclareMachine
from muniment.server.people.models import Person
from muniment.server.people.person_acts import AddPerson
from muniment.server.people.role_acts import GrantRole, is_changing_role

_MACHINES = (("update-bot", "update-bot"), ("ci", "ci"), ("muniment", "muniment"))


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """List the demonstration's events about people."""
    first = company.find_moment(FIRST_DAY, 8)
    yield DemonstrationEvent(first, "operator", _add_first_administrator)
    yield DemonstrationEvent(company.find_moment(FIRST_DAY, 8, 20), "web", partial(_add_first_people, company))
    yield DemonstrationEvent(company.find_moment(FIRST_DAY, 10), "web", partial(_add_others, company))
    yield DemonstrationEvent(company.find_moment(FIRST_DAY - 1, 9), "web", partial(_link_accounts, company))
    yield DemonstrationEvent(company.find_moment(FIRST_DAY - 2, 9), "web", partial(_declare_machines, company))
    yield DemonstrationEvent(company.find_moment(FIRST_DAY - 2, 10), "web", partial(_grant_product_roles, company))
    yield DemonstrationEvent(
        company.find_moment(0.2, 8, 15),
        "web",
        lambda: company.acts.request(
            ADMINISTRATOR, GrantRole, {"person": "samuel-osei", "role": Role.DEVELOPER.value, "product": "billing"}
        ),
    )


def _add_first_administrator() -> None:
    person = BY_HANDLE[ADMINISTRATOR]
    values = {"handle": person.handle, "name": person.name, "email": person.email}
    execute_system_act(SystemActor.OPERATOR, AddPerson, values)
    execute_system_act(SystemActor.OPERATOR, GrantRole, {"person": person.handle, "role": Role.ADMIN.value})


def _add_first_people(company: Demonstration) -> None:
    """Add those who set the service up: the first administrator grants their roles alone."""
    for handle in FIRST_FOUR[1:]:
        _add_person(company, BY_HANDLE[handle])
        for role, _product in BY_HANDLE[handle].roles:
            company.perform(ADMINISTRATOR, GrantRole, person=handle, role=role.value)
    for handle in FIRST_FOUR:
        _add_factor(handle)


def _add_others(company: Demonstration) -> None:
    for person in DEMONSTRATION_PEOPLE:
        if person.handle in FIRST_FOUR:
            continue
        _add_person(company, person)
        for role, product in person.roles:
            if product == EVERYWHERE and not is_changing_role(role):
                until = str((company.now.date()).replace(day=28)) if role is Role.AUDITOR else ""
                company.perform(ADMINISTRATOR, GrantRole, person=person.handle, role=role.value, until=until)
            elif product == EVERYWHERE:
                _grant_by_two(company, person, role, product)
        _add_factor(person.handle)


def _grant_product_roles(company: Demonstration) -> None:
    for person in DEMONSTRATION_PEOPLE:
        for role, product in person.roles:
            if product != EVERYWHERE:
                _grant_by_two(company, person, role, product)


def _grant_by_two(company: Demonstration, person: StoryPerson, role: Role, product: str) -> None:
    values = {"person": person.handle, "role": role.value, "product": product}
    company.perform_by_two(ADMINISTRATOR, SECOND_ADMINISTRATOR, GrantRole, **values)


def _add_person(company: Demonstration, person: StoryPerson) -> None:
    values = {"handle": person.handle, "name": person.name, "email": person.email}
    company.perform(ADMINISTRATOR, AddPerson, **values)


def _add_factor(handle: str) -> None:
    """Give a person an app for codes whose seed nobody has: links sign in to the demonstration."""
    seed = base64.b32encode(secrets.token_bytes(20)).decode()
    values = {"secret": get_adapter().encrypt(seed)}
    Authenticator.objects.create(user=Person.objects.get(slug=handle), type=Authenticator.Type.TOTP, data=values)


def _link_accounts(company: Demonstration) -> None:
    """Link addresses and logins: one administrator vouches for them, a security officer confirms them."""
    lines = [f"{person.handle} email {person.email}" for person in DEMONSTRATION_PEOPLE if person.login]
    lines += [
        f"{person.handle} login {forge}/{person.login}"
        for person in DEMONSTRATION_PEOPLE
        if person.login
        for forge in (GITHUB, GITLAB, GITEA)
    ]
    for at in range(0, len(lines), 40):
        company.perform_by_two(ADMINISTRATOR, SECURITY_OFFICER, ImportAccounts, accounts="\n".join(lines[at : at + 40]))


def _declare_machines(company: Demonstration) -> None:
    for machine, login in _MACHINES:
        for forge in (GITHUB, GITLAB):
            values = {"id": machine, "kind": "login", "value": f"{forge}/{login}", "acts_on_request": "no"}
            company.perform_by_two(SECURITY_OFFICER, SECOND_SECURITY_OFFICER, DeclareMachine, **values)

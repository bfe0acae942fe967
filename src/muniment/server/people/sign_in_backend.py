"""Sign-in of allauth, which reads the person of each request in plain SQL."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet

from muniment.server.people.models import Person
from muniment.server.remembered_sql import remember_sql

_COLUMNS = tuple(field.attname for field in Person._meta.concrete_fields)


class SignInBackend(AuthenticationBackend):  # type: ignore[misc]
    """Backend of all sign-ins."""

    def get_user(self, user_id: str) -> Person | None:
        """Person of a session; None for somebody who left."""
        for row in _read_person(user_id):
            person = Person.from_db(DEFAULT_DB_ALIAS, _COLUMNS, row)
            return person if self.user_can_authenticate(person) else None
        return None


@remember_sql
def _read_person(person: str) -> "QuerySet[Any, tuple[Any, ...]]":
    return Person.objects.filter(pk=person).values_list(*_COLUMNS)

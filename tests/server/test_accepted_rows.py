"""Acceptance, by the operator, of a database row that differs from the ledger."""

import pytest
from django.db import connection

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.models import RoleGrant
from muniment.server.records.models import Record
from muniment.server.records.row_acts import AcceptRow
from muniment.server.records.row_checks import find_row_problems
from muniment.server.requests.execution import perform_system_act
from tests.support.service import as_role, person, record_rows

pytestmark = pytest.mark.usefixtures("compared_rows")

TABLE = "people_rolegrant"


def by_sql(statement: str) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute(statement)


def accept(key: str, table: str = TABLE) -> None:
    with as_role("operator"):
        perform_system_act(SystemActor.OPERATOR, AcceptRow, {"table": table, "key": key, "reason": "It is ours."})


def keys() -> list[str]:
    return [one.key for one in find_row_problems([RoleGrant])]


@pytest.mark.parametrize("how", ["inserted", "altered", "deleted"])
def test_operator_accepts_row_that_differs_from_ledger(how: str) -> None:
    person("ada", Role.ADMIN)
    record_rows()
    key = str(RoleGrant.objects.get().pk)
    if how == "inserted":
        by_sql(
            "INSERT INTO people_rolegrant (person_id, role, granted_at, bootstrap, company_group)"
            " VALUES ('ada', 'dpo', now(), false, '')"
        )
        key = str(RoleGrant.objects.latest("pk").pk)
    else:
        by_sql("DELETE FROM people_rolegrant" if how == "deleted" else "UPDATE people_rolegrant SET role = 'dpo'")
    assert keys() == [key]
    accept(key)
    assert keys() == []
    assert Record.objects.latest("pk").kind == "operator-action"


def test_refuses_acceptance_of_matching_or_uncompared_row() -> None:
    person("ada", Role.ADMIN)
    record_rows()
    for table, key in ((TABLE, str(RoleGrant.objects.get().pk)), ("records_record", "1")):
        with pytest.raises(RefusedError):
            accept(key, table)

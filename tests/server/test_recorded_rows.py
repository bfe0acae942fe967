"""With the web's credentials alone, nobody changes rows that an evaluation, a credential or a task relies on."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone
from msgspec import structs
from procrastinate.contrib.django.models import ProcrastinateJob

from dev import table_reference
from dev.table_reference import DOCUMENT, describe_tables
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.forges.shapes import Vendor
from muniment.server.changes.branch_evaluation import evaluate_open_branch
from muniment.server.changes.models import Change
from muniment.server.connections import bypass_reviews
from muniment.server.connections.connection_acts import AddConnection
from muniment.server.connections.forge_access import open_connected_forge, require_linked_repository
from muniment.server.connections.models import (
    BranchUpdate,
    BypassReview,
    Connection,
    RepositoryLink,
    VisibleRepository,
)
from muniment.server.guarding import privileges
from muniment.server.guarding.database_roles import PROCESSES
from muniment.server.incidents.models import Incident
from muniment.server.incidents.row_incidents import report_row_problems
from muniment.server.people import person_erasure
from muniment.server.people.models import Account, Person
from muniment.server.people.personal_data_acts import ErasePersonalData
from muniment.server.products.models import Product, Repository
from muniment.server.products.product_acts import ChangeProduct
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record, RecordPosition, RefusedRecord, RowState
from muniment.server.records.record_checks import find_differences
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.records.row_checks import RowCode, find_row_problems
from muniment.server.requests.execution import approve_request, perform_act
from muniment.server.running.health_report import check_service
from tests.support.repos import Repo
from tests.support.service import as_role, by_an_act, person, place_records, product

pytestmark = pytest.mark.usefixtures("compared_rows")


@pytest.fixture
def shop(compared_rows: None, tmp_path: Path) -> Repository:
    """Repository whose change by bob was evaluated, with all its people."""
    repo = Repo(tmp_path / "shop")
    base = repo.commit({"app.py": "x = 1\n"})
    repo.commit({"app.py": "x = 2\n"}, on="topic", parents=[base], author="Bob <bob@example.test>")
    with by_an_act():
        for name in ("ada", "bob"):
            person(name, Role.DEVELOPER)
        person("root", Role.ADMIN)
        for found in Person.objects.exclude(slug="root"):
            address = f"{found.slug}@example.test"
            Account.objects.create(person=found, kind="email", value=address, verification="email-code")
        product("shop", str(repo.path / ".git"))
    assert evaluate()
    return Repository.objects.get()


def evaluate() -> bool:
    with as_role("worker"):
        return evaluate_open_branch(Repository.objects.select_related("product").get(), "refs/heads/topic")


def execute_sql(statement: str, *values: str | int | bytes) -> None:
    """Execute SQL as an attacker with the web's database login can."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def actor(slug: str) -> Actor:
    return Actor(slug, active=True, grants=Person.objects.get(slug=slug).load_roles(), second_factor=True)


def find_problems() -> list[tuple[str, RowCode]]:
    return [(one.table, one.code) for one in find_row_problems(list_recorded_models())]


def replace_policy() -> None:
    """Replace the policy in force by one that requires one reviewer instead of two."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM records_document WHERE name = 'policy.toml'")
        (data,) = cursor.fetchone() or (b"",)
    weaker = bytes(data).replace(b"reviewers = 2", b"reviewers = 1")
    assert weaker != bytes(data)
    execute_sql("UPDATE records_document SET data = %s WHERE name = 'policy.toml'", weaker)


def insert_grant() -> None:
    execute_sql(
        "INSERT INTO people_rolegrant (person_id, role, company_group, bootstrap, granted_at)"
        " VALUES ('bob', 'security', '', false, now())"
    )


def insert_account() -> None:
    execute_sql(
        "INSERT INTO people_account (person_id, kind, value, identity_hash, verification, linked_at)"
        " VALUES ('ada', 'key', 'ssh-ed25519 AAAA', 'x', 'signature', now())"
    )


def insert_exception() -> None:
    execute_sql("INSERT INTO records_exceptionfile (name, data) VALUES ('2026-01-01-aaaaaaaa', '{}')")


def start_monitoring() -> None:
    execute_sql(
        "INSERT INTO policies_monitoringperiod"
        " (slug, product_id, clause, last_day, reason, requester_id, approver_id, started_at)"
        " SELECT 'm', id, 'review.two-reviewers', '2999-01-01', '', 'ada', 'bob', now() FROM products_product"
    )


def clear_sensitive_paths() -> None:
    execute_sql("UPDATE products_product SET sensitive_patterns = 'none/**'")


def move_repository() -> None:
    execute_sql("UPDATE products_repository SET path = path || '/../.git'")


def revive_person() -> None:
    execute_sql("UPDATE people_person SET active = false WHERE slug = 'ada'")


def delete_account() -> None:
    execute_sql("DELETE FROM people_account WHERE person_id = 'bob'")


def backdate_account() -> None:
    execute_sql("UPDATE people_account SET linked_at = '2020-01-01' WHERE person_id = 'bob'")


def name_a_machine() -> None:
    """Declare the login of an unknown person as our own account, whose commits count as a machine's."""
    execute_sql(
        "INSERT INTO connections_connection (slug, vendor, url, proxy, account, account_id, webhook_secret_version,"
        " problem, forge_version, forge_tier, forge_details, probe_seconds, probe_requests, created_at,"
        " refused_requests)"
        " VALUES ('x', 'gitea', 'https://forge.example.test', '', 'mallory', '7', 0,"
        " '', '', '', '{}', 0, 0, now(), '{}')"
    )


ATTACKS: list[tuple[Callable[[], None], str, RowCode]] = [
    (replace_policy, "records_document", RowCode.ALTERED),
    (insert_grant, "people_rolegrant", RowCode.NOT_RECORDED),
    (insert_account, "people_account", RowCode.NOT_RECORDED),
    (delete_account, "people_account", RowCode.MISSING),
    (backdate_account, "people_account", RowCode.ALTERED),
    (name_a_machine, "connections_connection", RowCode.NOT_RECORDED),
    (insert_exception, "records_exceptionfile", RowCode.NOT_RECORDED),
    (start_monitoring, "policies_monitoringperiod", RowCode.NOT_RECORDED),
    (clear_sensitive_paths, "products_product", RowCode.ALTERED),
    (move_repository, "products_repository", RowCode.ALTERED),
    (revive_person, "people_person", RowCode.ALTERED),
]


@pytest.mark.parametrize(("attack", "table", "code"), ATTACKS, ids=[one[0].__name__ for one in ATTACKS])
def test_row_without_an_act_denies(attack: Callable[[], None], table: str, code: RowCode, shop: Repository) -> None:
    assert find_problems() == []
    attack()
    with pytest.raises(RowsDifferError, match=table):
        evaluate()
    assert find_problems() == [(table, code)]
    assert Change.objects.get().decision is None, "an older decision is not left standing"


def test_row_that_was_altered_and_restored_was_not_used_meanwhile(shop: Repository) -> None:
    def altered() -> int:
        execute_sql("UPDATE people_person SET active = false WHERE slug = 'ada'")
        inactive = Person.objects.filter(active=False).count()
        execute_sql("UPDATE people_person SET active = true WHERE slug = 'ada'")
        return inactive

    with pytest.raises(RowsDifferError, match="again and again"):
        row_checks.read_recorded(altered, Person)
    assert find_problems() == []
    assert row_checks.read_recorded(Person.objects.count, Person) == 3


def test_older_state_cannot_be_restored(shop: Repository) -> None:
    with by_an_act():
        Product.objects.update(sensitive_patterns="keys/**")
    assert find_problems() == []
    execute_sql("UPDATE products_product SET sensitive_patterns = ''")
    assert find_problems() == [("products_product", RowCode.ALTERED)]


def test_state_without_a_record_proves_nothing(shop: Repository) -> None:
    insert_grant()
    record = Record.objects.latest("id")
    execute_sql(
        'INSERT INTO records_rowstate (record_id, "table", key, commitment, salt) SELECT %s, %s, max(id)::text, %s, %s'
        " FROM people_rolegrant",
        *(record.pk, "people_rolegrant", "sha256:0", "0"),
    )
    assert ("people_rolegrant", RowCode.NO_RECORD) in find_problems()


def test_states_added_to_an_already_proven_record_prove_nothing(shop: Repository) -> None:
    from muniment.server.people.models import RoleGrant
    from muniment.server.records.recorded_rows import read_recorded_columns
    from muniment.server.records.row_states import commit_to_row

    insert_grant()
    forged = RoleGrant.objects.latest("id")
    values = read_recorded_columns(RoleGrant)[str(forged.pk)]
    commitment = commit_to_row("people_rolegrant", str(forged.pk), values, "00")
    known = RowState.objects.filter(table="people_rolegrant").latest("record").record_id
    RowState.objects.create(record_id=known, table="people_rolegrant", key=forged.pk, commitment=commitment, salt="00")
    assert ("people_rolegrant", RowCode.NO_RECORD) in find_problems()
    with pytest.raises(RowsDifferError):
        evaluate()


def test_acts_write_rows_that_match_their_records(shop: Repository) -> None:
    root = actor("root")
    perform_act(root, AddConnection(name="forge", vendor=Vendor.GITEA, url="https://forge.example.test"))
    perform_act(root, ChangeProduct(product="shop", name="Shop", sensitive="keys/**"))
    assert find_problems() == []
    evaluate()


def test_no_credential_is_sent_to_an_address_without_an_act(shop: Repository) -> None:
    with by_an_act():
        Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.test")
    with as_role("owner"):  # the web's login may not even write it
        execute_sql("UPDATE connections_connection SET url = 'https://stranger.example.test'")
    with as_role("worker"), pytest.raises(RowsDifferError, match="connections_connection"):
        open_connected_forge(Connection.objects.get())
    assert find_problems() == [("connections_connection", RowCode.ALTERED)]


def test_web_cannot_rename_our_account_at_a_forge(shop: Repository) -> None:
    with by_an_act():
        Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.test")
    with pytest.raises(ProgrammingError, match="permission denied"):
        execute_sql("UPDATE connections_connection SET account = 'mallory'")


@pytest.mark.parametrize("column", ["path", "clone_url"])
def test_no_credential_is_sent_to_a_path_or_address_that_the_forge_did_not_report(
    column: str, shop: Repository
) -> None:
    content = {"path": "org/shop", "clone_url": "https://forge.example.test/org/shop.git", "url": ""}
    with by_an_act():
        forge = Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.test")
        RepositoryLink.objects.create(repository=shop, connection=forge, forge_id="1", **content)
        VisibleRepository.objects.create(
            connection=forge, forge_id="1", **content, private=False, missing_permissions=[]
        )
    with as_role("worker"):
        assert require_linked_repository(RepositoryLink.objects.get()).path == "org/shop"
    with as_role("owner"):
        RepositoryLink.objects.update(**{column: "https://stranger.example.test/x.git"})
    with as_role("worker"), pytest.raises(RowsDifferError, match="differs from the one that its forge reported"):
        require_linked_repository(RepositoryLink.objects.get())


def test_no_process_can_create_triggers_from_functions_of_the_owner(shop: Repository) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'muniment%' AND has_function_privilege(oid, 'EXECUTE')"
        )
        assert cursor.fetchall() == []


def test_worker_and_eraser_cannot_set_passwords(shop: Repository) -> None:
    with as_role("worker"), pytest.raises(ProgrammingError, match="permission denied"):
        Person.objects.filter(slug="root").update(password=make_password(None))
    with as_role("eraser"), pytest.raises(ProgrammingError, match="sets no password"):
        Person.objects.filter(slug="root").update(password=make_password("violet otter carries lantern"))
    with as_role("eraser"):
        Person.objects.filter(slug="bob").update(password=make_password(None))


def test_refused_record_neither_stops_evaluation_nor_lifts_a_freeze(shop: Repository) -> None:
    execute_sql(
        "INSERT INTO records_record (kind, recorded_at, details_digest, data) VALUES ('freeze', now(), '', %s)",
        b"no record",
    )
    assert open_store().list_freezes() == ()
    place_records()
    assert RefusedRecord.objects.count() == 1
    assert open_store().list_freezes() == ()


def test_erasure_is_recorded_and_rows_match_after_it(shop: Repository) -> None:
    with by_an_act():
        Person.objects.filter(slug="bob").update(active=False)
        person("dan", Role.DPO)
    asked = perform_act(actor("dan"), ErasePersonalData(person="bob", reason="x")).request
    assert asked is not None
    with transaction.atomic():
        approve_request(actor("root"), asked)
    with as_role("eraser"):
        assert person_erasure.find_approved_erasures() == ("bob",)
        person_erasure.erase_person("bob")
    assert not Account.objects.filter(person="bob").exists()
    assert find_problems() == []


@pytest.mark.parametrize("recorded", [False, True])
def test_row_that_claims_an_approved_erasure_erases_nobody(recorded: bool, shop: Repository) -> None:
    with by_an_act():
        Person.objects.filter(slug="bob").update(active=False)
        if recorded:  # by an act, but not by that of an erasure
            Person.objects.filter(slug="bob").update(erasure_approved_at=timezone.now())
    if not recorded:
        execute_sql("UPDATE people_person SET erasure_approved_at = now() WHERE slug = 'bob'")
    with as_role("eraser"), pytest.raises(RowsDifferError):
        person_erasure.erase_person("bob")
    assert Account.objects.filter(person="bob").exists()
    assert Person.objects.get(pk="bob").slug == "bob"


def test_role_without_an_act_permits_nothing(shop: Repository) -> None:
    insert_grant()
    with by_an_act():
        person("carol", Role.SECURITY)
    assert [grant.role for grant in Person.objects.get(pk="bob").load_roles()] == [Role.DEVELOPER]
    assert [grant.role for grant in Person.objects.get(pk="carol").load_roles()] == [Role.SECURITY]
    execute_sql("UPDATE people_person SET active = NOT active WHERE slug = 'carol'")
    assert Person.objects.get(pk="carol").load_roles() == ()


def test_altered_row_opens_an_incident_that_doctor_and_verification_report(shop: Repository) -> None:
    with as_role("worker"):
        report_row_problems()
        place_records()
    assert not Incident.objects.exists()
    replace_policy()
    with as_role("worker"):
        report_row_problems()
        report_row_problems()
        place_records()
        log = open_store().open_log()
        told = list(find_differences(log, log.read_head().size))
        doctor = [one for one in check_service(Path(settings.HOME)) if one.subject == "rows"]
    incident = Incident.objects.get()
    assert (incident.kind, incident.subject) == ("row-differs", "row:records_document/policy.toml")
    assert ProcrastinateJob.objects.filter(task_name="reevaluate-all").exists()
    assert told == ["the row policy.toml of records_document is not what the ledger says (altered)"]
    assert [one.result for one in doctor] == ["violated"]


def test_altered_record_and_rolled_back_ledger_are_detected(shop: Repository) -> None:
    with as_role("worker"):
        place_records()
        log = open_store().open_log()
        size = log.read_head().size
        assert list(find_differences(log, size)) == []
        assert list(find_differences(log, size - 1)) == [], "a record that was added since is no difference"
        shorter = structs.replace(log.read_head(), size=size - 1)
        rolled_back = Mock(read_entries=log.read_entries, read_head=lambda: shorter)
        assert "it was rolled back" in next(find_differences(rolled_back, size - 1))
    with as_role("owner"):
        Record.objects.filter(place__position=0).update(data=b"{}")
        RecordPosition.objects.filter(position=1).update(position=size + 5)
    with as_role("worker"):
        told = list(find_differences(open_store().open_log(), size))
    assert told[0] == "entry 0: its record is not what was signed"
    assert told[1] == "entry 1: its record is missing"


def test_table_reference_lists_every_table_of_the_worker() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == describe_tables(), "run: python -m dev.table_reference"


def test_each_right_to_alter_or_delete_without_a_record_has_a_reason() -> None:
    """The rights that the catalogue of the database has, of each login but the worker, whose own rows they are."""
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute(privileges._GRANTS, [list(PROCESSES)])
        granted = [(role.removeprefix("muniment_"), *grant) for role, *grant in cursor.fetchall() if role]
    rights: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for login, right, table, column in granted:
        columns = rights.setdefault((table, login), {})
        columns[right] = (*columns.get(right, ()), *([column] if column else []))
    found = {key for key, one in rights.items() if table_reference.find_unrecorded_rights(key[0], one)}
    of_worker = {table for table, login in found if login == "worker"}
    assert {key for key in found if key[1] != "worker"} == set(table_reference.ALTERATIONS)
    assert {f"`{table}`" for table in of_worker} <= set(DOCUMENT.read_text(encoding="utf-8").split())


def test_undescribed_table_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(table_reference._CHECKS, "changes_change")
    with pytest.raises(KeyError, match="changes_change"):
        describe_tables()


def test_review_without_an_act_closes_no_bypass(shop: Repository) -> None:
    with by_an_act():
        record = Record.objects.latest("id")
        update = BranchUpdate.objects.create(
            repository=shop, ref="refs/heads/main", commit="a" * 40, outcome="bypass", record=record
        )
        BypassReview.objects.create(branch_update=update, reviewer_id="ada", reason="")
    execute_sql(
        "INSERT INTO connections_bypassreview (branch_update_id, reviewer_id, reason, reviewed_at)"
        " SELECT id, 'bob', '', now() FROM connections_branchupdate"
    )
    assert bypass_reviews.list_counting_reviewers(update) == ["ada"]

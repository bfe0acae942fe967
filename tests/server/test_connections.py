"""Changes at a forge, from the webhook to the published status: HTTP to a fake forge, real git, the real database."""

import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.errors import ForgeError, RefusedError
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability
from muniment.http.rate_limits import RateLimit
from muniment.ledger import record_kinds
from muniment.server.changes.models import Change
from muniment.server.connections import forge_access, reconciliation, tasks, webhook_deliveries
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.models import (
    BranchUpdate,
    Connection,
    ConnectionRateLimit,
    ForgeChange,
    PostedStatus,
    ProtectedBranch,
    RepositoryLink,
    VisibleRepository,
    WebhookDelivery,
)
from muniment.server.connections.setup_steps import is_branch_protected
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Account, Message, Person
from muniment.server.products.models import ClauseResult, ClauseState
from muniment.server.records.models import Record
from tests.support.forge_setup import MAIN, ForgeSetup, start_setup
from tests.support.forges.acting import Refused
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")


def signed_in(name: str) -> Any:
    return browser(Person.objects.get(slug=name))


def approved(setup: ForgeSetup, number: int) -> None:
    setup.acting.approve("bob", number)
    setup.acting.approve("carol", number)
    setup.evaluate(number)


# hearing


def deliver(connection: Connection, body: dict[str, Any], **changed: str) -> Any:
    raw = json.dumps(body).encode()
    secret = changed.pop("secret", webhook_deliveries.find_webhook_secret(connection))
    headers: dict[str, Any] = {
        "HTTP_X_GITEA_EVENT": "pull_request",
        "HTTP_X_GITEA_DELIVERY": "d-1",
        "HTTP_X_GITEA_SIGNATURE": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
        **changed,
    }
    return browser().post(f"/webhooks/{connection.slug}", raw, content_type="application/json", **headers)


def event(setup: ForgeSetup, number: int = 1) -> dict[str, Any]:
    row = RepositoryLink.objects.get()
    return {"repository": {"id": int(row.forge_id), "full_name": row.path}, "pull_request": {"number": number}}


def test_signed_delivery_is_stored_by_ids_and_its_change_is_read(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    answer = deliver(setup.connection, event(setup, number))
    assert answer.status_code == 202
    stored = WebhookDelivery.objects.values("event", "number", "delivery_id").get()
    assert stored == {"event": "change", "number": number, "delivery_id": "d-1"}
    assert setup.run_queue() == ["read-change"]
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_reading_must_be_as_new_as_recent_deliveries(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change_store, row = ForgeChangeStore(setup.repository), setup.load_change(number)
    day = "2099-01-0"  # later than it was read

    def read_result(updated: str, serial: int, **more: Any) -> str:
        about = {"connection": setup.connection, "forge_id": setup.repository.forge_link.forge_id, "number": number}
        values = {
            **about,
            "delivery_id": f"d-{serial}",
            "digest": f"{serial}",
            "event": "change",
            "forge_updated_at": updated,
        }
        WebhookDelivery.objects.create(**{**values, **more})
        return read_newest_delivery()

    def read_newest_delivery() -> str:
        with as_role("worker"):
            return change_store.begin_reading(number, "2026-11-25T00:00:00.000000Z").delivered_at

    assert read_newest_delivery() == "", "nothing was delivered"
    assert read_result(row.forge_change.forge_updated_at, 1) == "", "it was read since"
    assert read_result(f"{day}2", 2) == f"{day}2"
    assert read_result(f"{day}1", 3) == f"{day}2", "out of order"
    assert read_result(f"{day}3", 4, number=number + 1) == f"{day}2", "another change"
    assert read_result("", 5, received_at=timezone.now() - timedelta(minutes=11)) == f"{day}2", "long ago"
    assert read_result("", 6) == "", "one that does not tell"


def test_change_updated_twice_within_second_is_read_again_after_minute(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})

    def read_result(updated: str, serial: int, **more: Any) -> int:
        """A delivery and the reading that it asks for; how many more are put off."""
        about = {"connection": setup.connection, "forge_id": setup.repository.forge_link.forge_id, "number": number}
        values = {
            **about,
            "delivery_id": f"d-{serial}",
            "digest": f"{serial}",
            "event": "change",
            "forge_updated_at": updated,
        }
        WebhookDelivery.objects.create(**{**values, **more})
        setup.evaluate(number)
        return ProcrastinateJob.objects.filter(status="todo", scheduled_at__isnull=False).count()

    second = "2020-01-01T00:00:00.000000Z"
    assert read_result(second, 1) == 0
    assert read_result(second, 2, received_at=timezone.now() - timedelta(minutes=2)) == 0, "long ago"
    assert read_result("", 3) == read_result("", 4) == 0, "no moment, and so not the same one"
    assert read_result("2020-01-01T00:00:01.000000Z", 5) == 0, "a second later"
    assert read_result("2020-01-01T00:00:01.000000Z", 6) == 1


def test_unsigned_delivery_is_refused_without_details(setup: ForgeSetup) -> None:
    for changed in ({"secret": "another"}, {"HTTP_X_GITEA_SIGNATURE": ""}, {"HTTP_X_GITEA_SIGNATURE": "ä"}):
        assert deliver(setup.connection, event(setup), **changed).status_code == 401
    setup.connection.slug = "nowhere"
    assert deliver(setup.connection, event(setup)).status_code == 401
    assert not WebhookDelivery.objects.exists()


def test_oversized_delivery_is_refused_unread(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_deliveries, "LARGEST_DELIVERY", 50)
    assert deliver(setup.connection, event(setup)).status_code == 413
    assert not WebhookDelivery.objects.exists()


def test_replayed_delivery_is_ignored_under_any_id(setup: ForgeSetup) -> None:
    assert deliver(setup.connection, event(setup)).status_code == 202
    assert deliver(setup.connection, event(setup)).status_code == 200
    assert deliver(setup.connection, event(setup), HTTP_X_GITEA_DELIVERY="d-2").status_code == 200
    assert deliver(setup.connection, event(setup, 2), HTTP_X_GITEA_DELIVERY="d-1").status_code == 200
    assert WebhookDelivery.objects.count() == 1


def test_ten_events_of_one_change_cause_one_reading(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    for at in range(10):
        more = {"action": str(at)}
        assert (
            deliver(setup.connection, {**event(setup, number), **more}, HTTP_X_GITEA_DELIVERY=f"d-{at}").status_code
            == 202
        )
    assert setup.run_queue() == ["read-change"]


def test_renewed_webhook_secret_replaces_old_one_at_forge(setup: ForgeSetup) -> None:
    person("root", Role.ADMIN)
    hooks = setup.fake.hooked[setup.acting.path]
    old = hooks[0]["config"]["secret"]
    assert old == webhook_deliveries.find_webhook_secret(setup.connection)
    assert "Done." in post(signed_in("root"), "/connections/forge/change", act="renew-webhook-secret")
    setup.run_queue()
    assert len(hooks) == 1
    assert hooks[0]["config"]["secret"] == webhook_deliveries.find_webhook_secret(Connection.objects.get()) != old
    assert deliver(setup.connection, event(setup), secret=old).status_code == 401


@pytest.mark.parametrize("act", ["refresh-connection", "renew-webhook-secret"])
def test_deleted_webhook_is_restored_on_request(setup: ForgeSetup, act: str) -> None:
    person("root", Role.ADMIN)
    hooks = setup.fake.hooked[setup.acting.path]
    hooks.clear()
    assert "Done." in post(signed_in("root"), "/connections/forge/change", act=act)
    assert "reconcile-repository" in setup.run_queue()
    assert [one["config"]["secret"] for one in hooks] == [
        webhook_deliveries.find_webhook_secret(Connection.objects.get())
    ]
    assert RepositoryLink.objects.get().webhook_secret_mark


# evaluation


def test_denied_change_gets_one_comment_with_missing_requirements(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    assert [row["status"] for row in setup.fake.marks[setup.acting.path, change.head]] == ["pending", "failure"]
    assert change.decision is not None
    assert not change.decision.allowed
    decided = change.decision.record
    assert decided is not None
    entry = record_kinds.decode_record(bytes(decided.data), 0)
    assert isinstance(entry, record_kinds.DecisionRecord)
    assert (entry.enforced, entry.target, entry.head) == (True, MAIN, change.head)
    comments = setup.fake.pulls[setup.acting.path, number]["comments"]
    assert len(comments) == 1
    assert "0 of 2 required approvals" in comments[0]["body"]
    setup.evaluate(number)
    assert len(comments) == 1
    assert Record.objects.filter(kind="decision").count() == 1


def test_two_approvals_allow_change_and_remove_comment(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    approved(setup, number)
    change = setup.load_change(number)
    assert setup.get_status(change.head) == "success"
    assert setup.fake.pulls[setup.acting.path, number]["comments"] == []
    assert change.decision is not None
    assert change.decision.allowed


def test_push_after_approvals_is_denied_on_new_head(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    first = setup.load_change(number).head
    second = setup.work.commit("ada", {"app.py": "x = 2\n"}, first)
    setup.work.push("ada", second, "topic")
    setup.evaluate(number)
    assert setup.load_change(number).head == second
    assert setup.get_status(second) == "failure"


def test_freeze_denies_every_open_head(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    person("sue", Role.SECURITY)
    post(signed_in("sue"), "/policy/freeze", reason="Something is wrong.")
    assert "read-change" in setup.run_queue()
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_failed_reading_is_pending_and_denied_after_deadline(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    head = setup.load_change(number).head
    setup.fake.fail("pull", Fault.FAILED)
    with pytest.raises(ForgeError):
        setup.evaluate(number)
    assert setup.get_status(head) == "pending"
    with as_role("owner"):
        ForgeChange.objects.update(read_due_at=timezone.now() - timedelta(minutes=6))
    with pytest.raises(ForgeError):
        setup.evaluate(number)
    assert setup.get_status(head) == "failure"
    assert setup.load_change(number).decision is None
    setup.fake.mend()
    setup.evaluate(number)
    assert setup.get_status(head) == "success"


def test_unread_part_is_read_again_with_growing_delay(setup: ForgeSetup) -> None:
    from muniment.server.changes.models import Decision
    from muniment.server.connections import change_readings

    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    setup.run_queue()
    setup.fake.fail("permission", Fault.FAILED)
    setup.evaluate(number)
    change = setup.load_change(number)

    def again_in(**changed: Any) -> int:
        found = change_readings._read_standing(change.repository_id, number)
        assert found is not None
        return change_readings._find_retry_seconds(found._replace(**changed))

    assert setup.get_status(change.head) == "failure"
    assert 0 < again_in() < 60
    with as_role("owner"):
        Decision.objects.update(decided_at=timezone.now() - timedelta(minutes=10))
    assert 600 <= again_in() < 700
    assert again_in(state=Change.State.CLOSED) == 0
    setup.fake.mend()
    assert setup.run_queue() == ["read-change"]
    assert setup.get_status(change.head) == "success"
    assert again_in() == 0


def test_change_deleted_at_forge_is_closed_and_frees_its_head(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    head = setup.load_change(number).head
    del setup.fake.pulls[setup.acting.path, number]
    setup.fake.fail("pull", Fault.NOT_FOUND)
    setup.evaluate(number)
    setup.fake.mend()
    assert (setup.load_change(number).state, ForgeChange.objects.get().read_due_at) == (Change.State.CLOSED, None)
    again = setup.acting.open("ada", "topic", "main", "Change topic")
    approved(setup, again)
    assert setup.load_change(again).head == head
    assert setup.get_status(head) == "success"


def test_status_forged_by_another_account_is_incident_and_is_corrected(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    head = setup.load_change(number).head
    body = {"context": "muniment/main", "state": "success", "description": "fine", "target_url": ""}
    setup.acting._at("POST", f"statuses/{head}", setup.acting.token("ada"), body)
    assert setup.get_status(head) == "success"
    with as_role("worker"):
        from muniment.server.connections import tasks

        tasks.verify_statuses_at_forge(repository=setup.repository.pk, head=head)
    assert setup.get_status(head) == "failure"
    found = Incident.objects.get()
    assert found.kind == "status-forged"
    assert f"was posted by {setup.acting.login('ada')}, an account that is not ours" in found.summary


def test_reconcile_pass_finds_change_without_event(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=None)
        from muniment.server.connections.tasks import poll_connections

        poll_connections()
    done = setup.run_queue()
    assert {"poll-connection", "read-change"} <= set(done)
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_first_reconcile_pass_stays_within_quota_share(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    forge, received = forge_access.open_connected_forge(setup.connection), [RateLimit()]
    reader: Any = SimpleNamespace(get_rate_limits=lambda: {"rest": received[0]})

    def asked(connected: RepositoryLink, _: object) -> None:
        received[0] = RateLimit(5000, (received[0].left if received[0].left >= 0 else 5000) - 3)

    row = RepositoryLink.objects.get()
    monkeypatch.setattr(reconciliation, "open_connected_forge", lambda _: forge._replace(reader=reader))
    monkeypatch.setattr(reconciliation, "_list_due_links", lambda *_: [row] * 50)
    monkeypatch.setattr(reconciliation, "reconcile_repository", asked)
    with as_role("worker"):
        assert reconciliation.reconcile_connection(setup.connection) < 6


def test_unpublished_status_is_published_at_next_pass(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    denied = {"context": "muniment/main", "saying": "denied", "summary": "No.", "url": ""}
    with as_role("worker"):
        ForgeChange.objects.update(status=denied)  # and then its worker died
        reconciliation.reconcile_repository(
            RepositoryLink.objects.get(), forge_access.open_connected_forge(setup.connection)
        )
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_repository_that_fails_pass_is_last_in_next_pass(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(reconciliation, "reread_missed_changes", broken)
    for _ in range(2):
        with as_role("owner"):
            RepositoryLink.objects.update(reconciled_at=None)
        with as_role("worker"), pytest.raises(RuntimeError, match="nobody thought"):
            reconciliation.reconcile_connection(setup.connection)
        assert RepositoryLink.objects.get().reconciled_at is not None


def test_change_of_unprotected_branch_is_not_read_at_each_pass(setup: ForgeSetup) -> None:
    from muniment.server.connections import tasks

    setup.work.push("ada", setup.work.tip("main"), "mine")
    setup.open_change({"app.py": "x = 1\n"}, target="mine")
    with as_role("worker"):
        tasks.reconcile_now(repository=setup.repository.pk)
    assert "read-change" not in setup.run_queue()
    with as_role("worker"):
        ProtectedBranch.objects.create(repository=setup.repository, ref="refs/heads/mine", tip=setup.work.tip("main"))
        tasks.reconcile_now(repository=setup.repository.pk)
    assert "read-change" in setup.run_queue()


def test_revoked_token_is_reported_on_connection_page_until_it_works(setup: ForgeSetup) -> None:
    from muniment.server.connections.tasks import poll_connections

    number = setup.open_change({"app.py": "x = 1\n"})
    tokens = dict(setup.fake.tokens)
    setup.fake.tokens.clear()
    with pytest.raises(ForgeError):
        setup.evaluate(number)
    answer = Connection.objects.get().problem
    assert "the token is not accepted" in answer
    for _ in range(2):
        with as_role("owner"):
            RepositoryLink.objects.update(reconciled_at=None)
            poll_connections()
        setup.run_queue()
        assert Connection.objects.get().problem
    setup.fake.tokens.update(tokens)
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=None)
        poll_connections()
    setup.run_queue()
    assert Connection.objects.get().problem == ""
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_refused_credential_notifies_administrators_once(
    setup: ForgeSetup,
) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    root, bob = person("root", Role.ADMIN), Person.objects.get(slug="bob")
    tokens = dict(setup.fake.tokens)
    setup.fake.tokens.clear()
    for _ in range(2):
        with pytest.raises(ForgeError):
            setup.evaluate(number)
    message = Message.objects.filter(text__contains="the forge refuses our credential")
    assert list(message.values_list("person", flat=True)) == [root.pk]
    assert "the token is not accepted" in signed_in("root").get("/?overview").content.decode()
    assert "the token is not accepted" not in browser(bob).get("/").content.decode()
    setup.fake.tokens.update(tokens)
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=None)
        tasks.poll_connections()
    setup.run_queue()
    assert "the token is not accepted" not in signed_in("root").get("/?overview").content.decode()
    setup.fake.tokens.clear()
    with pytest.raises(ForgeError):
        setup.evaluate(number)
    assert message.count() == 2, "it was accepted meanwhile"


def test_refused_credential_causes_no_retries_and_is_tried_in_the_next_round(setup: ForgeSetup) -> None:
    tokens = dict(setup.fake.tokens)
    setup.fake.tokens.clear()
    with as_role("worker"):
        tasks.read_visible_repositories(connection=setup.connection.pk)
        tasks.check_connection_permissions(connection=setup.connection.pk)
    assert "the token is not accepted" in Connection.objects.get().problem
    setup.fake.tokens.update(tokens)
    with as_role("owner"):
        tasks.poll_connections()
    assert "list-repositories" in setup.run_queue()
    assert Connection.objects.get().problem == ""


def test_missing_token_scope_is_reported_before_any_denial(setup: ForgeSetup) -> None:
    person("root", Role.ADMIN)
    page = signed_in("root").get("/connections/forge").content.decode()
    assert "Works" in page
    setup.fake.scopes.discard("issue")
    with as_role("owner"):
        Connection.objects.update(permissions_checked_at=timezone.now() - timedelta(days=1, seconds=1))
        tasks.poll_connections()
    assert "check-connection-permissions" in setup.run_queue()
    for path in ("/connections/forge", "/?overview"):
        page = signed_in("root").get(path).content.decode()
        assert "the token&#x27;s scope read:issue" in page, path
        assert "Permissions are missing" in page, path
    headers = {"Authorization": f"Bearer {token_of(Person.objects.get(slug='root'))}"}
    answer = json.loads(browser().get("/api/connections/forge", headers=headers).content)
    assert "the token's scope write:issue" in {one["permission"] for one in answer["refused_requests"]}
    with as_role("owner"):
        tasks.poll_connections()
    assert "check-connection-permissions" not in setup.run_queue(), "once a day"


def test_token_that_cannot_read_its_account_reports_missing_scope(setup: ForgeSetup) -> None:
    setup.fake.scopes.discard("user")
    with as_role("owner"):
        Connection.objects.update(credential_set_at=timezone.now())  # another token
    with as_role("worker"), pytest.raises(ForgeError):
        tasks.read_visible_repositories(connection=setup.connection.pk)
    (refused,) = Connection.objects.get().refused_requests
    assert refused["permission"] == "the token's scope read:user"


def test_untested_permission_is_not_shown_as_working(setup: ForgeSetup) -> None:
    with as_role("owner"):
        Connection.objects.update(permissions_checked_at=None)
    setup.fake.fail("branches", Fault.FAILED)
    with as_role("worker"), pytest.raises(ForgeError):
        tasks.check_connection_permissions(connection=setup.connection.pk)
    person("root", Role.ADMIN)
    assert "Permissions are being tested" in signed_in("root").get("/connections/forge").content.decode()


def test_outdated_branch_rules_are_not_shown_as_unprotected(setup: ForgeSetup) -> None:
    person("root", Role.ADMIN)
    page = signed_in("root").get("/connections/forge").content.decode()
    assert "Not protected" in page
    assert "0 of 1 branches take only allowed changes" in page
    setup.run_queue()
    assert ProtectedBranch.objects.get().rules is not None
    assert not is_branch_protected(), "rules that were read protect nothing unless the branch is protected"
    setup.acting.protect("main", "muniment/main")
    with as_role("owner"):
        ProtectedBranch.objects.update(rules_checked_at=timezone.now() - timedelta(minutes=5))
    page = signed_in("root").get("/connections/forge").content.decode()
    assert "is being read again" in page
    assert "read-branch-rules" in setup.run_queue()
    headers = {"HX-Request": "true"}
    page = signed_in("root").get("/connections/forge/branches", headers=headers).content.decode()
    assert "<html" not in page
    assert "Not protected" not in page
    assert "1 of 1 branches take only allowed changes" in page
    assert "is being read again" not in page
    assert "Not protected" not in signed_in("root").get("/connections/forge/branches").content.decode()
    assert is_branch_protected()


# who is who


def rename_and_replace_account(setup: ForgeSetup, name: str) -> None:
    """Rename an account, and create another account with its old login."""
    setup.fake.users[setup.acting.login(name)]["id"] = 99


def test_account_that_takes_over_old_login_is_unknown(setup: ForgeSetup) -> None:
    first = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, first)
    assert setup.get_status(setup.load_change(first).head) == "success"
    rename_and_replace_account(setup, "bob")
    second = setup.open_change({"other.py": "x = 1\n"}, branch="second")
    approved(setup, second)
    assert setup.get_status(setup.load_change(second).head) == "failure"


def test_renamed_account_stays_linked_to_its_person(setup: ForgeSetup) -> None:
    first = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, first)
    setup.fake.rename_user(setup.acting.login("bob"), "robert")
    setup.evaluate(first)
    assert setup.get_status(setup.load_change(first).head) == "success"


def test_account_id_of_one_person_is_not_linked_to_another(setup: ForgeSetup) -> None:
    from muniment.forges.shapes import Account as AtGitea
    from muniment.server.connections import account_ids
    from muniment.server.people.people_facts import build_people

    number = str(setup.fake.users[setup.acting.login("bob")]["id"])

    def numbers() -> list[str]:
        return list(Account.objects.filter(forge_account__number=number).values_list("person__slug", flat=True))

    with as_role("worker"):
        account_ids.store_account_ids(setup.connection, [AtGitea(number, setup.acting.login("bob"))])
        account_ids.store_account_ids(setup.connection, [AtGitea(number, setup.acting.login("carol"))])
    assert numbers() == ["bob"]
    numbered = [one for holder in build_people().holders for one in holder.accounts]
    assert numbered.count(f"forge/#{number}") == 1
    with as_role("owner"):
        Account.objects.filter(forge_account__number=number).delete()
    with as_role("worker"):
        account_ids.store_account_ids(setup.connection, [AtGitea(number, setup.acting.login("carol"))])
    assert numbers() == ["carol"]


def test_account_of_connection_is_machine_automatically(setup: ForgeSetup) -> None:
    from muniment.server.people.models import Machine
    from muniment.server.people.people_facts import build_people

    connection = Connection.objects.get()
    assert "machine:muniment-forge" not in build_people().by_identity
    with as_role("owner"):
        Machine.objects.all().delete()
    ours = next(one for one in build_people().machines if one.id == "muniment-forge")
    assert ours.accounts == (f"forge/{connection.account}", f"forge/#{connection.account_id}")


def test_renamed_repository_is_followed_although_another_takes_its_path(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    old, new = setup.acting.path, setup.acting.path.replace("shop", "store")
    setup.fake.rename(old, new)
    with pytest.raises(ForgeError, match="leads to an address of another host"):
        setup.evaluate(number)
    setup.acting._call("POST", f"orgs/{old.partition('/')[0]}/repos", setup.fake.administrator, {"name": "shop"})
    setup.fake.repos[old]["people"] = dict(setup.fake.repos[new]["people"])
    assert setup.acting.open("ada", "main", "main", "of another repository") == number
    with pytest.raises(ForgeError, match="another repository by now"):
        setup.evaluate(number)
    assert "reconcile-repository" in setup.run_queue()
    assert RepositoryLink.objects.get().path == new
    setup.acting.path = new
    assert RepositoryLink.objects.get().problem == ""
    setup.evaluate(number)
    assert setup.get_status(setup.load_change(number).head) == "failure"
    assert {row["status"] for (at, _), rows in setup.fake.marks.items() if at == old for row in rows} == {"pending"}
    assert not Incident.objects.exists()


def test_branch_update_during_downtime_is_found_at_start(setup: ForgeSetup) -> None:
    from muniment.server.connections.tasks import poll_connections

    with as_role("owner"):
        poll_connections()
    setup.run_queue()
    made = setup.work.commit("ada", {"app.py": "x = 666\n"}, setup.work.tip("main"))
    setup.work.push("ada", made, "main")
    with as_role("owner"):
        poll_connections()
    setup.run_queue()
    assert not Incident.objects.exists()
    with as_role("owner"):
        Connection.objects.update(checked_at=timezone.now() - timedelta(minutes=4))
        poll_connections()
    setup.run_queue()
    assert Incident.objects.get().kind == "bypass"


def test_visible_repositories_are_listed_once_an_hour(setup: ForgeSetup) -> None:
    from muniment.server.connections import tasks

    with as_role("owner"):
        tasks.poll_connections()
    assert "list-repositories" not in setup.run_queue()
    with as_role("owner"):
        Connection.objects.update(listed_at=timezone.now() - timedelta(minutes=61), checked_at=timezone.now())
        tasks.poll_connections()
    assert "list-repositories" in setup.run_queue()
    with as_role("owner"):
        tasks.poll_connections()
    assert "list-repositories" not in setup.run_queue()


def test_failed_reconcile_pass_is_retried_after_minute(setup: ForgeSetup) -> None:
    setup.fake.fail("pulls", Fault.FAILED)
    with as_role("worker"):
        from muniment.server.connections import tasks

        tasks.reconcile_now(repository=setup.repository.pk)
    assert RepositoryLink.objects.get().problem
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=F("reconciled_at") - timedelta(minutes=1))
    setup.fake.mend()
    with as_role("owner"):
        tasks.poll_connections()
    setup.run_queue()
    assert RepositoryLink.objects.get().problem == ""


# what branches take


def test_record_of_allowed_merge_names_its_decision(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    setup.acting.merge("bob", number, "squash")
    setup.evaluate(number)
    setup.read_updates()
    row = BranchUpdate.objects.get(outcome="allowed")
    change = setup.load_change(number)
    assert change.state == "merged"
    assert row.decision == change.decision
    assert row.commit == setup.work.tip("main")
    entry = record_kinds.decode_record(bytes(row.record.data), 0)
    assert isinstance(entry, record_kinds.BranchUpdateRecord)
    assert change.decision is not None
    assert change.decision.record is not None
    assert entry.decision == change.decision.record.details_digest
    assert not Incident.objects.exists()
    states = dict(ClauseState.objects.values_list("clause", "state"))
    assert states["review.two-reviewers"] == ClauseResult.MET
    page = signed_in("ada").get("/products/shop/branches").content.decode()
    assert "Change topic" in page
    assert "squash" in page


def push_bypass(setup: ForgeSetup) -> BranchUpdate:
    """Push a commit to main directly, as a bypass."""
    made = setup.work.commit("ada", {"app.py": "x = 666\n"}, setup.work.tip("main"))
    setup.work.push("ada", made, "main")
    setup.read_updates()
    return BranchUpdate.objects.get(outcome="bypass")


def test_direct_push_is_bypass_that_two_others_close(setup: ForgeSetup) -> None:
    row = push_bypass(setup)
    assert row.incident is not None
    assert (row.contributors, row.unlinked_contributor_count) == (["ada"], 0)
    assert "no decision allowed" in row.incident.summary
    number, who = (2, ".") if row.pusher_known else (3, ", one of them by a security officer.")
    assert f"It needs {number} reviews by other people{who}" in row.incident.summary
    page = signed_in("bob").get(f"/branch-updates/{row.pk}").content.decode()
    assert f"closes when {number} other people reviewed" in page
    assert Person.objects.get(slug="dave").messages.filter(text__contains="no decision allowed").exists()
    assert "You contributed to it" in post(signed_in("ada"), f"/branch-updates/{row.pk}/review", reason="It is mine.")
    assert "Your review is recorded." in post(signed_in("bob"), f"/branch-updates/{row.pk}/review", reason="I read it.")
    assert "You reviewed it already." in post(signed_in("bob"), f"/branch-updates/{row.pk}/review", reason="Again.")
    setup.run_queue()
    assert Incident.objects.get().closed_at is None
    assert "Your review is recorded." in post(
        signed_in("carol"), f"/branch-updates/{row.pk}/review", reason="So did I."
    )
    setup.run_queue()
    assert Incident.objects.get().resolution == "bypass-reviewed"


def test_forced_merge_of_denied_change_is_bypass(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    setup.acting.merge("muniment", number, "merge", force=True)
    setup.read_updates()
    assert BranchUpdate.objects.get(outcome="bypass").incident is not None


def test_approval_after_forced_merge_does_not_count(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    setup.acting.merge("muniment", number, "merge", force=True)
    approved(setup, number)
    setup.read_updates()
    assert BranchUpdate.objects.get(commit=setup.work.tip("main")).outcome == "bypass"


def request_revert(setup: ForgeSetup, row: BranchUpdate, asker: str) -> int:
    """Number of the revert of a bypass, which a person requested."""
    assert "The revert is being prepared." in post(signed_in(asker), f"/branch-updates/{row.pk}/revert")
    setup.run_queue()
    return max(number for _, number in setup.fake.pulls)


def test_revert_is_prepared_on_request_and_its_merge_closes_bypass(setup: ForgeSetup) -> None:
    row = push_bypass(setup)
    number = request_revert(setup, row, "dave")
    setup.evaluate(number)
    assert setup.get_status(setup.load_change(number).head) == "failure"
    approved(setup, number)
    assert setup.get_status(setup.load_change(number).head) == "success"
    setup.acting.merge("bob", number, "merge")
    setup.read_updates()
    assert Incident.objects.get().resolution == "reverted"


@pytest.mark.parametrize("known_by", ["login", "email"])
def test_refuses_approval_of_revert_by_its_requester(setup: ForgeSetup, known_by: str) -> None:
    number = setup.fake.users[setup.acting.login("bob")]["id"]
    bob = Person.objects.get(slug="bob")
    with as_role("owner"):
        bob.accounts.filter(kind="login" if known_by == "email" else "email").delete()
        if known_by == "email":  # of an id alone no address can be made here
            bob.accounts.create(kind="login", value=f"forge/#{number}", verification="published-key")
    row = push_bypass(setup)
    number = request_revert(setup, row, "bob")
    approved(setup, number)
    assert setup.get_status(setup.load_change(number).head) == "failure"
    setup.acting.approve("dave", number)
    setup.evaluate(number)
    assert setup.get_status(setup.load_change(number).head) == "success"


def test_second_revert_request_returns_existing_revert(setup: ForgeSetup) -> None:
    row = push_bypass(setup)
    number = request_revert(setup, row, "bob")
    for asker, text in (("bob", "is ready for review"), ("carol", "Somebody else asked for it")):
        assert request_revert(setup, row, asker) == number
        assert text in Person.objects.get(slug=asker).messages.order_by("-pk")[0].text


def test_refuses_revert_request_by_person_without_linked_address(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muniment.server.connections import tasks

    row = push_bypass(setup)
    erin = person("erin", Role.DEVELOPER, product=setup.product)
    assert "The change has to name you" in post(browser(erin), f"/branch-updates/{row.pk}/revert")
    assert "prepare-revert" not in setup.run_queue()
    monkeypatch.setattr(tasks, "require_act", lambda *given: None)  # as if she had had an address when she asked
    with as_role("worker"):
        tasks.prepare_revert(update=row.pk, person=erin.pk, record="")
    assert not setup.fake.pulls
    assert erin.messages.filter(text__contains="The change has to name you").exists()


def test_weakened_branch_rule_is_incident(setup: ForgeSetup) -> None:
    from muniment.forges.branch_rules import WantedProtection
    from muniment.server.connections import forge_access, tasks

    with as_role("worker"):
        forge = forge_access.open_connected_forge(setup.connection)
        repo = forge_access.require_linked_repository(RepositoryLink.objects.get())
        plan = forge.protector.plan_protection(repo, WantedProtection(MAIN, "muniment/main"))
        forge.protector.apply_protection(repo, plan)
        tasks.read_branch_updates(repository=setup.repository.pk)
        tasks.verify_branch_protection(repository=setup.repository.pk)
        assert not Incident.objects.exists()
        setup.acting.weaken(MAIN)
        tasks.verify_branch_protection(repository=setup.repository.pk)
    found = Incident.objects.get()
    assert found.kind == "branch-protection-weakened"
    assert "it is not protected any more" in found.summary
    assert "not protected any more" in ProtectedBranch.objects.get().rule_gaps


RELEASES = ("refs/heads/release/1", "refs/heads/release/2")
SHARED = "muniment/release/*"


def open_changes_with_shared_head(setup: ForgeSetup) -> tuple[int, int]:
    """Two changes with one head, each for another branch of those that one rule at the forge protects."""
    from muniment.server.connections import tasks

    setup.acting.protect("release/*", SHARED)
    for ref in RELEASES:
        setup.acting.branch(ref.removeprefix("refs/heads/"))
    first = setup.open_change({"app.py": "x = 1\n"}, target="release/1")
    with as_role("owner"):
        for ref in RELEASES:
            ProtectedBranch.objects.create(repository=setup.repository, ref=ref, tip=setup.work.tip("main"))
    with as_role("worker"):
        tasks.verify_branch_protection(repository=setup.repository.pk)
    return first, setup.acting.open("ada", "topic", "release/2", "the same for the other")


def test_shared_status_succeeds_only_if_all_changes_with_head_are_allowed(
    setup: ForgeSetup,
) -> None:
    first, second = open_changes_with_shared_head(setup)
    for number in (first, second):
        setup.evaluate(number)
    approved(setup, first)
    head = setup.load_change(first).head
    assert setup.get_status(head, "muniment/release/1") == "success"
    assert setup.get_status(head, "muniment/release/2") == "failure"
    assert setup.get_status(head, SHARED) == "failure"
    for number in (first, second):
        with pytest.raises(Refused):
            setup.acting.merge("bob", number, "squash")
    approved(setup, second)
    assert setup.get_status(head, SHARED) == "success"
    setup.acting.merge("bob", first, "squash")


def test_denied_change_with_same_head_fails_shared_status(setup: ForgeSetup) -> None:
    first, second = open_changes_with_shared_head(setup)
    approved(setup, first)
    head = setup.load_change(first).head
    assert setup.get_status(head, SHARED) == "success"
    setup.evaluate(second)
    assert setup.get_status(head, SHARED) == "failure"


def test_forged_shared_status_is_incident_and_is_corrected(setup: ForgeSetup) -> None:
    from muniment.server.connections import tasks

    first, _ = open_changes_with_shared_head(setup)
    setup.evaluate(first)
    head = setup.load_change(first).head
    body = {"context": SHARED, "state": "success", "description": "fine", "target_url": ""}
    setup.acting._at("POST", f"statuses/{head}", setup.acting.token("ada"), body)
    with as_role("worker"):
        tasks.verify_statuses_at_forge(repository=setup.repository.pk, head=head)
    assert setup.get_status(head, SHARED) == "failure"
    assert Incident.objects.get().kind == "status-forged"


def test_new_shared_rule_gets_current_statuses(setup: ForgeSetup) -> None:
    from muniment.server.connections import tasks

    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    setup.acting.protect("ma*", "muniment/ma*")
    with as_role("worker"):
        tasks.verify_branch_protection(repository=setup.repository.pk)
    assert "verify-statuses" in setup.run_queue()
    assert setup.get_status(setup.load_change(number).head, "muniment/ma*") == "success"


def test_rule_without_our_required_status_is_reported(setup: ForgeSetup) -> None:
    from muniment.server.connections import tasks

    setup.acting.protect("main", "tests")
    with as_role("worker"):
        tasks.verify_branch_protection(repository=setup.repository.pk)
    assert ProtectedBranch.objects.get(ref=MAIN).rule_gaps == "muniment/main is not required"


def test_branch_rules_are_read_once_branch_is_watched(setup: ForgeSetup) -> None:
    assert ProtectedBranch.objects.filter(ref=MAIN, rules__protected=False).exists()


def test_protecting_branch_below_pattern_creates_rule_with_precedence(setup: ForgeSetup) -> None:
    from muniment.forges.branch_rules import WantedProtection
    from muniment.server.connections import forge_access

    setup.acting.protect("ma*", "tests")
    with as_role("worker"):
        forge, repo = (
            forge_access.open_connected_forge(setup.connection),
            forge_access.require_linked_repository(RepositoryLink.objects.get()),
        )
        after = forge.protector.apply_protection(
            repo, forge.protector.plan_protection(repo, WantedProtection(MAIN, "muniment/main"))
        )
    assert [one.context for one in after.required_statuses] == ["tests", "muniment/main"]


# people's words on our page


def test_review_questions_are_answered_on_page_for_one_head(setup: ForgeSetup) -> None:
    number = setup.open_change({"Dockerfile": "FROM scratch\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    setup.acting.approve("bob", number)
    page = signed_in("dave").get(f"/changes/{change.pk}/look").content.decode()
    assert "FROM scratch" in page
    assert "pipeline-reach" in page
    answers = {"answers-pipeline-reach": "None.", "answers-pipeline-pinned": "It fetches nothing."}
    answer = post(signed_in("dave"), f"/changes/{change.pk}/review", act="approve-change", head=change.head, **answers)
    assert "Recorded." in answer
    setup.run_queue()
    change.refresh_from_db()
    assert setup.get_status(change.head) == "success", signed_in("dave").get(f"/changes/{change.pk}").content.decode()
    stale = post(signed_in("dave"), f"/changes/{change.pk}/review", act="approve-change", head="0" * 40, **answers)
    assert "It has another head by now" in stale


def test_page_approval_counts_while_reviewer_has_write_access(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change, people = setup.load_change(number), setup.fake.repos[setup.acting.path]["people"]
    setup.acting.approve("bob", number)
    post(signed_in("carol"), f"/changes/{change.pk}/review", act="approve-change", head=change.head)

    def read_shown() -> str:
        setup.evaluate(number)
        return setup.get_status(change.head)

    assert read_shown() == "success"
    people[setup.acting.login("carol")] = "read"
    assert read_shown() == "failure"
    assert "they may not write to this repository" in signed_in("ada").get(f"/changes/{change.pk}").content.decode()
    people[setup.acting.login("carol")] = "write"
    assert read_shown() == "success"
    people[setup.acting.login("carol")] = "none"
    assert read_shown() == "failure"
    people[setup.acting.login("carol")] = "write"
    with as_role("owner"):
        Account.objects.filter(person__slug="carol", kind="login").delete()
    assert read_shown() == "failure", "nobody knows an account of hers there"


def test_page_approval_is_unknown_while_write_access_is_unknown(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    for name in ("bob", "carol"):
        post(signed_in(name), f"/changes/{change.pk}/review", act="approve-change", head=change.head)
    setup.fake.fail("permission", Fault.FAILED)
    setup.evaluate(number)
    assert setup.get_status(change.head) == "failure"
    setup.fake.mend()
    setup.evaluate(number)
    assert setup.get_status(change.head) == "success"


def test_unrecorded_review_statement_does_not_count(setup: ForgeSetup) -> None:
    from muniment.server.connections.models import ReviewStatement

    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    setup.acting.approve("bob", number)
    with as_role("owner"):
        forged = {"head": change.head, "target": MAIN, "kind": "approve", "act_digest": "sha256:" + "0" * 64}
        ReviewStatement.objects.create(change=change, person=Person.objects.get(slug="carol"), **forged)
    setup.evaluate(number)
    assert setup.get_status(change.head) == "failure"


def test_reviews_are_requested_at_forge_from_possible_approvers(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    assert "Reviews are being requested." in post(
        signed_in("ada"), f"/changes/{change.pk}/request", act="request-review"
    )
    assert setup.run_queue() == ["request-review"]
    reviews = setup.fake.pulls[setup.acting.path, number]["reviews"]
    asked = {row["user"]["login"] for row in reviews if row["state"] == "REQUEST_REVIEW"}
    assert asked == {setup.acting.login(name) for name in ("bob", "carol", "dave")}


def test_merge_request_merges_only_allowed_change(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    change = setup.load_change(number)
    post(signed_in("ada"), f"/changes/{change.pk}/request", act="merge-change", head=change.head)
    assert setup.run_queue() == ["merge-change", "read-change"], "it is not tried again unasked"
    answer = Message.objects.get(person__slug="ada", link=f"/changes/{change.pk}").text
    assert answer == f"Not merged: shop #{number}. It is not allowed to be merged now. Its page says what is missing."
    approved(setup, number)
    assert not setup.fake.pulls[setup.acting.path, number]["merged"]
    post(signed_in("ada"), f"/changes/{change.pk}/request", act="merge-change", head=change.head)
    setup.run_queue()
    assert setup.fake.pulls[setup.acting.path, number]["merged"]


# pages


def test_retargeted_change_is_not_merged(setup: ForgeSetup) -> None:
    from muniment.server.connections import forge_requests
    from muniment.server.connections.forge_access import open_connected_forge

    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    row = ForgeChange.objects.get()
    setup.work.push("ada", setup.work.tip("main"), "release")
    setup.acting.retarget("ada", number, "release")
    setup.place_records()
    connected = RepositoryLink.objects.select_related("repository", "connection").get()
    with as_role("worker"), pytest.raises(RefusedError, match="not allowed"):
        forge_requests.merge_if_allowed(row, connected, open_connected_forge(connected.connection), row.head)


def test_connection_branch_and_friction_pages_show_their_data(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    approved(setup, number)
    row = push_bypass(setup)
    person("root", Role.ADMIN)
    for path, text in (
        ("/connections", "Gitea"),
        ("/connections/forge", setup.acting.path),
        (f"/branch-updates/{row.pk}", "Accept bypass"),
        ("/products/shop/friction", "never a person"),
        (f"/changes/{setup.load_change(number).pk}", "Ready to merge"),
        ("/products/shop/settings", "last read"),
    ):
        who = "root" if path.startswith("/connections") else "bob"
        answer = signed_in(who).get(path)
        assert answer.status_code == 200, path
        assert text in answer.content.decode(), path


def test_friction_page_needs_three_changes_in_week(setup: ForgeSetup) -> None:
    numbers = [setup.open_change({f"{name}.py": "x = 1\n"}, branch=name) for name in ("one", "two", "three")]

    def page() -> str:
        return str(signed_in("bob").get("/products/shop/friction").content.decode())

    assert "No week has three pull requests yet" in page()
    for number in numbers:
        setup.evaluate(number)
    begun = timezone.now() - timedelta(weeks=2)
    with as_role("owner"):
        ForgeChange.objects.update(opened_at=begun, first_decided_at=begun)
    assert page().count('<th scope="row"><time') == 3
    assert "under 0.1" in page()
    assert "within seconds" in page()
    with as_role("owner"):
        ForgeChange.objects.update(first_decided_at=begun + timedelta(minutes=7))
    assert "<circle" in page()


def test_repository_search_matches_part_of_path(setup: ForgeSetup) -> None:
    person("root", Role.ADMIN)

    def page(find: str) -> str:
        return str(signed_in("root").get(f"/connections/forge?find={find}").content.decode())

    assert setup.acting.path in page("shop")
    assert "No repository found" in page("nothing")


def test_connection_page_shows_missing_permissions_and_effects(setup: ForgeSetup) -> None:
    person("root", Role.ADMIN)
    with as_role("owner"):
        VisibleRepository.objects.update(missing_permissions=["permissions", "a thing of another version"])
    page = signed_in("root").get("/connections/forge")
    assert page.status_code == 200
    assert "No approval counts, because write access is unknown" in page.content.decode()
    assert "0 of 1 repositories" in page.content.decode()
    refused = {"request": "read rules", "permission": "rules", "cost": MISSING_ABILITY_EFFECTS[Ability.RULES]}
    with as_role("owner"):
        Connection.objects.update(refused_requests=[refused])
    text = signed_in("root").get("/connections/forge").content.decode()
    assert ("Refused</span>" in text, "Granted</span>" in text) == (True, True)
    with as_role("owner"):
        Connection.objects.update(problem="the token is not accepted")
    assert "Granted</span>" not in signed_in("root").get("/connections/forge").content.decode(), "what was is not known"


def test_a_repository_is_connected_from_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_setup(tmp_path, monkeypatch) as found:
        person("root", Role.ADMIN)
        page = signed_in("root").get("/connections/forge").content.decode()
        assert found.acting.path in page
        answer = post(signed_in("root"), "/connections/forge/repositories", product="shop", repository="1", name="")
        assert "The repository is connected." in answer
        again = post(signed_in("root"), "/connections/forge/repositories", product="shop", repository="1", name="")
        assert "It belongs to a product already." in again
        assert "reconcile-repository" in found.run_queue()
        assert RepositoryLink.objects.get().problem == ""


def test_forge_data_is_deleted_after_retention_period(setup: ForgeSetup) -> None:
    from muniment.server.people.privacy import apply_retention_rules

    number = setup.open_change({"app.py": "x = 1\n"})
    deliver(setup.connection, event(setup, number))
    setup.run_queue()
    with as_role("owner"):
        WebhookDelivery.objects.update(received_at=timezone.now() - timedelta(days=31))
        PostedStatus.objects.update(posted_at=timezone.now() - timedelta(days=91))
    with as_role("eraser"):
        apply_retention_rules()
    assert not WebhookDelivery.objects.exists()
    assert not PostedStatus.objects.exists()
    assert Change.objects.exists()


def test_doctor_warns_of_too_few_approvers_and_low_quota(setup: ForgeSetup) -> None:
    from muniment.server.people.models import RoleGrant
    from muniment.server.running import organisation_checks

    def read_result() -> dict[str, str]:
        found = (*organisation_checks._check_approvers(), *organisation_checks._check_forges())
        return {one.subject: f"{one.result}: {one.message}" for one in found}

    assert read_result() == {"forge": "met: forge works, it tells of no limit"}
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=["ada", "bob"]).update(ended_at=timezone.now())
        ConnectionRateLimit.objects.create(
            connection=setup.connection, resource="rest", remaining=3, request_limit=5000
        )
    assert read_result()["approvals"].startswith("unknown: Shop: people who could approve: 2.")
    assert read_result()["forge"] == "unknown: forge: 3 of 5000 requests left"


def test_adding_connection_refuses_invalid_address() -> None:
    person("root", Role.ADMIN)
    add = {"name": "hub", "vendor": "github", "url": "https://github.com/"}
    assert "The connection was added. Now store its credential." in post(signed_in("root"), "/connections/add", **add)
    assert Connection.objects.get().url == "https://github.com"
    assert "already exists" in post(signed_in("root"), "/connections/add", **add)
    for changed in (
        {"url": "http://forge.example.com"},
        {"url": "https://me:secret@forge.example.com"},
        {"url": "https://forge.example.com?x=1"},
        {"name": "a.b"},
        {"vendor": "svn"},
    ):
        post(signed_in("root"), "/connections/add", **{**add, "name": "other", **changed})
    assert Connection.objects.count() == 1


def test_github_app_form_submits_only_to_github() -> None:
    person("root", Role.ADMIN)
    post(signed_in("root"), "/connections/add", name="hub", vendor="github", url="https://github.com")
    client = signed_in("root")
    answer = client.get("/connections/hub/app?protects=yes")
    assert "form-action 'self' https://github.com" in answer["Content-Security-Policy"]
    text = answer.content.decode()
    assert "https://github.com/settings/apps/new?state=" in text
    assert "http://localhost:8000/webhooks/hub" in text
    for another in ("another", "²", "\u202e"):
        client.get("/connections/hub/app")
        assert client.get("/connections/made", {"code": "x", "state": another}).status_code == 404
    assert "https://github.com" not in client.get("/connections/hub")["Content-Security-Policy"]

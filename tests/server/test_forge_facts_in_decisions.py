"""Facts of a forge about a product count where a clause is enforced: at merge, in clause results and at deploy."""

from pathlib import Path

import pytest
from django.utils import timezone

from muniment.decision.report import DecisionReport
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.forge import Forge
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server import moments
from muniment.server.changes.models import Change
from muniment.server.changes.repository_context import collect_product_facts, open_repository_context
from muniment.server.connections.forge_access import open_connected_forge, require_linked_repository
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.deployments import deployment_decision
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from muniment.server.records.record_details import read_details
from tests.support.deploying import BUILDER, Shop
from tests.support.forge_setup import MAIN, ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.forges.memory import OURS, MemoryForge
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def policy(control: str, enforce: str, more: str = "") -> str:
    """The built-in policy with one clause that is enforced at another point."""
    before = f'control = "{control}"\nenforce = []\n'
    return format_built_in_policy("sec@example.test", "shop").replace(
        before, f'control = "{control}"\nenforce = ["{enforce}"]\n{more}'
    )


def codes(change: Change) -> set[str]:
    """Codes of the failing clauses of the newest decision."""
    assert change.decision is not None
    details = read_details(change.decision.explanation_digest, DecisionReport)
    assert isinstance(details, DecisionReport)
    failing = [one for one in details.results if one.status in ("violated", "unknown")]
    return {f"{one.clause}:{reason.code}" for one in failing for reason in one.reasons}


def evaluate_approved_change(setup: ForgeSetup, text: str) -> tuple[int, Change]:
    """A change with two approvals, evaluated by the given policy."""
    with as_role("owner"):
        open_store().write_document(POLICY, text.encode())
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    return number, setup.load_change(number)


def test_secret_stored_at_forge_denies_merge_where_enforced(setup: ForgeSetup) -> None:
    owner = setup.acting.path.partition("/")[0]
    setup.fake.secrets = {owner: [], setup.acting.path: ["TOKEN"]}
    number, change = evaluate_approved_change(
        setup, policy("secrets-in-vault", "merge", "with = { check_code = false }\n")
    )
    assert codes(change) == {"secrets.in-vault:forge-secret-stored"}
    assert setup.get_status(change.head) == "failure"
    setup.fake.fail("secrets", Fault.FAILED)
    setup.evaluate(number)
    assert codes(setup.load_change(number)) == {"secrets.in-vault:settings-unknown"}
    setup.fake.mend()
    setup.fake.secrets[setup.acting.path] = []
    setup.evaluate(number)
    assert codes(setup.load_change(number)) == set()
    assert setup.get_status(change.head) == "success"


def test_unprotected_branch_denies_merge_until_protected(setup: ForgeSetup) -> None:
    number, change = evaluate_approved_change(setup, policy("pipeline-required", "merge", ""))
    assert codes(change) == {"pipeline.required:branch-unprotected"}
    connected = RepositoryLink.objects.get()
    with as_role("worker"):
        forge = open_connected_forge(connected.connection)
        wanted = WantedProtection(MAIN, make_context(MAIN), only_we_merge=True)
        forge.protector.apply_protection(
            require_linked_repository(connected),
            forge.protector.plan_protection(require_linked_repository(connected), wanted),
        )
    setup.evaluate(number)
    assert codes(setup.load_change(number)) == {
        "pipeline.required:pipeline-not-required"
    }  # nothing lets tests stand in the way
    setup.fake.fail("rule", Fault.FORBIDDEN)
    setup.evaluate(number)
    assert codes(setup.load_change(number)) == {"pipeline.required:fact-unknown"}


def test_product_facts_come_from_its_forge(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_result() -> dict[str, str]:
        with as_role("worker"), open_repository_context(setup.repository) as found:
            facts = collect_product_facts(
                found, ("branch_rules", "forge_settings", "pipeline_files"), moments.current_moment()
            )
        return {name: "unknown" if isinstance(fact.value, Unknown) else fact.source for name, fact in facts.items()}

    assert read_result() == {"branch_rules": "forge", "forge_settings": "forge", "pipeline_files": "repository"}

    def unreached(connection: Connection) -> Forge:
        raise ForgeError(ForgeCode.NOT_SIGNED_IN, "the token is not accepted", "Connect again.")

    monkeypatch.setattr("muniment.server.connections.repository_facts.open_connected_forge", unreached)
    assert read_result() == {"branch_rules": "unknown", "forge_settings": "unknown", "pipeline_files": "repository"}


def test_deployment_waits_for_forge_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, memory = Shop(tmp_path), MemoryForge()
    with as_role("owner"):
        text = policy("tests-passed", "deploy").replace(
            'runners = ["machine:ci"]', 'runners = ["app:gitea/muniment"], without_counts = ["tests"]'
        )
        open_store().write_document(POLICY, text.replace("builders = []", f'builders = ["{BUILDER}"]').encode())
        connection = Connection.objects.create(
            slug="gitea", vendor="gitea", url="http://f.test", credential_set_at=timezone.now()
        )
        RepositoryLink.objects.create(
            repository=shop.product.repositories.get(), connection=connection, forge_id="10", path="shop/api"
        )
    monkeypatch.setattr(deployment_decision, "open_connected_forge", lambda _: memory.forge())
    monkeypatch.setattr("muniment.server.connections.repository_facts.open_connected_forge", lambda _: memory.forge())
    refused = {code for code in shop.codes(shop.asked("staging")) if code.startswith("pipeline.tests")}
    assert refused
    memory.at = moments.current_moment()
    memory.posted.append((shop.commit, Status("tests", StatusState.ALLOWED, "", ""), OURS))
    assert [code for code in shop.codes(shop.asked("staging")) if code.startswith("pipeline.tests")] == []
    memory.failing = {"statuses": ["before"]}
    assert "pipeline.tests:fact-unknown" in shop.codes(shop.asked("staging"))

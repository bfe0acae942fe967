"""What a forge says of a product counts where a clause bites: at merge, in the states, and at deploy."""

from pathlib import Path

import pytest
from django.utils import timezone

from muniment.decision.account import DecisionReport as Told
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.forge import Forge
from muniment.forges.rules import Wanted
from muniment.forges.statuses import Saying, Status, context_for
from muniment.policy.pack import pack_text
from muniment.server import moments
from muniment.server.changes.models import Change
from muniment.server.changes.scene import facts_of, scene
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.reaching import forge_of, repo_of
from muniment.server.deployments import judging
from muniment.server.records.installation import store
from muniment.server.records.reading import beside
from muniment.server.records.store import POLICY
from tests.support.connected import MAIN, Town
from tests.support.deploying import BUILDER, Shop
from tests.support.forges.faulty import Fault
from tests.support.forges.memory import OURS, World
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def policy(control: str, enforce: str, more: str = "") -> str:
    """The built-in policy with one clause that bites elsewhere."""
    before = f'control = "{control}"\nenforce = []\n'
    return pack_text("sec@example.test", "shop").replace(
        before, f'control = "{control}"\nenforce = ["{enforce}"]\n{more}'
    )


def codes(change: Change) -> set[str]:
    """What does not hold, of the newest decision."""
    assert change.decision is not None
    told = beside(change.decision.explanation_digest, Told)
    assert isinstance(told, Told)
    failing = [one for one in told.results if one.status in ("violated", "unknown")]
    return {f"{one.clause}:{reason.code}" for one in failing for reason in one.reasons}


def looked_at(town: Town, text: str) -> tuple[int, Change]:
    """A change that two others approved, by this policy."""
    with as_role("owner"):
        store().write(POLICY, text.encode())
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    return number, town.change(number)


def test_a_secret_that_the_forge_keeps_denies_where_that_clause_bites_at_merge(town: Town) -> None:
    owner = town.acting.path.partition("/")[0]
    town.fake.secrets = {owner: [], town.acting.path: ["TOKEN"]}
    number, change = looked_at(town, policy("secrets-in-vault", "merge", "with = { check_code = false }\n"))
    assert codes(change) == {"secrets.in-vault:forge-secret-stored"}
    assert town.shown(change.head) == "failure"
    town.fake.fail("secrets", Fault.FAILED)
    town.look(number)
    assert codes(town.change(number)) == {"secrets.in-vault:settings-unknown"}
    town.fake.mend()
    town.fake.secrets[town.acting.path] = []
    town.look(number)
    assert codes(town.change(number)) == set()
    assert town.shown(change.head) == "success"


def test_a_branch_that_may_be_reached_without_its_pipeline_denies_until_it_is_protected(town: Town) -> None:
    number, change = looked_at(town, policy("pipeline-required", "merge", ""))
    assert codes(change) == {"pipeline.required:branch-unprotected"}
    connected = RepositoryLink.objects.get()
    with as_role("worker"):
        forge = forge_of(connected.connection)
        wanted = Wanted(MAIN, context_for(MAIN), only_we_merge=True)
        forge.protector.apply(repo_of(connected), forge.protector.plan(repo_of(connected), wanted))
    town.look(number)
    assert codes(town.change(number)) == {
        "pipeline.required:pipeline-not-required"
    }  # nothing lets tests stand in the way
    town.fake.fail("rule", Fault.FORBIDDEN)
    town.look(number)
    assert codes(town.change(number)) == {"pipeline.required:fact-unknown"}


def test_states_of_a_product_are_told_by_its_forge(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> dict[str, str]:
        with as_role("worker"), scene(town.repository) as found:
            facts = facts_of(found, ("branch_rules", "forge_settings", "pipeline_files"), moments.now())
        return {name: "unknown" if isinstance(fact.value, Unknown) else fact.source for name, fact in facts.items()}

    assert told() == {"branch_rules": "forge", "forge_settings": "forge", "pipeline_files": "repository"}

    def unreached(connection: Connection) -> Forge:
        raise ForgeError(ForgeCode.NOT_SIGNED_IN, "the token is not accepted", "Connect again.")

    monkeypatch.setattr("muniment.server.connections.repository_facts.forge_of", unreached)
    assert told() == {"branch_rules": "unknown", "forge_settings": "unknown", "pipeline_files": "repository"}


def test_a_deployment_waits_for_the_forges_own_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, world = Shop(tmp_path), World()
    with as_role("owner"):
        text = policy("tests-passed", "deploy").replace(
            'runners = ["machine:ci"]', 'runners = ["app:gitea/muniment"], without_counts = ["tests"]'
        )
        store().write(POLICY, text.replace("builders = []", f'builders = ["{BUILDER}"]').encode())
        connection = Connection.objects.create(
            slug="gitea", vendor="gitea", url="http://f.test", credential_set_at=timezone.now()
        )
        RepositoryLink.objects.create(
            repository=shop.product.repositories.get(), connection=connection, forge_id="10", path="shop/api"
        )
    monkeypatch.setattr(judging, "forge_of", lambda _: world.forge())
    monkeypatch.setattr("muniment.server.connections.repository_facts.forge_of", lambda _: world.forge())
    refused = {code for code in shop.codes(shop.asked("staging")) if code.startswith("pipeline.tests")}
    assert refused
    world.at = moments.now()
    world.posted.append((shop.commit, Status("tests", Saying.ALLOWED, "", ""), OURS))
    assert [code for code in shop.codes(shop.asked("staging")) if code.startswith("pipeline.tests")] == []
    world.failing = {"statuses": ["before"]}
    assert "pipeline.tests:fact-unknown" in shop.codes(shop.asked("staging"))

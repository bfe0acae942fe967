"""Hostile values on pages: refused with a reason, or without effect, and never a server error."""

from contextlib import suppress
from pathlib import Path

import pytest
from django.test import Client

from muniment.access.roles import Role
from muniment.errors import MunimentError
from muniment.server.changes.repository_context import open_repository_context
from muniment.server.connections.policy_source import read_policy_branch
from muniment.server.deployments.commit_standing import open_commit_standing
from muniment.server.policies.models import PolicySource
from muniment.server.products.models import SIGNALS, Product, Repository
from tests.support.hostile import Canary
from tests.support.repos import Repo
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")

PLACES: dict[str, tuple[str, dict[str, str]]] = {  # {} is where the value stands
    "a product": ("/products/add", {"id": "{}", "name": "{}"}),
    "a repository's name": ("/products/shop/change", {"act": "add-repository", "name": "{}", "path": "/srv/x"}),
    "a repository's path": ("/products/shop/change", {"act": "add-repository", "name": "other", "path": "{}"}),
    "a repository's full path": ("/products/shop/change", {"act": "add-repository", "name": "n{}", "path": "/{}"}),
    "a server hook's home": (
        "/products/shop/change",
        {"act": "add-server-hook-log", "repository": "shop", "path": "{}", "key": "x"},
    ),
    "an environment": ("/products/shop/environments/parts", {"act": "add-environment", "name": "{}"}),
    "the policy's branch": (
        "/policy/source",
        {"act": "set-policy-source", "repository": "shop", "branch": "{}", "path": "policy.toml"},
    ),
    "the policy's path": (
        "/policy/source",
        {"act": "set-policy-source", "repository": "shop", "branch": "main", "path": "{}"},
    ),
    "a forge's address": ("/connections/add", {"name": "hub", "vendor": "gitea", "url": "{}"}),
    "a forge's address, https": ("/connections/add", {"name": "hub", "vendor": "gitea", "url": "https://{}"}),
    "a person": ("/people/add", {"handle": "{}", "name": "{}"}),
    "a login": ("/people/ada/change", {"act": "vouch-for-account", "kind": "github", "value": "{}"}),
    "a key": ("/people/ada/change", {"act": "vouch-for-account", "kind": "key", "value": "{}"}),
    "sensitive paths": (
        "/products/shop/change",
        {"act": "change-product", "name": "Shop", "sensitive": "{}"} | dict.fromkeys(SIGNALS, "no"),
    ),
    "an exception's branch": (
        "/exceptions/request",
        {"repository": "shop", "clause": "review.two-others", "branch": "{}", "days": "1", "reason": "because"},
    ),
    "the refs of a pipeline": (
        "/products/shop/environments/change",
        {"act": "trust-pipeline", "environment": "prod", "name": "ci", "kind": "runner", "ref_patterns": "{}"},
    ),
    "a machine's login": (
        "/machines/declare",
        {"id": "bot", "kind": "github", "value": "{}", "acts_on_request": "no"},
    ),
    "a forge's proxy": ("/connections/hub/proxy", {"proxy": "{}"}),
    "the copy of the checkpoint": ("/settings", {"text": "[ledger]\nexternal_copy = '''git:{}'''"}),
    "a file for it": ("/settings", {"text": "[ledger]\nexternal_copy = '''/{}'''"}),
    "a witness": ("/settings", {"text": "[[witness]]\nkey = '''{}'''\nurl = '''https://{}'''"}),
}


@pytest.fixture
def browser_with_every_role(tmp_path: Path) -> tuple[Client, Canary]:
    """A browser of somebody with every role, and a product with a repository."""
    repo = Repo(tmp_path / "shop")
    repo.commit({"a": "1\n"})
    product("shop", str(repo.path))
    return browser(person("ada", *Role)), Canary(tmp_path)


@pytest.mark.parametrize("place", PLACES)
def test_a_value_on_a_page_is_refused_or_harmless(place: str, browser_with_every_role: tuple[Client, Canary]) -> None:
    client, canary = browser_with_every_role
    address, fields = PLACES[place]
    for value in canary.values():
        if "\ud800" in value or "\udce9" in value:  # no form can send them
            continue
        form = {name: text.replace("{}", value) for name, text in fields.items()}
        answer = client.post(address, form)
        assert answer.status_code in (200, 302, 400, 404, 422), (place, value[:80])
    with as_role("worker"):
        for row in Repository.objects.all():
            with suppress(MunimentError), open_repository_context(row):
                pass
        for source in PolicySource.objects.all():
            read_policy_branch(source)
    assert not canary.file.exists()
    if place == "a repository's full path":
        assert Repository.objects.count() > 20  # they are names of folders, and were looked for there


def test_hostile_commit_of_deployment_is_not_executed(browser_with_every_role: tuple[Client, Canary]) -> None:
    _, canary = browser_with_every_role
    with as_role("worker"):
        shop = Product.objects.get(slug="shop")
        for value in canary.values():
            with suppress(MunimentError), open_commit_standing(shop, value, value) as found:
                assert found.commit == value
    assert not canary.file.exists()

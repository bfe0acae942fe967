"""Acts on connections: invalid addresses and used names are refused, and credentials are stored only in the vault."""

from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import ActInputError, ForgeCode, ForgeError, VaultCode, VaultError
from muniment.forges.github import manifest
from muniment.ledger import record_objects
from muniment.server.acts.parser import parse_act
from muniment.server.connections import credentials
from muniment.server.connections.connection_acts import AddConnection
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.policies.version_acts import AdoptBuiltInPolicy
from muniment.server.products.models import Product, Repository
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from tests.server.test_acts import actor
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

GOOD = {"name": "forge", "vendor": "gitea", "url": "https://forge.example.com/git"}


class FakeVault:
    """Takes what is written, unless it is `down`."""

    def __init__(self) -> None:
        self.down = False
        self.written: dict[str, str | None] = {}

    def patch_at(self, mount: str, path: str, values: dict[str, str | None]) -> None:
        if self.down:
            raise VaultError(VaultCode.UNREACHABLE, "the vault does not answer", "Start it.")
        self.written.update(values)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> FakeVault:
    found = FakeVault()
    monkeypatch.setattr(credentials, "open_vault_session", lambda: found)
    return found


def connection(vendor: str = "gitea") -> Connection:
    with as_role("owner"):
        return Connection.objects.create(slug="forge", vendor=vendor, url="https://forge.example.com")


def visible(forge: Connection, path: str = "org/shop", number: str = "7") -> VisibleRepository:
    with as_role("owner"):
        return VisibleRepository.objects.create(
            connection=forge, forge_id=number, path=path, clone_url=f"https://f/{path}", url=f"https://f/{path}"
        )


def acts_recorded() -> list[str]:
    """The tags of the acts of persons in the record, oldest first. What the setup did is not theirs."""
    rows = Record.objects.filter(kind="person-action").order_by("pk")
    found: list[Any] = [read_details(row.details_digest, record_objects.PersonAction) for row in rows]
    tags = [one.details["act"] for one in found if "act" in one.details]
    return [tag for tag in tags if tag != AdoptBuiltInPolicy.act_tag()]


VALUES = [
    ("url", "http://forge.example.com"),
    ("url", "ftp://forge.example.com"),
    ("url", "https://me:secret@forge.example.com"),
    ("url", "https://@forge.example.com"),
    ("url", "https://forge.example.com?x=1"),
    ("url", "https://forge.example.com#x"),
    ("url", "https://forge.example.com:port"),
    ("url", "https://forge.example.com:0"),
    ("url", "https://forge.example.com:99999"),
    ("url", "https://[::1"),
    ("url", "https://"),
    ("url", "https:///path"),
    ("url", "https://forge.example.com/a b"),
    ("url", "https://forge.example.com/\u202emoc"),
    ("url", "javascript:alert(1)"),
    ("url", "--upload-pack=x"),
    ("url", f"https://forge.example.com/{'a' * 300}"),
    ("url", ""),
    ("name", "a.b"),
    ("name", "A"),
    ("name", "-a"),
    ("name", "a-"),
    ("name", "a" * 41),
    ("name", "f\u043erge"),
    ("name", "../x"),
    ("name", ""),
    ("vendor", "svn"),
    ("vendor", "GITEA"),
    ("vendor", ""),
    ("id", "forge"),
]


def test_invalid_connection_value_is_refused_at_its_field() -> None:
    root = person("root", Role.ADMIN)
    client, known = browser(root), actor("root")
    for field, value in VALUES:
        sent = {**GOOD, field: value}
        assert client.post("/connections/add", sent).status_code == 422, (field, value)
        with pytest.raises(ActInputError) as caught:
            parse_act(AddConnection, sent, known)
        assert [problem.field for problem in caught.value.problems] == [field], value
    assert not Connection.objects.exists()
    for url in ("http://localhost:3000/", "http://127.0.0.1:3000", "https://forge.example.com:8443/git/"):
        assert parse_act(AddConnection, {**GOOD, "url": url}, known).url == url.rstrip("/")


def test_refuses_name_of_ended_connection() -> None:
    client = browser(person("root", Role.ADMIN))
    post(client, "/connections/add", **GOOD)
    assert "Done." in post(client, "/connections/forge/change", act="end-connection")
    assert "already exists" in post(client, "/connections/add", **GOOD)
    assert client.post("/connections/forge/change", {"act": "refresh-connection"}).status_code == 404
    assert client.post("/connections/forge/key", {"token": "x"}).status_code == 404
    assert acts_recorded() == ["add-connection", "end-connection"]


def test_refuses_end_of_connection_with_product_repositories() -> None:
    forge, shop = connection(), product("shop", "forge:forge/7")
    with as_role("owner"):
        row = Repository.objects.get(product=shop)
        RepositoryLink.objects.create(repository=row, connection=forge, forge_id="7", path="p", clone_url="c", url="u")
    client = browser(person("root", Role.ADMIN))
    page = post(client, "/connections/forge/change", act="end-connection")
    assert "Repositories of products live there. Move them first." in page
    assert Connection.objects.get().ended_at is None
    assert acts_recorded() == []


def test_route_refuses_act_of_another_route() -> None:
    connection()
    client = browser(person("root", Role.ADMIN))
    for sent in ({}, {"act": "store-credential"}, {"act": "add-connection"}, {"do": "end"}):
        assert client.post("/connections/forge/change", sent).status_code == 404


def test_credential_is_stored_only_in_vault(vault: FakeVault) -> None:
    connection()
    token = "-".join(("to", "be", "kept", "secret"))
    page = post(browser(person("root", Role.ADMIN)), "/connections/forge/key", token=f" {token} ", pem="ignored")
    assert "The credential is in the vault." in page
    assert token not in page
    assert vault.written == {"token": token}
    assert Connection.objects.get().credential_set_at is not None
    assert acts_recorded() == ["store-credential"]
    rows = Record.objects.filter(kind="person-action")
    assert token not in repr([read_details(row.details_digest, record_objects.PersonAction) for row in rows])


def test_incomplete_credential_is_refused(vault: FakeVault) -> None:
    connection()
    client = browser(person("root", Role.ADMIN))
    incomplete: tuple[dict[str, str], ...] = ({}, {"token": " "}, {"token": "x" * 20_001}, {"pem": "x"})
    for sent in incomplete:
        page = post(client, "/connections/forge/key", **sent)
        assert "Nothing of it was stored. Send the whole credential." in page
    assert (vault.written, acts_recorded()) == ({}, [])


def test_vault_failure_rolls_back_act_and_record(vault: FakeVault) -> None:
    connection()
    vault.down = True
    page = post(browser(person("root", Role.ADMIN)), "/connections/forge/key", token="x" * 20)
    assert "The vault does not answer. Start it." in page
    assert Connection.objects.get().credential_set_at is None
    assert acts_recorded() == []


def test_github_app_is_stored_or_page_explains_failure(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    connection("github")
    client = browser(person("root", Role.ADMIN))

    def come_back() -> str:
        client.get("/connections/forge/app")
        state = client.session["forge-app"]["state"]
        return str(client.get(f"/connections/made?code=x&state={state}", follow=True).content.decode())

    def refusing(url: str, code: str, transport: Any) -> Any:
        raise ForgeError(ForgeCode.NOT_FOUND, "the code was used", "Make the App again.")

    monkeypatch.setattr(manifest, "exchange_code", refusing)
    assert "The code was used. Make the App again." in come_back()
    assert acts_recorded() == []

    class Made:
        id, pem, html_url = 7, "a key", "https://github.example/apps/muniment"

    monkeypatch.setattr(manifest, "exchange_code", lambda url, code, transport: Made())
    assert "The App was created." in come_back()
    assert vault.written == {"app_id": "7", "pem": "a key"}
    assert Connection.objects.get().forge_details == {"page": Made.html_url}
    assert acts_recorded() == ["store-credential"]


def test_repository_is_connected_once_with_unique_name() -> None:
    forge, shop = connection(), product("shop")
    first, second = visible(forge), visible(forge, "org/other", "8")
    client = browser(person("root", Role.ADMIN))
    place = "/connections/forge/repositories"
    assert "being read" in post(client, place, product="shop", repository=first.pk)
    assert "It belongs to a product already." in post(client, place, product="shop", repository=first.pk, name="two")
    assert "has that name" in post(client, place, product="shop", repository=second.pk, name="org/shop")
    for sent in ({"repository": "0"}, {"repository": "x"}, {"repository": second.pk, "product": "none"}, {}):
        assert client.post(place, {"product": "shop", **sent}).status_code == 422, sent
    with as_role("owner"):
        Product.objects.filter(pk=shop.pk).update(retired_at=timezone.now())
    assert "The product is retired." in post(client, place, product="shop", repository=second.pk)
    assert [row.name for row in Repository.objects.all()] == ["org/shop"]
    assert acts_recorded() == ["connect-repository"]


def test_refuses_connection_by_person_without_product_permission() -> None:
    forge, shop = connection(), product("shop")
    place = "/connections/forge/repositories"
    sent = {"product": "shop", "repository": visible(forge).pk}
    owner = person("own", Role.OWNER, product=shop)
    assert browser(owner).post(place, sent).status_code == 403
    assert not Repository.objects.exists()

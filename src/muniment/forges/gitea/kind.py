"""Gitea and Forgejo as kinds of forges: they share an API."""

import shlex
from collections.abc import Callable, Mapping
from urllib.parse import quote

from msgspec import structs

from muniment.forges.forge import Forge
from muniment.forges.forge_kind import ForgeKind, ForgeSession, MakeClient, OwnerSyntax, SaveCredential, probe_path
from muniment.forges.gitea.client import GiteaClient
from muniment.forges.gitea.listener import GiteaListener
from muniment.forges.gitea.protector import GiteaProtector
from muniment.forges.gitea.publisher import GiteaPublisher
from muniment.forges.gitea.reader import GiteaReader
from muniment.forges.shapes import Account, Vendor


def _connect_with_token(session: ForgeSession, token: Callable[[], str]) -> Forge:
    client = GiteaClient(session.url, token, transport=session.transport)
    reader = GiteaReader(client, session.now)
    return Forge(session.name, reader, GiteaPublisher(client), GiteaProtector(client), GiteaListener())


def _connect_by_token_only(
    session: ForgeSession,  # noqa: ARG001 -- one shape for all
    credential: Mapping[str, str],  # noqa: ARG001
    store_credential: SaveCredential | None,  # noqa: ARG001
) -> Forge | None:
    return None


def _is_own_host(host: str) -> bool:  # noqa: ARG001 -- one shape for all
    return False


def _recognise_vendor(root_url: str, make_client: MakeClient) -> Vendor | None:
    answer = probe_path(make_client(f"{root_url}/api/v1"), "version")
    if answer is None:
        return None
    version = str(answer.get("version")) if isinstance(answer, dict) else ""
    return Vendor.FORGEJO if "+gitea-" in version else Vendor.GITEA


def _make_noreply_domain(host: str) -> str:
    return f"noreply.{host}"


def _name_account(account: Account) -> str:
    return account.login


def _format_secret_deletion(root_url: str, path: str, name: str) -> str:
    address = f"{root_url}/api/v1/repos/{path}/actions/secrets/{quote(name, safe='')}"
    return f'curl -X DELETE -H "Authorization: token $TOKEN" {shlex.quote(address)}'


GITEA_KIND = ForgeKind(
    vendor=Vendor.GITEA,
    title="Gitea",
    public_hosts=(),
    connect=_connect_with_token,
    connect_with_credential=_connect_by_token_only,
    make_listener=GiteaListener,
    is_own_host=_is_own_host,
    recognise=_recognise_vendor,
    make_noreply_domain=_make_noreply_domain,
    id_separator="",
    page_prefix="",
    has_nested_groups=False,
    name_account=_name_account,
    binds_checks=False,
    protection_reason="Gitea sends no event when a review is dismissed or somebody loses write access.",
    has_app=False,
    reads_repository_by_id=False,
    reads_reviews_singly=True,
    limit_window_seconds=3600,
    can_hide_pushes=True,
    internal_ref_folders=(),
    format_secret_deletion=_format_secret_deletion,
    owner_syntax=OwnerSyntax.EXPRESSIONS,
    owner_folders=("", "docs/", ".gitea/"),
)
FORGEJO_KIND = structs.replace(
    GITEA_KIND,
    vendor=Vendor.FORGEJO,
    title="Forgejo",
    public_hosts=("codeberg.org",),
    owner_folders=("", "docs/", ".forgejo/"),
    protection_reason="Forgejo sends no event when a review is dismissed or somebody loses write access.",
)

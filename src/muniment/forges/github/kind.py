"""GitHub as a kind of forge."""

import shlex
from collections.abc import Callable, Mapping

from muniment.forges.forge import Forge
from muniment.forges.forge_kind import ForgeKind, ForgeSession, MakeClient, OwnerSyntax, SaveCredential, probe_path
from muniment.forges.github.connect import connect_app, connect_read_only
from muniment.forges.github.listener import GitHubListener
from muniment.forges.shapes import Account, Vendor


def _connect_with_token(session: ForgeSession, token: Callable[[], str]) -> Forge:
    return connect_read_only(session.name, session.url, token, session.now, transport=session.transport)


def _connect_app(
    session: ForgeSession,
    credential: Mapping[str, str],
    store_credential: SaveCredential | None,  # noqa: ARG001 -- an App's key is never renewed
) -> Forge | None:
    """Open it as our App (`app_id`, `pem`, `installation`); None for a token."""
    if "token" in credential:
        return None
    return connect_app(session.name, session.url, credential, session.now, transport=session.transport)


def _is_own_host(host: str) -> bool:
    return host in ("github.com", "www.github.com") or host.endswith(".ghe.com")


def _recognise_vendor(root_url: str, make_client: MakeClient) -> Vendor | None:
    return None if probe_path(make_client(f"{root_url}/api/v3"), "meta") is None else Vendor.GITHUB


def _make_noreply_domain(host: str) -> str:
    return f"users.noreply.{host.removeprefix('api.')}"


def _name_account(account: Account) -> str:
    return account.id


def _format_secret_deletion(root_url: str, path: str, name: str) -> str:  # noqa: ARG001 -- one shape for all
    command = f"gh secret delete {shlex.quote(name)} --repo {shlex.quote(path)}"
    return f"{command}    (or: --env ENVIRONMENT; --org ORGANISATION)"


GITHUB_KIND = ForgeKind(
    vendor=Vendor.GITHUB,
    title="GitHub",
    public_hosts=("github.com",),
    connect=_connect_with_token,
    connect_with_credential=_connect_app,
    make_listener=GitHubListener,
    is_own_host=_is_own_host,
    recognise=_recognise_vendor,
    make_noreply_domain=_make_noreply_domain,
    id_separator="+",
    page_prefix="",
    has_nested_groups=False,
    name_account=_name_account,
    binds_checks=True,
    protection_reason=(
        "GitHub sends an event for each review, check and member, and takes the check from our App alone."
    ),
    has_app=True,
    reads_repository_by_id=False,
    reads_reviews_singly=False,
    limit_window_seconds=3600,
    can_hide_pushes=False,
    internal_ref_folders=(),
    format_secret_deletion=_format_secret_deletion,
    owner_syntax=OwnerSyntax.PATTERNS,
    owner_folders=(".github/", "", "docs/"),
)

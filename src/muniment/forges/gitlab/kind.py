"""GitLab as a kind of forge."""

import shlex
from collections.abc import Callable, Mapping

from muniment.forges.forge import Forge
from muniment.forges.forge_kind import ForgeKind, ForgeSession, MakeClient, OwnerSyntax, SaveCredential
from muniment.forges.gitlab.connect import OAuthToken, connect_gitlab
from muniment.forges.gitlab.listener import GitLabListener
from muniment.forges.shapes import Account, Vendor


def _connect_with_token(session: ForgeSession, token: Callable[[], str]) -> Forge:
    return connect_gitlab(session.name, session.url, token, session.now, transport=session.transport)


def _connect_application(
    session: ForgeSession, credential: Mapping[str, str], store_credential: SaveCredential | None
) -> Forge | None:
    """Open it as an OAuth application (the fields of `OAuthToken`); None for a token."""
    if "refresh_token" not in credential or store_credential is None:
        return None
    return _connect_with_token(
        session, OAuthToken(session.url, credential, store_credential, transport=session.transport)
    )


def _is_own_host(host: str) -> bool:  # noqa: ARG001 -- one shape for all
    return False


def _recognise_vendor(root_url: str, make_client: MakeClient) -> Vendor | None:  # noqa: ARG001 -- one shape for all
    """GitLab tells nobody its version, so it is what no other kind is."""
    return Vendor.GITLAB


def _make_noreply_domain(host: str) -> str:
    return f"users.noreply.{host}"


def _name_account(account: Account) -> str:
    return f"user:{account.id}"


def _format_secret_deletion(root_url: str, path: str, name: str) -> str:  # noqa: ARG001 -- one shape for all
    return f"glab variable delete {shlex.quote(name)} --repo {shlex.quote(path)}    (or: --group GROUP)"


GITLAB_KIND = ForgeKind(
    vendor=Vendor.GITLAB,
    title="GitLab",
    public_hosts=("gitlab.com",),
    connect=_connect_with_token,
    connect_with_credential=_connect_application,
    make_listener=GitLabListener,
    is_own_host=_is_own_host,
    recognise=_recognise_vendor,
    make_noreply_domain=_make_noreply_domain,
    id_separator="-",
    page_prefix="/-",
    has_nested_groups=True,
    name_account=_name_account,
    binds_checks=False,
    protection_reason=("GitLab lets every developer post a status, and sends a project no event when a member leaves."),
    has_app=False,
    reads_repository_by_id=True,
    reads_reviews_singly=False,
    limit_window_seconds=60,
    can_hide_pushes=False,
    internal_ref_folders=("refs/keep-around/", "refs/environments/", "refs/pipelines/", "refs/remotes/", "refs/tmp/"),
    format_secret_deletion=_format_secret_deletion,
    owner_syntax=OwnerSyntax.SECTIONS,
    owner_folders=("", "docs/", ".gitlab/"),
)

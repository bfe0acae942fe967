"""Connections to forges, as programs see them: how each works, and its remaining rate limit."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.connections.connection_acts import (
    AddConnection,
    EndConnection,
    RefreshConnection,
    RenewWebhookSecret,
)
from muniment.server.connections.models import Connection
from muniment.server.connections.proxy_acts import SetConnectionProxy
from muniment.server.connections.rate_limits import RateLimitState, list_limit_states
from muniment.server.connections.repository_acts import ConnectRepository

router = Router()

# types that are made at run time, from the fields of the acts
ConnectionBody = build_body_schema(AddConnection)
RepositoryBody = build_body_schema(ConnectRepository, fixed=("product",))
ProxyBody = build_body_schema(SetConnectionProxy, fixed=("connection",))


@router.get("/connections")
@for_action(Action.SEE_CONNECTIONS)
def list_connections(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """The connections that are not ended, with the rate limits of each."""
    return page_by_number(
        Connection.objects.filter(ended_at=None).prefetch_related("rate_limits"), cursor, _serialize_connection
    )


@router.get("/connections/{slug}")
@for_action(Action.SEE_CONNECTIONS)
def get_connection(request: HttpRequest, slug: str) -> dict[str, object]:
    """Show a connection, with its rate limits."""
    return _serialize_connection(get_object_or_404(Connection, slug=slug, ended_at=None))


@router.post("/connections")
@for_action(Action.CHANGE_CONNECTION)
def add_connection(request: HttpRequest, body: ConnectionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a connection to a forge. Its credential is stored from its page alone."""
    return run_act(request, AddConnection, {})


@router.post("/connections/{slug}/webhook-secret")
@for_action(Action.CHANGE_CONNECTION)
def renew_webhook_secret(request: HttpRequest, slug: str) -> dict[str, object]:
    """Renew the secret of a connection's webhooks."""
    return run_act(request, RenewWebhookSecret, {"connection": slug})


@router.post("/connections/{slug}/refresh")
@for_action(Action.CHANGE_CONNECTION)
def refresh_connection(request: HttpRequest, slug: str) -> dict[str, object]:
    """List the repositories of a connection again, and check its webhooks."""
    return run_act(request, RefreshConnection, {"connection": slug})


@router.post("/connections/{slug}/end")
@for_action(Action.CHANGE_CONNECTION)
def end_connection(request: HttpRequest, slug: str) -> dict[str, object]:
    """End a connection where no repository of a product lives."""
    return run_act(request, EndConnection, {"connection": slug})


@router.post("/products/{slug}/connected-repositories")
@for_action(Action.CHANGE_CONNECTION)
def connect_repository(request: HttpRequest, slug: str, body: RepositoryBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Connect a repository that a connection sees to a product: as on its page, for people who may change both."""
    return run_act(request, ConnectRepository, {"product": slug})


@router.put("/connections/{slug}/proxy")
@for_action(Action.CHANGE_CONNECTION)
def set_proxy(request: HttpRequest, slug: str, body: ProxyBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set the proxy of a connection: an address, `none` for no proxy, empty for the one of the service."""
    return run_act(request, SetConnectionProxy, {"connection": slug})


def _serialize_connection(row: Connection) -> dict[str, object]:
    return {
        "name": row.slug,
        "vendor": row.vendor,
        "url": row.url,
        "proxy": row.proxy,
        "account": row.account,
        "version": row.forge_version,
        "credential_set": row.credential_set_at.isoformat() if row.credential_set_at else None,
        "checked_at": row.checked_at.isoformat() if row.checked_at else None,
        "problem": row.problem,
        "credential_refused_at": row.credential_refused_at.isoformat() if row.credential_refused_at else None,
        "permissions_checked_at": row.permissions_checked_at.isoformat() if row.permissions_checked_at else None,
        "refused_requests": row.refused_requests,
        "rate_limits": [_serialize_rate_limit(state) for state in list_limit_states(row)],
        "probe": {
            "seconds": row.probe_seconds,
            "requests": row.probe_requests,
            "begun_at": row.probed_at.isoformat() if row.probed_at else None,
        },
    }


def _serialize_rate_limit(state: RateLimitState) -> dict[str, object]:
    """Serialize a rate limit. Numbers and moments that the forge does not report are null; `not_before` is null
    unless requests are refused now.
    """
    return {
        "resource": state.resource,
        "limit": state.limit,
        "remaining": state.remaining,
        "reset": state.reset_at.isoformat() if state.reset_at else None,
        "not_before": state.retry_at.isoformat() if state.retry_at else None,
        "reason": state.reason.value if state.reason else None,
    }

"""Policy, its versions, the exceptions from it, and freezes, as programs see them."""

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import (
    Cursor,
    for_action,
    page_by_number,
    product_from_url,
    run_act,
    visible_products,
)
from muniment.server.guarding.mediation import find_no_resource
from muniment.server.policies.differences import find_policy_differences
from muniment.server.policies.exception_acts import EndException, RequestException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import Freeze, PolicyException, PolicySource, PolicyTrial, PolicyVersion
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.source_acts import RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import ApplyPolicy, DraftPolicy
from muniment.server.policies.views import find_exception_resource, find_monitoring_resource

router = Router()


# types that are made at run time, from the fields of the acts
DraftBody = build_body_schema(DraftPolicy)
SourceBody = build_body_schema(SetPolicySource)
ExceptionBody = build_body_schema(RequestException)
MonitoringBody = build_body_schema(StartMonitoring, fixed=("product",))
FreezeBody = build_body_schema(StartFreeze)


@router.get("/policy")
@for_action(Action.SEE_POLICY)
def get_policy(request: HttpRequest) -> dict[str, object]:
    """Show the policy in force."""
    row = PolicyVersion.objects.filter(in_force=True).first()
    if row is None:
        raise Http404
    return {"version": row.pk, "digest": row.digest, "text": row.text}


@router.get("/policy/versions")
@for_action(Action.SEE_POLICY)
def list_versions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List every version, the newest first."""
    return page_by_number(PolicyVersion.objects.select_related("proposed_by", "approver"), cursor, _serialize_version)


@router.get("/policy/versions/{number}")
@for_action(Action.SEE_POLICY)
def get_version(request: HttpRequest, number: int) -> dict[str, object]:
    """Show a version, with its text; of one that is not in force yet, its differences, and the results that it
    would have had in the last days.
    """
    row = _find_version(number)
    trials = PolicyTrial.objects.filter(
        version=row, repository__product__in=visible_products(request, Action.SEE_PRODUCT)
    )
    differences = find_policy_differences(row.text) if row.applied_at is None else ()
    return {
        **_serialize_version(row),
        "text": row.text,
        "differences": msgspec.to_builtins(differences),
        "trials": [_serialize_trial(one) for one in trials.select_related("repository")],
    }


@router.post("/policy/versions")
@for_action(Action.DRAFT_POLICY)
def draft_version(request: HttpRequest, body: DraftBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Draft a version. It is not in force yet."""
    return run_act(request, DraftPolicy, {}, build_body=_serialize_version)


@router.post("/policy/versions/{number}/apply")
@for_action(Action.APPLY_POLICY)
def apply_version(request: HttpRequest, number: int) -> dict[str, object]:
    """Put a version in force; one that is weaker waits for a second officer."""
    return run_act(request, ApplyPolicy, {"version": number})


@router.get("/policy/source")
@for_action(Action.SEE_POLICY)
def get_source(request: HttpRequest) -> dict[str, object]:
    """Show the branch that policies are read from; no repository for none."""
    row = PolicySource.objects.select_related("repository").first()
    if row is None:
        return {"repository": "", "branch": "", "path": "", "last_commit": "", "problem": ""}
    where = {"repository": row.repository.name, "branch": row.branch, "path": row.path}
    return {**where, "last_commit": row.last_commit, "problem": row.problem}


@router.put("/policy/source")
@for_action(Action.DRAFT_POLICY)
def put_source(request: HttpRequest, body: SourceBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set the branch that policies are read from."""
    return run_act(request, SetPolicySource, {})


@router.delete("/policy/source")
@for_action(Action.DRAFT_POLICY)
def delete_source(request: HttpRequest) -> dict[str, object]:
    """Stop reading policies from a branch."""
    return run_act(request, RemovePolicySource, {})


def _find_version(number: int) -> PolicyVersion:
    row = PolicyVersion.objects.select_related("proposed_by", "approver").filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _serialize_version(row: PolicyVersion) -> dict[str, object]:
    return {
        "number": row.pk,
        "digest": row.digest,
        "note": row.note,
        "commit": row.source_commit,
        "in_force": row.in_force,
        "proposed_at": row.proposed_at.isoformat(),
        "applied_at": row.applied_at.isoformat() if row.applied_at else None,
        "proposed_by": row.proposed_by.slug if row.proposed_by else None,
        "approver": row.approver.slug if row.approver else None,
    }


def _serialize_trial(row: PolicyTrial) -> dict[str, object]:
    names = ("change_count", "allowed_now", "allowed_then", "differing_changes", "unmet_by_clause", "problem")
    return {"repository": row.repository.name, **{name: getattr(row, name) for name in names}}


@router.get("/exceptions")
@for_action(Action.SEE_EXCEPTIONS, find_no_resource)
def list_exceptions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the exceptions of the products that the token may see."""
    rows = PolicyException.objects.filter(repository__product__in=visible_products(request, Action.SEE_EXCEPTIONS))
    return page_by_number(rows.select_related("repository", "requester", "approver"), cursor, _serialize_exception)


@router.post("/exceptions")
@for_action(Action.REQUEST_EXCEPTION, find_no_resource)
def request_exception(request: HttpRequest, body: ExceptionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Request an exception; a security officer approves, who is another person and signed in."""
    return run_act(request, RequestException, {})


@router.post("/products/{slug}/monitoring")
@for_action(Action.START_MONITORING, product_from_url)
def start_monitoring(request: HttpRequest, slug: str, body: MonitoringBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Put a clause into monitoring for a product, through a day; a second person approves."""
    return run_act(request, StartMonitoring, {"product": slug})


def _find_monitoring_resource(request: HttpRequest, name: str) -> Resource:
    return find_monitoring_resource(request, name)


@router.post("/monitoring/{name}/end")
@for_action(Action.END_EXCEPTION, _find_monitoring_resource)
def end_monitoring(request: HttpRequest, name: str) -> dict[str, object]:
    """End a monitoring period early: the clause blocks again."""
    return run_act(request, EndMonitoring, {"period": name})


def _find_exception_resource(request: HttpRequest, name: str) -> Resource:
    return find_exception_resource(request, name)


@router.post("/exceptions/{name}/end")
@for_action(Action.END_EXCEPTION, _find_exception_resource)
def end_exception(request: HttpRequest, name: str) -> dict[str, object]:
    """End an exception early."""
    return run_act(request, EndException, {"exception": name})


def _serialize_exception(row: PolicyException) -> dict[str, object]:
    return {
        "id": row.slug,
        "repository": row.repository.name,
        "clause": row.clause,
        "branch": row.branch,
        "head": row.head,
        "requester": row.requester.slug,
        "approver": row.approver.slug,
        "approved_at": row.approved_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
    }


@router.get("/freezes")
@for_action(Action.SEE_POLICY)
def list_freezes(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List freezes, the newest first; `lifted` is null for one that is not lifted, `until` for one without an end."""
    return page_by_number(
        Freeze.objects.select_related("started_by", "product", "environment"), cursor, _serialize_freeze
    )


@router.post("/freezes")
@for_action(Action.FREEZE)
def start_freeze(request: HttpRequest, body: FreezeBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Freeze merges and deployments: all, of a product or to an environment, now or later; or drill it."""
    return run_act(request, StartFreeze, {})


@router.post("/freezes/{name}/lift")
@for_action(Action.LIFT_FREEZE)
def lift_freeze(request: HttpRequest, name: str) -> dict[str, object]:
    """Request that a freeze is lifted; a second officer approves."""
    return run_act(request, LiftFreeze, {"freeze": name})


def _serialize_freeze(row: Freeze) -> dict[str, object]:
    return {
        "id": row.slug,
        "person": row.started_by.slug,
        "reason": row.reason,
        "drill": row.drill,
        "product": row.product.slug if row.product else None,
        "environment": row.environment.name if row.environment else None,
        "since": row.since.isoformat(),
        "until": row.until.isoformat() if row.until else None,
        "lifted": row.lifted_at.isoformat() if row.lifted_at else None,
    }

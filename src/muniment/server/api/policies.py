"""The policy, its versions, the exceptions from it, and freezes, as programs see them."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import Cursor, does, of, page, run_act, shown
from muniment.server.guarding.mediation import anywhere
from muniment.server.policies.differences import find_differences
from muniment.server.policies.exception_acts import EndException, RequestException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import Freeze, PolicyException, PolicySource, PolicyTrial, PolicyVersion
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.source_acts import RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import ApplyPolicy, DraftPolicy
from muniment.server.policies.views import of_exception, of_monitoring

router = Router()


# types that are made at run time, from the fields of the acts
DraftBody = body_of(DraftPolicy)
SourceBody = body_of(SetPolicySource)
ExceptionBody = body_of(RequestException)
MonitoringBody = body_of(StartMonitoring, fixed=("product",))
FreezeBody = body_of(StartFreeze)


@router.get("/policy")
@does(Action.SEE_POLICY)
def get_policy(request: HttpRequest) -> dict[str, Any]:
    """The policy in force."""
    row = PolicyVersion.objects.filter(in_force=True).first()
    if row is None:
        raise Http404
    return {"version": row.pk, "digest": row.digest, "text": row.text}


@router.get("/policy/versions")
@does(Action.SEE_POLICY)
def list_versions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every version, the newest first."""
    return page(PolicyVersion.objects.select_related("proposed_by", "approver"), cursor, _version)


@router.get("/policy/versions/{number}")
@does(Action.SEE_POLICY)
def get_version(request: HttpRequest, number: int) -> dict[str, Any]:
    """One, with its text; of one that does not hold yet, what it would change, and would have done to the last days."""
    row = _found(number)
    trials = PolicyTrial.objects.filter(version=row, repository__product__in=shown(request, Action.SEE_PRODUCT))
    differences = find_differences(row.text) if row.applied_at is None else ()
    return {
        **_version(row),
        "text": row.text,
        "differences": msgspec.to_builtins(differences),
        "trials": [_trial(one) for one in trials.select_related("repository")],
    }


@router.post("/policy/versions")
@does(Action.DRAFT_POLICY)
def propose_version(request: HttpRequest, body: DraftBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Draft one. Nothing is in force by it."""
    return run_act(request, DraftPolicy, {}, answer=_version)


@router.post("/policy/versions/{number}/apply")
@does(Action.APPLY_POLICY)
def apply_version(request: HttpRequest, number: int) -> dict[str, Any]:
    """Put it in force; one that is weaker waits for a second officer."""
    return run_act(request, ApplyPolicy, {"version": number})


@router.get("/policy/source")
@does(Action.SEE_POLICY)
def get_source(request: HttpRequest) -> dict[str, Any]:
    """The branch that policies are read from; no repository for none."""
    row = PolicySource.objects.select_related("repository").first()
    if row is None:
        return {"repository": "", "branch": "", "path": "", "last_commit": "", "problem": ""}
    where = {"repository": row.repository.name, "branch": row.branch, "path": row.path}
    return {**where, "last_commit": row.last_commit, "problem": row.problem}


@router.put("/policy/source")
@does(Action.DRAFT_POLICY)
def put_source(request: HttpRequest, body: SourceBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Name it."""
    return run_act(request, SetPolicySource, {})


@router.delete("/policy/source")
@does(Action.DRAFT_POLICY)
def delete_source(request: HttpRequest) -> dict[str, Any]:
    """Read policies from no branch."""
    return run_act(request, RemovePolicySource, {})


def _found(number: int) -> PolicyVersion:
    row = PolicyVersion.objects.select_related("proposed_by", "approver").filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _version(row: PolicyVersion) -> dict[str, Any]:
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


def _trial(row: PolicyTrial) -> dict[str, Any]:
    names = ("change_count", "allowed_now", "allowed_then", "differing_changes", "unmet_by_clause", "problem")
    return {"repository": row.repository.name, **{name: getattr(row, name) for name in names}}


@router.get("/exceptions")
@does(Action.SEE_EXCEPTIONS, anywhere)
def list_exceptions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Exceptions of the products that the token may see."""
    rows = PolicyException.objects.filter(repository__product__in=shown(request, Action.SEE_EXCEPTIONS))
    return page(rows.select_related("repository", "requester", "approver"), cursor, _exception)


@router.post("/exceptions")
@does(Action.REQUEST_EXCEPTION, anywhere)
def request_exception(request: HttpRequest, body: ExceptionBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request one; a security officer approves, who is somebody else and signed in."""
    return run_act(request, RequestException, {})


@router.post("/products/{slug}/monitoring")
@does(Action.START_MONITORING, of)
def start_monitoring(request: HttpRequest, slug: str, body: MonitoringBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Put a clause into monitoring for a product, through a day; a second person approves."""
    return run_act(request, StartMonitoring, {"product": slug})


def _of_monitoring(request: HttpRequest, name: str) -> Resource:
    return of_monitoring(request, name)


@router.post("/monitoring/{name}/end")
@does(Action.END_EXCEPTION, _of_monitoring)
def end_monitoring(request: HttpRequest, name: str) -> dict[str, Any]:
    """End a monitoring period early: the clause blocks again."""
    return run_act(request, EndMonitoring, {"period": name})


def _of_exception(request: HttpRequest, name: str) -> Resource:
    return of_exception(request, name)


@router.post("/exceptions/{name}/end")
@does(Action.END_EXCEPTION, _of_exception)
def end_exception(request: HttpRequest, name: str) -> dict[str, Any]:
    """End one early."""
    return run_act(request, EndException, {"exception": name})


def _exception(row: PolicyException) -> dict[str, Any]:
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
@does(Action.SEE_POLICY)
def list_freezes(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Freezes, the newest first; `lifted` is null for one that is not lifted, `until` for one without an end."""
    return page(Freeze.objects.select_related("started_by", "product", "environment"), cursor, _freeze)


@router.post("/freezes")
@does(Action.FREEZE)
def start_freeze(request: HttpRequest, body: FreezeBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Freeze merges and deployments: all, of a product or to an environment, now or later; or drill it."""
    return run_act(request, StartFreeze, {})


@router.post("/freezes/{name}/lift")
@does(Action.LIFT_FREEZE)
def lift_freeze(request: HttpRequest, name: str) -> dict[str, Any]:
    """Request that a freeze is lifted; a second officer approves."""
    return run_act(request, LiftFreeze, {"freeze": name})


def _freeze(row: Freeze) -> dict[str, Any]:
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

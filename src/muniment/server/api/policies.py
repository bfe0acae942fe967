"""The policy, its versions, the exceptions from it, and stops, as programs see them."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.server.api.operations import Cursor, does, of, once, outcome, page, shown
from muniment.server.guarding.mediation import acting, anywhere
from muniment.server.policies import acts, asking
from muniment.server.policies.models import Freeze, Leave, Source, Trial, Version
from muniment.server.policies.views import of_exception

router = Router()


class VersionIn(Schema):
    """A policy, as policy.toml."""

    text: str = Field(max_length=asking.LARGEST)
    note: str = Field("", max_length=2000)


class SourceIn(Schema):
    """The branch that policies are read from; no repository for none."""

    repository: str = Field("", max_length=200)
    branch: str = Field("main", max_length=300)
    path: str = Field("policy.toml", max_length=300)


class ExceptionIn(Schema):
    """Leave to proceed although one clause says no; `head` "" for any commit of the branch."""

    repository: str = Field(max_length=200)
    clause: str = Field(max_length=100)
    branch: str = Field("refs/heads/main", max_length=300)
    head: str = Field("", max_length=64)
    reason: str = Field(max_length=2000)
    days: int = Field(14, ge=1, le=90)


class GentlyIn(Schema):
    """A clause that only reports through a day, such as 2027-01-31."""

    clause: str = Field(max_length=100)
    until: str = Field(max_length=10)
    reason: str = Field(max_length=2000)


class FreezeIn(Schema):
    """A stop of all merges."""

    reason: str = Field(max_length=2000)
    rehearsal: bool = False


@router.get("/policy")
@does(Action.SEE_POLICY)
def get_policy(request: HttpRequest) -> dict[str, Any]:
    """The policy in force."""
    row = Version.objects.filter(holds=True).first()
    if row is None:
        raise Http404
    return {"version": row.pk, "digest": row.digest, "text": row.text}


@router.get("/policy/versions")
@does(Action.SEE_POLICY)
def list_versions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every version, the newest first."""
    return page(Version.objects.select_related("by", "second"), cursor, _version)


@router.get("/policy/versions/{number}")
@does(Action.SEE_POLICY)
def get_version(request: HttpRequest, number: int) -> dict[str, Any]:
    """One, with its text; of one that does not hold yet, what it would change, and would have done to the last days."""
    row = _found(number)
    trials = Trial.objects.filter(version=row, repository__product__in=shown(request, Action.SEE_STATE))
    differences = acts.differences(row.text) if row.applied is None else ()
    return {
        **_version(row),
        "text": row.text,
        "differences": msgspec.to_builtins(differences),
        "trials": [_trial(one) for one in trials.select_related("repository")],
    }


@router.post("/policy/versions")
@does(Action.PROPOSE_POLICY)
def propose_version(request: HttpRequest, body: VersionIn) -> dict[str, Any]:
    """Propose one. Nothing holds by it."""
    return once(request, lambda: _version(asking.propose(acting(request), body.text, body.note)))


@router.post("/policy/versions/{number}/apply")
@does(Action.APPLY_POLICY)
def apply_version(request: HttpRequest, number: int) -> dict[str, Any]:
    """Have it hold; one that is weaker waits for a second officer."""
    row = _found(number)
    if row.applied is not None:
        raise ValueError("That version was applied already.")
    return once(request, lambda: outcome(asking.apply(acting(request), row)))


@router.get("/policy/source")
@does(Action.SEE_POLICY)
def get_source(request: HttpRequest) -> dict[str, Any]:
    """The branch that policies are read from; no repository for none."""
    row = Source.objects.select_related("repository").first()
    if row is None:
        return {"repository": "", "branch": "", "path": "", "seen": "", "problem": ""}
    where = {"repository": row.repository.name, "branch": row.branch, "path": row.path}
    return {**where, "seen": row.seen, "problem": row.problem}


@router.put("/policy/source")
@does(Action.PROPOSE_POLICY)
def put_source(request: HttpRequest, body: SourceIn) -> dict[str, Any]:
    """Name it, or none."""
    return once(request, lambda: outcome(asking.read_from(acting(request), body.repository, body.branch, body.path)))


def _found(number: int) -> Version:
    row = Version.objects.select_related("by", "second").filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _version(row: Version) -> dict[str, Any]:
    return {
        "number": row.pk,
        "digest": row.digest,
        "note": row.note,
        "commit": row.commit,
        "holds": row.holds,
        "proposed": row.proposed.isoformat(),
        "applied": row.applied.isoformat() if row.applied else None,
        "by": row.by.slug if row.by else None,
        "second": row.second.slug if row.second else None,
    }


def _trial(row: Trial) -> dict[str, Any]:
    names = ("changes", "now_allowed", "then_allowed", "other", "clauses", "problem")
    return {"repository": row.repository.name, **{name: getattr(row, name) for name in names}}


@router.get("/exceptions")
@does(Action.SEE_EXCEPTIONS, anywhere)
def list_exceptions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Exceptions of the products that the token may see."""
    rows = Leave.objects.filter(repository__product__in=shown(request, Action.SEE_EXCEPTIONS))
    return page(rows.select_related("repository", "asker", "granter"), cursor, _exception)


@router.post("/exceptions")
@does(Action.ASK_EXCEPTION, anywhere)
def ask_exception(request: HttpRequest, body: ExceptionIn) -> dict[str, Any]:
    """Ask for one; a security officer agrees, who is somebody else and signed in."""
    fields = {name: str(value) for name, value in body.model_dump().items()}
    return once(request, lambda: outcome(asking.exception(acting(request), fields)))


@router.post("/products/{slug}/gently")
@does(Action.REPORT_ONLY, of)
def begin_gently(request: HttpRequest, slug: str, body: GentlyIn) -> dict[str, Any]:
    """Have a clause only report for a product until a day; a second person agrees."""
    return once(request, lambda: outcome(asking.gently(acting(request), slug, body.clause, body.until, body.reason)))


def _of_exception(request: HttpRequest, name: str) -> Resource:
    return of_exception(request, name)


@router.post("/exceptions/{name}/end")
@does(Action.END_EXCEPTION, _of_exception)
def end_exception(request: HttpRequest, name: str) -> dict[str, Any]:
    """End one early."""
    product = of_exception(request, name).product
    return once(request, lambda: outcome(asking.end_exception(acting(request), name, product)))


def _exception(row: Leave) -> dict[str, Any]:
    return {
        "id": row.slug,
        "repository": row.repository.name,
        "clause": row.clause,
        "branch": row.branch,
        "head": row.head,
        "asker": row.asker.slug,
        "granter": row.granter.slug,
        "granted": row.granted.isoformat(),
        "expires": row.expires.isoformat(),
        "ended": row.ended.isoformat() if row.ended else None,
    }


@router.get("/freezes")
@does(Action.SEE_POLICY)
def list_freezes(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Stops of all merges, the newest first; `lifted` is null while one holds."""
    return page(Freeze.objects.select_related("person"), cursor, _freeze)


@router.post("/freezes")
@does(Action.FREEZE)
def add_freeze(request: HttpRequest, body: FreezeIn) -> dict[str, Any]:
    """Stop all merges, or rehearse it."""
    return once(request, lambda: outcome(asking.freeze(acting(request), body.reason, rehearsal=body.rehearsal)))


@router.post("/freezes/{name}/lift")
@does(Action.UNFREEZE)
def lift_freeze(request: HttpRequest, name: str) -> dict[str, Any]:
    """Ask for merges to go on; a second officer agrees."""
    return once(request, lambda: outcome(asking.lift(acting(request), name)))


def _freeze(row: Freeze) -> dict[str, Any]:
    return {
        "id": row.slug,
        "person": row.person.slug,
        "reason": row.reason,
        "rehearsal": row.rehearsal,
        "since": row.since.isoformat(),
        "lifted": row.lifted.isoformat() if row.lifted else None,
    }

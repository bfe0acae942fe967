"""Operations of the API about a whole organisation: rules, many repositories, people, and the declarative file."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from muniment.access.actions import Action
from muniment.errors import RefusedError
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, answer_idempotently, for_action, page_by_number, run_act
from muniment.server.connections.first_pass import count_progress
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.guarding.mediation import current_actor
from muniment.server.organisations.company_file import LARGEST_COMPANY_FILE, read_company_file
from muniment.server.organisations.company_plan import CompanyPlan, plan_company
from muniment.server.organisations.connect_acts import ConnectRepositories
from muniment.server.organisations.models import ProtectionProposal, RepositoryRule
from muniment.server.organisations.people_acts import ImportPeople
from muniment.server.organisations.planned_acts import carry_out_plan
from muniment.server.organisations.protection_acts import (
    ApplyProtection,
    PlanProtection,
    digest_proposals,
    list_open_proposals,
)
from muniment.server.organisations.rule_acts import EndRepositoryRule, SetRepositoryRule

router = Router()

# types that are made at run time, from the fields of the acts
RuleBody = build_body_schema(SetRepositoryRule, fixed=("connection", "name"))
RepositoriesBody = build_body_schema(ConnectRepositories, fixed=("connection",))
PeopleBody = build_body_schema(ImportPeople)
ProtectionBody = build_body_schema(ApplyProtection, fixed=("connection",))


class CompanyFileIn(Schema):
    """Text of the file, as TOML."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(max_length=LARGEST_COMPANY_FILE)


class ConfirmedFileIn(CompanyFileIn):
    """Text of the file, with the digest of the plan that was read: nothing else is carried out."""

    digest: str = Field(max_length=71)


@router.get("/connections/{slug}/visible-repositories")
@for_action(Action.SEE_CONNECTIONS)
def list_visible_repositories(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """The repositories that a connection sees, each with whether it belongs to a product."""
    connection = get_object_or_404(Connection, slug=slug, ended_at=None)
    links = RepositoryLink.objects.filter(connection=connection).values_list("forge_id", flat=True)
    connected = set(links)

    def serialize_visible(row: VisibleRepository) -> dict[str, object]:
        return {
            "path": row.path,
            "topics": row.topics,
            "archived": row.archived,
            "connected": row.forge_id in connected,
            "missing_permissions": row.missing_permissions,
        }

    return page_by_number(VisibleRepository.objects.filter(connection=connection), cursor, serialize_visible)


@router.get("/connections/{slug}/repository-rules")
@for_action(Action.SEE_CONNECTIONS)
def list_repository_rules(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """The rules that choose repositories of a connection."""
    connection = get_object_or_404(Connection, slug=slug, ended_at=None)
    rows = RepositoryRule.objects.filter(connection=connection, ended_at=None)
    return page_by_number(rows, cursor, _serialize_rule)


@router.put("/connections/{slug}/repository-rules/{name}")
@for_action(Action.CHANGE_CONNECTION)
def set_repository_rule(request: HttpRequest, slug: str, name: str, body: RuleBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set a rule, in place of one of the same name."""
    return run_act(request, SetRepositoryRule, {"connection": slug, "name": name})


@router.post("/connections/{slug}/repository-rules/{name}/end")
@for_action(Action.CHANGE_CONNECTION)
def end_repository_rule(request: HttpRequest, slug: str, name: str) -> dict[str, object]:
    """End a rule. Repositories that are connected stay."""
    return run_act(request, EndRepositoryRule, {"connection": slug, "name": name})


@router.post("/connections/{slug}/connect-repositories")
@for_action(Action.ADD_PRODUCT)
def connect_many_repositories(request: HttpRequest, slug: str, body: RepositoriesBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Connect many repositories at once, each to a product. Products that do not exist are added."""
    return run_act(request, ConnectRepositories, {"connection": slug})


@router.get("/connections/{slug}/first-pass")
@for_action(Action.SEE_CONNECTIONS)
def show_first_pass(request: HttpRequest, slug: str) -> dict[str, object]:
    """Progress of the first pass over the repositories of a connection."""
    found = count_progress(get_object_or_404(Connection, slug=slug, ended_at=None))
    return {"read": found.read, "failed": found.failed, "total": found.total, "finished": found.is_finished}


@router.get("/connections/{slug}/protection-plan")
@for_action(Action.SEE_CONNECTIONS)
def show_protection_plan(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """The planned changes of the protection of branches, with the digest that confirms all open ones."""
    connection = get_object_or_404(Connection, slug=slug, ended_at=None)
    rows = ProtectionProposal.objects.filter(link__connection=connection).select_related("link")
    found = page_by_number(rows, cursor, _serialize_proposal)
    return {"digest": digest_proposals(list_open_proposals(connection)), **found}


@router.post("/connections/{slug}/protection-plan")
@for_action(Action.CHANGE_CONNECTION)
def request_protection_plan(request: HttpRequest, slug: str) -> dict[str, object]:
    """Plan the protection of all default branches anew. Nothing is changed at the forge."""
    return run_act(request, PlanProtection, {"connection": slug})


@router.post("/connections/{slug}/protection")
@for_action(Action.CHANGE_CONNECTION)
def request_protection(request: HttpRequest, slug: str, body: ProtectionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Carry out the protection plan with this digest."""
    return run_act(request, ApplyProtection, {"connection": slug})


@router.post("/people-imports")
@for_action(Action.CHANGE_PERSON)
def add_many_people(request: HttpRequest, body: PeopleBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add many people at once. Import their accounts after that."""
    return run_act(request, ImportPeople, {})


@router.post("/company/plan")
@for_action(Action.CHANGE_CONNECTION)
def serve_company_plan(request: HttpRequest, body: CompanyFileIn) -> dict[str, object]:
    """Plan what a company's file would change. Nothing is changed."""
    return serialize_plan(plan_company(read_company_file(body.file)))


@router.post("/company/apply")
@for_action(Action.CHANGE_CONNECTION)
def apply_company_file(request: HttpRequest, body: ConfirmedFileIn) -> dict[str, object]:
    """Carry out the plan with this digest, all of it or nothing. What needs a second person waits as a request."""

    def apply_plan() -> dict[str, object]:
        plan = plan_company(read_company_file(body.file))
        if plan.plan_digest != body.digest:
            raise RefusedError(
                "plan-changed",
                _("The plan is not the one that was confirmed: something changed since."),
                _("Read the plan again, and confirm that one."),
            )
        done = carry_out_plan(current_actor(request), plan.acts)
        return {"changes": done.changes, "requests": list(done.requests)}

    return answer_idempotently(request, apply_plan)


def serialize_plan(plan: CompanyPlan) -> dict[str, object]:
    """Serialize a plan: each change in words, with the act that makes it, and whether it waits for a second person."""
    changes = [{"act": one.act_tag, "change": line, "waits": one.may_wait} for one in plan.acts for line in one.lines]
    return {"digest": plan.plan_digest, "changes": changes}


def _serialize_rule(row: RepositoryRule) -> dict[str, object]:
    lists = {name: getattr(row, name) for name in ("patterns", "owners", "topics", "excluded")}
    flags = {"everything": row.everything, "automatic": row.automatic}
    return {"name": row.name, "products": row.mapping, "product": row.product, **lists, **flags}


def _serialize_proposal(row: ProtectionProposal) -> dict[str, object]:
    steps = [{"setting": setting, "before": before, "after": after} for setting, before, after in row.steps]
    return {
        "repository": row.link.path,
        "branch": row.ref.removeprefix("refs/heads/"),
        "merges": row.mode,
        "steps": steps,
        "gaps": row.gaps,
        "applied_at": row.applied_at.isoformat() if row.applied_at else None,
        "requested": bool(row.requested_by),
        "problem": row.problem,
    }

"""Desired state of the vault, from the acts of people here: which pipelines may deploy to which environment."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from msgspec import structs

from muniment.server.deployments.models import PipelineIdentity
from muniment.server.products.models import Environment
from muniment.vault import layout, process_tokens
from muniment.vault.pipeline_roles import PLAIN_RUNNER, PipelineRole, VaultIssuer, find_role_problem
from muniment.vault.vault_resources import DesiredState

_REPOSITORY = {PipelineIdentity.Kind.GITHUB: "repository_id", PipelineIdentity.Kind.GITLAB: "project_id"}


def list_environment_roles(environment: Environment) -> tuple[PipelineRole, ...]:
    """Roles of an environment's pipelines: one for each issuer that vouches for any, all plain runners together."""
    rows = environment.pipelines.filter(ended_at=None).order_by("pk")
    return tuple(_make_roles(environment, list(rows))[0])


def make_desired_state(since: datetime | None = None) -> tuple[DesiredState, list[str]]:
    """Desired state of the vault; and, in a sentence each, the pipelines that cannot sign in as they were
    described.

    With `since`: the state that is still permitted, with everything that ended after that moment.
    """
    lasting = Q(ended_at=None) if since is None else Q(ended_at=None) | Q(ended_at__gt=since)
    entrances: list[PipelineRole] = []
    problems: list[str] = []
    issuers: dict[str, str] = {}
    for environment in _find_environments(lasting, since):
        rows = list(environment.pipelines.filter(lasting).order_by("pk"))
        found, wrong = _make_roles(environment, rows)
        entrances += found
        problems += wrong
        for row in rows:
            if row.kind != PLAIN_RUNNER and issuers.setdefault(row.kind, row.issuer) != row.issuer:
                problems.append(f"{row.name}: the vault has one {row.kind} already, {issuers[row.kind]}")
    usable = [one for one in entrances if one.issuer == PLAIN_RUNNER or one.issuer in issuers]
    speaking = tuple(VaultIssuer(mount, url) for mount, url in sorted(issuers.items()))
    web, worker = (process_tokens.read_process_key(Path(settings.HOME), name) for name in (layout.WEB, layout.WORKER))
    return DesiredState(web, worker, speaking, tuple(usable), ours=not settings.VAULT_URL), problems


def _find_environments(lasting: Q, since: datetime | None) -> Iterable[Environment]:
    active = Q(product__retired_at=None)
    if since is not None:
        active |= Q(product__retired_at__gt=since)
    rows = Environment.objects.filter(lasting, active)
    return rows.select_related("product").order_by("product__slug", "name")


def _make_roles(environment: Environment, rows: list[PipelineIdentity]) -> tuple[list[PipelineRole], list[str]]:
    found: list[PipelineRole] = []
    problems: list[str] = []
    product, name = environment.product.slug, environment.name
    keys = tuple(row.public_key.strip() for row in rows if row.kind == PLAIN_RUNNER)
    if keys:
        found.append(PipelineRole(product, name, PLAIN_RUNNER, "", keys=keys))
    for row in rows:
        if row.kind == PLAIN_RUNNER:
            continue
        entrance = PipelineRole(product, name, row.kind, row.subject, _make_claims(row))
        wrong = find_role_problem(entrance)
        same = next((one for one in found if one.issuer == row.kind), None)
        merged = entrance if same is None else _merge_roles(same, entrance)
        if not wrong and merged is None:
            wrong = f"another pipeline of {row.get_kind_display()} gets its secrets there already, as somebody else"
        if wrong or merged is None:
            problems.append(f"{row.name}, for {name} of {product}: {wrong}")
        else:
            found = [one for one in found if one is not same]
            found.append(merged)
    return found, problems


def _merge_roles(first: PipelineRole, second: PipelineRole) -> PipelineRole | None:
    """Role that admits both, as one pipeline for deployments and one for jobs; None if they are not the same job.

    The permission of each names its ref; so does the role if both name theirs.
    """
    apart = {**first.claims, "ref": ()}, {**second.claims, "ref": ()}
    if first.subject != second.subject or apart[0] != apart[1]:
        return None
    refs = (first.claims.get("ref"), second.claims.get("ref"))
    claims = {name: values for name, values in first.claims.items() if name != "ref"}
    if refs[0] and refs[1]:
        claims["ref"] = tuple(sorted({*refs[0], *refs[1]}))
    return structs.replace(first, claims=claims)


def _make_claims(row: PipelineIdentity) -> dict[str, tuple[str, ...]]:
    """Claims of a pipeline's tokens. The vault compares texts: patterns of refs are left to the permission, which
    names one commit.
    """
    found: dict[str, tuple[str, ...]] = {}
    if row.kind in _REPOSITORY:
        found = {
            _REPOSITORY[PipelineIdentity.Kind(row.kind)]: (row.forge_repository_id,),
            "environment": (row.forge_environment,),
        }
    if row.kind == PipelineIdentity.Kind.GITHUB and row.patterns and not any("*" in one for one in row.patterns):
        found["ref"] = row.patterns
    return found

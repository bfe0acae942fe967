"""What the vault should be, from what people said here: which pipelines may deploy to which environment."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from msgspec import structs

from muniment.server.deployments.models import PipelineIdentity
from muniment.server.products.models import Environment
from muniment.vault import layout, tokens
from muniment.vault.entrances import PLAIN, Entrance, Issuer, problem
from muniment.vault.pieces import Wanted

_REPOSITORY = {PipelineIdentity.Kind.GITHUB: "repository_id", PipelineIdentity.Kind.GITLAB: "project_id"}


def of(environment: Environment) -> tuple[Entrance, ...]:
    """How its pipelines get in: one for each issuer that speaks for any, all plain runners together."""
    rows = environment.pipelines.filter(ended_at=None).order_by("pk")
    return tuple(_entrances(environment, list(rows))[0])


def wanted(since: datetime | None = None) -> tuple[Wanted, list[str]]:
    """All that the vault should be; and, in a sentence each, which pipelines cannot get in as they were described.

    With `since`: what it may be still, with what ended after that moment.
    """
    lasting = Q(ended_at=None) if since is None else Q(ended_at=None) | Q(ended_at__gt=since)
    entrances: list[Entrance] = []
    problems: list[str] = []
    issuers: dict[str, str] = {}
    for environment in _environments(lasting, since):
        rows = list(environment.pipelines.filter(lasting).order_by("pk"))
        found, wrong = _entrances(environment, rows)
        entrances += found
        problems += wrong
        for row in rows:
            if row.kind != PLAIN and issuers.setdefault(row.kind, row.issuer) != row.issuer:
                problems.append(f"{row.name}: the vault has one {row.kind} already, {issuers[row.kind]}")
    kept = [one for one in entrances if one.issuer == PLAIN or one.issuer in issuers]
    speaking = tuple(Issuer(mount, url) for mount, url in sorted(issuers.items()))
    web, worker = (tokens.public(Path(settings.HOME), name) for name in (layout.WEB, layout.WORKER))
    return Wanted(web, worker, speaking, tuple(kept), ours=not settings.VAULT_URL), problems


def _environments(lasting: Q, since: datetime | None) -> Iterable[Environment]:
    active = Q(product__retired_at=None)
    if since is not None:
        active |= Q(product__retired_at__gt=since)
    rows = Environment.objects.filter(lasting, active)
    return rows.select_related("product").order_by("product__slug", "name")


def _entrances(environment: Environment, rows: list[PipelineIdentity]) -> tuple[list[Entrance], list[str]]:
    found: list[Entrance] = []
    problems: list[str] = []
    product, name = environment.product.slug, environment.name
    keys = tuple(row.public_key.strip() for row in rows if row.kind == PLAIN)
    if keys:
        found.append(Entrance(product, name, PLAIN, "", keys=keys))
    for row in rows:
        if row.kind == PLAIN:
            continue
        entrance = Entrance(product, name, row.kind, row.subject, _claims(row))
        wrong = problem(entrance)
        same = next((one for one in found if one.issuer == row.kind), None)
        merged = entrance if same is None else _merge_entrances(same, entrance)
        if not wrong and merged is None:
            wrong = f"another pipeline of {row.get_kind_display()} gets its secrets there already, as somebody else"
        if wrong or merged is None:
            problems.append(f"{row.name}, for {name} of {product}: {wrong}")
        else:
            found = [one for one in found if one is not same]
            found.append(merged)
    return found, problems


def _merge_entrances(one: Entrance, other: Entrance) -> Entrance | None:
    """The role that lets in both, as one pipeline for deployments and one for jobs; None if they are not the same job.

    The permission of each names its ref; so does the role if both name theirs.
    """
    apart = {**one.claims, "ref": ()}, {**other.claims, "ref": ()}
    if one.subject != other.subject or apart[0] != apart[1]:
        return None
    refs = (one.claims.get("ref"), other.claims.get("ref"))
    claims = {name: values for name, values in one.claims.items() if name != "ref"}
    if refs[0] and refs[1]:
        claims["ref"] = tuple(sorted({*refs[0], *refs[1]}))
    return structs.replace(one, claims=claims)


def _claims(row: PipelineIdentity) -> dict[str, tuple[str, ...]]:
    """The vault compares texts: patterns of refs are left to the permission, which names one commit."""
    found: dict[str, tuple[str, ...]] = {}
    if row.kind in _REPOSITORY:
        found = {
            _REPOSITORY[PipelineIdentity.Kind(row.kind)]: (row.forge_repository_id,),
            "environment": (row.forge_environment,),
        }
    if row.kind == PipelineIdentity.Kind.GITHUB and row.patterns and not any("*" in one for one in row.patterns):
        found["ref"] = row.patterns
    return found

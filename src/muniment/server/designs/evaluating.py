"""Evaluates the design of a product from the branches of its repositories, and stores it as an act of the service."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from muniment.access.roles import Role
from muniment.design.product_design import RepositorySources
from muniment.design.stored_results import EvaluatedDesign
from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.facts.maybe import Unknown
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.connections.models import ProtectedBranch
from muniment.server.designs.design_acts import StoreDesign, find_statuses
from muniment.server.designs.models import DesignReading, ProductDesign
from muniment.server.error_text import format_error_text
from muniment.server.findings.scanning import open_branch
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.products.models import FORGE, Product, Repository, RepositoryScan
from muniment.server.records import row_checks
from muniment.workflows.design_evaluation import evaluate_product, read_design_sources

_DAILY = timedelta(days=1)  # dates of grants grow old without any commit
_SAME = timedelta(hours=20)  # for which an evaluation with the same result is not recorded again
_RETRY = timedelta(minutes=10)  # after an evaluation that failed
_MOST_DUE = 20  # products in one round


def list_due_products() -> Iterator[int]:
    """List the products whose branches have moved, or whose design was not evaluated for a day."""
    here = Q(worker=settings.WORKER_NAME) & ~Q(path__startswith=FORGE)
    connected = Q(forge_link__connection__ended_at=None, path__startswith=FORGE)
    rows = Repository.objects.filter(here | connected, product__retired_at=None)
    tips = _read_tips()
    readings = {row.product_id: row for row in DesignReading.objects.defer("answer")}
    repositories: dict[int, list[int]] = {}
    for number, product in rows.values_list("pk", "product"):
        repositories.setdefault(product, []).append(number)
    due: list[tuple[float, int]] = []
    for product, numbers in repositories.items():
        reading = readings.get(product)
        if reading is None or reading.started_at is None:
            due.append((0, product))
        elif _is_due(reading, {str(number): tips.get(number, "") for number in numbers}):
            due.append((reading.started_at.timestamp(), product))
    for _, product in sorted(due)[:_MOST_DUE]:
        yield product


def _read_tips() -> dict[int, str]:
    tips = dict(RepositoryScan.objects.values_list("repository", "tip"))
    protected = ProtectedBranch.objects.filter(tip__gt="").values_list("repository", "ref", "tip")
    defaults = dict(Repository.objects.filter(forge_link__isnull=False).values_list("pk", "forge_link__default_branch"))
    tips.update({repository: tip for repository, ref, tip in protected if defaults.get(repository) == ref})
    return tips


def _is_due(reading: DesignReading, tips: dict[str, str]) -> bool:
    """Whether an evaluation that began before is to be repeated."""
    age = timezone.now() - (reading.started_at or timezone.now())
    if reading.problem or reading.finished_at is None:
        return age > _RETRY
    has_moved = any(tip and reading.tips.get(number) != tip for number, tip in tips.items())
    return age > _DAILY or has_moved or set(reading.tips) != set(tips)


def evaluate_product_design(product: Product) -> None:
    """Evaluate the design of a product. What cannot be read is noted with the reason; the former design stays."""
    reading, _ = DesignReading.objects.get_or_create(product=product)
    reading.started_at = timezone.now()
    reading.save(update_fields=["started_at"])
    sources: list[RepositorySources] = []
    tips: dict[str, str] = {}
    try:
        for repository in Repository.objects.select_related("product").filter(product=product).order_by("pk"):
            with open_branch(repository) as (git, _branch, tip):
                sources.append(read_design_sources(git, repository.name, tip))
            tips[str(repository.pk)] = tip
    except MunimentError as error:
        _note_problem(reading, format_error_text(error))
        return
    answer = evaluate_product(sources, timezone.localdate())
    if isinstance(answer, Unknown):
        _note_problem(reading, answer.reason)
        return
    store_product_design(reading, answer.value.after, tips)


def _note_problem(reading: DesignReading, problem: str) -> None:
    reading.problem, reading.finished_at = problem, None
    reading.save(update_fields=["problem", "finished_at"])


def store_product_design(reading: DesignReading, design: EvaluatedDesign, tips: dict[str, str]) -> None:
    """Store an evaluated design, unless it is the stored one of today. Notifies of a principle that fails now."""
    data = msgspec.msgpack.encode(design)
    stored = row_checks.read_recorded(
        lambda: ProductDesign.objects.filter(product=reading.product).first(), ProductDesign
    )
    reading.tips, reading.answer, reading.problem = tips, data, ""
    reading.finished_at = timezone.now()
    reading.save(update_fields=["tips", "answer", "problem", "finished_at"])
    digest = canonical.digest_bytes(data)
    if stored is not None and stored.digest == digest and timezone.now() - stored.evaluated_at < _SAME:
        return
    values = {"reading": reading.pk, "digest": digest}
    execute_system_act(SystemActor.DESIGN_EVALUATION, StoreDesign, values)
    before = stored.statuses if stored is not None else {}
    failing = [name for name, status in find_statuses(design.results).items() if status == "violated"]
    new = [name for name in failing if before.get(name) not in (None, "violated")]
    if new:
        people = find_role_holders((Role.OWNER, Role.SECURITY), reading.product)
        text = f"The design of {reading.product.name} fails now: {', '.join(new)}."
        notify_people(people, text, f"/products/{reading.product.slug}/design")

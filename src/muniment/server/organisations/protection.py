"""Protects the default branches of many repositories: a plan that shows each change, then exactly that plan.

The worker plans and applies, since it alone has the credential. A branch whose rules changed since the plan is left as
it is, and its page says so.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts import canonical
from muniment.forges.branch_rules import ProtectionPlan, WantedProtection
from muniment.forges.forge import Forge
from muniment.forges.merge_protection import MergeMode, MergeProtection, choose_default_protection
from muniment.forges.shapes import Vendor
from muniment.forges.statuses import make_context
from muniment.server.connections.forge_access import (
    is_connection_wide,
    open_connected_forge,
    report_problems,
    require_linked_repository,
)
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.job_queue import enqueue
from muniment.server.organisations.models import ProtectionProposal
from muniment.server.organisations.protection_acts import ApplyProtection, digest_proposals, list_open_proposals
from muniment.server.records.recorded_acts import require_act

_APPROVALS = 1  # that the forge itself requires, as a second layer: the default of `muniment forge protect`


def plan_connection_protection(connection: Connection) -> None:
    """Plan each default branch anew. Raises MunimentError for an error of the whole connection."""
    forge = open_connected_forge(connection)
    links = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    with report_problems(connection):
        for link in links.exclude(default_branch="").select_related("connection").order_by("pk"):
            try:
                plan, merge = _plan_link(link, forge)
            except MunimentError as error:
                if is_connection_wide(error):
                    raise
                _store_proposal(link, None, "", f"{error.message}. {error.remedy}")
            else:
                _store_proposal(link, plan, merge.mode.value, "")


def apply_requested_protection(connection: Connection, digest: str, record: str) -> None:
    """Apply the open proposals whose digest a recorded act names. Those that are applied already stay so.

    Raises UnrecordedTaskError if no act named it, MunimentError for an error of the whole connection.
    """
    require_act(record, ApplyProtection(connection=connection.slug, digest=digest).digest_act())
    with transaction.atomic():
        # Marked first: after a failure the rest is applied, although the digest of what is open is another one then.
        rows = list_open_proposals(connection).select_for_update(of=("self",))
        if digest_proposals(rows) == digest:
            ProtectionProposal.objects.filter(pk__in=[row.pk for row in rows]).update(requested_by=record)
    forge = open_connected_forge(connection)
    wanted = ProtectionProposal.objects.filter(link__connection=connection, requested_by=record, applied_at=None)
    with report_problems(connection):
        for row in wanted.filter(problem="").select_related("link__connection"):
            _apply_proposal(row, forge)


def _apply_proposal(row: ProtectionProposal, forge: Forge) -> None:
    try:
        plan, _merge = _plan_link(row.link, forge)
        if plan.steps and digest_steps(row.link, plan) != row.digest:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE,
                _("the branch's rules changed since the plan was made"),
                _("Plan it again."),
            )
        if plan.steps:
            forge.protector.apply_protection(require_linked_repository(row.link), plan)
    except MunimentError as error:
        if is_connection_wide(error):
            raise
        ProtectionProposal.objects.filter(pk=row.pk).update(problem=f"{error.message}. {error.remedy}")
        return
    ProtectionProposal.objects.filter(pk=row.pk).update(applied_at=timezone.now())
    enqueue("read-branch-rules", repository=row.link.repository_id)


def _plan_link(link: RepositoryLink, forge: Forge) -> tuple[ProtectionPlan, MergeProtection]:
    """Plan of a default branch, and who merges there: the default of its kind of forge."""
    repository, ref = require_linked_repository(link), link.default_branch
    merge = choose_default_protection(Vendor(link.connection.vendor), forge.reader.read_branch_rules(repository, ref))
    wanted = WantedProtection(ref, make_context(ref), _APPROVALS, only_we_merge=merge.mode is MergeMode.MUNIMENT)
    return forge.protector.plan_protection(repository, wanted), merge


def digest_steps(link: RepositoryLink, plan: ProtectionPlan) -> str:
    """Digest of the changes of one branch."""
    steps = [[step.setting, step.previous_value, step.new_value] for step in plan.steps]
    return canonical.digest_value([link.forge_id, plan.wanted.ref, steps])


def _store_proposal(link: RepositoryLink, plan: ProtectionPlan | None, mode: str, problem: str) -> None:
    """Store the plan of a branch. One that is protected as wanted counts as applied."""
    steps: Iterable[list[str]] = (
        [[step.setting, step.previous_value, step.new_value] for step in plan.steps] if plan is not None else []
    )
    now = timezone.now()
    values = {
        "ref": link.default_branch,
        "steps": steps,
        "gaps": list(plan.remaining_gaps) if plan is not None else [],
        "mode": mode,
        "digest": digest_steps(link, plan) if plan is not None else "",
        "requested_by": "",
        "planned_at": now,
        "applied_at": now if plan is not None and not plan.steps else None,
        "problem": problem,
    }
    ProtectionProposal.objects.update_or_create(link=link, defaults=values)

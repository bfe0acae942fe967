"""Access by the vault's role of an environment: open for a commit until its run has its secrets, and closed
otherwise.

Only GitHub's and plain runners' roles are opened like this; a person bound the others once and for all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import VaultCode, VaultError
from muniment.server.deployments import desired_vault
from muniment.server.deployments.models import Deployment, DeploymentPermission, JobRun, JobRunPermission
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.secrets.watch_state import find_watch_limits, find_watch_problem
from muniment.server.vault_access import open_vault_session
from muniment.vault.pipeline_roles import PipelineRole
from muniment.vault.role_access import close_role, end_tokens, open_role
from muniment.vault.vault_client import Session

Row = Deployment | JobRun

_LATELY = timedelta(hours=1)  # far longer than any token of a pipeline lives
_LOCK = 0x6D756476  # the first number of the advisory locks of environments


@contextmanager
def lock_environment_access(environment: int) -> Iterator[None]:
    """Exclusive lock on the access to an environment: two workers would else read and write it across each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, environment])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, environment])


def has_openable_role(row: Row) -> bool:
    """Whether it has a role to open. An environment without a secret needs no vault."""
    return row.environment.secrets.exists() and _find_openable_role(row) is not None


def open_access(row: Row) -> None:
    """Let its commit sign in, if it has a role. Raises VaultError; then it is as it was."""
    found = _find_openable_role(row)
    if found is not None:
        # Before the role opens: a read that nobody would notice must not be possible.
        _require_watch(row)
        _admit_runs(found, {(row.commit, row.identity["run"]), *_find_other_admitted(row)})


def _require_watch(row: Row) -> None:
    problem = find_watch_problem(find_watch_limits(current_clauses())) if row.environment.secrets.exists() else ""
    if problem:
        raise VaultError(
            VaultCode.FAILED,
            _("reads of the secrets are not watched: %(problem)s") % {"problem": problem},
            _("See what muniment doctor says of the watch of the vault; close the incident once its cause is known."),
        )


def _find_openable_role(row: Row) -> PipelineRole | None:
    found = next(
        (one for one in desired_vault.list_environment_roles(row.environment) if one.issuer == row.pipeline.kind), None
    )
    return found if found is not None and found.is_opened_per_commit else None


def close_access(row: Row) -> None:
    """Let it sign in no more, and only others that still have a permission. Raises VaultError; then it may still be
    open.
    """
    others, found = _find_other_admitted(row), _find_openable_role(row)
    if others and found is not None:
        _admit_runs(found, others)
    else:
        close_role(open_vault_session(), _make_role(row))


def _admit_runs(entrance: PipelineRole, admitted: set[tuple[str, str]]) -> None:
    """Admit each (commit, run). The vault compares the two apart: it is one of those runs, on one of those commits."""
    runs = sorted({run for _commit, run in admitted})
    open_role(open_vault_session(), entrance, *sorted({commit for commit, _run in admitted}), runs=runs)


def _find_other_admitted(row: Row) -> set[tuple[str, str]]:
    """Commit and run of other permissions that the same role admits."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    deployments = Deployment.objects.filter(
        permission__in=DeploymentPermission.objects.filter(lasting, vault_access=True)
    )
    runs = JobRun.objects.filter(permission__in=JobRunPermission.objects.filter(lasting, vault_access=True))
    here = {"environment": row.environment, "pipeline__kind": row.pipeline.kind}
    rows: list[Row] = [*deployments.filter(**here), *runs.filter(**here)]
    return {(one.commit, one.identity["run"]) for one in rows if one != row}


def end_all_access() -> None:
    """Close every role, and end every token that pipelines got lately. Raises VaultError."""
    since = timezone.now() - _LATELY
    lately = Q(permission__vault_access=True) | Q(permission__decided_at__gt=since, environment__secrets__isnull=False)
    deployments, runs = (
        kind.objects.filter(lasting).select_related("environment__product", "pipeline").distinct()
        for kind, lasting in ((Deployment, lately), (JobRun, lately))
    )
    found = [_make_role(row) for row in (*deployments, *runs)]
    roles = {(role.mount, role.role): role for role in found if role.is_opened_per_commit}
    if roles:
        here = open_vault_session()
        for role in roles.values():
            _end_role_access(here, role)


def _end_role_access(vault_session: Session, role: PipelineRole) -> None:
    """Close a role, and end its tokens. A role that Muniment may not close was never made by a person: nobody used
    it.
    """
    try:
        close_role(vault_session, role)
        end_tokens(vault_session, (role,))
    except VaultError as error:
        # The other roles are closed all the same; a freeze must not end at the first of them.
        if error.code is not VaultCode.REFUSED:
            raise


def _make_role(row: Row) -> PipelineRole:
    """Role of a request, also of a pipeline that was revoked since."""
    return PipelineRole(row.environment.product.slug, row.environment.name, row.pipeline.kind, row.pipeline.subject)

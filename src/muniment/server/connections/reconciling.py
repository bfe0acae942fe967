"""Goes through what is connected: what no event told of, what was loosened, what others posted in our name.

Each pass asks with validators, so that what is unchanged costs nothing of the forge's patience, and stops once it spent
its part of a tenth of that.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts import canonical
from muniment.forges.checks import digest_of_checks
from muniment.forges.forge import Forge
from muniment.forges.http import REST
from muniment.forges.rules import BranchRules
from muniment.forges.shapes import Account
from muniment.forges.statuses import OURS, Saying
from muniment.git import approvals
from muniment.http.rate_limits import RateLimit
from muniment.server.changes.again import read_again, verify_statuses
from muniment.server.changes.judging import cleaned
from muniment.server.connections import hearing, permission_checks
from muniment.server.connections.judging import Court, mirror_of
from muniment.server.connections.keeping import PostgresKeeper
from muniment.server.connections.models import (
    Connection,
    ForgeChange,
    ProtectedBranch,
    RepositoryLink,
    VisibleRepository,
)
from muniment.server.connections.reaching import concerns_all, following, forge_of, note, repo_of, still_there
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Repository
from muniment.server.work import soon
from muniment.workflows import reconcile_forge
from muniment.workflows.judge_at_forge import Judging
from muniment.workflows.watch_rules import others_of_ours, undemanded, weakened

EACH = timedelta(minutes=10)  # how often a repository is gone through
_ROUNDS = 60  # passes an hour
_AWAY = timedelta(minutes=3)  # after which we were not running
_SOON = timedelta(minutes=1)  # until what failed is gone through again
_MOST = 100  # repositories in one pass, where the forge tells of no limit
_SHARE = 10  # one part in ten of the limit is ours for this


def go_through(connection: Connection) -> int:
    """One pass over the repositories that are due, the longest waiting first; how many it came to."""
    try:
        forge = forge_of(connection)
    except MunimentError as error:
        note(connection, error)
        raise
    if connection.checked_at is not None and connection.checked_at < timezone.now() - _AWAY:
        RepositoryLink.objects.filter(connection=connection).update(
            reconciled_at=None
        )  # nobody heard what happened meanwhile
    Connection.objects.filter(pk=connection.pk).update(checked_at=timezone.now())
    begun, done = forge.reader.limits().get(REST, RateLimit()), 0
    for connected in _due(connection, timezone.now()):
        failed = reconcile(connected, forge)
        if concerns_all(failed):
            break
        note(connection, None)
        done += 1
        heard = forge.reader.limits().get(REST, RateLimit())
        begun = heard if begun.left < 0 or begun.left < heard.left else begun  # nothing was told yet, or it was reset
        if done >= _MOST or (heard.limit > 0 and begun.left - heard.left >= max(1, heard.limit // _SHARE // _ROUNDS)):
            break
    return done


def forget_passes() -> None:
    """For a worker that starts: nobody knows what was missed meanwhile, so each repository is due, and each probe."""
    RepositoryLink.objects.update(reconciled_at=None)
    Connection.objects.update(probed_at=None)


def reconcile(connected: RepositoryLink, forge: Forge) -> MunimentError | None:
    """One repository. What fails is told on its page and returned; it is gone through again all the same."""
    failed: MunimentError | None = None
    begun = timezone.now() - (EACH - _SOON)  # whatever breaks this off, others are not kept waiting behind it
    RepositoryLink.objects.filter(pk=connected.pk).update(reconciled_at=begun)
    try:
        with following(connected.connection):
            still_there(connected, forge)
            look_for_missed(connected, forge)
            look_at_rules(connected, forge)
            hook(connected, forge)
    except MunimentError as error:
        failed = error
    problem = f"{failed.message}. {failed.remedy}" if failed is not None else ""
    counted = timezone.now() - (EACH - _SOON if problem else timedelta(0))
    RepositoryLink.objects.filter(pk=connected.pk).update(reconciled_at=counted, problem=problem)
    return failed


def look_for_missed(connected: RepositoryLink, forge: Forge) -> None:
    """Have looked at again what is other than it was read, and see that our statuses stand. Raises ForgeError."""
    keeper, number = PostgresKeeper(connected.repository), connected.repository_id
    kept = keeper.kept()
    for missed in reconcile_forge.missed(forge.reader, repo_of(connected), kept, keeper.judges):
        read_again(number, missed)
    if kept:
        reevaluate_if_statements_changed(connected, forge, kept)
    soon("read-branch-updates", repository=number)
    for head in sorted({one.head for one in kept.values() if one.head}):
        look_at_statuses(connected, forge, head)


def look_at_statuses(connected: RepositoryLink, forge: Forge, head: str) -> None:
    """See that what stands on a head is what we say, by us, and evaluated with the checks of now. Raises ForgeError."""
    keeper = PostgresKeeper(connected.repository)
    contexts = keeper.contexts(head)
    ours = Account(connected.connection.account_id, connected.connection.account)
    if not contexts or not ours.id:
        return
    posted = forge.reader.statuses(repo_of(connected), head)
    others = [one for one in posted if not (one.context.startswith(OURS) and one.by.id == ours.id)]
    reevaluate_if_checks_changed(connected.repository, head, digest_of_checks(others))
    lost, forged = reconcile_forge.statuses(posted, head, contexts, keeper, ours)
    for one in forged:
        open_incident(
            incidents.STATUS_FORGED,
            connected.repository.product,
            f"commit:{one.head} {one.context}",
            f"{connected.repository.name}: {one.context} on {one.head[:12]} was posted by {_named(one.by)}.",
            link=f"/connections/{connected.connection.slug}",
        )
    judging = Judging(forge, repo_of(connected), keeper, Court(connected, forge))
    for place in lost:
        keeper.forget(*place)
    for context in contexts:
        judging.show(head, context)  # what surely is shown may be of before: whoever judged it may have died


def reevaluate_if_checks_changed(repository: Repository, head: str, digest: str) -> None:
    """Have each open change with that head read again whose checks are not those that it was evaluated with.

    They are compared with what was seen here before, never with what an evaluation read: the first time is a change.
    """
    with transaction.atomic():
        rows = ForgeChange.objects.select_for_update().filter(repository=repository, head=head, status__isnull=False)
        rows = rows.order_by("pk")  # two processes lock them in one order
        for row in rows.filter(Q(reads_checks=True) | Q(read_due_at__isnull=False)).exclude(checks_digest=digest):
            row.checks_digest = digest
            row.save(update_fields=["checks_digest"])
            read_again(repository.pk, row.number)


def reevaluate_if_statements_changed(connected: RepositoryLink, forge: Forge, numbers: Iterable[int]) -> None:
    """Have the open changes of a repository read again if other signed approvals were pushed there. Raises GitError."""
    digest = canonical.digest_of(sorted(mirror_of(connected, forge).listed((f"{approvals.PREFIX}*",)).items()))
    with transaction.atomic():
        row = RepositoryLink.objects.select_for_update(of=("self",)).get(pk=connected.pk)
        if row.statements_digest == digest:
            return
        row.statements_digest = digest
        row.save(update_fields=["statements_digest"])
        for number in numbers:
            read_again(connected.repository_id, number)


def _named(by: Account) -> str:
    """Who posted it, as the forge says it: their login, or the id of an account that has none any more."""
    who = cleaned(by.login) or (f"#{cleaned(by.id)}" if by.id else "")
    return f"{who or 'somebody whom the forge does not name'}, an account that is not ours"


def look_at_rules(connected: RepositoryLink, forge: Forge) -> None:
    """See that each watched branch is protected as it was. Raises ForgeError."""
    for row in ProtectedBranch.objects.filter(repository=connected.repository):
        rules = forge.reader.rules(repo_of(connected), row.ref)
        ProtectedBranch.objects.filter(pk=row.pk).update(rules_checked_at=timezone.now())
        if rules.unread_settings:
            ProtectedBranch.objects.filter(pk=row.pk).update(rule_gaps="; ".join(rules.unread_settings)[:2000])
            continue
        before = msgspec.convert(row.rules, BranchRules) if row.rules is not None else rules
        found = weakened(before, rules)
        subject = f"branch:{connected.repository.name} {row.ref}"
        if found and not _accepted(subject, row):
            open_incident(
                incidents.RULE_WEAKENED,
                connected.repository.product,
                subject,
                f"{connected.repository.name}: {row.ref.removeprefix('refs/heads/')}: {'; '.join(found)}.",
                link=f"/connections/{connected.connection.slug}",
            )
        else:
            row.rules, row.rules_read_at = msgspec.to_builtins(rules), timezone.now()
        row.rule_gaps, demanded = "; ".join((*found, *undemanded(rules))), list(others_of_ours(rules))
        if demanded != row.shared_contexts:
            _show_anew(row)
        row.shared_contexts = demanded
        row.save(update_fields=["rules", "rules_read_at", "rule_gaps", "shared_contexts"])


def _show_anew(row: ProtectedBranch) -> None:
    """Have what stands for the open changes of a branch shown in the contexts that its rule demands by now."""
    heads = ForgeChange.objects.filter(repository=row.repository, change__target=row.ref, status__isnull=False)
    for head in set(heads.values_list("head", flat=True)):
        verify_statuses(row.repository_id, head)


def _accepted(subject: str, row: ProtectedBranch) -> bool:
    """Whether somebody looked at it since, and said that it stays as it is."""
    closed = Incident.objects.filter(kind=incidents.RULE_WEAKENED, subject=subject, resolution=incidents.ACCEPTED)
    closed = closed.exclude(pk__in=find_unrecorded_closings())
    return closed.filter(closed_at__gt=row.rules_read_at).exists() if row.rules_read_at is not None else False


def hook(connected: RepositoryLink, forge: Forge) -> None:
    """See that the forge tells us of events, signed with the secret of now. Raises ForgeError."""
    connection = connected.connection
    mark = hearing.mark(connection)
    if connected.webhook_secret_mark != mark:
        forge.protector.hook(repo_of(connected), hearing.address(connection), hearing.secret_of(connection))
        RepositoryLink.objects.filter(pk=connected.pk).update(webhook_secret_mark=mark)


def list_repositories(connection: Connection) -> None:
    """Read who we are there, what we see and what is missing. What is wrong is told on its page."""
    Connection.objects.filter(pk=connection.pk).update(listed_at=timezone.now())
    forge: Forge | None = None
    try:
        forge = forge_of(connection)
        about, found = forge.reader.about(), forge.reader.repositories()
    except MunimentError as error:
        note(connection, error)
        if forge is not None and isinstance(error, ForgeError) and error.code is ForgeCode.FORBIDDEN:
            permission_checks.store_refused(connection, forge, None)  # which scope that was
        raise
    Connection.objects.filter(pk=connection.pk).update(
        account=about.ours.login[:100],
        account_id=about.ours.id[:100],
        forge_version=about.version[:60],
        forge_tier=about.tier[:60],
    )
    for one in found:
        repo = one.repository
        values = {"path": repo.path, "default_branch": repo.default, "clone_url": repo.clone, "url": repo.url}
        more = {"private": repo.private, "missing_permissions": [ability.value for ability in one.missing_abilities]}
        VisibleRepository.objects.update_or_create(connection=connection, forge_id=repo.id, defaults={**values, **more})
        rows = RepositoryLink.objects.filter(connection=connection, forge_id=repo.id)
        moved = rows.exclude(path=repo.path).values_list("repository", flat=True)
        for number in moved:
            soon("reconcile-repository", repository=number)
        rows.update(**values)
    VisibleRepository.objects.filter(connection=connection).exclude(
        forge_id__in=[one.repository.id for one in found]
    ).delete()
    note(connection, None)
    permission_checks.ask_for_permission_check(connection)


def _due(connection: Connection, now: datetime) -> list[RepositoryLink]:
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    late = rows.filter(Q(reconciled_at=None) | Q(reconciled_at__lt=now - EACH))
    green = ForgeChange.objects.filter(repository=OuterRef("repository"), status__saying=Saying.ALLOWED.value)
    ordered = late.order_by(F("reconciled_at").asc(nulls_first=True), Exists(green).desc(), "pk")
    return list(ordered.select_related("repository__product", "connection")[: _MOST * 10])

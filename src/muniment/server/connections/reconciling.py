"""Goes through what is connected: what no event told of, what was loosened, what others posted in our name.

Each pass asks with validators, so that what is unchanged costs nothing of the forge's patience, and stops once it spent
its part of a tenth of that.
"""

from datetime import datetime, timedelta

import msgspec
from django.db.models import F, Q
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.forges.forge import Forge
from muniment.forges.rules import BranchRules
from muniment.forges.shapes import Account
from muniment.server.changes.again import read_again
from muniment.server.changes.judging import cleaned
from muniment.server.connections import hearing
from muniment.server.connections.judging import Court
from muniment.server.connections.keeping import PostgresKeeper
from muniment.server.connections.models import AtForge, Branch, Connected, Connection, Listed
from muniment.server.connections.reaching import concerns_all, following, forge_of, note, repo_of, still_there
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.acts import open_incident
from muniment.server.incidents.models import Incident
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
        note(connection, None, error)
        raise
    if connection.looked is not None and connection.looked < timezone.now() - _AWAY:
        Connected.objects.filter(connection=connection).update(reconciled=None)  # nobody heard what happened meanwhile
    Connection.objects.filter(pk=connection.pk).update(looked=timezone.now())
    begun, done = forge.reader.limits(), 0
    for connected in _due(connection, timezone.now()):
        failed = reconcile(connected, forge)
        if concerns_all(failed):
            break
        note(connection, forge, None)
        done += 1
        heard = forge.reader.limits()
        begun = heard if begun.left < 0 else begun  # a process that began just now was told nothing yet
        if done >= _MOST or (heard.limit > 0 and begun.left - heard.left >= max(1, heard.limit // _SHARE // _ROUNDS)):
            break
    return done


def reconcile(connected: Connected, forge: Forge) -> MunimentError | None:
    """One repository. What fails is told on its page and returned; it is gone through again all the same."""
    failed: MunimentError | None = None
    begun = timezone.now() - (EACH - _SOON)  # whatever breaks this off, others are not kept waiting behind it
    Connected.objects.filter(pk=connected.pk).update(reconciled=begun)
    try:
        with following(connected.connection, forge):
            still_there(connected, forge)
            look_for_missed(connected, forge)
            look_at_rules(connected, forge)
            hook(connected, forge)
    except MunimentError as error:
        failed = error
    problem = f"{failed.message}. {failed.remedy}" if failed is not None else ""
    counted = timezone.now() - (EACH - _SOON if problem else timedelta(0))
    Connected.objects.filter(pk=connected.pk).update(reconciled=counted, problem=problem)
    return failed


def look_for_missed(connected: Connected, forge: Forge) -> None:
    """Have looked at again what is other than it was read, and see that our statuses stand. Raises ForgeError."""
    keeper, number = PostgresKeeper(connected.repository), connected.repository_id
    kept = keeper.kept()
    for missed in reconcile_forge.missed(forge.reader, repo_of(connected), kept, keeper.judges):
        read_again(number, missed)
    soon("watch", repository=number)
    for head in sorted({one.head for one in kept.values() if one.head}):
        look_at_statuses(connected, forge, head)


def look_at_statuses(connected: Connected, forge: Forge, head: str) -> None:
    """See that what stands on a head is what we say, and by us. Raises ForgeError."""
    keeper = PostgresKeeper(connected.repository)
    contexts = keeper.contexts(head)
    ours = Account(connected.connection.account_id, connected.connection.account)
    if not contexts or not ours.id:
        return
    lost, forged = reconcile_forge.statuses(forge.reader, repo_of(connected), head, contexts, keeper, ours)
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


def _named(by: Account) -> str:
    """Who posted it, as the forge says it: their login, or the id of an account that has none any more."""
    who = cleaned(by.login) or (f"#{cleaned(by.id)}" if by.id else "")
    return f"{who or 'somebody whom the forge does not name'}, an account that is not ours"


def look_at_rules(connected: Connected, forge: Forge) -> None:
    """See that each watched branch is protected as it was. Raises ForgeError."""
    for row in Branch.objects.filter(repository=connected.repository):
        rules = forge.reader.rules(repo_of(connected), row.ref)
        if rules.unread:
            Branch.objects.filter(pk=row.pk).update(loose="; ".join(rules.unread)[:2000])
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
            row.rules, row.ruled = msgspec.to_builtins(rules), timezone.now()
        row.loose, demanded = "; ".join((*found, *undemanded(rules))), list(others_of_ours(rules))
        if demanded != row.demanded:
            _show_anew(row)
        row.demanded = demanded
        row.save(update_fields=["rules", "ruled", "loose", "demanded"])


def _show_anew(row: Branch) -> None:
    """Have what stands for the open changes of a branch shown in the contexts that its rule demands by now."""
    heads = AtForge.objects.filter(repository=row.repository, change__target=row.ref, status__isnull=False)
    for head in set(heads.values_list("head", flat=True)):
        soon("look-at-statuses", repository=row.repository_id, head=head)


def _accepted(subject: str, row: Branch) -> bool:
    """Whether somebody looked at it since, and said that it stays as it is."""
    closed = Incident.objects.filter(kind=incidents.RULE_WEAKENED, subject=subject, how=incidents.ACCEPTED)
    return closed.filter(closed__gt=row.ruled).exists() if row.ruled is not None else False


def hook(connected: Connected, forge: Forge) -> None:
    """See that the forge tells us of events, signed with the secret of now. Raises ForgeError."""
    connection = connected.connection
    mark = hearing.mark(connection)
    if connected.hooked != mark:
        forge.protector.hook(repo_of(connected), hearing.address(connection), hearing.secret_of(connection))
        Connected.objects.filter(pk=connected.pk).update(hooked=mark)


def list_repositories(connection: Connection) -> None:
    """Read who we are there, what we see and what is missing. What is wrong is told on its page."""
    Connection.objects.filter(pk=connection.pk).update(listing=timezone.now())
    try:
        forge = forge_of(connection)
        about, found = forge.reader.about(), forge.reader.repositories()
    except MunimentError as error:
        note(connection, None, error)
        raise
    Connection.objects.filter(pk=connection.pk).update(
        account=about.ours.login[:100], account_id=about.ours.id[:100], version=about.version[:60], tier=about.tier[:60]
    )
    for one in found:
        repo = one.repository
        values = {"path": repo.path, "default": repo.default, "clone": repo.clone, "url": repo.url}
        more = {"private": repo.private, "missing": [ability.value for ability in one.missing]}
        Listed.objects.update_or_create(connection=connection, forge_id=repo.id, defaults={**values, **more})
        rows = Connected.objects.filter(connection=connection, forge_id=repo.id)
        moved = rows.exclude(path=repo.path).values_list("repository", flat=True)
        for number in moved:
            soon("reconcile", repository=number)
        rows.update(**values)
    Listed.objects.filter(connection=connection).exclude(forge_id__in=[one.repository.id for one in found]).delete()
    note(connection, forge, None)


def _due(connection: Connection, now: datetime) -> list[Connected]:
    rows = Connected.objects.filter(connection=connection, repository__product__retired=None)
    late = rows.filter(Q(reconciled=None) | Q(reconciled__lt=now - EACH))
    ordered = late.order_by(F("reconciled").asc(nulls_first=True), "pk")
    return list(ordered.select_related("repository__product", "connection")[: _MOST * 10])

"""States of the clauses about a product itself, such as those of its secrets, where its repository is at a forge.

Clauses about changes have their states from merged changes (`watched_branches`). These have theirs from the newest
facts, as in a repository that is read by its path: known before anything is merged.
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.controls.control import Scope
from muniment.decision.binding import BoundPolicy
from muniment.decision.catalogue import CONTROLS
from muniment.errors import MunimentError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.git.repository import Repository as Git
from muniment.policy.model import Clause
from muniment.server import moments
from muniment.server.changes.clause_states import store_current_states, store_unknown_states
from muniment.server.changes.product_rules import load_repository_rules
from muniment.server.changes.product_standing import digest_fact_states, read_product_facts
from muniment.server.changes.repository_context import collect_known_facts
from muniment.server.connections.forge_access import require_linked_repository
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.models import ProtectedBranch, RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.server.error_text import format_error_text
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import RepositoryScan
from muniment.workflows.branch_replay import Replay, Summary, state_fact_names
from muniment.workflows.replay_repository import HistoryEvaluator

_FRESH = timedelta(hours=1)  # after which the facts are read again in any case
_RETRY = timedelta(minutes=2)  # after which they are read again where a part of them could not be
_MOST = 20  # repositories in one round: one changed secret makes every product due


def list_due_links() -> Iterator[RepositoryLink]:
    """Yield the repositories whose facts may differ from those that were evaluated last, the longest waiting first."""
    links = RepositoryLink.objects.filter(
        connection__ended_at=None, connection__credential_set_at__isnull=False, repository__product__retired_at=None
    )
    scans = {row.repository_id: row for row in RepositoryScan.objects.filter(repository__forge_link__in=links)}
    tips = {(row.repository_id, row.ref): row.tip for row in ProtectedBranch.objects.filter(tip__gt="")}
    states, due = digest_fact_states(), list[tuple[float, RepositoryLink]]()
    for link in links:
        scan = scans.get(link.repository_id)
        if scan is None or scan.finished_at is None:
            due.append((0, link))
            continue
        age = timezone.now() - scan.finished_at
        tip = tips.get((link.repository_id, link.default_branch), scan.tip)
        is_outdated = scan.facts_digest != states if scan.facts_digest else age > _RETRY
        if is_outdated or tip != scan.tip or age > _FRESH:
            due.append((scan.finished_at.timestamp(), link))
    for _, link in sorted(due, key=lambda one: one[0])[:_MOST]:
        yield link


def evaluate_product_clauses(connected: RepositoryLink, forge: Forge) -> None:
    """Store the state of each clause about the product. They are unknown, with the reason, if it cannot be read."""
    states = digest_fact_states()  # before the facts are read: what comes meanwhile asks for another evaluation
    scan, _ = RepositoryScan.objects.get_or_create(repository=connected.repository)
    try:
        summary, tip, is_complete = _evaluate_newest_commit(connected, forge)
    except MunimentError as error:
        with transaction.atomic():
            clauses = [clause.id for clause in current_clauses() if _is_about_product(clause)]
            store_unknown_states(connected.repository, clauses, format_error_text(error))
            _save_scan(scan, scan.tip, "")
        return
    with transaction.atomic():
        store_current_states(connected.repository, summary)
        _save_scan(scan, tip, states if is_complete else "")


def _save_scan(scan: RepositoryScan, tip: str, states: str) -> None:
    scan.tip, scan.facts_digest, scan.finished_at = tip, states, timezone.now()
    scan.save(update_fields=["tip", "facts_digest", "finished_at"])


def _is_about_product(clause: Clause) -> bool:
    control = CONTROLS.get(clause.control) if clause.control else None
    return control is not None and control.scope is Scope.PRODUCT


def _evaluate_newest_commit(connected: RepositoryLink, forge: Forge) -> tuple[Summary, str, bool]:
    """Summary of the clauses about the product, the tip that was read, and whether every fact is known."""
    there, target = require_linked_repository(connected), connected.default_branch
    tip = forge.reader.read_branch_tip(there, target)
    mirror = open_repository_mirror(connected, forge, there)
    with hold_lock(f"mirror:{connected.pk}"):  # two fetches into one mirror would fail at its refs
        mirror.fetch_refs((target,), (), (tip,))
    with mirror.open_copy() as git:
        return _evaluate_commit(connected, git, target, tip)


def _evaluate_commit(connected: RepositoryLink, git: Git, target: str, tip: str) -> tuple[Summary, str, bool]:
    now, repository = moments.current_moment(), connected.repository
    rules = load_repository_rules(repository, git, tip)
    bound = _select_product_clauses(rules.policy)
    names = state_fact_names(bound, target)
    given = read_product_facts(repository, git, target, tip, bound, names, now)
    evaluator = HistoryEvaluator(git, Known(rules.people), given, collect_known_facts(rules, now), now)
    today = evaluator.collect_current_facts(repository.name, target, tip, names)
    is_complete = not any(isinstance(fact.value, Unknown) for fact in given.values())
    return Replay(bound, target).build_summary(now, today), tip, is_complete


def _select_product_clauses(policy: BoundPolicy) -> BoundPolicy:
    return structs.replace(policy, clauses=tuple(one for one in policy.clauses if _is_about_product(one.clause)))

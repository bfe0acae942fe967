"""Steps of the set-up that are about repositories: connect the first one, and protect its branch."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.facts.maybe import Known
from muniment.server.changes.models import ServerHookLog
from muniment.server.changes.product_standing import find_hook_guard
from muniment.server.connections.models import Connection, ProtectedBranch
from muniment.server.products.models import Repository
from muniment.server.registration import SetupProgress, SetupStep

_LOGS = 5  # of server hooks that are looked at


def check_repository(actor: Actor) -> SetupProgress:
    """Whether there is a repository, at a forge or by its path."""
    count = Repository.objects.count()
    if count:
        return SetupProgress(True, _("%(count)d connected.") % {"count": count})
    if Connection.objects.exists():
        return SetupProgress(False, _("A forge is connected. Add its first repository."))
    return SetupProgress(False, _("GitHub, GitLab, Gitea, Forgejo or a plain git server. Read-only at first."))


def check_protection(actor: Actor) -> SetupProgress:
    """Whether one protected branch takes only what was allowed, by its forge's rules or a server hook."""
    if is_branch_protected():
        return SetupProgress(True, _("A branch takes only changes that a decision allowed."))
    return SetupProgress(False, _("No branch is protected yet: Muniment reports, and blocks nothing."))


def is_branch_protected() -> bool:
    """Whether any branch takes only what was allowed."""
    return ProtectedBranch.objects.filter(rules__protected=True, rule_gaps="").exists() or _has_enforcing_hook()


def _has_enforcing_hook() -> bool:
    for log in ServerHookLog.objects.select_related("repository__scan").order_by("-verified_size")[:_LOGS]:
        scan = getattr(log.repository, "scan", None)
        guard = find_hook_guard(log.repository, scan.branch) if scan is not None and scan.branch else None
        if isinstance(guard, Known) and guard.value.enforced:
            return True
    return False


REPOSITORY = SetupStep(
    30,
    gettext_lazy("Connect a forge or a repository"),
    check_repository,
    Action.SEE_CONNECTIONS,
    3,
    "connections",
    gettext_lazy("Connect"),
)
PROTECTION = SetupStep(
    60,
    gettext_lazy("Protect the first branch"),
    check_protection,
    Action.SEE_CONNECTIONS,
    3,
    "connections",
    gettext_lazy("Protect branch"),
)

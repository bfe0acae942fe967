"""The policy as it is read from a branch: only what a binding decision let in there is proposed; nothing holds by it.

A security officer has it hold, two if it is weaker, as any other. The branch is itself gated: a commit that no decision
of the gate on its repository allowed is told, and left.
"""

from django.utils.translation import gettext as _

from muniment.errors import MunimentError, PolicyError
from muniment.git import documents
from muniment.server import moments
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.locations import open_repository
from muniment.server.changes.models import Decision
from muniment.server.connections.models import BranchUpdate
from muniment.server.policies.differences import find_differences
from muniment.server.policies.models import PolicySource, PolicyVersion
from muniment.server.policies.source_acts import ImportPolicy
from muniment.server.records import row_checks

_HEADS = "refs/heads/"


class NotLetIn(MunimentError):
    """The branch holds what no binding decision let in."""


def read_on(source: PolicySource) -> None:
    """Propose what the branch holds, if it is new. What hinders is told in `problem`. For the worker."""
    seen, problem = source.last_commit, ""
    try:
        row_checks.require_recorded(source)
        seen, text = _newest(source)
        if seen != source.last_commit:
            _propose(source, seen, text)
    except MunimentError as error:
        problem = f"{error.message}. {error.remedy}"
    PolicySource.objects.filter(pk=source.pk).update(
        last_commit=seen, problem=problem, read_at=moments.read(moments.now())
    )


def _newest(source: PolicySource) -> tuple[str, str]:
    """The branch's tip and its policy there. Raises MunimentError, NotLetIn first of all."""
    with open_repository(source.repository) as git:
        tip = git.refs(_HEADS).get(_HEADS + source.branch, "")
        if not tip:
            raise NotLetIn(
                _("the branch %(branch)s is not there") % {"branch": source.branch}, _("Push it, or name another.")
            )
        if tip == source.last_commit:
            return tip, ""
        if not _let_in(source, tip):
            raise NotLetIn(
                _("no decision of a gate allowed %(commit)s on %(branch)s")
                % {"commit": tip[:12], "branch": source.branch},
                _("Install the server hook on its repository, and import its log: docs/guides/server-hook.md."),
            )
        text = documents.text_at(git, tip, source.path)
    if text is None:
        sentence = _("it is not there at %(commit)s") % {"commit": tip[:12]}
        raise PolicyError(source.path, "", sentence, _("Commit it, or name another path."))
    return tip, text


def _let_in(source: PolicySource, tip: str) -> bool:
    """Whether a decision that binds allowed this very commit on that branch, and none denied it since."""
    rows = Decision.objects.filter(
        change__repository=source.repository, change__target=_HEADS + source.branch, head=tip, hook_record__isnull=False
    )
    newest = rows.order_by("-decided_at", "-id").first()
    return newest.allowed if newest is not None else _took(source, tip)


def _took(source: PolicySource, tip: str) -> bool:
    """The same at a forge: whether the branch was seen to take it by a decision that allowed it."""
    steps = BranchUpdate.objects.filter(repository=source.repository, ref=_HEADS + source.branch, commit=tip)
    newest = steps.order_by("-pk").first()
    return newest is not None and newest.outcome == BranchUpdate.Outcome.ALLOWED


def _propose(source: PolicySource, commit: str, text: str) -> None:
    """A version that does not hold, with its entry; officers are told. What holds or was proposed already adds none."""
    find_differences(text)
    newest = PolicyVersion.objects.order_by("-id").first()
    if PolicyVersion.objects.filter(in_force=True, text=text).exists() or (newest is not None and newest.text == text):
        return
    execute_system_act(SystemActor.POLICY_BRANCH, ImportPolicy, {"text": text, "commit": commit})

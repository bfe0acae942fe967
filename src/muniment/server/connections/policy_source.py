"""Reads the policy from a branch: only a commit that a binding decision allowed is proposed; nothing takes effect
by it.

A security officer applies it, two if it is weaker, like any other. The branch is itself enforced: a commit that no
decision on its repository allowed is reported, and skipped.
"""

from django.utils.translation import gettext as _

from muniment.errors import MunimentError, PolicyError
from muniment.git import branch_documents
from muniment.server import moments
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.models import Decision
from muniment.server.changes.repository_locations import open_repository
from muniment.server.connections.models import BranchUpdate
from muniment.server.policies.differences import find_policy_differences
from muniment.server.policies.models import PolicySource, PolicyVersion
from muniment.server.policies.source_acts import ImportPolicy
from muniment.server.records import row_checks

_HEADS = "refs/heads/"


class PolicyNotAllowedError(MunimentError):
    """Raised when no binding decision allowed the branch's present commit."""


def read_policy_branch(source: PolicySource) -> None:
    """Propose the branch's policy, if it is new. A failure is stored in `problem`. For the worker."""
    seen, problem = source.last_commit, ""
    try:
        row_checks.require_recorded(source)
        seen, text = _read_newest(source)
        if seen != source.last_commit:
            _propose_version(source, seen, text)
    except MunimentError as error:
        problem = f"{error.message}. {error.remedy}"
    PolicySource.objects.filter(pk=source.pk).update(
        last_commit=seen, problem=problem, read_at=moments.parse_moment(moments.current_moment())
    )


def _read_newest(source: PolicySource) -> tuple[str, str]:
    """Tip of the branch and its policy there. Raises MunimentError, PolicyNotAllowedError first of all."""
    with open_repository(source.repository) as git:
        tip = git.read_refs(_HEADS).get(_HEADS + source.branch, "")
        if not tip:
            raise PolicyNotAllowedError(
                _("the branch %(branch)s is not there") % {"branch": source.branch}, _("Push it, or name another.")
            )
        if tip == source.last_commit:
            return tip, ""
        if not _is_allowed_commit(source, tip):
            raise PolicyNotAllowedError(
                _("no decision of a server hook allowed %(commit)s on %(branch)s")
                % {"commit": tip[:12], "branch": source.branch},
                _("Install the server hook on its repository, and import its log: docs/guides/server-hook.md."),
            )
        text = branch_documents.read_text_at(git, tip, source.path)
    if text is None:
        sentence = _("it is not there at %(commit)s") % {"commit": tip[:12]}
        raise PolicyError(source.path, "", sentence, _("Commit it, or name another path."))
    return tip, text


def _is_allowed_commit(source: PolicySource, tip: str) -> bool:
    """Whether a binding decision allowed this very commit on that branch, and none denied it since."""
    rows = Decision.objects.filter(
        change__repository=source.repository, change__target=_HEADS + source.branch, head=tip, hook_record__isnull=False
    )
    newest = rows.order_by("-decided_at", "-id").first()
    return newest.allowed if newest is not None else _is_allowed_update(source, tip)


def _is_allowed_update(source: PolicySource, tip: str) -> bool:
    """Whether the branch received the commit, at a forge, by a decision that allowed it."""
    steps = BranchUpdate.objects.filter(repository=source.repository, ref=_HEADS + source.branch, commit=tip)
    newest = steps.order_by("-pk").first()
    return newest is not None and newest.outcome == BranchUpdate.Outcome.ALLOWED


def _propose_version(source: PolicySource, commit: str, text: str) -> None:
    """Add a version that is not in force, with its record, and notify officers. A known text adds none."""
    find_policy_differences(text)
    newest = PolicyVersion.objects.order_by("-id").first()
    if PolicyVersion.objects.filter(in_force=True, text=text).exists() or (newest is not None and newest.text == text):
        return
    execute_system_act(SystemActor.POLICY_BRANCH, ImportPolicy, {"text": text, "commit": commit})

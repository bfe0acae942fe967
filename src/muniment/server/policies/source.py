"""The policy as it is read from a branch: only what a binding decision let in there is proposed; nothing holds by it.

A security officer has it hold, two if it is weaker, as any other. The branch is itself gated: a commit that no decision
of the gate on its repository allowed is told, and left.
"""

from django.db import connection, transaction

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import MunimentError, PolicyError
from muniment.git import documents
from muniment.git.repository import Repository as Git
from muniment.policy.document import read_policy
from muniment.server import moments
from muniment.server.changes.models import Decision
from muniment.server.connections.models import Arrival
from muniment.server.people.messages import tell
from muniment.server.people.models import Person, held
from muniment.server.policies.acts import differences
from muniment.server.policies.models import Source, Version
from muniment.server.record.entering import SHELL, act
from muniment.server.record.home import POLICY
from muniment.server.work import soon

_INSERT = """
    INSERT INTO policies_version (text, digest, note, proposed, commit) VALUES (%s, %s, %s, %s, %s) RETURNING id
"""  # without `holds` and `applied`: the worker may not name those columns
_HEADS = "refs/heads/"


class NotLetIn(MunimentError):
    """The branch holds what no binding decision let in."""


def read_on(source: Source) -> None:
    """Propose what the branch holds, if it is new. What hinders is told in `problem`. For the worker."""
    seen, problem = source.seen, ""
    try:
        seen, text = _newest(source)
        if seen != source.seen:
            _propose(source, seen, text)
    except MunimentError as error:
        problem = f"{error.message}. {error.remedy}"
    except ValueError as error:
        problem = str(error)
    Source.objects.filter(pk=source.pk).update(seen=seen, problem=problem, read=moments.read(moments.now()))


def _newest(source: Source) -> tuple[str, str]:
    """The branch's tip and its policy there. Raises MunimentError, NotLetIn first of all."""
    with Git.open(source.repository.folder) as git:
        tip = git.refs(_HEADS).get(_HEADS + source.branch, "")
        if not tip:
            raise NotLetIn(f"the branch {source.branch} is not there", "Push it, or name another.")
        if tip == source.seen:
            return tip, ""
        if not _let_in(source, tip):
            raise NotLetIn(
                f"no decision of a gate allowed {tip[:12]} on {source.branch}",
                "Have the gate on its repository judge what comes there, and its log read: docs/gate.md.",
            )
        text = documents.text_at(git, tip, source.path)
    if text is None:
        raise PolicyError(source.path, "", f"it is not there at {tip[:12]}", "Commit it, or name another path.")
    return tip, text


def _let_in(source: Source, tip: str) -> bool:
    """Whether a decision that binds allowed this very commit on that branch, and none denied it since."""
    rows = Decision.objects.filter(
        change__repository=source.repository, change__target=_HEADS + source.branch, head=tip, gate__isnull=False
    )
    newest = rows.order_by("-time", "-id").first()
    return newest.allowed if newest is not None else _took(source, tip)


def _took(source: Source, tip: str) -> bool:
    """The same at a forge: whether the branch was seen to take it by a decision that allowed it."""
    steps = Arrival.objects.filter(repository=source.repository, ref=_HEADS + source.branch, commit=tip)
    newest = steps.order_by("-pk").first()
    return newest is not None and newest.how == Arrival.How.ALLOWED


def _propose(source: Source, commit: str, text: str) -> None:
    """A version that does not hold, with its entry; officers are told. What holds or was proposed already adds none."""
    differences(text)
    digest = read_policy(text, POLICY).digest
    newest = Version.objects.order_by("-id").first()
    if Version.objects.filter(holds=True, text=text).exists() or (newest is not None and newest.text == text):
        return
    note = f"{source.repository.name}, {source.branch} at {commit[:12]}"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [text, digest, note, moments.now(), commit])
            (number,) = cursor.fetchone() or (0,)
        details = {"step": "read from its branch", "digest": digest, "commit": commit}
        act(SHELL, Action.PROPOSE_POLICY, f"policy:{number}", details)
        officers = Person.objects.filter(held("grants__"), active=True, grants__role=Role.SECURITY).distinct()
        tell(officers, f"A policy was let in on {source.branch} and waits to hold.", f"/policy/versions/{number}")
        soon("try-policy", version=number)

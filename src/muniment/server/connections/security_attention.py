"""Lines of a change that touch files which protect the product, for reviewers to read first."""

from typing import Any

from django.db.models import QuerySet
from msgspec import Struct

from muniment.controls.security_attention import Parameters
from muniment.errors import GitError
from muniment.facts import kinds, paths
from muniment.facts.maybe import Known
from muniment.git.repository import Repository as Git
from muniment.policy import guide
from muniment.server.changes.models import Change
from muniment.server.connections.models import SecurityAttention
from muniment.server.remembered_sql import remember_sql
from muniment.workflows.change_evaluation import ChangeEvaluation

_MOST_FILES = 50
_MOST_LINES = 400
_LONGEST = 300  # characters of one line


class AttentionLines(Struct, frozen=True):
    """Topics of the review guide, and the lines as a diff shows them; "" if there are none or they cannot be shown."""

    topics: tuple[str, ...]
    text: str


def find_attention_lines(git: Git, evaluation: ChangeEvaluation) -> AttentionLines:
    """Lines to read first. Only a help for readers: lines that cannot be shown are left out, and are evaluated
    anyway.
    """
    files, revision = evaluation.facts.get(kinds.FILES), evaluation.facts.get(kinds.REVISION)
    if not isinstance(files, Known) or not isinstance(revision, Known):
        return AttentionLines((), "")
    own = find_sensitive_paths(evaluation)
    touched = [file.path for file in files.value if guide.find_topics((file.path, file.old_path), own)]
    topics = guide.find_topics((path for file in files.value for path in (file.path, file.old_path)), own)
    if not touched:
        return AttentionLines(topics, "")
    named = [paths.encode_path(path).decode("utf-8", "surrogateescape") for path in touched[:_MOST_FILES]]
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--unified=2")
    about = revision.value
    try:
        values, literal = (f"{about.base}...{about.head}",), [f":(literal){name}" for name in named]
        out = git.run_git("diff", *options, values=values, paths=literal, timeout=30)
    except GitError:
        return AttentionLines(topics, "")
    return AttentionLines(topics, _limit_text(out.decode("utf-8", "replace")))


def store_attention(change: Change, head: str, found: AttentionLines) -> None:
    """Store the lines for the change's page, while it is open."""
    values = {"head": head, "topics": list(found.topics), "lines": found.text}
    if _find_stored(change.pk) != [tuple(values.values())]:
        SecurityAttention.objects.update_or_create(change=change, defaults=values)


@remember_sql
def _find_stored(change: int) -> QuerySet[Any, tuple[str, Any, str]]:
    return SecurityAttention.objects.filter(change=change).values_list("head", "topics", "lines")


def find_sensitive_paths(evaluation: ChangeEvaluation) -> tuple[str, ...]:
    """Paths that the clauses of the policy name as sensitive."""
    found = (bound.parameters for bound in evaluation.policy.clauses)
    return tuple(path for one in found if isinstance(one, Parameters) for path in one.sensitive)


def _limit_text(text: str) -> str:
    rows = [
        "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in row) for row in text.split("\n")
    ]
    lines = [row[:_LONGEST] for row in rows[:_MOST_LINES]]
    return "\n".join((*lines, *(["…"] if len(rows) > _MOST_LINES else [])))

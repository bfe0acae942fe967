"""The lines of a change that touch what protects the product, cut out for reviewers to read first."""

from msgspec import Struct

from muniment.controls.security_attention import Parameters
from muniment.errors import GitError
from muniment.facts import kinds, paths
from muniment.facts.maybe import Known
from muniment.git.repository import Repository as Git
from muniment.policy import guide
from muniment.server.changes.models import Change
from muniment.server.connections.models import SecurityAttention
from muniment.workflows.judge_change import Judgement

_MOST_FILES = 50
_MOST_LINES = 400
_LONGEST = 300  # characters of one line


class Lines(Struct, frozen=True):
    """Topics of the guide, and the lines as a diff shows them; "" where there are none, or they cannot be shown."""

    topics: tuple[str, ...]
    text: str


def lines(git: Git, judgement: Judgement) -> Lines:
    """What to look at first. It only helps to read: what cannot be shown is left out, and judged all the same."""
    files, revision = judgement.facts.get(kinds.FILES), judgement.facts.get(kinds.REVISION)
    if not isinstance(files, Known) or not isinstance(revision, Known):
        return Lines((), "")
    own = sensitive(judgement)
    touched = [file.path for file in files.value if guide.topics((file.path, file.old_path), own)]
    topics = guide.topics((path for file in files.value for path in (file.path, file.old_path)), own)
    if not touched:
        return Lines(topics, "")
    named = [paths.to_bytes(path).decode("utf-8", "surrogateescape") for path in touched[:_MOST_FILES]]
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--unified=2")
    about = revision.value
    try:
        values, literal = (f"{about.base}...{about.head}",), [f":(literal){name}" for name in named]
        out = git.run("diff", *options, values=values, paths=literal, timeout=30)
    except GitError:
        return Lines(topics, "")
    return Lines(topics, _cut(out.decode("utf-8", "replace")))


def keep(change: Change, head: str, found: Lines) -> None:
    """For its page, while it is open."""
    values = {"head": head, "topics": list(found.topics), "lines": found.text}
    if not SecurityAttention.objects.filter(change=change, **values).exists():
        SecurityAttention.objects.update_or_create(change=change, defaults=values)


def sensitive(judgement: Judgement) -> tuple[str, ...]:
    """The paths that the policy's own clauses call sensitive."""
    found = (bound.parameters for bound in judgement.policy.clauses)
    return tuple(path for one in found if isinstance(one, Parameters) for path in one.sensitive)


def _cut(text: str) -> str:
    rows = [
        "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in row) for row in text.split("\n")
    ]
    shown = [row[:_LONGEST] for row in rows[:_MOST_LINES]]
    return "\n".join((*shown, *(["…"] if len(rows) > _MOST_LINES else [])))

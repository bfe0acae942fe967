"""A decision as it is shown at a forge: on exactly one head, in the context of one protected branch."""

from enum import StrEnum

from msgspec import Struct

CONTEXT_PREFIX = "muniment/"  # what our contexts begin with


class StatusState(StrEnum):
    """A decision as a forge shows it. All but ALLOWED block where the context is required."""

    PENDING = "pending"
    ALLOWED = "allowed"
    DENIED = "denied"


class Annotation(Struct, frozen=True):
    """A remark on lines of a file, for forges that show them. Lines count from 1."""

    path: str
    first: int
    last: int
    message: str
    title: str = ""


class Status(Struct, frozen=True):
    """A decision on one head. `context` is one per protected branch; `summary` two lines at most; `url` our page."""

    context: str
    saying: StatusState
    summary: str
    url: str
    details: str = ""
    annotations: tuple[Annotation, ...] = ()


def make_context(ref: str) -> str:
    """Context of the status for a protected branch: a decision belongs to a head and its target."""
    return f"{CONTEXT_PREFIX}{ref.removeprefix('refs/heads/')}"


def shorten_summary(summary: str, most: int) -> str:
    """A summary in one line of at most so many characters, for forges that show only one: the first line is kept."""
    first, _, second = (" ".join(line.split()) for line in summary.partition("\n"))
    whole = f"{first} Next: {second}" if second else first
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def hide_marker(marker: str) -> str:
    """A marker as a comment in HTML, which pages do not show."""
    return f"<!-- {marker} -->"


def parse_context(context: str) -> str:
    """The protected branch of a context."""
    return f"refs/heads/{context.removeprefix(CONTEXT_PREFIX)}"

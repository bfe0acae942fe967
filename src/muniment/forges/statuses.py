"""A verdict as it is shown at a forge: on exactly one head, in the context of one protected branch."""

from enum import StrEnum

from msgspec import Struct

OURS = "muniment/"  # what our contexts begin with


class Saying(StrEnum):
    """A verdict as a forge shows it. Everything but ALLOWED blocks where the context is required."""

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
    """A verdict on one head. `context` is one per protected branch; `summary` two lines at most; `url` our page."""

    context: str
    saying: Saying
    summary: str
    url: str
    details: str = ""
    annotations: tuple[Annotation, ...] = ()


def context_for(ref: str) -> str:
    """The context of a protected branch's verdict: a verdict belongs to a head and its target."""
    return f"{OURS}{ref.removeprefix('refs/heads/')}"


def describe(summary: str, most: int) -> str:
    """A summary in one line of at most so many characters, for forges that show but one: the first line is kept."""
    first, _, second = (" ".join(line.split()) for line in summary.partition("\n"))
    whole = f"{first} Next: {second}" if second else first
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def hidden(marker: str) -> str:
    """A marker as it stands in a comment, where nobody reads it."""
    return f"<!-- {marker} -->"


def ref_of(context: str) -> str:
    """The protected branch that a context is of."""
    return f"refs/heads/{context.removeprefix(OURS)}"

"""Errors of resolvers: no answer, which is unknown."""

from muniment.errors import MunimentError
from muniment.facts import paths

_LONGEST = 600


class ResolverError(MunimentError):
    """A resolver gave neither versions nor a conflict, or what it gave is refused."""


def describe_output(complaints: bytes) -> str:
    """Output of a resolver for a person: on one line, printable, and short."""
    text = " ".join(complaints.decode("utf-8", "replace").split()).replace("npm error ", "")
    text = text.partition(" A complete log of this run")[0]  # a file that is gone by now
    start = max(text.find("error:"), 0)
    return (
        paths.decode_path(text[start : start + _LONGEST].removeprefix("error:").strip().encode()) or "no reason given"
    )

"""Addresses in environment variables, each split by one function that refuses anything else."""

from urllib.parse import SplitResult, urlsplit

from muniment.errors import ParseError
from muniment.server.text_marks import gettext_noop


def split_address(variable: str, text: str) -> SplitResult:
    """Parts of the address that stands in a variable; its port is a number, if there is one.

    Raises ParseError, which does not repeat the text: a password may stand in it. Settings are read by this too,
    before anything can be translated.
    """
    try:
        parts = urlsplit(text)
        port = parts.port  # is read here
        if text.isprintable() and port != 0:
            return parts
    except ValueError:  # half an IPv6 address, or a port that is none
        pass
    raise ParseError(
        "no-address",
        gettext_noop("%(variable)s is not an address") % {"variable": variable},
        gettext_noop("Write a whole one, such as https://login.example.test."),
    )

"""Hides names and passwords of addresses in texts that people read."""

import re

_CREDENTIALS = re.compile(r"//[^/\s]*@")


def hide_credentials(text: str) -> str:
    """The text, without the names and passwords in addresses."""
    return _CREDENTIALS.sub("//", text)

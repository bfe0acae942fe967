"""Mark of a text that is translated later, and may be read before any settings are."""


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue, and return it as it is.

    The function of this name in Django reads the settings, and fails where a setting is refused before they are read.
    """
    return text

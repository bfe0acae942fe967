"""Next steps, as they are printed: their commands run word for word, on the home that the command line named."""

import re
import shlex

_START = re.compile(r"\bmuniment up\b(?! --home)")


def put_home_into_commands(remedy: str, home: str) -> str:
    """Put a home into the commands of a remedy; "" changes nothing."""
    if not home:
        return remedy
    option = f"--home {shlex.quote(home)}"
    return _START.sub(lambda found: f"{found[0]} {option}", remedy.replace("--home DIR", option))

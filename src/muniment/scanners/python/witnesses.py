"""Attack strings that every source delivers, one for each way to leave a context.

They are data: each is executed through the pure functions of the analysed code, and looked at where it arrives. The
marker is a word that no real code has; a context is left where the marker arrives as syntax instead of content.
"""

from typing import NamedTuple

MARKER = "mZ9q"


class Witness(NamedTuple):
    """Attack string, and the way out of a context that it tries."""

    text: str
    way: str


WITNESSES: tuple[Witness, ...] = (
    Witness(MARKER, "an ordinary word"),
    Witness(f"1 OR {MARKER}=1", "an expression without quotes"),
    Witness(f"x' OR {MARKER}='1", "a single quote"),
    Witness(f'x" OR {MARKER}="1', "a double quote"),
    Witness(f"x` OR {MARKER}=1", "a backtick"),
    Witness(f"x'||{MARKER}||'", "a single quote without blanks"),
    Witness(f"x;{MARKER}", "a semicolon"),
    Witness(f"x&{MARKER}", "an ampersand"),
    Witness(f"x|{MARKER}", "a pipe"),
    Witness(f"$({MARKER})", "a command substitution"),
    Witness(f"`{MARKER}`", "a command substitution by backticks"),
    Witness(f"x';{MARKER};'", "a single quote and a semicolon"),
    Witness(f'x";{MARKER};"', "a double quote and a semicolon"),
    Witness(f"../../../../{MARKER}", "parent directories"),
    Witness(f"/etc/{MARKER}", "an absolute path"),
    Witness(f"....//....//....//....//{MARKER}", "parent directories that survive one removal"),
    Witness(f"%2e%2e%2f%2e%2e%2f{MARKER}", "parent directories, percent-encoded"),
    Witness(f"a/../../../../{MARKER}", "parent directories below a name"),
    Witness(f"<{MARKER}>", "a tag"),
    Witness(f'" {MARKER}="', "a double quote in an attribute"),
    Witness(f"' {MARKER}='", "a single quote in an attribute"),
    Witness(f"x {MARKER}=y", "a blank in an attribute"),
    Witness(f"javascript:{MARKER}", "a script address"),
    Witness(f"';{MARKER}();'", "a single quote in a script"),
    Witness(f"//{MARKER}.example/", "an address without scheme"),
    Witness(f"https://{MARKER}.example/", "an absolute address"),
    Witness(f"/\\{MARKER}.example", "a backslash in an address"),
    Witness(f"@{MARKER}.example/", "user information in an address"),
    Witness(f".{MARKER}.example/", "a longer host name"),
    Witness(f"{MARKER}()", "a call"),
    Witness(f"'+{MARKER}()+'", "a single quote in an expression"),
    Witness(f'"+{MARKER}()+"', "a double quote in an expression"),
    Witness(f"*)({MARKER}=*", "a parenthesis in a filter"),
    Witness(f"{MARKER}*", "a wildcard"),
    Witness(f"x\r\n{MARKER}: y", "a line end"),
    Witness(f"x\n{MARKER}", "a line feed"),
    Witness("{{" + MARKER + "}}", "a template expression"),
    Witness("{" + MARKER + "}", "a format field"),
    Witness(f"({MARKER}+)+$", "a nested repetition"),
)

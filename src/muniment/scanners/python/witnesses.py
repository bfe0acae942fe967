"""Attack strings that every source delivers, one for each way to leave a context.

They are data: each is executed through the pure functions of the analysed code, and looked at where it arrives. The
marker is a word that no real code has; a context is left where the marker arrives as syntax instead of content.
"""

from typing import NamedTuple

WITNESS_MARKER = "mZ9q"


class AttackString(NamedTuple):
    """Attack string, and the way out of a context that it tries."""

    text: str
    way: str


WITNESSES: tuple[AttackString, ...] = (
    AttackString(WITNESS_MARKER, "an ordinary word"),
    AttackString(f"1 OR {WITNESS_MARKER}=1", "an expression without quotes"),
    AttackString(f"x' OR {WITNESS_MARKER}='1", "a single quote"),
    AttackString(f'x" OR {WITNESS_MARKER}="1', "a double quote"),
    AttackString(f"x` OR {WITNESS_MARKER}=1", "a backtick"),
    AttackString(f"x'||{WITNESS_MARKER}||'", "a single quote without blanks"),
    AttackString(f"x;{WITNESS_MARKER}", "a semicolon"),
    AttackString(f"x&{WITNESS_MARKER}", "an ampersand"),
    AttackString(f"x|{WITNESS_MARKER}", "a pipe"),
    AttackString(f"$({WITNESS_MARKER})", "a command substitution"),
    AttackString(f"`{WITNESS_MARKER}`", "a command substitution by backticks"),
    AttackString(f"x';{WITNESS_MARKER};'", "a single quote and a semicolon"),
    AttackString(f'x";{WITNESS_MARKER};"', "a double quote and a semicolon"),
    AttackString(f"../../../../{WITNESS_MARKER}", "parent directories"),
    AttackString(f"/etc/{WITNESS_MARKER}", "an absolute path"),
    AttackString(f"....//....//....//....//{WITNESS_MARKER}", "parent directories that survive one removal"),
    AttackString(f"%2e%2e%2f%2e%2e%2f{WITNESS_MARKER}", "parent directories, percent-encoded"),
    AttackString(f"a/../../../../{WITNESS_MARKER}", "parent directories below a name"),
    AttackString(f"<{WITNESS_MARKER}>", "a tag"),
    AttackString(f'" {WITNESS_MARKER}="', "a double quote in an attribute"),
    AttackString(f"' {WITNESS_MARKER}='", "a single quote in an attribute"),
    AttackString(f"x {WITNESS_MARKER}=y", "a blank in an attribute"),
    AttackString(f"javascript:{WITNESS_MARKER}", "a script address"),
    AttackString(f"';{WITNESS_MARKER}();'", "a single quote in a script"),
    AttackString(f"//{WITNESS_MARKER}.example/", "an address without scheme"),
    AttackString(f"https://{WITNESS_MARKER}.example/", "an absolute address"),
    AttackString(f"/\\{WITNESS_MARKER}.example", "a backslash in an address"),
    AttackString(f"@{WITNESS_MARKER}.example/", "user information in an address"),
    AttackString(f".{WITNESS_MARKER}.example/", "a longer host name"),
    AttackString(f"{WITNESS_MARKER}()", "a call"),
    AttackString(f"'+{WITNESS_MARKER}()+'", "a single quote in an expression"),
    AttackString(f'"+{WITNESS_MARKER}()+"', "a double quote in an expression"),
    AttackString(f"*)({WITNESS_MARKER}=*", "a parenthesis in a filter"),
    AttackString(f"{WITNESS_MARKER}*", "a wildcard"),
    AttackString(f"x\r\n{WITNESS_MARKER}: y", "a line end"),
    AttackString(f"x\n{WITNESS_MARKER}", "a line feed"),
    AttackString("{{" + WITNESS_MARKER + "}}", "a template expression"),
    AttackString("{" + WITNESS_MARKER + "}", "a format field"),
    AttackString(f"({WITNESS_MARKER}+)+$", "a nested repetition"),
)

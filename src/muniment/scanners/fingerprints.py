"""Fingerprints of findings, and the snippets that they are made from.

A fingerprint is made from the rule, the normalised snippet, the enclosing symbol and the number of the same snippet in
that symbol: never from a line, a path or a commit, so that moved lines and renamed files keep it.
"""

import hashlib
import re

_SPACE = re.compile(r"\s+")
MOST_SNIPPET = 300


def normalise_snippet(text: str) -> str:
    """Normalise code for comparison: one blank for any white space, none next to brackets and commas."""
    text = _SPACE.sub(" ", text.strip())
    text = re.sub(r" ?([()\[\]{},]) ?", r"\1", text)
    return text.replace(",)", ")").replace(",]", "]").replace(",}", "}")


def cut_snippet(lines: list[str], line: int, column: int, end_line: int, end_column: int) -> str:
    """Cut the text of a place out of the lines of a file; columns count bytes of UTF-8, lines from 1."""
    chosen = lines[line - 1 : end_line]
    if not chosen:
        return ""
    encoded = [one.encode("utf-8", "replace") for one in chosen]
    encoded[-1] = encoded[-1][:end_column]
    encoded[0] = encoded[0][column:]
    return b"\n".join(encoded).decode("utf-8", "replace")


def compute_fingerprint(rule: str, snippet: str, symbol: str, occurrence: int) -> str:
    """Compute the fingerprint of a finding, 32 hexadecimal digits."""
    parts = [rule, normalise_snippet(snippet), symbol, str(occurrence)]
    digest = hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]

"""Texts of notebooks, as their cells show them: JSON escapes are resolved, and lines of a cell joined."""

from collections.abc import Iterator

import msgspec

from muniment.scanners.secrets.signs import ArchiveError


def list_cell_texts(content: bytes) -> Iterator[tuple[str, bytes]]:
    """List the text of each cell, with its outputs, by the cell's number from 1. Raises ArchiveError."""
    if not content.strip():
        return
    try:
        document = msgspec.json.decode(content, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise ArchiveError("it is no valid notebook") from None
    cells = document.pop("cells", [])
    yield "metadata", _join_strings(document)
    if not isinstance(cells, list):
        raise ArchiveError("it is no valid notebook")
    for number, cell in enumerate(cells, 1):
        yield f"cell {number}", _join_strings(cell)


def _join_strings(value: object) -> bytes:
    """Join every text below a value; the parts of a list of texts follow each other without a break."""
    found: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list) and all(isinstance(part, str) for part in one):
            found.append("".join(one))
        elif isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            found += one
            left += reversed(one.values())
    return "\n".join(found).encode("utf-8", "surrogatepass")

"""Writes a number with the noun that it counts."""


def count_text(number: int, one: str, many: str) -> str:
    """Such as "1 entry" or "2 entries"."""
    return f"{number} {one if number == 1 else many}"


def count_entries(number: int) -> str:
    """Such as "1 entry", of a ledger."""
    return count_text(number, "entry", "entries")

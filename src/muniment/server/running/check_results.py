"""Result of one check of `muniment doctor`."""

from typing import NamedTuple


class CheckResult(NamedTuple):
    """Result for one part: `status` is `met`, `violated` or `unknown` (a warning)."""

    subject: str
    result: str
    message: str
    remedy: str = ""

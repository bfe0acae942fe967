"""The page about running commands names every exit code, and no other."""

import re

from dev.generate import DOCS
from muniment.errors import RunCode


def test_page_names_exactly_the_exit_codes() -> None:
    rows = re.findall(
        r"^\| (\d{3}) `(\w+)` \|", (DOCS / "guides" / "pipeline-secrets.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [(int(number), name) for number, name in rows] == [(code.value, code.name) for code in RunCode]

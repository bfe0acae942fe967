"""The files of the guide are an application that works, and its tests find the one fail-open place."""

import re
from pathlib import Path

from plugins.pytest.tests.test_fail_open_samples import run_tests

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "design-tests.md"
_BLOCK = re.compile(r"^\d\. `([\w.]+)`[^\n]*\n\n   ```\w+\n(.*?)   ```", re.DOTALL | re.MULTILINE)
NAMES = ["shop.py", "design.toml", "conftest.py", "test_design.py"]


def test_the_example_of_the_guide_runs_as_written(tmp_path: Path) -> None:
    blocks = {name: re.sub(r"^ {3}", "", text, flags=re.MULTILINE) for name, text in _BLOCK.findall(GUIDE.read_text())}
    assert list(blocks) == NAMES
    for name, text in blocks.items():
        (tmp_path / name).write_text(text)
    code, report, output = run_tests(tmp_path)
    assert code == 1
    (line,) = [line for line in output.splitlines() if line.startswith("violated:")]
    assert f"   {line}\n" in GUIDE.read_text()
    lines = blocks["shop.py"].splitlines()
    assert lines[17] == "        except sqlite3.Error:"
    lines[18] = lines[18].replace("True", "False")
    (tmp_path / "shop.py").write_text("\n".join(lines))
    code, report, output = run_tests(tmp_path)
    assert code == 0, output
    assert report["guards"][0]["status"] == "met"

"""Vendors what the pages of the service take from others: `python -m dev.vendor`. Needs npm.

Writes `src/muniment/server/static/vendor/`: Tabler's stylesheet (with a copy that is compressed once, so that the web
need not), two files of the font Inter, the outlines of the icons that the pages use as one file of symbols, and the
licences. The tests compare each file with the hash below, so that nobody changes one by hand.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from dev.rules import ROOT

VENDOR = ROOT / "src" / "muniment" / "server" / "static" / "vendor"
PACKAGES = ("@tabler/core@1.6.1", "@fontsource-variable/inter@5.3.0", "@tabler/icons@3.52.0")
# SHA-256 of each file as its package has it.
SOURCES = {
    "tabler.min.css": (
        "tabler-core",
        "dist/css/tabler.min.css",
        "370a2d4e608ae518351d10528fc7dbe19b354ae5062c51b2a9cb294850d65403",
    ),
    "inter-latin-wght-normal.woff2": (
        "fontsource-variable-inter",
        "files/inter-latin-wght-normal.woff2",
        "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
    ),
    "inter-latin-ext-wght-normal.woff2": (
        "fontsource-variable-inter",
        "files/inter-latin-ext-wght-normal.woff2",
        "34b9c504cab7a73e37b746343a449132e56cf7b5481af2cb81dc74dcff25c956",
    ),
}
ICON_LIST = Path(__file__).with_name("icons.txt")  # a name a line
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def main() -> None:
    """Fetch the packages by npm, check their files, and write the folder anew."""
    with tempfile.TemporaryDirectory() as name:
        folders = _fetch_packages(Path(name))
        shutil.rmtree(VENDOR, ignore_errors=True)
        VENDOR.mkdir(parents=True)
        for target, (package, path, digest) in SOURCES.items():
            content = (folders[package] / path).read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                sys.exit(f"vendor: {package}/{path} is not the file that was pinned; nothing else was written")
            (VENDOR / target).write_bytes(content)
        css = (VENDOR / "tabler.min.css").read_bytes()
        (VENDOR / "tabler.min.css.gz").write_bytes(gzip.compress(css, 9, mtime=0))
        (VENDOR / "icons.svg").write_text(_draw_symbols(folders["tabler-icons"] / "icons" / "outline"))
        (VENDOR / "NOTICES.txt").write_text(_write_notices(folders))


def _fetch_packages(folder: Path) -> dict[str, Path]:
    """Folder of each package, by the name that npm gives its archive."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        done = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True)
        archive = done.stdout.decode().strip()
        name = archive.rpartition("-")[0]
        with tarfile.open(folder / archive) as opened:
            opened.extractall(folder / name, filter="data")
        found[name] = folder / name / "package"
    return found


def _draw_symbols(folder: Path) -> str:
    """One SVG with a symbol for each icon; its strokes take colour and width from the page that uses it."""
    symbols: list[str] = []
    for icon in ICON_LIST.read_text().split():
        shapes = re.findall(r"<(?:path|circle|rect|line)[^>]*/>", (folder / f"{icon}.svg").read_text())
        drawn = "".join(shape for shape in shapes if 'stroke="none"' not in shape)
        symbols.append(f'<symbol id="i-{icon}" viewBox="0 0 24 24">{drawn}</symbol>\n')
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{"".join(symbols)}</svg>\n'


def _write_notices(folders: dict[str, Path]) -> str:
    icons = (folders["tabler-icons"] / "LICENSE").read_text()
    font = (folders["fontsource-variable-inter"] / "LICENSE").read_text()
    css = f"Copyright 2018-2026 The Tabler Authors\nCopyright 2018-2026 codecalm.net Paweł Kuna\n\n{MIT}"
    parts = {"tabler.min.css (@tabler/core 1.6.1, MIT)": css, "icons.svg (@tabler/icons 3.52.0, MIT)": icons}
    parts["inter-*.woff2 (@fontsource-variable/inter 5.3.0, OFL-1.1)"] = font
    return "\n\n".join(f"{title}\n{'=' * len(title)}\n\n{text.strip()}" for title, text in parts.items()) + "\n"


if __name__ == "__main__":
    main()

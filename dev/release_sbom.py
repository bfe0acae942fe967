"""Writes the SBOM of a release, as CycloneDX: `python -m dev.release_sbom FILE`.

It is made of uv.lock, so it has every package that an installation with all extras can get. Add it to the release.
"""

import sys
import tomllib
from pathlib import Path

from muniment.updates.sboms import write_sbom
from muniment.updates.uv_locks import parse_uv_lock

_ROOT = Path(__file__).parent.parent


def write_release_sbom() -> bytes:
    """SBOM of this checkout, by its version."""
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    lock = parse_uv_lock("uv.lock", (_ROOT / "uv.lock").read_bytes(), {})
    return write_sbom(f"muniment-{version}", lock)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(write_release_sbom())

"""A migrated database that runs of tests copy: Django's migrations take seconds, a copy takes a fraction of one."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_SERVER = _ROOT / "src" / "muniment" / "server"
_KEPT = _ROOT / ".pytest_cache" / "d" / "database"  # also where pytest's own cache is turned off
_SCHEMA = ("**/migrations/*.py", "**/models.py", "guarding/*.py")


def find_template() -> Path:
    """The folder for the schema of this checkout, whether it is there or not."""
    digest = hashlib.sha256(str(os.geteuid()).encode())
    for file in (_ROOT / "uv.lock", *sorted(path for pattern in _SCHEMA for path in _SERVER.glob(pattern))):
        digest.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return _KEPT / digest.hexdigest()


def store_template(template: Path, data: Path) -> None:
    """Keep the data of a server that is stopped, instead of those for older schemas. Another run may do so too."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=template.parent, prefix=".part-"))
    _copy(data, part / "data")
    shutil.rmtree(template, ignore_errors=True)
    try:
        part.rename(template)
    except OSError:  # another run was faster
        shutil.rmtree(part)
    for other in template.parent.iterdir():
        if other != template and not other.name.startswith(".part-"):
            shutil.rmtree(other, ignore_errors=True)


def restore_template(template: Path, data: Path) -> bool:
    """Whether `data` is a copy of the template now. It is not if there is none, or it was removed meanwhile."""
    data.parent.mkdir(mode=0o700)
    try:
        _copy(template / "data", data)
    except subprocess.CalledProcessError:
        shutil.rmtree(data, ignore_errors=True)
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    """Owners are copied too: where root runs the tests, the files belong to the account of PostgreSQL."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True)
